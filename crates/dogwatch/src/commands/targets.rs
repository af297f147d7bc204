//! Which targets a command line names, and what their files are called.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::console::{Failure, Hint};

/// The most targets of one call. A registry with more is better scanned in parts, whose results can be kept apart.
const TARGETS_MAX: usize = 10_000;

/// The longest list of targets that is read: as many long references.
const LIST_BYTES_MAX: u64 = 4 << 20;

/// The longest name for a file: file systems take 255 bytes, and the user adds some.
const NAME_BYTES_MAX: usize = 180;

/// What stands for a target's name in the name of a file.
const PLACEHOLDER: &str = "{name}";

/// A target as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// As written.
    pub(crate) text: String,
    /// The same in letters that every file system takes; no two targets of a call have the same.
    pub(crate) name: String,
}

/// What a command line names. That it is one target is a matter of how it is written, not of how many were found: who
/// reads the output must know its form.
pub(crate) enum Targets {
    /// One, as an argument.
    One(Named),
    /// Several arguments, a pattern, or a list.
    Several {
        /// What can be scanned.
        targets: Vec<Named>,
        /// What cannot, and why.
        refused: Vec<(String, Failure)>,
    },
}

/// What a pattern stands for.
pub(crate) struct Expanded {
    /// The targets.
    pub(crate) texts: Vec<String>,
    /// Why these are not all.
    pub(crate) failure: Option<Failure>,
}

/// The targets of these arguments and of the list `from` (`-` is stdin), each once, in the order they are written.
/// `expand` says what a pattern stands for, and nothing of other texts.
pub(crate) fn named(
    arguments: &[String],
    from: Option<&Path>,
    expand: impl Fn(&str) -> Option<Result<Expanded, Failure>>,
) -> Result<Targets, Failure> {
    let listed = from.map(list).transpose()?;
    let is_one = listed.is_none() && arguments.len() == 1;
    let (mut texts, mut refused, mut patterns) = (Vec::new(), Vec::new(), 0);
    for text in arguments.iter().chain(listed.iter().flatten()) {
        match expand(text) {
            None => texts.push(text.clone()),
            Some(expanded) => {
                patterns += 1;
                let Expanded { texts: found, failure } =
                    expanded.unwrap_or_else(|failure| Expanded { texts: Vec::new(), failure: Some(failure) });
                texts.extend(found);
                refused.extend(failure.map(|failure| (text.clone(), failure)));
            }
        }
    }
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    match texts.as_slice() {
        [] if refused.is_empty() => {
            let hint =
                "name a target, as in `dogwatch scan debian:12`, or a list of targets with `--targets-from FILE`";
            Err(anyhow::anyhow!("there is nothing to scan")).hint(Some(hint.into()))
        }
        texts if texts.len() > TARGETS_MAX => {
            Err(anyhow::anyhow!("{} targets are more than the {TARGETS_MAX} of one call", texts.len()).into())
        }
        texts if is_one && patterns == 0 => Ok(Targets::One(with_names(texts).remove(0))),
        texts => Ok(Targets::Several { targets: with_names(texts), refused }),
    }
}

/// A target per line. Empty lines and lines that begin with `#` are none.
fn list(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut text = String::new();
    let mut read = |reader: &mut dyn Read| reader.take(LIST_BYTES_MAX + 1).read_to_string(&mut text);
    let result = match path == Path::new("-") {
        true => read(&mut std::io::stdin().lock()),
        false => std::fs::File::open(path).and_then(|mut file| read(&mut file)),
    };
    result.with_context(|| format!("the list of targets `{}` cannot be read", path.display()))?;
    if text.len() as u64 > LIST_BYTES_MAX {
        bail!("the list of targets `{}` has more than {LIST_BYTES_MAX} bytes", path.display());
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

fn with_names(texts: &[String]) -> Vec<Named> {
    let mut taken = HashSet::new();
    let mut named = |text: &String| {
        let plain = plain(text);
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let name = std::iter::once(plain.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
        Named { text: text.clone(), name: name.unwrap_or(plain) }
    };
    texts.iter().map(&mut named).collect()
}

/// A text as the name of a file: letters, digits, `.`, `-` and `_`.
fn plain(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    let name: String = text.trim_start_matches('.').chars().map(kept).collect();
    // The end is what tells targets apart: tag or digest.
    let name = &name[name.len().saturating_sub(NAME_BYTES_MAX)..];
    if name.is_empty() { "_".into() } else { name.to_owned() }
}

impl Named {
    /// The file that is meant for this target: `{name}` in the path stands for its name.
    pub(crate) fn file(&self, template: &Path) -> PathBuf {
        match template.to_str().filter(|_| has_name(template)) {
            Some(text) => text.replace(PLACEHOLDER, &self.name).into(),
            None => template.to_owned(),
        }
    }
}

/// A target as reports may show it that are about a mistake in it: an address without its password.
pub(crate) fn without_password(text: &str) -> String {
    let parts = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)));
    match parts {
        Some((scheme, (who, rest))) if !who.contains('/') => format!("{scheme}://…@{rest}"),
        _ => text.to_owned(),
    }
}

/// Whether a path is another for each target.
pub(crate) fn has_name(template: &Path) -> bool {
    template.to_str().is_some_and(|text| text.contains(PLACEHOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        with_names(&texts).into_iter().map(|named| named.name).collect()
    }

    #[test]
    fn files_are_named_after_targets_and_stay_where_they_are_meant_to_be() {
        assert_eq!(names(&["registry.example:5000/shop:1.4"]), ["registry.example_5000_shop_1.4"]);
        assert_eq!(names(&["a/b", "a_b", "A_B", "a:b"]), ["a_b", "a_b-2", "A_B-3", "a_b-4"], "also without capitals");
        assert_eq!(names(&["../../etc/passwd", "..", "größe"]), ["_.._etc_passwd", "_", "gr__e"]);
        assert_eq!(names(&["a".repeat(300).as_str()])[0].len(), NAME_BYTES_MAX);
        let named = Named { text: "a/b".into(), name: "a_b".into() };
        assert_eq!(named.file(Path::new("out/{name}.json")), Path::new("out/a_b.json"));
        assert_eq!(named.file(Path::new("out.json")), Path::new("out.json"));
    }
}
