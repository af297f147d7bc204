//! Random filters of random rows: what SQLite and PostgreSQL return is what the same condition says of each row.

use condition::{Condition, FactType, Facts, Value};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::on_both;
use model::Timestamp;
use model::finding::Severity;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{
    Filter, FilterFact, FindingUpdate, IMAGE_FACTS, ImageOrder, ImageState, ListedImage, NewImage, Ownership, Page,
    Store, VULNERABILITY_FACTS, VulnerabilityRow, WORKLOAD_FACTS, WorkloadRow,
};

/// Texts on which databases have opinions: upper and lower case, wildcards, quotes, order of languages, many bytes a character.
const TEXTS: [&str; 24] = [
    "",
    "shop",
    "Shop",
    "SHOP",
    "shop/web",
    "shöp",
    "SHÖP",
    "sho",
    "op",
    "%",
    "_",
    "s%p",
    "sh_p",
    "a'b",
    "a\"b",
    "a\\b",
    "a-b",
    "a b",
    "ab",
    "Z",
    "日本",
    "e\u{301}",
    "é",
    "\u{1f600}\n",
];
const NUMBERS: [i64; 8] = [-1, 0, 1, 2, 3, 7, 9_007_199_254_740_993, i64::MAX];
const FRACTIONS: [f64; 7] = [-0.5, 0.0, 0.5, 2.0, 2.5, 40.25, 1e300];
const SEVERITIES: [&str; 4] = ["UNKNOWN", "LOW", "HIGH", "CRITICAL"];

/// One row: what it says to each fact of its list.
#[derive(Debug)]
struct Row {
    key: String,
    values: Vec<Said>,
}

#[derive(Debug)]
enum Said {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Severity(Severity),
    Moment(i64),
    Nothing,
}

impl Facts for Row {
    fn fact(&self, index: usize) -> Value<'_> {
        match &self.values[index] {
            Said::Text(text) => Value::String(text),
            Said::Int(number) => Value::Int(*number),
            Said::Double(number) => Value::Double(*number),
            Said::Bool(truth) => Value::Bool(*truth),
            Said::Severity(severity) => Value::Severity(*severity),
            Said::Moment(at) => Value::Moment(*at),
            Said::Nothing => Value::Absent,
        }
    }
}

fn literals(kind: FactType, moments: &[String]) -> Vec<String> {
    match kind {
        FactType::String => TEXTS.iter().map(|text| serde_json::json!(text).to_string()).collect(),
        FactType::Int | FactType::Double => {
            let fractions = FRACTIONS.iter().map(|number| format!("{number:?}"));
            NUMBERS.iter().map(ToString::to_string).chain(fractions).collect()
        }
        FactType::Severity => SEVERITIES.iter().map(ToString::to_string).collect(),
        FactType::Moment => moments.iter().map(|moment| format!("\"{moment}\"")).collect(),
        _ => vec!["true".into(), "false".into()],
    }
}

/// Questions about one fact, among them some that two facts are compared in.
fn atoms(fact: FilterFact, facts: &'static [FilterFact], moments: &[String]) -> BoxedStrategy<String> {
    let name = fact.name;
    let is_number = |kind| matches!(kind, FactType::Int | FactType::Double);
    let others =
        facts.iter().filter(move |other| other.kind == fact.kind || (is_number(other.kind) && is_number(fact.kind)));
    let literal = prop::sample::select(literals(fact.kind, moments));
    let operand = prop_oneof![4 => literal.clone(), 1 => prop::sample::select(others.map(|fact| fact.name.to_owned()).collect::<Vec<_>>())];
    let signs: &[&str] = if fact.kind == FactType::Bool { &["==", "!="] } else { &["==", "!=", "<", "<=", ">", ">="] };
    let compared = (prop::sample::select(signs), operand, any::<bool>()).prop_map(move |(sign, operand, flip)| {
        if flip { format!("{operand} {sign} {name}") } else { format!("{name} {sign} {operand}") }
    });
    let listed =
        prop::collection::vec(literal.clone(), 0..4).prop_map(move |list| format!("{name} in [{}]", list.join(", ")));
    let usual = prop_oneof![4 => compared, 1 => listed, 1 => Just(format!("has({name})"))];
    match fact.kind {
        FactType::String => {
            let tests = prop::sample::select(&["startsWith", "endsWith", "contains"][..]);
            let tested = (tests, literal, any::<bool>()).prop_map(move |(test, literal, flip)| {
                if flip { format!("{literal}.{test}({name})") } else { format!("{name}.{test}({literal})") }
            });
            let size = (0..6i64).prop_map(move |size| format!("size({name}) >= {size}"));
            prop_oneof![2 => usual, 2 => tested, 1 => size].boxed()
        }
        FactType::Bool => prop_oneof![usual, Just(name.to_owned())].boxed(),
        _ => usual.boxed(),
    }
}

