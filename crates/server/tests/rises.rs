//! Real rises of CVSS scores from below 7 to 9 and more, replayed day by day: each is told once for each image, when it happens, with
//! the threshold that it crosses there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use dogwatch_server::claim::Claim;
use dogwatch_server::knowledge::Indexes;
use dogwatch_server::portfolio::{Portfolio, SeenAt};
use dogwatch_server::workloads::Workload;
use model::Timestamp;
use serde_json::{Value, json};
use store::{Filter, Store};

/// One line of the fixture.
#[derive(Debug, serde::Deserialize)]
struct Rise {
    id: String,
    metric: String,
    old_vector: String,
    old_score: f64,
    new_vector: String,
    new_score: f64,
    new_date: String,
}

fn rises() -> Vec<Rise> {
    let text = include_str!("../../../tests/fixtures/cvss/rises.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

/// An index that knows each CVE in a package of its own, with the scores as they were on a day.
fn index(directory: &Path, rises: &[Rise], day: &str) -> std::path::PathBuf {
    let feeds = directory.join("feeds");
    std::fs::create_dir_all(&feeds).expect("a directory");
    let (mut advisories, mut scores) = (String::new(), String::new());
    for rise in rises {
        let record = json!({ "id": format!("GHSA-{}", &rise.id[4..]), "aliases": [rise.id], "modified": "2026-01-01T00:00:00Z",
            "affected": [{ "package": { "ecosystem": "npm", "name": rise.id.to_lowercase() },
                           "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }] });
        advisories.push_str(&format!("{record}\n"));
        let (vector, score) = match rise.new_date.get(..10).expect("a day") <= day {
            true => (&rise.new_vector, rise.new_score),
            false => (&rise.old_vector, rise.old_score),
        };
        let source = if rise.metric.starts_with("adp") { "adp:CISA-ADP" } else { "cna" };
        let facts = json!({ "id": rise.id, "state": "PUBLISHED", "assigner": "mitre", "published": "2020-01-01T00:00:00",
            "modified": "2026-01-01T00:00:00Z", "cvss": [{ "source": source, "vector": vector, "score": score }] });
        scores.push_str(&format!("{facts}\n"));
    }
    std::fs::write(feeds.join("npm.jsonl"), advisories).expect("a file");
    std::fs::write(feeds.join("cve-facts.jsonl"), scores).expect("a file");
    let out = directory.join(format!("{day}.index"));
    let summary = advisories::build(&[feeds], &out, &advisories::BuildOptions::default()).expect("an index");
    assert_eq!(summary.problem_count, 0, "{:?}", summary.problems);
    out
}

/// A bill of materials that lists a package for each CVE.
fn claim(name: &str, rises: &[Rise]) -> Claim {
    let components: Vec<Value> = rises
        .iter()
        .map(|rise| {
            let name = rise.id.to_lowercase();
            json!({ "type": "library", "name": name, "version": "1.0.0", "purl": format!("pkg:npm/{name}@1.0.0"), "bom-ref": name })
        })
        .collect();
    let bill = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": { "component": { "type": "application", "name": name, "version": "1" } }, "components": components });
    Claim::read(bill.to_string().as_bytes(), None).expect("a claim")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rises_from_below_7_to_9_are_told_on_their_day_for_each_image() {
    let rises = rises();
    assert_eq!(rises.len(), 55);
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&format!("sqlite:{}", directory.path().join("p.db").display())).await.expect("a store");
    let indexes = Indexes::new(directory.path().join("indexes"));
    let portfolio = Portfolio::open(store, indexes, Arc::new(Timestamp::now)).await.expect("a portfolio");
    portfolio.take_index(&index(directory.path(), &rises, "1999-01-01"), "test").await.expect("taken");
    let mut images = BTreeMap::new();
    for (name, environment) in [("here", Some("prod-eu")), ("there", None)] {
        let mut claim = claim(name, &rises);
        // Two inventories, or they would be one image.
        claim.inventory.packages[0].licenses.push(name.into());
        let ingested = portfolio.ingest(claim, "test", SeenAt::Build).await.expect("taken in");
        assert_eq!(ingested.findings, 55);
        if let Some(environment) = environment {
            let workload = json!([{ "name": "web", "image_digest": ingested.image }]);
            let workloads: Vec<Workload> = serde_json::from_value(workload).expect("a workload");
            portfolio.workload_snapshot(environment, workloads).await.expect("taken");
        }
        images.insert(ingested.image, if environment.is_some() { 7.0 } else { 9.0 });
    }
    portfolio.reconcile_all().await.expect("judged");

    let filter = Filter::compile("type == 'dev.dogwatch.risk.changed'", store::CHANGE_FACTS).expect("a filter");
    let days: BTreeSet<&str> = rises.iter().filter_map(|rise| rise.new_date.get(..10)).collect();
    let mut after = portfolio.store.newest_change().await.expect("a number");
    let mut told = 0;
    for day in days {
        portfolio.take_index(&index(directory.path(), &rises, day), "test").await.expect("taken");
        portfolio.reconcile_all().await.expect("judged");
        let changes = portfolio.store.changes_after(after, "", &filter, 10_000).await.expect("changes");
        after = portfolio.store.newest_change().await.expect("a number");
        let up: BTreeSet<(String, String, String)> = changes
            .iter()
            .map(|change| serde_json::from_str::<Value>(&change.body).expect("JSON"))
            .filter(|change| change["what"] == "score" && change["crossed"].is_number() && change["to"].is_number())
            .map(|change| {
                let text = |key: &str| change[key].as_str().expect(key).to_owned();
                (text("image"), text("vulnerability"), change["crossed"].to_string())
            })
            .collect();
        let expected: BTreeSet<(String, String, String)> = rises
            .iter()
            .filter(|rise| rise.new_date.starts_with(day))
            .flat_map(|rise| {
                images.iter().map(|(image, line)| (image.clone(), rise.id.clone(), json!(line).to_string()))
            })
            .collect();
        assert_eq!(up, expected, "{day}");
        told += up.len();
    }
    assert_eq!(told, 2 * 55);
    // The history of one of them: two scores, one after the other.
    let scores = portfolio.store.scores(&rises[0].id, "", &Filter::default()).await.expect("scores");
    let ended: Vec<(f64, bool)> = scores.iter().map(|row| (row.score.unwrap_or(0.0), row.until.is_some())).collect();
    assert_eq!(ended, [(rises[0].old_score, true), (rises[0].new_score, false)]);
    // Judging again with nothing new tells nothing.
    portfolio.judge_all_again("test").await.expect("behind");
    portfolio.reconcile_all().await.expect("judged");
    assert_eq!(portfolio.store.newest_change().await.expect("a number"), after);
}
