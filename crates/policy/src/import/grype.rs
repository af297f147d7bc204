//! Grype: the `ignore` rules of `.grype.yaml`. All that a rule states must hold.
//!
//! Source: Grype's documentation, "Specifying matches to ignore".

use super::{Import, Rule, entries, get, items, package_patterns, text};
use condition::yaml::Node;

/// Grype's package types, and those of package URLs.
const TYPES: &[(&str, &str)] = &[
    ("apk", "apk"),
    ("conda", "conda"),
    ("deb", "deb"),
    ("dotnet", "nuget"),
    ("gem", "gem"),
    ("go-module", "golang"),
    ("java-archive", "maven"),
    ("npm", "npm"),
    ("php-composer", "composer"),
    ("python", "pypi"),
    ("rpm", "rpm"),
    ("rust-crate", "cargo"),
];

/// Settings that have a flag here.
const SETTINGS: &[(&str, &str)] = &[
    ("fail-on-severity", "`--fail-on LEVEL`"),
    ("only-fixed", "`--only-fixed`"),
    ("output", "`-o FORMAT`"),
    ("platform", "`--platform PLATFORM`"),
    ("vex-documents", "`--vex FILE`"),
];

pub(super) fn read(import: &mut Import<'_>) {
    for document in import.reader.documents() {
        for (key, value) in entries(&document) {
            let name = key.text().unwrap_or_default();
            if name == "ignore" {
                items(value).iter().for_each(|rule| self::rule(import, rule));
                continue;
            }
            let flag = SETTINGS.iter().find(|(setting, _)| *setting == name).map(|(_, flag)| *flag);
            let remedy = flag.map(|flag| format!("use {flag} of `dogwatch scan`")).unwrap_or_default();
            import.leave(key, format!("the setting `{name}` is no exception"), &remedy);
        }
    }
}

fn rule(import: &mut Import<'_>, rule: &Node) {
    if get(rule, "fix-state").is_some() && get(rule, "vulnerability").is_none() && get(rule, "package").is_none() {
        import.leave(rule, "a rule about `fix-state` alone is no exception", "use `--only-fixed` of `dogwatch scan`");
        return;
    }
    if get(rule, "vex-status").is_some() || get(rule, "vex-justification").is_some() {
        let remedy = "`dogwatch scan --vex FILE` does not count what is said to be fixed or not to affect";
        import.leave(rule, "a rule about VEX statements is no exception", remedy);
        return;
    }
    // Whether aliases are meant, too, makes no difference: an exception covers a vulnerability by any of its ids.
    let mut understood = import.has_only(rule, &["vulnerability", "package", "reason", "include-aliases"], "a rule");
    let vulnerability = text(rule, "vulnerability");
    let mut packages = Vec::new();
    if let Some(package) = get(rule, "package") {
        understood &= import.has_only(package, &["name", "version", "type"], "a rule for packages");
        match understood.then(|| self::packages(import, package)).flatten() {
            Some(patterns) => packages = patterns,
            None => understood = false,
        }
    }
    if understood && vulnerability.is_none() && packages.is_empty() {
        import.leave(rule, "a rule that names neither a vulnerability nor a package ignores nothing here", "");
        understood = false;
    }
    if understood {
        let vulnerabilities = vulnerability.into_iter().collect();
        import.rules.push(Rule { line: rule.line, vulnerabilities, packages, why: text(rule, "reason"), until: None });
    }
}

/// None where something has no equivalent, which is then said.
fn packages(import: &mut Import<'_>, package: &Node) -> Option<Vec<String>> {
    let Some(name) = text(package, "name") else {
        import.leave(package, "packages are not named, and an exception must name them", "");
        return None;
    };
    if name.contains(['^', '$', '[', ']', '(', ')', '|', '\\', '*', '+', '?']) {
        import.leave(package, format!("the name `{name}` is a regular expression"), "write it as a pattern with `*`");
        return None;
    }
    let kind = match text(package, "type") {
        None => None,
        Some(kind) => match TYPES.iter().find(|(known, _)| *known == kind) {
            Some((_, kind)) => Some(*kind),
            None => {
                import.leave(package, format!("the package type `{kind}` has no equivalent"), "");
                return None;
            }
        },
    };
    match (kind, text(package, "version")) {
        (None, None) => Some(vec![name]),
        (kind, version) => Some(package_patterns(kind, &name, version.as_deref())),
    }
}
