//! Policy and exception files: every mistake is shown with line, caret and remedy, and no text breaks the reader.

use dogwatch_policy::{Diagnostic, Exceptions, PolicySet, check, reference};
use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;

fn shown(errors: &[Diagnostic]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn refuses(text: &str, expected: Expect) {
    expected.assert_eq(&shown(&check("policy.yaml", text)));
}

fn refuses_exception(text: &str, expected: Expect) {
    let errors = Exceptions::load([("exceptions.yaml", text)]).err().unwrap_or_default();
    expected.assert_eq(&shown(&errors));
}

#[test]
fn every_mistake_of_a_file_is_reported() {
    refuses(
        "version: 1
name: a
stages: [biuld, admission]
conditon: finding.kev
rationale: r
action: denny
---
name: b
stages: [build]
condition: finding.sevrity >= HIGH
rationale: r
action: warn
colour: red
---
name: b
stages: [build]
each: image
condition: finding.kev && package.name == 'x'
rationale: r
action: quarantine
---
just a text
",
        expect![[r#"
            error[missing-key]: `condition` is missing
             --> policy.yaml:1:1
              |
            1 | version: 1
              | ^
              = help: say when it is violated, such as `finding.kev`
            error[unknown-value]: `biuld` is no value of `stages`
             --> policy.yaml:3:10
              |
            3 | stages: [biuld, admission]
              |          ^^^^^
              = help: did you mean `build`?
            error[unknown-key]: a policy has no key `conditon`
             --> policy.yaml:4:1
              |
            4 | conditon: finding.kev
              | ^^^^^^^^
              = help: did you mean `condition`?
            error[unknown-value]: `denny` is no value of `action`
             --> policy.yaml:6:9
              |
            6 | action: denny
              |         ^^^^^
              = help: did you mean `deny`?
            error[unknown-fact]: there is no fact `finding.sevrity`
              --> policy.yaml:10:12
               |
            10 | condition: finding.sevrity >= HIGH
               |            ^^^^^^^^^^^^^^^
               = help: did you mean `finding.severity`?
            error[unknown-key]: a policy has no key `colour`
              --> policy.yaml:13:1
               |
            13 | colour: red
               | ^^^^^^
               = help: a policy has: version, name, stages, scope, each, condition, severity, rationale, remediation, action
            error[wrong-level]: the condition reads `finding.kev`, which this level does not have
              --> policy.yaml:17:7
               |
            17 | each: image
               |       ^^^^^
               = help: leave `each` out, and it follows from the condition
            error[wrong-action]: only what runs can be quarantined
              --> policy.yaml:20:9
               |
            20 | action: quarantine
               |         ^^^^^^^^^^
               = help: use `deny`, or apply the policy at `runtime` alone
            error[wrong-shape]: a policy is a mapping of keys
              --> policy.yaml:22:1
               |
            22 | just a text
               | ^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn a_mistake_in_a_condition_is_shown_where_it_stands() {
    let head = "version: 1\nname: a\nstages: [build]\nrationale: r\naction: deny\n";
    for condition in [
        "condition: finding.kev && workload.privileged\n",
        "condition: >-\n  finding.kev &&\n  workload.privileged\n",
        "condition: |\n  finding.kev\n    && workload.privileged\n",
        "condition: 'finding.kev && workload.privileged'\n",
        "condition:   \"finding.kev\n   && workload.privileged\"\n",
        "condition: finding.kev\n  && workload.privileged # why\n",
    ] {
        let text = format!("{head}{condition}");
        let errors = check("policy.yaml", &text);
        assert_eq!(errors.len(), 1, "{text}");
        let place = &errors[0].place;
        let marked: String = place.text.chars().skip(place.column - 1).take(place.width).collect();
        assert_eq!((errors[0].code, marked.as_str()), ("stage-cannot-know", "workload.privileged"), "{text}");
    }
    refuses(
        &format!("{head}condition: |\n  finding.severity >= HIGH\n  && finding.epss >\n"),
        expect![[r#"
        error[syntax]: the condition ends where a fact, a value or a closing bracket should follow
         --> policy.yaml:8:20
          |
        8 |   && finding.epss >
          |                    ^
    "#]],
    );
}

#[test]
fn what_is_not_a_policy_file_is_refused() {
    refuses(
        "",
        expect![[r#"
        error[empty]: the file holds no policy
         --> policy.yaml:1:1
          |
        1 | 
          | ^
          = help: see docs/policy-facts.md for an example
    "#]],
    );
    refuses(
        "version: 2\nname: [a]\n",
        expect![[r#"
            error[missing-key]: `stages` is missing
             --> policy.yaml:1:1
              |
            1 | version: 2
              | ^
              = help: say where it applies: `stages: [build]`, also `admission` and `runtime`
            error[missing-key]: `rationale` is missing
             --> policy.yaml:1:1
              |
            1 | version: 2
              | ^
              = help: say in a sentence why the policy exists; violations show it
            error[missing-key]: `action` is missing
             --> policy.yaml:1:1
              |
            1 | version: 2
              | ^
              = help: one of: audit, warn, deny, quarantine
            error[missing-key]: `condition` is missing
             --> policy.yaml:1:1
              |
            1 | version: 2
              | ^
              = help: say when it is violated, such as `finding.kev`
            error[unknown-version]: this version of the format is not known
             --> policy.yaml:1:10
              |
            1 | version: 2
              |          ^
              = help: write `version: 1`
            error[wrong-shape]: `name` is a text
             --> policy.yaml:2:7
              |
            2 | name: [a]
              |       ^
              = help: quote it
        "#]],
    );
    refuses(
        "version: 1\nname: a\nname: b\n",
        expect![[r#"
            error[yaml]: duplicate mapping key: name
             --> policy.yaml:3:1
              |
            3 | name: b
              | ^
        "#]],
    );
    refuses(
        "version: 1\n  name: \"\u{1b}[31m",
        expect![[r#"
            error[yaml]: mapping values are not allowed in this context
             --> policy.yaml:2:7
              |
            2 |   name: "�[31m
              |       ^
        "#]],
    );
}

#[test]
fn an_exception_says_who_why_what_and_until_when() {
    refuses_exception(
        "version: 1
id: EX-1
why: \"\"
scope: {}
---
id: EX-1
who: Ada
why: because
until: next year
scope: { vulnerability: [CVE-2024-3094] }
accepted_at: { severity: hihg, epss: 7, kev: maybe }
",
        expect![[r#"
            error[missing-key]: `who` is missing
             --> exceptions.yaml:1:1
              |
            1 | version: 1
              | ^
              = help: name the person who accepts the risk
            error[missing-key]: `until` is missing
             --> exceptions.yaml:1:1
              |
            1 | version: 1
              | ^
              = help: say when it ends, such as `2027-03-31`; nothing is accepted for ever
            error[missing-key]: `why` is empty
             --> exceptions.yaml:3:6
              |
            3 | why: ""
              |      ^^
              = help: say why the risk is acceptable
            error[empty-scope]: the scope names nothing, so it would cover everything
             --> exceptions.yaml:4:8
              |
            4 | scope: {}
              |        ^
              = help: say what it covers: `scope: { vulnerabilities: [CVE-2024-3094] }`; also packages, images, bases, layers, policies
            error[wrong-date]: `next year` is not a date
             --> exceptions.yaml:9:8
              |
            9 | until: next year
              |        ^^^^^^^^^
              = help: write `2027-03-31`, or `2027-03-31T12:00:00Z`
            error[empty-scope]: the scope names nothing, so it would cover everything
              --> exceptions.yaml:10:8
               |
            10 | scope: { vulnerability: [CVE-2024-3094] }
               |        ^
               = help: say what it covers: `scope: { vulnerabilities: [CVE-2024-3094] }`; also packages, images, bases, layers, policies
            error[unknown-key]: an exception's `scope` has no key `vulnerability`
              --> exceptions.yaml:10:10
               |
            10 | scope: { vulnerability: [CVE-2024-3094] }
               |          ^^^^^^^^^^^^^
               = help: did you mean `vulnerabilities`?
            error[unknown-value]: `hihg` is no value of `severity`
              --> exceptions.yaml:11:26
               |
            11 | accepted_at: { severity: hihg, epss: 7, kev: maybe }
               |                          ^^^^
               = help: did you mean `high`?
            error[wrong-shape]: `epss` is a number from 0 to 1
              --> exceptions.yaml:11:38
               |
            11 | accepted_at: { severity: hihg, epss: 7, kev: maybe }
               |                                      ^
            error[wrong-shape]: `kev` is true or false
              --> exceptions.yaml:11:46
               |
            11 | accepted_at: { severity: hihg, epss: 7, kev: maybe }
               |                                              ^^^^^
        "#]],
    );
}

#[test]
fn hostile_files_are_refused_or_read_in_bounded_time() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let head = "version: 1\nname: a\nstages: [build]\nrationale: r\naction: deny\ncondition: ";
    for text in [
        bomb.to_owned(),
        "&a [*a, *a]".to_owned(),
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        format!("{head}\"{}finding.kev{}\"", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{head}finding.kev{}", " || finding.kev".repeat(200_000)),
        format!("{}: 1", "k".repeat(3_000_000)),
        "x".repeat(5 << 20),
        "---\n".repeat(500_000),
        format!("version: 1\n{}", "unknown: 1\n".repeat(3)),
    ] {
        let start = std::time::Instant::now();
        let errors = check("policy.yaml", &text);
        assert!(!errors.is_empty(), "{}", text.chars().take(60).collect::<String>());
        assert!(errors.iter().all(|error| error.to_string().len() < 4_000));
        assert!(start.elapsed().as_secs() < 5, "{} {:?}", text.chars().take(60).collect::<String>(), start.elapsed());
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    expect_file!["../../../docs/policy-facts.md"].assert_eq(&reference());
}

#[test]
fn the_example_of_the_reference_page_loads() {
    let page = reference();
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("there is an example");
    assert_eq!(shown(&check("example.yaml", example)), "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_breaks_the_readers(text in "\\PC{0,300}|[\\x00-\\x7f]{0,300}") {
        let _ = shown(&check("p", &text));
        let _ = Exceptions::load([("e", text.as_str())]).map_err(|errors| shown(&errors));
    }

    #[test]
    fn no_cut_or_changed_policy_breaks_the_readers(at in 0usize..4_000, with in "\\PC{0,3}|[\\x00-\\x7f]{0,3}", cut in any::<bool>()) {
        let text = dogwatch_policy::DEFAULT_POLICY;
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let text = if cut { text[..at].to_owned() } else { format!("{}{with}{}", &text[..at], &text[at..]) };
        let _ = shown(&check("p", &text));
    }

    #[test]
    fn what_is_printed_reads_the_same(name in "[^\\x00]{1,30}", rationale in "\\PC{1,80}", image in "\\PC{1,30}") {
        let mut set = PolicySet::built_in();
        set.policies.truncate(1);
        (set.policies[0].name, set.policies[0].rationale, set.policies[0].images) = (name, rationale, vec![image]);
        prop_assume!(!set.policies[0].name.trim().is_empty() && set.policies[0].rationale.trim() == set.policies[0].rationale);
        prop_assume!(!set.policies[0].rationale.is_empty());
        let printed = set.to_yaml();
        let read = PolicySet::load([("p", printed.as_str())]).map_err(|errors| TestCaseError::fail(shown(&errors)))?;
        prop_assert_eq!(read.to_yaml(), printed);
        prop_assert_eq!(&read.policies[0].name, &set.policies[0].name);
        prop_assert_eq!(&read.policies[0].images, &set.policies[0].images);
    }
}