fn filters(facts: &'static [FilterFact], moments: &[String]) -> impl Strategy<Value = String> + use<> {
    let atoms = proptest::strategy::Union::new(facts.iter().map(|fact| atoms(*fact, facts, moments)));
    atoms.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("({left} || {right})")),
        ]
    })
}

/// Asks random filters, and compares the rows' keys with those of the rows for which the condition holds.
fn check(facts: &'static [FilterFact], rows: &[Row], ask: impl Fn(&Filter) -> Vec<String>) {
    let known = rows.iter().flat_map(|row| &row.values).filter_map(|said| match said {
        Said::Moment(at) => Some(Timestamp::from_microsecond(*at).expect("a moment").to_string()),
        _ => None,
    });
    let moments: Vec<String> =
        ["2026-11-27".to_owned(), "2099-01-01T01:00:00+01:00".to_owned()].into_iter().chain(known.take(6)).collect();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let (mut some, table) = (std::cell::Cell::new(0), store::table(facts));
    let outcome = runner.run(&filters(facts, &moments), |text| {
        let condition = Condition::compile(&text, &table, &[]).unwrap_or_else(|error| panic!("{error}"));
        let holds = |row: &&Row| condition.evaluate(*row) == Ok(true);
        let expected: Vec<&str> = rows.iter().filter(holds).map(|row| row.key.as_str()).collect();
        let filter = Filter::compile(&text, facts).unwrap_or_else(|error| panic!("{error}"));
        some.set(some.get() + usize::from(!expected.is_empty() && expected.len() < rows.len()));
        prop_assert_eq!(ask(&filter), expected, "{}", text);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(*some.get_mut() > 50, "only {} of the filters tell rows apart", some.get_mut());
}

/// Something of a list, by a number that differs from row to row.
fn pick<T: Copy>(from: &[T], number: usize) -> T {
    from[number % from.len()]
}

async fn add_images(store: &Store) -> i64 {
    let mut write = store.write(1_764_234_000_000_000).await.expect("a turn");
    for number in 0..60 {
        let image = NewImage {
            digest: format!("sha256:{number}"),
            image_id: String::new(),
            kind: "image".into(),
            name: pick(&TEXTS, number).into(),
            base: pick(&TEXTS, number * 7 + number / 3).into(),
            base_digest: String::new(),
            summary: String::new(),
            inventory: Vec::new(),
            inventory_digest: String::new(),
            cataloged_by: String::new(),
            first_stage: "build".into(),
            layers: Vec::new(),
        };
        let id = write.put_image(&image, None).await.expect("an image");
        let row = write.images(&[id]).await.expect("it").remove(0);
        let state = ImageState {
            outcome: pick(&["passed", "failed", "unknown"], number).into(),
            violations: pick(&NUMBERS, number),
            findings: pick(&NUMBERS, number / 2),
            critical: pick(&NUMBERS, number * 3),
            high: 0,
            risk: pick(&FRACTIONS, number * 5),
            judged_with: String::new(),
            owner: Ownership { team: pick(&TEXTS, number * 11 + 1).into(), ..Ownership::default() },
        };
        write.judged(&[(row, state)]).await.expect("judged");
    }
    write.commit().await.expect("committed")
}

fn image_row(image: &ListedImage) -> Row {
    let state = &image.state;
    let said = |fact: &FilterFact| match fact.name {
        "digest" => Said::Text(image.digest.clone()),
        "kind" => Said::Text(image.kind.clone()),
        "name" => Said::Text(image.name.clone()),
        "base" => Said::Text(image.base.clone()),
        "outcome" => Said::Text(state.outcome.clone()),
        "team" => Said::Text(state.owner.team.clone()),
        "system" => Said::Text(state.owner.system.clone()),
        "component" => Said::Text(state.owner.component.clone()),
        "first_stage" => Said::Text(image.first_stage.clone()),
        "violations" => Said::Int(state.violations),
        "findings" => Said::Int(state.findings),
        "critical" => Said::Int(state.critical),
        "high" => Said::Int(state.high),
        "running" => Said::Int(image.running),
        "risk" => Said::Double(state.risk),
        "first_seen" => Said::Moment(image.first_at),
        "judged_at" => Said::Moment(image.judged_at),
        other => panic!("{other}"),
    };
    Row { key: image.digest.clone(), values: IMAGE_FACTS.iter().map(said).collect() }
}

/// Workloads of which some end after the moment that is returned.
async fn add_workloads(store: &Store) -> i64 {
    let mut write = store.write(0).await.expect("a turn");
    let name = |number: usize| format!("{number:02} {}", pick(&TEXTS, number));
    for number in 0..40 {
        let workload = WorkloadRow {
            environment: pick(&["prod-eu", "test"], number).into(),
            name: name(number),
            image_digest: pick(&TEXTS, number).into(),
            image_name: pick(&TEXTS, number + 3).into(),
            production: number.is_multiple_of(2),
            body: String::new(),
            since: 0,
            until: None,
        };
        write.start_workload(&workload).await.expect("started");
    }
    let at = write.at;
    write.commit().await.expect("committed");
    let mut write = store.write(0).await.expect("a turn");
    for number in (0..40).step_by(3) {
        write.stop_workload(pick(&["prod-eu", "test"], number), &name(number)).await.expect("stopped");
    }
    write.commit().await.expect("committed");
    at
}

fn workload_row(workload: &WorkloadRow) -> Row {
    let said = |fact: &FilterFact| match fact.name {
        "environment" => Said::Text(workload.environment.clone()),
        "name" => Said::Text(workload.name.clone()),
        "image" => Said::Text(workload.image_digest.clone()),
        "image_name" => Said::Text(workload.image_name.clone()),
        "production" => Said::Bool(workload.production),
        "since" => Said::Moment(workload.since),
        "until" => workload.until.map_or(Said::Nothing, Said::Moment),
        other => panic!("{other}"),
    };
    Row { key: workload.name.clone(), values: WORKLOAD_FACTS.iter().map(said).collect() }
}

async fn add_findings(store: &Store) {
    let finding = |number: usize| FindingUpdate {
        package: number as u32,
        vulnerability: format!("CVE-{}", number / 2),
        now: Some(("{}".into(), (number % 6) as i64, pick(&FRACTIONS, number), number.is_multiple_of(3))),
        was_there: false,
    };
    let mut write = store.write(0).await.expect("a turn");
    write.update_findings(&(0..40).map(finding).collect::<Vec<_>>()).await.expect("told");
    write.commit().await.expect("committed");
}

fn vulnerability_row(row: &VulnerabilityRow) -> Row {
    let severities = ["unknown", "negligible", "low", "medium", "high", "critical"];
    let said = |fact: &FilterFact| match fact.name {
        "id" => Said::Text(row.vulnerability.clone()),
        "severity" => Said::Severity(Severity::parse(severities[row.severity as usize]).expect("a severity")),
        "score" => Said::Double(row.score),
        "packages" => Said::Int(row.packages),
        "fixable" => Said::Int(row.fixable),
        other => panic!("{other}"),
    };
    Row { key: row.vulnerability.clone(), values: VULNERABILITY_FACTS.iter().map(said).collect() }
}

#[test]
fn both_databases_answer_as_the_condition_does() {
    on_both(|database| {
        let user = User::new();
        let url = database.map_or_else(|| format!("sqlite:{}", user.path("p.db").display()), str::to_owned);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let store = runtime.block_on(Store::open(&url)).expect("a store");
        let page = |at| Page { at, scope: "", after: "", count: 1_000 };
        let all = Filter::default();

        runtime.block_on(add_images(&store));
        let images = |filter: &Filter| {
            runtime.block_on(store.list_images(page(i64::MAX), ImageOrder::Age, filter)).expect("images")
        };
        let rows: Vec<Row> = images(&all).iter().map(image_row).collect();
        check(IMAGE_FACTS, &rows, |filter| images(filter).into_iter().map(|image| image.digest).collect());
        let at = runtime.block_on(store.newest()).expect("a moment");
        let then =
            |filter: &Filter| runtime.block_on(store.list_images(page(at), ImageOrder::Age, filter)).expect("images");
        check(IMAGE_FACTS, &rows, |filter| then(filter).into_iter().map(|image| image.digest).collect());

        let at = runtime.block_on(add_workloads(&store));
        let workloads = |filter: &Filter| runtime.block_on(store.workloads(page(at), filter)).expect("workloads");
        let rows: Vec<Row> = workloads(&all).iter().map(workload_row).collect();
        assert!(rows.len() == 40 && rows.iter().any(|row| matches!(row.values[6], Said::Moment(_))));
        check(WORKLOAD_FACTS, &rows, |filter| workloads(filter).into_iter().map(|workload| workload.name).collect());

        runtime.block_on(add_findings(&store));
        let vulnerabilities = |filter: &Filter| {
            runtime.block_on(store.list_vulnerabilities(page(i64::MAX), filter)).expect("vulnerabilities")
        };
        let rows: Vec<Row> = vulnerabilities(&all).iter().map(vulnerability_row).collect();
        check(VULNERABILITY_FACTS, &rows, |filter| {
            vulnerabilities(filter).into_iter().map(|row| row.vulnerability).collect()
        });
        runtime.block_on(store.close());
    });
}
