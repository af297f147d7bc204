//! What the user asked to leave out, by the paths of files.
//!
//! Reading goes on as ever, so that layers are known under their digests whoever excludes what. A package that was found in
//! excluded files only is taken out of the inventory afterwards; one that other files show as well stays. What was taken out
//! is a gap: a report that leaves something out says so.
//!
//! Patterns are those of Syft's `--exclude` and Trivy's `--skip-dirs` and `--skip-files`: `*` and `?` stay within one name,
//! `**` goes across, `[a-z]` and `{a,b}` are choices. They are about whole paths below the root; a leading `/` or `./` means
//! the root.

use std::collections::HashMap;

use model::gap::{Gap, GapKind};
use model::inventory::Inventory;
use model::package::PackageId;
use regex::{Regex, RegexBuilder};

/// The longest pattern; paths on Linux end at four times as many bytes.
const PATTERN_BYTES_MAX: usize = 1024;
/// More patterns than this are no list that anybody wrote.
const PATTERNS_MAX: usize = 1000;
/// The most memory that one compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// What a pattern may fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// Directories with all that is below, and files.
    Anything,
    /// Directories with all that is below.
    Directories,
    /// Files.
    Files,
}

/// Patterns in force; none by default.
#[derive(Debug, Clone, Default)]
pub struct Exclude {
    patterns: Vec<(String, Regex)>,
}

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExcludeError {
    /// It is not written as patterns are.
    #[error("`{pattern}` is no pattern for paths")]
    Pattern {
        /// What the user typed.
        pattern: String,
        /// Why not.
        #[source]
        source: Box<regex::Error>,
    },
    /// Too long, or too many.
    #[error("patterns have at most {PATTERN_BYTES_MAX} bytes, and there are at most {PATTERNS_MAX}")]
    TooMany,
}

impl Exclude {
    /// Reads patterns.
    pub fn new<'a>(patterns: impl IntoIterator<Item = (Fits, &'a str)>) -> Result<Self, ExcludeError> {
        let mut exclude = Self::default();
        for (fits, text) in patterns {
            if text.len() > PATTERN_BYTES_MAX || exclude.patterns.len() == PATTERNS_MAX {
                return Err(ExcludeError::TooMany);
            }
            let wrong = |source| ExcludeError::Pattern { pattern: text.to_owned(), source: Box::new(source) };
            let mut builder = RegexBuilder::new(&expression(fits, text));
            exclude.patterns.push((text.to_owned(), builder.size_limit(COMPILED_BYTES_MAX).build().map_err(wrong)?));
        }
        Ok(exclude)
    }

    /// The first pattern that fits a path, which has no leading slash.
    fn fitting(&self, path: &str) -> Option<usize> {
        // What is inside an archive goes with it.
        let file = path.split_once("!/").map_or(path, |(outer, _)| outer);
        self.patterns.iter().position(|(_, regex)| regex.is_match(file))
    }

    /// Takes out what is excluded, and says so.
    pub fn apply(&self, inventory: &mut Inventory) {
        if self.patterns.is_empty() {
            return;
        }
        if !inventory.packages.is_empty() && inventory.packages.iter().all(|package| package.evidence.is_empty()) {
            let detail = "nothing could be excluded: no package says in which file it was found";
            inventory.gaps.push(Gap::new(GapKind::Unsupported, "exclude", detail));
            return;
        }
        let mut taken: Vec<(usize, usize)> = vec![(0, 0); self.patterns.len()];
        inventory.packages.retain_mut(|package| {
            let mut by = None;
            package.evidence.retain(|evidence| match self.fitting(&evidence.path) {
                None => true,
                Some(pattern) => {
                    by.get_or_insert(pattern);
                    false
                }
            });
            let goes = by.filter(|_| package.evidence.is_empty());
            goes.into_iter().for_each(|pattern| taken[pattern].0 += 1);
            goes.is_none()
        });
        inventory.gaps.retain(|gap| {
            let by = self.fitting(&gap.subject);
            by.into_iter().for_each(|pattern| taken[pattern].1 += 1);
            by.is_none()
        });
        renumber(inventory);
        for ((pattern, _), (packages, gaps)) in self.patterns.iter().zip(taken) {
            if packages + gaps > 0 {
                let detail = format!("left out because the user asked: {packages} packages, {gaps} unreadable files");
                inventory.gaps.push(Gap::new(GapKind::Excluded, pattern.clone(), detail));
            }
        }
    }
}

