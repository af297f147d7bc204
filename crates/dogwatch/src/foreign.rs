//! Flags of other scanners that are called otherwise here, so that whoever comes from them learns the word at once.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A flag of Trivy, Grype, OSV-Scanner or Syft, and what does the same here.
const FLAGS: &[(&str, &str)] = &[
    ("--by-cve", "findings have the CVE as their id where there is one"),
    ("--db-repository", "`dogwatch advisories pull` takes a published index"),
    ("--file", "a format's file stands with it: `-o json=FILE`"),
    ("--format", "use `-o FORMAT`"),
    ("--ignore-policy", "use `--policy FILE`: conditions are written in CEL"),
    ("--ignore-status", "use a policy with a condition on `finding.fix_state`"),
    ("--ignorefile", "turn it into exceptions with `dogwatch policy import`, then use `--exceptions FILE`"),
    ("--input", "say what the file is: `docker-archive:FILE`, `oci-archive:FILE`"),
    ("--list-all-pkgs", "`-o json` and `-o cyclonedx` list every package"),
    ("--lockfile", "scan its directory: `dir:PATH`"),
    ("--offline-scan", "use `--offline`"),
    ("--pkg-types", "use a policy with a condition on `package.type`"),
    ("--recursive", "directories are always read with all that is below: `dir:PATH`"),
    ("--scanners", "a scan finds vulnerabilities; nothing else is to be chosen"),
    ("--show-suppressed", "what is suppressed is always shown"),
    ("--skip-db-update", "a scan never updates the advisories; `dogwatch advisories update` does"),
];

/// What to use in place of an argument that nobody here knows.
pub(crate) fn hint(error: &clap::Error) -> Option<&'static str> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    FLAGS.iter().find(|(name, _)| name == flag).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_flag_is_unknown_here_and_has_its_hint() {
        for (flag, instead) in FLAGS {
            let error = Cli::try_parse_from(["dogwatch", "scan", "x", flag]).expect_err(flag);
            assert_eq!(hint(&error), Some(*instead), "{flag}");
        }
        let error = Cli::try_parse_from(["dogwatch", "scan", "x", "--nonsense"]).expect_err("unknown");
        assert_eq!(hint(&error), None);
    }
}
