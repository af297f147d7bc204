//! The score: examples to recompute by hand, and that raising an input never lowers it.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn show(factors: &Factors) -> String {
    let risk = risk(factors);
    let line = |factor: &Factor| {
        let effect = match factor.effect {
            Effect::Points(points) => format!("  {points}"),
            Effect::Times(times) => format!("× {times}"),
        };
        format!("{:<13} {:<14} {effect:<7} {}\n", factor.name, factor.value, factor.because)
    };
    let lines: String = risk.factors.iter().map(line).collect();
    format!("{lines}score         {} (product {:.2})\n", risk.score, risk.product)
}

#[test]
fn the_example_of_the_guide() {
    let context = Context {
        criticality: Some(Criticality::High),
        data_classification: Some(Classification::Confidential),
        environments: vec!["production".into()],
        ..Context::default()
    };
    let factors = Factors {
        cvss: Some(7.5),
        epss: Some(0.06),
        exposure: Some(Exposure::Internet),
        privilege: Some(Privilege::Ordinary),
        ..Factors::default()
    };
    let text = show(&factors.at(&context));
    expect![[r#"
        severity      CVSS 7.5         75    ten points for each of CVSS
        exploitation  EPSS 6.00 %    × 0.53  half, and the other half by its probability within 30 days
        exposure      internet       × 1.15  anybody can reach it
        privilege     ordinary       × 0.9   it runs as an ordinary user
        use           unknown        × 1     whether it is used is not known
        criticality   high           × 1.1   work stops without the system
        data          confidential   × 1.05  some may see its data
        environment   production     × 1.15  it runs in production
        score         54.6 (product 54.65)
    "#]]
    .assert_eq(&text);
    let guide = include_str!("../../../../docs/guide/risk.md");
    assert!(guide.contains(&text), "docs/guide/risk.md shows another example");
}

#[test]
fn the_guide_has_the_table_of_the_code() {
    let guide = include_str!("../../../../docs/guide/risk.md");
    let code = include_str!("../risk.rs").lines().filter_map(|line| line.strip_prefix("//! |"));
    code.for_each(|row| assert!(guide.contains(&format!("|{row}")), "docs/guide/risk.md lacks |{row}"));
}

#[test]
fn what_is_exploited_in_production_on_a_critical_system_is_near_the_top() {
    let worst =
        Factors { kev: true, criticality: Some(Criticality::Critical), production: Some(true), ..Factors::default() };
    for (cvss, expected) in [(9.8, 100.0), (7.0, 100.0), (6.5, 100.0), (5.5, 91.1)] {
        assert_eq!(risk(&Factors { cvss: Some(cvss), ..worst.clone() }).score, expected, "{cvss}");
    }
    let scored = |cvss| risk(&Factors { cvss: Some(cvss), ..worst.clone() }).product;
    assert!(scored(9.8) > scored(7.0));
}

#[test]
fn scores_are_explained() {
    let test = Factors {
        severity: Severity::High,
        ssvc: Some(Ssvc::Poc),
        in_use: Some(false),
        production: Some(false),
        ..Factors::default()
    };
    expect![[r#"
        severity      high             80    no score is known; the middle of its range
        exploitation  SSVC poc       × 0.7   somebody has shown how
        exposure      unknown        × 1     who can reach it is not known
        privilege     unknown        × 1     what it may do is not known
        use           not in use     × 0.6   the package is there and was not seen in use
        criticality   unknown        × 1     the catalog does not say how critical the system is
        data          unknown        × 1     the catalog does not classify its data
        environment   other          × 0.75  it does not run in production
        score         25.2 (product 25.20)
    "#]]
    .assert_eq(&show(&test));
    expect![[r#"
        severity      unknown          50    no score is known; the middle of its range
        exploitation  nothing known  × 0.5   most vulnerabilities are never used
        exposure      unknown        × 1     who can reach it is not known
        privilege     unknown        × 1     what it may do is not known
        use           unknown        × 1     whether it is used is not known
        criticality   unknown        × 1     the catalog does not say how critical the system is
        data          unknown        × 1     the catalog does not classify its data
        environment   unknown        × 1     where it runs is not known
        score         25 (product 25.00)
    "#]]
    .assert_eq(&show(&Factors::default()));
    let strange = Factors { cvss: Some(f64::NAN), epss: Some(f64::INFINITY), ..Factors::default() };
    assert_eq!(risk(&strange).score, 50.0);
}

fn some<T: std::fmt::Debug + Clone + 'static>(all: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(prop::sample::select(all))
}

fn criticalities() -> Vec<Criticality> {
    Criticality::WORDS.iter().map(|(_, word)| *word).collect()
}

fn classifications() -> Vec<Classification> {
    Classification::WORDS.iter().map(|(_, word)| *word).collect()
}

fn factors() -> impl Strategy<Value = Factors> {
    let severities = vec![
        Severity::Unknown,
        Severity::Negligible,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let finding = (
        prop::sample::select(severities),
        prop::option::of(0.0..=10.0),
        any::<bool>(),
        prop::option::of(0.0..=1.0),
        some(vec![Ssvc::None, Ssvc::Poc, Ssvc::Active]),
    );
    let place = (
        some(vec![Exposure::None, Exposure::Internal, Exposure::Internet]),
        some(vec![Privilege::Ordinary, Privilege::Root, Privilege::Privileged]),
        any::<Option<bool>>(),
        some(criticalities()),
        some(classifications()),
        any::<Option<bool>>(),
    );
    (finding, place).prop_map(|((severity, cvss, kev, epss, ssvc), place)| {
        let (exposure, privilege, in_use, criticality, data_classification, production) = place;
        Factors {
            severity,
            cvss,
            kev,
            epss,
            ssvc,
            exposure,
            privilege,
            in_use,
            criticality,
            data_classification,
            production,
        }
    })
}

/// Both values where both are known, the lower one first.
fn raised<T: PartialOrd + Copy>(a: Option<T>, b: Option<T>) -> (Option<T>, Option<T>) {
    match (a, b) {
        (Some(x), Some(y)) if x > y => (b, a),
        (Some(_), Some(_)) => (a, b),
        // Not known is no level: it is compared with itself only.
        _ => (a, a),
    }
}

proptest! {
    #[test]
    fn raising_any_inputs_never_lowers_the_score(a in factors(), b in factors()) {
        let (mut low, mut high) = (a.clone(), a.clone());
        if a.severity != Severity::Unknown && b.severity != Severity::Unknown {
            (low.severity, high.severity) = (a.severity.min(b.severity), a.severity.max(b.severity));
        }
        (low.cvss, high.cvss) = raised(a.cvss, b.cvss);
        (low.kev, high.kev) = (a.kev & b.kev, a.kev | b.kev);
        (low.epss, high.epss) = raised(a.epss, b.epss);
        (low.ssvc, high.ssvc) = raised(a.ssvc, b.ssvc);
        (low.exposure, high.exposure) = raised(a.exposure, b.exposure);
        (low.privilege, high.privilege) = raised(a.privilege, b.privilege);
        (low.in_use, high.in_use) = raised(a.in_use, b.in_use);
        (low.criticality, high.criticality) = raised(a.criticality, b.criticality);
        (low.data_classification, high.data_classification) = raised(a.data_classification, b.data_classification);
        (low.production, high.production) = raised(a.production, b.production);
        let (low, high) = (risk(&low), risk(&high));
        prop_assert!(low.score <= high.score, "{low:?} {high:?}");
        prop_assert!(low.product <= high.product);
        for risk in [low, high] {
            prop_assert!((0.0..=100.0).contains(&risk.score));
            let product: f64 = risk.factors.iter().map(|factor| factor.effect.number()).product();
            prop_assert_eq!(product, risk.product);
        }
    }
}