/// Gives packages the numbers of their places again; what needed one that is gone does not name it any more.
fn renumber(inventory: &mut Inventory) {
    let numbers: HashMap<PackageId, PackageId> =
        (0..).map(PackageId).zip(&inventory.packages).map(|(new, package)| (package.id, new)).collect();
    for package in &mut inventory.packages {
        package.id = numbers[&package.id];
        package.depends_on = package.depends_on.iter().filter_map(|id| numbers.get(id).copied()).collect();
    }
}

/// A pattern as a regular expression, which takes linear time on any path.
fn expression(fits: Fits, pattern: &str) -> String {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_start_matches('/').trim_end_matches('/');
    let mut out = String::from("^(?s-u:");
    let mut rest = pattern;
    let mut braces = 0;
    while let Some(c) = rest.chars().next() {
        let (part, length) = match c {
            '*' if rest.starts_with("**/") => ("(?:.*/)?".to_owned(), 3),
            '*' if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            '?' => ("[^/]".to_owned(), 1),
            '[' => match rest.find(']') {
                Some(end) => (rest[..=end].replacen("[!", "[^", 1), end + 1),
                None => ("[".to_owned(), 1),
            },
            '{' => {
                braces += 1;
                ("(?:".to_owned(), 1)
            }
            '}' if braces > 0 => {
                braces -= 1;
                (")".to_owned(), 1)
            }
            ',' if braces > 0 => ("|".to_owned(), 1),
            '\\' => {
                let escaped: String = rest.chars().skip(1).take(1).collect();
                (regex::escape(&escaped), 1 + escaped.len())
            }
            other => (regex::escape(&other.to_string()), other.len_utf8()),
        };
        out += &part;
        rest = &rest[length..];
    }
    let end = match fits {
        Fits::Anything => ")(?s:/.*)?$",
        Fits::Directories => ")(?s:/.*)$",
        Fits::Files => ")$",
    };
    // The paths of documents are text, so what stays within a name is any of its characters.
    out.replacen("(?s-u:", "(?s:", 1) + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_elsewhere() {
        use Fits::{Anything, Directories, Files};
        for (fits, pattern, path, expected) in [
            // Syft, "Excluding file paths".
            (Anything, "./out/**/*.json", "out/a/b/x.json", true),
            (Anything, "./out/**/*.json", "out/x.json", true),
            (Anything, "/etc/**", "etc/os-release", true),
            (Anything, "./out/**/*.json", "src/out/x.json", false),
            (Anything, "**/*.jar", "opt/app/x.jar", true),
            (Anything, "**/*.jar", "opt/app/x.jar!/lib/y.jar", true),
            (Anything, "*/x", "a/x", true),
            (Anything, "*/x", "a/b/x", false),
            (Anything, "/usr/foo.txt", "usr/foo.txt", true),
            (Anything, "/usr/foo.txt", "usr/fooatxt", false),
            // Trivy, "Skipping files".
            (Directories, "/var/lib/gems/2.5.0/gems/fluent-plugin", "var/lib/gems/2.5.0/gems/fluent-plugin/a", true),
            (Directories, "**/.terraform", "a/.terraform/modules/x", true),
            (Directories, "./testdata/*", "testdata/bad/x", true),
            (Directories, "./testdata/*", "testdata/x", false),
            (Files, "/Gemfile.lock", "Gemfile.lock", true),
            (Files, "/Gemfile.lock", "Gemfile.lock/x", false),
            (Files, "**/*.{lock,toml}", "a/Cargo.toml", true),
            (Files, "lib[0-9]", "lib7", true),
            (Files, "lib[!0-9]", "lib7", false),
            (Files, r"a\*", "a*", true),
            (Files, r"a\*", "ab", false),
            (Files, "größe?", "größer", true),
        ] {
            let exclude = Exclude::new([(fits, pattern)]).unwrap();
            assert_eq!(exclude.fitting(path).is_some(), expected, "{pattern} {path}");
        }
        for wrong in ["a[", "{a", "[z-a]"] {
            assert!(Exclude::new([(Anything, wrong)]).is_err(), "{wrong}");
        }
        assert!(Exclude::new([(Anything, "x".repeat(2000).as_str())]).is_err());
        let hostile = "*a".repeat(400);
        assert!(Exclude::new([(Anything, hostile.as_str())]).unwrap().fitting(&"b".repeat(4000)).is_none());
    }
}
