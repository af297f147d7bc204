//! Makes a portfolio of a given size with a fixed seed, in the real schema, and measures what the guide promises.
//!
//! `portfolio IMAGES [DATABASE-URL]`; prints one JSON object. Popularity is skewed: few bases carry most images, few packages are in
//! most layers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogwatch_server::claim::{Claim, Matched, hex_digest};
use dogwatch_server::knowledge::Indexes;
use dogwatch_server::portfolio::{Portfolio, SeenAt};
use model::Timestamp;
use model::artifact::{Artifact, ArtifactKind, Layer};
use model::digest::Digest;
use model::inventory::Inventory;
use model::package::{Package, PackageId, PackageType};
use serde_json::{Value, json};
use store::{Filter, ImageLayer, ImageOrder, NewImage, NewPackage, Page, Store};

/// Layers of an image: of the base, and its own.
const BASE_LAYERS: usize = 4;
const OWN_LAYERS: usize = 4;
/// Packages of a layer.
const PER_LAYER: usize = 40;
/// Packages of one image written in one transaction: commits cost.
const BATCH: usize = 200;
/// Who upload at the same time, and for how long.
const UPLOADERS: usize = 4;
const UPLOAD_TIME: Duration = Duration::from_secs(60);

/// A small generator of numbers (SplitMix64), so that every run makes the same portfolio.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `count`, small numbers far more often than large ones.
    fn skewed(&mut self, count: usize) -> usize {
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        ((unit * unit * unit) * count as f64) as usize
    }
}

fn package(number: usize) -> Package {
    let (name, version) = (format!("pkg-{}", number / 3), format!("1.{}.0", number % 3));
    Package {
        id: PackageId(0),
        purl: format!("pkg:npm/{name}@{version}"),
        kind: PackageType::Npm,
        name,
        version,
        arch: None,
        source: None,
        module: None,
        licenses: Vec::new(),
        evidence: Vec::new(),
        layer: None,
        origin: Default::default(),
        provides: Vec::new(),
        depends_on: Vec::new(),
        direct: false,
        development: false,
        cataloger: "generated".into(),
    }
}

fn new_package(number: usize) -> NewPackage {
    let package = package(number);
    let (purl, name) = (package.purl.clone(), package.name.clone());
    let body = serde_json::to_string(&Matched { package, distro: None }).expect("JSON");
    NewPackage { key: hex_digest(body.as_bytes()), purl, queries: vec![("npm".into(), name.clone())], name, body }
}

