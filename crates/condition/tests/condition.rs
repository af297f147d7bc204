//! Conditions over a small table: what they answer, what they refuse, and that no text breaks them.

use std::collections::BTreeMap;

use condition::{Condition, EvaluationError, Fact, FactTable, FactType, Facts, Value};
use dogwatch_condition as condition;
use expect_test::{Expect, expect};
use model::finding::Severity;
use model::verdict::Stage::{self, Admission, Build, Runtime};
use proptest::prelude::*;

const ALL: &[Stage] = &[Build, Admission, Runtime];

fn table() -> FactTable {
    let fact = |name, kind, stages, optional| Fact { name, kind, stages, optional, doc: "" };
    FactTable::new([
        fact("finding.severity", FactType::Severity, ALL, false),
        fact("finding.kev", FactType::Bool, ALL, false),
        fact("finding.epss", FactType::Double, ALL, true),
        fact("package.type", FactType::String, ALL, false),
        fact("package.licenses", FactType::Strings, ALL, false),
        fact("image.labels", FactType::Labels, ALL, false),
        fact("image.layer_count", FactType::Int, ALL, false),
        fact("workload.namespace", FactType::String, &[Admission, Runtime], false),
    ])
}

/// A high finding, not known to be exploited and without EPSS, in a Debian package under two licenses.
struct Sample {
    licenses: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Facts for Sample {
    fn fact(&self, index: usize) -> Value<'_> {
        match table().facts()[index].name {
            "finding.severity" => Value::Severity(Severity::High),
            "finding.kev" => Value::Bool(false),
            "package.type" => Value::String("deb"),
            "package.licenses" => Value::Strings(&self.licenses),
            "image.labels" => Value::Labels(&self.labels),
            "image.layer_count" => Value::Int(7),
            _ => Value::Absent,
        }
    }
}

fn sample() -> Sample {
    Sample {
        licenses: vec!["GPL-2.0-only".into(), "MIT".into()],
        labels: BTreeMap::from([("team".into(), "shop".into())]),
    }
}

fn evaluate(text: &str) -> Result<bool, EvaluationError> {
    let compiled = Condition::compile(text, &table(), &[Build]).unwrap_or_else(|error| panic!("{error}"));
    compiled.evaluate(&sample())
}

#[test]
fn conditions_answer() {
    for (text, expected) in [
        ("finding.severity >= HIGH", true),
        ("finding.severity >= \"high\"", true),
        ("finding.severity == 'Important'", true),
        ("HIGH <= finding.severity", true),
        ("finding.severity > HIGH", false),
        ("finding.severity >= CRITICAL", false),
        ("finding.severity > UNKNOWN && finding.severity != LOW", true),
        ("finding.severity in [HIGH, CRITICAL]", true),
        ("finding.severity in [\"low\", MEDIUM]", false),
        ("finding.kev", false),
        ("!finding.kev", true),
        ("package.type == \"deb\" // the word is reserved in CEL", true),
        ("package.type in [\"deb\", \"rpm\"] && !(package.type == 'package')", true),
        ("\"MIT\" in package.licenses", true),
        ("package.licenses.exists(l, l.startsWith(\"GPL\"))", true),
        ("package.licenses.all(l, l.matches(\"^GPL-[0-9]\"))", false),
        ("size(package.licenses) == 2 && package.licenses.size() < 3", true),
        ("image.labels[\"team\"] == \"shop\"", true),
        ("\"owner\" in image.labels", false),
        ("image.layer_count * 2 > 13.5", true),
        ("image.layer_count % 2 == 1 ? true : finding.kev", true),
        ("-image.layer_count < -6", true),
        ("has(finding.epss) && finding.epss > 0.1", false),
        ("finding.epss > 0.1 || finding.severity >= HIGH", true),
        ("finding.epss > 0.1 && finding.kev", false),
        ("package.type.contains(\"é\") || package.type.endsWith(\"eb\")", true),
    ] {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
    }
}

#[test]
fn an_answer_that_hangs_on_the_absent_is_no_answer() {
    let absent = |fact| Err(EvaluationError::Absent { fact, optional: true });
    for (text, expected) in [
        ("finding.epss > 0.1", absent("finding.epss")),
        ("!(finding.epss > 0.1)", absent("finding.epss")),
        ("finding.epss > 0.1 || finding.kev", absent("finding.epss")),
        ("image.labels[\"owner\"] == \"me\"", absent("image.labels")),
        ("image.layer_count / 0 == 1", Err(EvaluationError::Arithmetic)),
        ("image.layer_count * 9223372036854775807 > 0", Err(EvaluationError::Arithmetic)),
    ] {
        assert_eq!(evaluate(text), expected, "{text}");
    }
}

fn refuses(text: &str, expected: Expect) {
    let error = Condition::compile(text, &table(), &[Build]).expect_err(text);
    expected.assert_eq(&error.to_string());
}

