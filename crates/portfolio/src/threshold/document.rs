//! The file of thresholds.

use condition::Diagnostic;
use condition::yaml::{Fields, Node, Reader, Yaml};

use super::{Threshold, Thresholds};
use crate::catalog::{Classification, Criticality};

const KEYS: &[&str] = &["thresholds"];
const THRESHOLD_KEYS: &[&str] = &["environment", "environments", "data-classification", "criticality", "score"];

impl Thresholds {
    /// Reads a file of thresholds. All mistakes are returned.
    pub fn load(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = Reader::new(name, text);
        let documents = reader.documents();
        let mut thresholds = Vec::new();
        for document in &documents {
            let Some(fields) = reader.fields(document, "a file of thresholds", KEYS) else { continue };
            match fields.get("thresholds") {
                Some(Node { value: Yaml::List(items), .. }) => {
                    thresholds.extend(items.iter().filter_map(|item| threshold(&mut reader, item)));
                }
                Some(node) => {
                    reader.reject(node, "wrong-shape", "`thresholds` is a list", "begin each with `- score: 7.0`")
                }
                None => {
                    reader.reject(document, "missing-key", "`thresholds` is missing", "write `thresholds:` and a list")
                }
            }
        }
        if thresholds.is_empty() && reader.is_content() {
            // Without one no change of score would ever be news, which nobody means.
            reader.report("missing-key", "the file has no thresholds", (1, 1, 1), Some("add `- score: 9.0`".into()));
        }
        if reader.is_content() { Ok(Self { thresholds }) } else { Err(reader.into_errors()) }
    }
}

fn threshold(reader: &mut Reader<'_>, node: &Node) -> Option<Threshold> {
    let fields = reader.fields(node, "a threshold", THRESHOLD_KEYS)?;
    let mut environments = reader.strings(&fields, "environment");
    environments.extend(reader.strings(&fields, "environments"));
    let data_classification = words(reader, &fields, "data-classification", Classification::WORDS);
    let criticality = words(reader, &fields, "criticality", Criticality::WORDS);
    let score = match fields.get("score") {
        Some(Node { value: Yaml::Number(score), .. }) if (0.0..=10.0).contains(score) => Some(*score),
        Some(other) => {
            reader.reject(other, "wrong-shape", "`score` is a number from 0 to 10", "");
            None
        }
        None => {
            reader.reject(
                node,
                "missing-key",
                "`score` is missing",
                "say from which CVSS score on, such as `score: 7.0`",
            );
            None
        }
    };
    Some(Threshold { environments, data_classification, criticality, score: score? })
}

fn words<T: Copy>(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, words: &[(&str, T)]) -> Vec<T> {
    let nodes = reader.texts(fields, key);
    nodes.into_iter().filter_map(|node| reader.word(node, key, words)).collect()
}