/// An index that knows `count` advisories, each about one of the packages, spread over all.
fn index(directory: &Path, name: &str, count: usize, packages: usize) -> PathBuf {
    let feeds = directory.join(name);
    std::fs::create_dir_all(&feeds).expect("a directory");
    let names = packages / 3;
    let lines: String = (0..count)
        .map(|number| {
            let record = json!({ "id": format!("GHSA-{number:08}"), "aliases": [format!("CVE-2030-{number:05}")], "modified": "2026-01-01T00:00:00Z",
                "database_specific": { "severity": "HIGH" },
                "affected": [{ "package": { "ecosystem": "npm", "name": format!("pkg-{}", number * 7_919 % names) },
                    "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "1.2.0" }] }] }] });
            format!("{record}\n")
        })
        .collect();
    std::fs::write(feeds.join("npm.jsonl"), lines).expect("a file");
    let out = directory.join(format!("{name}.index"));
    advisories::build(&[feeds], &out, &advisories::BuildOptions::default()).expect("an index");
    out
}

/// Writes the portfolio.
async fn generate(store: &Store, images: usize, numbers: &mut Numbers) {
    let (packages, bases) = (images * 6, (images / 500).max(4));
    let all: Vec<usize> = (0..packages).collect();
    for chunk in all.chunks(5_000) {
        let mut write = store.write(1).await.expect("a write");
        let new: Vec<NewPackage> = chunk.iter().map(|number| new_package(*number)).collect();
        write.packages(&new.iter().collect::<Vec<_>>()).await.expect("packages");
        write.commit().await.expect("committed");
    }
    // Numbers of packages count from 1, in order.
    let mut sets: Vec<Vec<u32>> = Vec::new();
    let mut made = 0u64;
    let base_sets: Vec<[usize; BASE_LAYERS]> =
        (0..bases).map(|base| std::array::from_fn(|layer| base * BASE_LAYERS + layer)).collect();
    let draw = |numbers: &mut Numbers| -> Vec<u32> {
        let mut members: Vec<u32> = (0..PER_LAYER).map(|_| numbers.skewed(packages) as u32 + 1).collect();
        members.sort_unstable();
        members.dedup();
        members
    };
    for _ in 0..bases * BASE_LAYERS {
        sets.push(draw(numbers));
    }
    let mut shared: Vec<usize> = Vec::new();
    let everything: Vec<usize> = (0..images).collect();
    for chunk in everything.chunks(BATCH) {
        let mut write = store.write(1).await.expect("a write");
        for &image in chunk {
            let base = numbers.skewed(bases);
            let mut own: Vec<usize> = base_sets[base].to_vec();
            for _ in 0..OWN_LAYERS {
                // Two and a half new layers an image; the others are some that another image has.
                if numbers.next() % 8 < 5 || shared.is_empty() {
                    sets.push(draw(numbers));
                    shared.push(sets.len() - 1);
                    own.push(sets.len() - 1);
                } else {
                    own.push(shared[numbers.skewed(shared.len())]);
                }
            }
            let mut layers = Vec::new();
            let mut chain = String::new();
            for &set in &own {
                let digest = format!("set-{set}");
                let known = write.known_sets(&[&digest]).await.expect("sets").get(&digest).copied();
                let number = match known {
                    Some(number) => number,
                    None => write.put_sets(&[(&digest, &sets[set])]).await.expect("a set")[0],
                };
                chain = hex_digest(format!("{chain} {set}").as_bytes());
                let diff_id = format!("sha256:{}", hex_digest(digest.as_bytes()));
                layers.push(ImageLayer { chain: chain.clone(), diff_id, created_by: "RUN make".into(), set: number });
            }
            made += 1;
            let name = format!("registry.example/team-{}/app-{}:{}", image % 400, image % 6_000, image / 6_000);
            let mut artifact = Artifact::new(name.clone(), ArtifactKind::Image);
            artifact.names = vec![name.clone()];
            let summary = json!({ "artifact": artifact, "distro": null, "gaps": [], "surface": null,
                "samples": [package(0)], "packages": own.len() * PER_LAYER });
            let new = NewImage {
                digest: format!("sha256:{}", hex_digest(&made.to_le_bytes())),
                image_id: String::new(),
                kind: "image".into(),
                name: name.clone(),
                base: format!("base-{base}"),
                base_digest: String::new(),
                summary: summary.to_string(),
                inventory: vec![0; 64],
                inventory_digest: format!("inventory-{made}"),
                cataloged_by: "dogwatch 0.1.0".into(),
                first_stage: "build".into(),
                layers,
            };
            let id = write.put_image(&new, None).await.expect("an image");
            write.tag(&name, id).await.expect("a tag");
        }
        write.commit().await.expect("committed");
    }
}

/// The organisation: 400 teams, 2,000 systems, 6,000 components (fewer where there are fewer images than components), each
/// component with the images that the generator names after it. Critical, restricted and in production are some of each.
fn catalog() -> Vec<(String, String)> {
    let mut text = String::new();
    for team in 0..400 {
        text += &format!(
            "---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{ name: team-{team} }}\nspec: {{ type: team, children: [] }}\n"
        );
    }
    for system in 0..2_000 {
        let class = ["public", "internal", "confidential", "restricted"][system % 4];
        let criticality = ["low", "medium", "high", "critical"][system / 4 % 4];
        text += &format!(
            "---\napiVersion: backstage.io/v1alpha1\nkind: System\nmetadata:\n  name: system-{system}\n  annotations:\n    dogwatch.dev/data-classification: {class}\n    dogwatch.dev/criticality: {criticality}\nspec: {{ owner: team-{} }}\n",
            system % 400
        );
    }
    for component in 0..6_000 {
        let environment = ["production", "test"][component % 2];
        text += &format!(
            "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: component-{component}\n  annotations:\n    dogwatch.dev/environments: {environment}\n    dogwatch.dev/images: registry.example/team-{}/app-{component}\nspec: {{ type: service, lifecycle: production, owner: team-{}, system: system-{} }}\n",
            component % 400,
            component % 400,
            component % 2_000
        );
    }
    vec![("catalog-info.yaml".into(), text)]
}

/// Resident memory in MB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, f64) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed().as_secs_f64())
}

/// A new image: seven layers in common with many, one of its own with 60 packages.
fn upload(number: usize, packages: usize) -> Claim {
    let mut artifact = Artifact::new(format!("registry.example/new:{number}"), ArtifactKind::Image);
    let digest = |text: String| Digest::parse(&format!("sha256:{}", hex_digest(text.as_bytes()))).expect("a digest");
    artifact.manifest_digest = Some(digest(format!("new {number}")));
    artifact.names = vec![artifact.target.clone()];
    let mut inventory = Inventory::default();
    for layer in 0..7 {
        let own = if layer == 6 { number + 1 } else { 0 };
        let layer_json = json!({ "diff_id": digest(format!("layer {layer} {own}")), "size": 1, "origin": "unknown" });
        artifact.layers.push(serde_json::from_value::<Layer>(layer_json).expect("a layer"));
        for at in 0..60 {
            let place = (own * 977 + layer as usize * 60 + at) % packages;
            let mut package = package(place);
            package.id = PackageId(inventory.packages.len() as u32);
            package.layer = Some(layer);
            inventory.packages.push(package);
        }
    }
    Claim {
        digest: hex_digest(format!("{number}").as_bytes()),
        artifact,
        inventory,
        tool: "dogwatch 0.1.0".into(),
        verdict: None,
    }
}

/// Asks for the first page of every list, and notes how long each took.
async fn first_pages(store: &Store, at: i64, when: &str, took: &mut BTreeMap<&'static str, Vec<f64>>) {
    let page = Page { at, scope: "", after: "", count: 101 };
    let is_now = when == "now";
    let mut note = |now: &'static str, then: &'static str, seconds: f64| {
        took.entry(if is_now { now } else { then }).or_default().push(seconds);
    };
    let all = Filter::default();
    let (_, images) = timed(async { store.list_images(page, ImageOrder::Age, &all).await.expect("a page") }).await;
    note("images", "images as of", images);
    let (_, riskiest) = timed(async { store.list_images(page, ImageOrder::Risk, &all).await.expect("a page") }).await;
    note("images by risk", "images by risk as of", riskiest);
    let team = Filter::compile("team == 'team-7' && critical > 0", store::IMAGE_FACTS).expect("a filter");
    let (_, teams) = timed(async { store.list_images(page, ImageOrder::Age, &team).await.expect("a page") }).await;
    note("images of a team", "images of a team as of", teams);
    let (_, findings) = timed(async { store.list_findings(page, 1, &all).await.expect("a page") }).await;
    note("findings", "findings as of", findings);
    let (_, vulnerabilities) = timed(async { store.list_vulnerabilities(page, &all).await.expect("a page") }).await;
    note("vulnerabilities", "vulnerabilities as of", vulnerabilities);
    let (_, changes) = timed(async { store.changes_after(0, "", &all, 101).await.expect("a page") }).await;
    note("changes", "changes", changes);
}

/// The time that 95 of 100 stay under.
fn p95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 95 / 100).copied().unwrap_or(0.0)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let images: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let directory = tempfile::tempdir().expect("a directory");
    let sqlite = format!("sqlite:{}", directory.path().join("portfolio.db").display());
    let url = arguments.next().unwrap_or(sqlite);
    let packages = images * 6;
    let advisories = images / 2;
    let before = index(directory.path(), "before", advisories, packages);
    let more = index(directory.path(), "more", advisories + 1_000, packages);
    let one = index(directory.path(), "one", advisories + 1_001, packages);
    let store = Store::open(&url).await.expect("a store");
    let ((), generated) = timed(generate(&store, images, &mut Numbers(7))).await;
    let indexes = || Indexes::new(directory.path().join("indexes"));
    let open = async || Portfolio::open(store.clone(), indexes(), Arc::new(Timestamp::now)).await.expect("a portfolio");
    let portfolio = open().await;
    portfolio.take_index(&before, "bench").await.expect("taken");
    portfolio.put_document("catalog", catalog(), "bench").await.expect("a catalog");
    // The first judgement of everything: all packages are matched.
    let (judged, first) = timed(async {
        portfolio.match_all("bench").await.expect("matched");
        portfolio.judge_all_again("bench").await.expect("behind");
        portfolio.reconcile_all().await.expect("judged")
    })
    .await;
    eprintln!("generated in {generated:.1} s, {judged} judged in {first:.1} s");
    drop(portfolio);
    let portfolio = open().await;
    let (_, start) = timed(async { portfolio.reconcile().await.expect("loaded") }).await;
    let memory = resident();

    let feed = store.newest_change().await.expect("a number");
    let (behind, taken) = timed(async { portfolio.take_index(&more, "bench").await.expect("taken") }).await;
    let (_, settled) = timed(async { portfolio.reconcile_all().await.expect("judged") }).await;
    let changes = store.newest_change().await.expect("a number") - feed;
    let (_, single) = timed(async {
        portfolio.take_index(&one, "bench").await.expect("taken");
        portfolio.reconcile_all().await.expect("judged")
    })
    .await;

    let page = |at: i64, after: &'static str| Page { at, scope: "", after, count: 101 };
    let (dependents, popular) = timed(async {
        store.dependents(page(i64::MAX, ""), "image", "base-0", &Filter::default()).await.expect("an answer")
    })
    .await;
    let dependents: i64 = dependents.map_or(0, |found| found.teams.iter().map(|team| team.2).sum());

    let known = upload(0, packages);
    portfolio.ingest(upload(0, packages), "bench", SeenAt::Build).await.expect("taken in");
    let (_, again) = timed(async { portfolio.ingest(known, "bench", SeenAt::Build).await.expect("taken in") }).await;
    let portfolio = Arc::new(portfolio);
    let began = Instant::now();
    let uploaded = Arc::new(AtomicUsize::new(1));
    let uploads: Vec<_> = (0..UPLOADERS)
        .map(|_| {
            let (portfolio, uploaded) = (portfolio.clone(), uploaded.clone());
            tokio::spawn(async move {
                while began.elapsed() < UPLOAD_TIME {
                    let number = uploaded.fetch_add(1, Ordering::Relaxed);
                    portfolio.ingest(upload(number, packages), "bench", SeenAt::Build).await.expect("taken in");
                }
            })
        })
        .collect();
    let mut pages: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let now = store.newest().await.expect("a moment");
    while began.elapsed() < UPLOAD_TIME {
        first_pages(&store, i64::MAX, "now", &mut pages).await;
        first_pages(&store, now, "as_of", &mut pages).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for upload in uploads {
        upload.await.expect("uploaded");
    }
    let uploaded = uploaded.load(Ordering::Relaxed);
    let rate = uploaded as f64 / began.elapsed().as_secs_f64();
    let pages: BTreeMap<&str, f64> = pages.into_iter().map(|(list, times)| (list, p95(times))).collect();
    let result: Value = json!({
        "images": images, "database": url.split(':').next(), "generate_s": generated,
        "first_judgement": { "images": judged, "s": first },
        "start_s": start, "memory_mb": memory,
        "difference_of_1000": { "images_behind": behind, "changes": changes, "matched_s": taken, "judged_s": settled, "s": taken + settled },
        "one_advisory_s": single,
        "dependents": { "images": dependents, "s": popular },
        "known_upload_s": again, "uploads_per_s": rate,
        "page_p95_s": pages,
        "memory_after_mb": resident(),
    });
    println!("{result}");
}
