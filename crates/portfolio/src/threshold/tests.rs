//! Thresholds, on made places and on real changes of scores.

use expect_test::{Expect, expect};

use super::*;

/// `id<TAB>metric<TAB>old score<TAB>new score<TAB>day`.
const CHANGES: &str = include_str!("../../../../tests/fixtures/cvss/changes.tsv");

fn place(environment: &str, data: Option<Classification>, criticality: Option<Criticality>) -> Context {
    let environments = Some(environment).filter(|name| !name.is_empty()).map(str::to_owned).into_iter().collect();
    Context { environments, data_classification: data, criticality, ..Context::default() }
}

#[test]
fn without_a_file_it_is_7_in_production_and_9_elsewhere_and_less_where_it_matters_more() {
    let thresholds = Thresholds::default();
    for (environment, data, criticality, expected) in [
        ("production", None, None, 7.0),
        ("prod-eu", None, None, 7.0),
        ("staging", None, None, 9.0),
        ("", None, None, 9.0),
        ("staging", Some(Classification::Restricted), None, 8.0),
        ("staging", Some(Classification::Confidential), Some(Criticality::Medium), 9.0),
        ("staging", Some(Classification::Restricted), Some(Criticality::Critical), 8.0),
        ("production", None, Some(Criticality::High), 6.0),
        ("production", Some(Classification::Restricted), Some(Criticality::Critical), 6.0),
        ("production", Some(Classification::Public), Some(Criticality::Low), 7.0),
    ] {
        let context = place(environment, data, criticality);
        assert_eq!(thresholds.at(&context), Some(expected), "{context:?}");
    }
    let lifecycle = Context { lifecycle: Some("production".into()), ..Context::default() };
    assert_eq!(thresholds.at(&lifecycle), Some(7.0));
}

#[test]
fn a_score_crosses_up_and_down() {
    let thresholds = Thresholds::default();
    let production = place("production", None, None);
    for (old, new, expected) in [
        (Some(6.9), Some(7.0), Some(Direction::Up)),
        (None, Some(9.8), Some(Direction::Up)),
        (Some(7.0), Some(6.9), Some(Direction::Down)),
        (Some(9.8), None, Some(Direction::Down)),
        (Some(7.0), Some(9.8), None),
        (Some(2.0), Some(6.9), None),
        (None, None, None),
        (Some(f64::NAN), Some(1.0), None),
    ] {
        let crossing = thresholds.crossed(old, new, &production);
        assert_eq!(crossing.map(|crossing| crossing.direction), expected, "{old:?} {new:?}");
    }
    let crossing = thresholds.crossed(Some(5.0), Some(9.0), &production);
    assert_eq!(crossing, Some(Crossing { threshold: 7.0, direction: Direction::Up }));
}

#[test]
fn of_the_real_changes_55_cross_both_thresholds_at_once() {
    let thresholds = Thresholds::default();
    let (production, elsewhere) = (place("production", None, None), place("staging", None, None));
    let (mut changes, mut both, mut up, mut down) = (0, 0, 0, 0);
    for line in CHANGES.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let score = |column: usize| Some(columns[column].parse::<f64>().unwrap());
        let crossed = |context| thresholds.crossed(score(2), score(3), context).map(|crossing| crossing.direction);
        changes += 1;
        both += usize::from(crossed(&production) == Some(Direction::Up) && crossed(&elsewhere) == Some(Direction::Up));
        up += usize::from(crossed(&production) == Some(Direction::Up));
        down += usize::from(crossed(&production) == Some(Direction::Down));
    }
    assert_eq!((changes, both), (3_287, 55));
    expect!["616 up, 755 down in production"].assert_eq(&format!("{up} up, {down} down in production"));
}

#[test]
fn a_file_replaces_the_default() {
    let text = "thresholds:\n- score: 9\n- environments: [production, stag*]\n  score: 4.5\n\
                - data-classification: [restricted, confidential]\n  criticality: critical\n  score: 3\n";
    let thresholds = Thresholds::load("t.yaml", text).unwrap();
    assert_eq!(thresholds.at(&place("staging", None, None)), Some(4.5));
    assert_eq!(thresholds.at(&place("prod", None, None)), Some(4.5));
    assert_eq!(thresholds.at(&place("test", Some(Classification::Restricted), None)), Some(9.0));
    assert_eq!(thresholds.at(&place("test", Some(Classification::Restricted), Some(Criticality::Critical))), Some(3.0));
    let json = serde_json::to_string(&thresholds).unwrap();
    assert_eq!(serde_json::from_str::<Thresholds>(&json).unwrap(), thresholds);
    let one = Thresholds::load("t.yaml", "thresholds: [{environment: production, score: 7}]").unwrap();
    assert_eq!(one.at(&place("test", None, None)), None);
    assert_eq!(one.crossed(None, Some(10.0), &place("test", None, None)), None);
}

fn check(text: &str, expected: Expect) {
    let errors = Thresholds::load("t.yaml", text).unwrap_err();
    expected.assert_eq(&(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn mistakes_are_shown_at_their_place() {
    check(
        "thresholds:\n- {enviroment: production, score: 7}\n- {score: 11}\n- {criticality: hihg, score: 1}\n- {data-classification: secret}\n",
        expect![[r#"
            error[unknown-key]: a threshold has no key `enviroment`
             --> t.yaml:2:4
              |
            2 | - {enviroment: production, score: 7}
              |    ^^^^^^^^^^
              = help: did you mean `environment`?
            error[wrong-shape]: `score` is a number from 0 to 10
             --> t.yaml:3:11
              |
            3 | - {score: 11}
              |           ^^
            error[unknown-value]: `hihg` is no value of `criticality`
             --> t.yaml:4:17
              |
            4 | - {criticality: hihg, score: 1}
              |                 ^^^^
              = help: did you mean `high`?
            error[missing-key]: `score` is missing
             --> t.yaml:5:3
              |
            5 | - {data-classification: secret}
              |   ^
              = help: say from which CVSS score on, such as `score: 7.0`
            error[unknown-value]: `secret` is no value of `data-classification`
             --> t.yaml:5:25
              |
            5 | - {data-classification: secret}
              |                         ^^^^^^
              = help: one of: public, internal, confidential, restricted
        "#]],
    );
    check(
        "",
        expect![[r#"
        error[missing-key]: the file has no thresholds
         --> t.yaml:1:1
          |
        1 | 
          | ^
          = help: add `- score: 9.0`
    "#]],
    );
    check(
        "thresholds: 7\n",
        expect![[r#"
        error[wrong-shape]: `thresholds` is a list
         --> t.yaml:1:13
          |
        1 | thresholds: 7
          |             ^
          = help: begin each with `- score: 7.0`
    "#]],
    );
}
