//! The reference page and the JSON schema of policy files, made from the tables that the checker uses.

use std::fmt::Write;

use condition::FUNCTIONS;
use model::verdict::Stage;

use crate::document::KEYS;
use crate::facts::table;

/// The reference page, `docs/policy-facts.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("## Keys of a policy\n\n| key | needed | meaning |\n| --- | --- | --- |\n");
    for key in KEYS {
        let needed = if key.required { "yes" } else { "no" };
        let _ = writeln!(page, "| `{}` | {needed} | {} |", key.name, key.doc);
    }
    page.push_str("\n## Facts\n\n| fact | type | known at | meaning |\n| --- | --- | --- | --- |\n");
    for fact in table().facts() {
        let stages: Vec<&str> = fact.stages.iter().map(|stage| stage_name(*stage)).collect();
        let stages = if stages.len() == 3 { "every stage".to_owned() } else { stages.join(", ") };
        let optional = if fact.optional { ", optional" } else { "" };
        let _ = writeln!(page, "| `{}` | {}{optional} | {stages} | {} |", fact.name, fact.kind.as_str(), fact.doc);
    }
    page.push_str("\n## Functions\n\n| function | example | meaning |\n| --- | --- | --- |\n");
    for function in FUNCTIONS {
        let _ = writeln!(page, "| `{}` | `{}` | {} |", function.name, function.example, function.doc);
    }
    page
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Build => "build",
        Stage::Admission => "admission",
        Stage::Runtime => "runtime",
    }
}

const INTRODUCTION: &str = r#"# Policies: keys, facts and functions

<!-- Made from the fact table by a test of crates/policy; `UPDATE_EXPECT=1 cargo test -p dogwatch-policy` writes it anew. -->

A policy file holds one YAML document per policy:

```yaml
version: 1
name: no-fixable-high-in-production
stages: [build]
scope: { images: ["*/prod/*"] }
condition: finding.severity >= HIGH && finding.fixable && !package.development
rationale: What production runs is upgraded before it ships.
remediation: Upgrade the package, or rebuild on a current base image.
action: deny
```

The condition is CEL. Severities are written `UNKNOWN`, `NEGLIGIBLE`, `LOW`, `MEDIUM`, `HIGH`, `CRITICAL`, or as a text
(`"high"`), and compare in that order: `UNKNOWN` is least, so `finding.severity < LOW` includes what nobody has rated.
An optional fact may be absent. `has(finding.epss)` asks; a condition whose answer hangs on an absent fact does not hold,
whichever way it is written: write `!has(finding.epss) || finding.epss > 0.1` to count the absent.

A policy that denies and reads only `knowledge.…` and `gaps.…` does not say that an image is bad, only that nobody can tell:
the verdict is then *unknown* (exit code 2), not *failed* (exit code 1).

With `--compare-to`, policies on findings count new findings only; policies on packages or the image count as always.

"#;
