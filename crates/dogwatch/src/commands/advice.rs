//! Which base image is better: asked for, shown, and written as a Dockerfile names images.

use std::fmt::Write as _;

use ::scan::advice::{self, Advice, Candidate, Judged, Wishes};
use ::scan::inspect::InspectOptions;
use ::scan::pipeline::JudgeOptions;
use ::scan::target::{Reference, Target};
use formats::printable::printable;
use model::finding::Severity;

use crate::cli::{AdviceArguments, SourceArguments};
use crate::commands;
use crate::commands::scan::failed;
use crate::console::{Failure, note, progress};

/// The severities that have a column of their own.
const SHOWN: [(Severity, &str); 4] =
    [(Severity::Critical, "CRITICAL"), (Severity::High, "HIGH"), (Severity::Medium, "MEDIUM"), (Severity::Low, "LOW")];

/// Compares a base image with others.
pub(super) fn advise(
    target: &Target,
    wishes: &AdviceArguments,
    source: &SourceArguments,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<Advice, Failure> {
    let also = wishes.candidate.iter().map(|text| commands::target(text, source)).collect::<Result<_, _>>()?;
    let wishes = Wishes { tags_max: wishes.candidates, major: wishes.major, also };
    let bar = progress(format!("comparing {target} with others"));
    let advice = advice::advise(target, &wishes, options, judge).map_err(failed(target))?;
    bar.finish_and_clear();
    advice.notes.iter().for_each(|sentence| note(sentence));
    Ok(advice)
}

/// One line for each candidate, and the one to take.
pub(super) fn table(advice: &Advice) -> String {
    let mut rows: Vec<Vec<String>> = vec![
        ["BASE", "DISTRIBUTION", "VIOLATIONS", "FINDINGS"]
            .into_iter()
            .chain(SHOWN.map(|(_, name)| name))
            .map(str::to_owned)
            .collect(),
    ];
    rows[0].extend(["PACKAGES", "FIXES", "BRINGS"].map(str::to_owned));
    let mut remarks = String::new();
    for (at, Candidate { name, judged }) in advice.candidates.iter().enumerate() {
        let mark = if at == 0 { " (in use)" } else { "" };
        let name = format!("{}{mark}", printable(name));
        match judged {
            Judged::Failed { error } => {
                let _ = writeln!(remarks, "{name} is not compared: {}", printable(error));
            }
            Judged::Scanned(summary) => {
                let of = |severity| summary.by_severity.get(&severity).copied().unwrap_or_default();
                let numbers =
                    [summary.violations, summary.findings].into_iter().chain(SHOWN.map(|(severity, _)| of(severity)));
                let numbers = numbers.chain([summary.packages, summary.fixes, summary.brings]);
                let distribution = printable(summary.distribution.as_deref().unwrap_or("none"));
                let words = [name.clone(), distribution.to_string()].into_iter();
                rows.push(words.chain(numbers.map(|number| number.to_string())).collect());
                for gap in &summary.unknown {
                    let _ = writeln!(
                        remarks,
                        "{name} is not called better: {}: {}",
                        printable(&gap.subject),
                        printable(&gap.detail)
                    );
                }
                if !summary.lacks.is_empty() {
                    let lacks: Vec<&str> = summary.lacks.iter().map(String::as_str).collect();
                    let lacks = lacks.join(", ");
                    let _ = writeln!(remarks, "{name} is not called better: it lacks {}", printable(&lacks));
                }
            }
        }
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells =
            cells.map(|(at, (cell, width))| if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    text + &remarks + &verdict(advice) + "\n"
}

/// The conclusion in a sentence.
fn verdict(advice: &Advice) -> String {
    let numbers = |at: usize| match &advice.candidates[at].judged {
        Judged::Scanned(summary) => (summary.violations, summary.findings),
        Judged::Failed { .. } => (0, 0),
    };
    match advice.better {
        None if advice.candidates.len() == 1 => "there is nothing to compare it with".into(),
        None => "none of them is better than the one in use".into(),
        Some(at) => {
            let ((was, all), (is, left)) = (numbers(0), numbers(at));
            let name = printable(&advice.candidates[at].name);
            format!("take {name}: violations {was} -> {is}, findings {all} -> {left}")
        }
    }
}

/// The better image, named as the one in use is written: without a registry where that has none, pinned where that is. None
/// where nothing is better.
pub(super) fn renamed(written: &str, advice: &Advice) -> Result<Option<String>, Failure> {
    let Some(better) = advice.better else { return Ok(None) };
    let Candidate { name, judged } = &advice.candidates[better];
    let own: Option<Reference> = written.parse().ok();
    let new: Option<Reference> = name.parse().ok();
    let same =
        own.zip(new).filter(|(own, new)| own.registry() == new.registry() && own.repository() == new.repository());
    let name = match same.as_ref().and_then(|(_, new)| new.tag()) {
        Some(tag) => format!("{}:{tag}", without_tag(written)),
        None => name.clone(),
    };
    match judged {
        Judged::Scanned(summary) if written.contains('@') && !name.contains('@') => match &summary.digest {
            Some(digest) => Ok(Some(format!("{name}@{digest}"))),
            None => Err(anyhow::anyhow!(
                "`{written}` is pinned to a digest, and what `{name}` stands for in its registry is not known"
            )
            .into()),
        },
        _ => Ok(Some(name)),
    }
}

fn without_tag(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
