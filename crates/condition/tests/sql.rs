//! Conditions as a database asks them: what they become, and what they refuse.

use condition::{Fact, FactTable, FactType, Sql};
use dogwatch_condition as condition;
use expect_test::{Expect, expect};

const COLUMNS: [&str; 6] = ["name", "findings", "risk", "production <> 0", "severity", "since_at"];

fn table() -> FactTable {
    let fact = |name, kind| Fact { name, kind, stages: &[], optional: name == "since", doc: "" };
    FactTable::new([
        fact("name", FactType::String),
        fact("findings", FactType::Int),
        fact("risk", FactType::Double),
        fact("production", FactType::Bool),
        fact("severity", FactType::Severity),
        fact("since", FactType::Moment),
    ])
}

fn becomes(text: &str, expected: Expect) {
    let sql = Sql::compile(text, &table(), &COLUMNS).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(sql.text.matches("$$").count(), sql.values.len(), "{text}");
    expected.assert_eq(&format!("{} {:?}", sql.text, sql.values));
}

fn refuses(text: &str, expected: Expect) {
    let error = Sql::compile(text, &table(), &COLUMNS).expect_err(text);
    expected.assert_eq(&error.diagnostic("filter").to_string());
}

#[test]
fn conditions_become_sql() {
    becomes("name == \"it's\" && production", expect![[r#"(((name) = $$) AND (production <> 0)) [Text("it's")]"#]]);
    becomes(
        "name.startsWith('s') || name.endsWith('p') || name.contains('%')",
        expect![[
            r#"(((SUBSTR((name), 1, LENGTH($$)) = $$) OR (LENGTH((name)) >= LENGTH($$) AND SUBSTR((name), LENGTH((name)) - LENGTH($$) + 1) = $$)) OR ($$ = '' OR REPLACE((name), $$, '') <> (name))) [Text("s"), Text("s"), Text("p"), Text("p"), Text("p"), Text("%"), Text("%")]"#
        ]],
    );
    becomes(
        "findings > 2 && findings > 2.5 && risk > 2 && findings < risk",
        expect![
            "((((findings) > $$) AND (CAST(findings AS DOUBLE PRECISION) > $$)) AND (((risk) > $$) AND (CAST(findings AS DOUBLE PRECISION) < (risk)))) [Int(2), Double(2.5), Double(2.0)]"
        ],
    );
    becomes(
        "!!!(name in ['a', 'b']) || findings in []",
        expect![[r#"((NOT ((name) IN ($$, $$))) OR ((findings) <> (findings))) [Text("a"), Text("b")]"#]],
    );
    becomes(
        "severity >= HIGH && severity in ['low'] && production == false",
        expect!["((((severity) >= $$) AND ((severity) IN ($$))) AND ((production <> 0) = (1 = 0))) [Int(4), Int(2)]"],
    );
    becomes(
        "since >= '2026-11-27' && has(since) && size(name) > -1",
        expect![
            "((((since_at) >= $$) AND (since_at IS NOT NULL)) AND (LENGTH((name)) > $$)) [Int(1795737600000000), Int(-1)]"
        ],
    );
    becomes("'a' < 'B' || true", expect!["((1 = 0) OR (1 = 1)) []"]);
}

#[test]
fn what_a_database_cannot_say_is_refused_with_its_place() {
    refuses(
        "findings > 1 && name.matches(\"^a\")",
        expect![[r#"
        error[unsupported]: a filter knows no regular expressions
         --> filter:1:17
          |
        1 | findings > 1 && name.matches("^a")
          |                 ^^^^^^^^^^^^^^^^^
          = help: ask `startsWith`, `endsWith` or `contains`"#]],
    );
    refuses(
        "findings + 1 > 2",
        expect![[r#"
        error[unsupported]: a filter does not calculate
         --> filter:1:1
          |
        1 | findings + 1 > 2
          | ^^^^^^^^^^^^
          = help: compare a fact with a value"#]],
    );
    refuses(
        "-findings < 2",
        expect![[r#"
        error[unsupported]: a filter does not calculate
         --> filter:1:1
          |
        1 | -findings < 2
          | ^^^^^^^^^
          = help: compare a fact with a value"#]],
    );
    refuses(
        "production ? true : findings > 1",
        expect![[r#"
        error[unsupported]: a filter has no `? :`
         --> filter:1:1
          |
        1 | production ? true : findings > 1
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = help: write it with `&&`, `||` and `!`"#]],
    );
    refuses(
        "name in ['a', name]",
        expect![[r#"
        error[unsupported]: a filter's list holds quoted texts, numbers and severities only
         --> filter:1:15
          |
        1 | name in ['a', name]
          |               ^^^^"#]],
    );
    refuses(
        "name == 'a\\x00'",
        expect![[r#"
        error[unsupported]: no text here holds a NUL character
         --> filter:1:9
          |
        1 | name == 'a\x00'
          |         ^^^^^^^"#]],
    );
    refuses(
        "team == 'a'",
        expect![[r#"
        error[unknown-fact]: there is no fact `team`
         --> filter:1:1
          |
        1 | team == 'a'
          | ^^^^
          = help: a text is quoted; there are: name, findings, risk, production, severity, since"#]],
    );
    refuses(
        "nam == 'a'",
        expect![[r#"
        error[unknown-fact]: there is no fact `nam`
         --> filter:1:1
          |
        1 | nam == 'a'
          | ^^^
          = help: did you mean `name`?"#]],
    );
    refuses(
        "since > 'yesterday'",
        expect![[r#"
        error[wrong-type]: a point in time compares only with a point in time
         --> filter:1:9
          |
        1 | since > 'yesterday'
          |         ^^^^^^^^^^^
          = help: write `"2026-11-27T09:00:00Z"`, or `"2026-11-27"` for the beginning of that day in UTC"#]],
    );
    refuses(
        "name; DROP TABLE image",
        expect![[r#"
        error[syntax]: `;` is not expected here
         --> filter:1:5
          |
        1 | name; DROP TABLE image
          |     ^"#]],
    );
    refuses(
        "name",
        expect![[r#"
        error[wrong-type]: the condition must be true or false, but this is a string
         --> filter:1:1
          |
        1 | name
          | ^^^^
          = help: compare it with something"#]],
    );
    refuses(
        &"!".repeat(401),
        expect![[r#"
        error[too-large]: the condition has more than 400 parts
         --> filter:1:401
          |
        1 | !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
          |                                                       ^
          = help: say it in fewer parts, or split it"#]],
    );
}