#[test]
fn an_unknown_fact_is_refused() {
    refuses(
        "finding.kev ||\n  finding.sevrity >= HIGH",
        expect![[r#"
        error[unknown-fact]: there is no fact `finding.sevrity`
         --> condition:2:3
          |
        2 |   finding.sevrity >= HIGH
          |   ^^^^^^^^^^^^^^^
          = help: did you mean `finding.severity`?"#]],
    );
    refuses(
        "'é' == package.type && finding.unheard_of",
        expect![[r#"
            error[unknown-fact]: there is no fact `finding.unheard_of`
             --> condition:1:24
              |
            1 | 'é' == package.type && finding.unheard_of
              |                        ^^^^^^^^^^^^^^^^^^
              = help: `finding` has: finding.severity, finding.kev, finding.epss"#]],
    );
    refuses(
        "finding",
        expect![[r#"
        error[unknown-fact]: there is no fact `finding`
         --> condition:1:1
          |
        1 | finding
          | ^^^^^^^
          = help: say which of its facts: finding.severity, finding.kev, finding.epss"#]],
    );
    refuses(
        "finding.severity >= high",
        expect![[r#"
        error[unknown-fact]: there is no fact `high`
         --> condition:1:21
          |
        1 | finding.severity >= high
          |                     ^^^^
          = help: write `HIGH`"#]],
    );
    refuses(
        "package.type == deb",
        expect![[r#"
        error[unknown-fact]: there is no fact `deb`
         --> condition:1:17
          |
        1 | package.type == deb
          |                 ^^^
          = help: a text is quoted; the facts are listed in docs/policy-facts.md"#]],
    );
}

#[test]
fn a_fact_that_the_stage_cannot_know_is_refused() {
    refuses(
        "workload.namespace == \"prod\"",
        expect![[r#"
        error[stage-cannot-know]: `workload.namespace` is not known at stage `build`
         --> condition:1:1
          |
        1 | workload.namespace == "prod"
          | ^^^^^^^^^^^^^^^^^^
          = help: it is known at: admission, runtime; name only these in `stages`, or leave the fact out"#]],
    );
}

#[test]
fn wrong_types_are_refused() {
    refuses(
        "finding.severity",
        expect![[r#"
        error[wrong-type]: the condition must be true or false, but this is a severity
         --> condition:1:1
          |
        1 | finding.severity
          | ^^^^^^^^^^^^^^^^
          = help: compare it: `>= HIGH`"#]],
    );
    refuses(
        "finding.severity >= \"hihg\"",
        expect![[r#"
        error[wrong-type]: `hihg` is not a severity
         --> condition:1:21
          |
        1 | finding.severity >= "hihg"
          |                     ^^^^^^
          = help: severities are UNKNOWN, NEGLIGIBLE, LOW, MEDIUM, HIGH and CRITICAL, least first"#]],
    );
    refuses(
        "finding.severity >= 7",
        expect![[r#"
        error[wrong-type]: a severity compares only with a severity
         --> condition:1:21
          |
        1 | finding.severity >= 7
          |                     ^
          = help: severities are UNKNOWN, NEGLIGIBLE, LOW, MEDIUM, HIGH and CRITICAL, least first"#]],
    );
    refuses(
        "image.layer_count > \"7\"",
        expect![[r#"
        error[wrong-type]: an int does not compare with a string here
         --> condition:1:1
          |
        1 | image.layer_count > "7"
          | ^^^^^^^^^^^^^^^^^^^^^^^
          = help: write numbers without quotes"#]],
    );
    refuses(
        "package.licenses == \"MIT\"",
        expect![[r#"
        error[wrong-type]: a list of strings does not compare with a string here
         --> condition:1:1
          |
        1 | package.licenses == "MIT"
          | ^^^^^^^^^^^^^^^^^^^^^^^^^
          = help: ask `"text" in list`"#]],
    );
    refuses(
        "package.licenses.contains(\"MIT\")",
        expect![[r#"
        error[wrong-type]: a text is needed, not a list of strings
         --> condition:1:1
          |
        1 | package.licenses.contains("MIT")
          | ^^^^^^^^^^^^^^^^
          = help: ask `"text" in list`, or `list.exists(e, e.startsWith("…"))`"#]],
    );
    refuses(
        "package.type in [1, 2]",
        expect![[r#"
        error[wrong-type]: a string is never an int
         --> condition:1:18
          |
        1 | package.type in [1, 2]
          |                  ^"#]],
    );
    refuses(
        "package.type.matches(\"(\")",
        expect![[r#"
        error[syntax]: not a regular expression: unclosed group
         --> condition:1:22
          |
        1 | package.type.matches("(")
          |                      ^^^"#]],
    );
}

#[test]
fn unknown_functions_are_refused() {
    refuses(
        "package.type.startWith(\"d\")",
        expect![[r#"
        error[unknown-function]: there is no function `startWith`
         --> condition:1:1
          |
        1 | package.type.startWith("d")
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^
          = help: did you mean `startsWith`?"#]],
    );
    refuses(
        "lookup(package.type)",
        expect![[r#"
        error[unknown-function]: there is no function `lookup`
         --> condition:1:1
          |
        1 | lookup(package.type)
          | ^^^^^^^^^^^^^^^^^^^
          = help: there are: has, size, startsWith, endsWith, contains, matches, exists, all"#]],
    );
    refuses(
        "startsWith(package.type)",
        expect![[r#"
        error[wrong-type]: `startsWith` is not called like this
         --> condition:1:1
          |
        1 | startsWith(package.type)
          | ^^^^^^^^^^^^^^^^^^^^^^^
          = help: write `image.name.startsWith("prod/")`"#]],
    );
}

#[test]
fn what_is_not_cel_is_refused() {
    refuses(
        "",
        expect![[r#"
        error[syntax]: the condition ends where a fact, a value or a closing bracket should follow
         --> condition:1:1
          |
        1 | 
          | ^"#]],
    );
    refuses(
        "finding.severity >=",
        expect![[r#"
        error[syntax]: the condition ends where a fact, a value or a closing bracket should follow
         --> condition:1:20
          |
        1 | finding.severity >=
          |                    ^"#]],
    );
    refuses(
        "finding.kev = true",
        expect![[r#"
        error[syntax]: `=` is not expected here
         --> condition:1:13
          |
        1 | finding.kev = true
          |             ^
          = help: write `==` to compare"#]],
    );
    refuses(
        "'é' = package.type",
        expect![[r#"
        error[syntax]: `=` is not expected here
         --> condition:1:5
          |
        1 | 'é' = package.type
          |     ^
          = help: write `==` to compare"#]],
    );
    refuses(
        "finding.kev and finding.kev",
        expect![[r#"
        error[syntax]: `and` is not expected here
         --> condition:1:13
          |
        1 | finding.kev and finding.kev
          |             ^^^
          = help: write `&&`"#]],
    );
    refuses(
        "package.type == \"deb",
        expect![[r#"
        error[syntax]: the quoted text is not closed, or holds an escape that CEL does not know
         --> condition:1:17
          |
        1 | package.type == "deb
          |                 ^"#]],
    );
    refuses(
        "package.type == null",
        expect![[r#"
        error[unsupported]: no fact is ever null
         --> condition:1:17
          |
        1 | package.type == null
          |                 ^^^^
          = help: ask `has(fact)` whether an optional fact is present"#]],
    );
    refuses(
        "\u{1b}[31m",
        expect![[r#"
        error[syntax]: `�` is not expected here
         --> condition:1:1
          |
        1 | �[31m
          | ^"#]],
    );
}

#[test]
fn hostile_sizes_are_refused() {
    let nest = |open: &str, close: &str| format!("{}finding.kev{}", open.repeat(100_000), close.repeat(100_000));
    for text in [
        nest("(", ")"),
        nest("!", ""),
        nest("[", "]"),
        "finding.kev || ".repeat(50_000),
        "(".repeat(3_000),
        "!".repeat(3_000) + "finding.kev",
        "a".to_owned() + &".a".repeat(1_900),
        "1".to_owned() + &"+1".repeat(1_900),
        "x?".repeat(1_900),
        "r'\\' ".to_owned() + &"(".repeat(3_000),
        "\"".repeat(3_999),
        "x".repeat(10_000_000),
    ] {
        assert!(Condition::compile(&text, &table(), &[Build]).is_err());
    }
}

#[test]
fn the_largest_admitted_condition_fits_a_small_stack() {
    let texts = [
        "!".repeat(398) + "finding.kev",
        "a".to_owned() + &".a".repeat(199),
        "1".to_owned() + &"+1".repeat(199) + " > 0",
        "true?true:".repeat(90) + "true",
        format!("{}true{}", "(!".repeat(24), ")".repeat(24)),
        "true".to_owned() + &" && true".repeat(130),
    ];
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let check = move || {
        for text in texts {
            let _ = Condition::compile(&text, &table(), &[Build]).map(|condition| condition.evaluate(&sample()));
        }
    };
    thread.spawn(check).expect("a thread can start").join().expect("no condition exhausts 1 MiB of stack");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_breaks_the_compiler(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        let _ = Condition::compile(&text, &table(), &[Build]).map_err(|error| error.to_string());
    }

    #[test]
    fn no_heap_of_tokens_breaks_the_compiler(parts in proptest::collection::vec(prop_oneof![
        Just("finding.severity"), Just("HIGH"), Just("package.type"), Just("package"), Just("\"deb\""), Just("=="), Just(">="),
        Just("&&"), Just("||"), Just("!"), Just("("), Just(")"), Just("["), Just("]"), Just("in"), Just("has"), Just("?"),
        Just(":"), Just("."), Just(","), Just("7"), Just("0.5"), Just("-"), Just("package.licenses.exists(l, l"), Just("{"),
        Just("}"), Just("'"), Just("r'\\'"), Just("\n"), Just("é"), Just("//"), Just("b'x'"), Just("1u"), Just("null"),
    ], 0..40)) {
        let text = parts.join(" ");
        if let Ok(condition) = Condition::compile(&text, &table(), &[Build]) {
            let _ = condition.evaluate(&sample());
        }
    }
}
