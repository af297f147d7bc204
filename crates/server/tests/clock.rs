//! A clock that goes back two hours, later a year ahead, and then is set right: moments go on in order, what was answered as of a moment stays
//! so, and who looks after the server is told once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use dogwatch_server::access::{Role, caller, new_token};
use dogwatch_server::claim::Claim;
use dogwatch_server::knowledge::Indexes;
use dogwatch_server::portfolio::{Portfolio, SeenAt};
use dogwatch_server::workloads::Workload;
use model::Timestamp;
use serde_json::json;
use store::{Filter, ImageOrder, Page, Store};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

const NAME: &str = "registry.example/shop:1";
const POLICY: &str = "version: 1\nname: no-left-pad\nstages: [build, admission, runtime]\ncondition: package.name == \"left-pad\"\nrationale: old\naction: deny\n";
const EXCEPTION: &str =
    "version: 1\nid: EX-1\nwho: a.meyer@shop.example\nwhy: soon\nuntil: 2026-09-01\nscope: { packages: [left-pad] }\n";

fn index(directory: &Path) -> PathBuf {
    let feeds = directory.join("feeds");
    std::fs::create_dir_all(&feeds).expect("a directory");
    let record = json!({ "id": "GHSA-aaaa-bbbb-cccc", "modified": "2026-01-01T00:00:00Z",
        "affected": [{ "package": { "ecosystem": "npm", "name": "left-pad" },
                       "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }] });
    std::fs::write(feeds.join("npm.jsonl"), format!("{record}\n")).expect("a file");
    let out = directory.join("built.index");
    advisories::build(&[feeds], &out, &advisories::BuildOptions::default()).expect("an index");
    out
}

fn claim(licence: &str) -> Claim {
    let bill = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": { "component": { "type": "application", "name": "shop", "version": "1" } },
        "components": [{ "type": "library", "name": "left-pad", "version": "1.0.0", "purl": "pkg:npm/left-pad@1.0.0", "bom-ref": "a" }] });
    let mut claim = Claim::read(bill.to_string().as_bytes(), None).expect("a claim");
    // Two inventories, or they would be one image.
    claim.inventory.packages[0].licenses.push(licence.into());
    claim.artifact.names = vec![NAME.into()];
    claim
}

/// Where the log goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Shop {
    portfolio: Portfolio,
    clock: Arc<AtomicI64>,
    log: Log,
    directory: tempfile::TempDir,
}

impl Shop {
    async fn open(at: i64, log: Log) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let store = Store::open(&format!("sqlite:{}", path.join("p.db").display())).await.expect("a store");
        let clock = Arc::new(AtomicI64::new(at));
        let told = clock.clone();
        let now = Arc::new(move || Timestamp::from_microsecond(told.load(Ordering::Relaxed)).expect("a moment"));
        let portfolio = Portfolio::open(store, Indexes::new(path.join("indexes")), now).await.expect("a portfolio");
        portfolio.take_index(&index(path), "test").await.expect("taken");
        let put = async |name: &str, text: &str| {
            portfolio.put_document(name, vec![("a.yaml".into(), text.into())], "test").await.expect("in force");
        };
        put("policies", POLICY).await;
        put("exceptions", EXCEPTION).await;
        Self { portfolio, clock, log, directory }
    }

    /// Sets the clock, and does what a server does: a claim, what runs, judging everything again.
    async fn work(&self, at: i64, licence: &str) -> String {
        self.clock.store(at, Ordering::Relaxed);
        let before = self.portfolio.store.newest().await.expect("a moment");
        let image = self.portfolio.ingest(claim(licence), "test", SeenAt::Build).await.expect("taken in").image;
        let workload = json!([{ "name": "web", "image_digest": image }]);
        let workloads: Vec<Workload> = serde_json::from_value(workload).expect("a workload");
        self.portfolio.workload_snapshot("prod-eu", workloads).await.expect("taken");
        self.portfolio.judge_all_again("test").await.expect("behind");
        self.portfolio.reconcile_all().await.expect("judged");
        assert!(self.portfolio.store.newest().await.expect("a moment") > before, "moments go on");
        self.in_order(&image).await;
        image
    }

    /// What is answered as of a moment.
    async fn as_of(&self, at: i64) -> String {
        let store = &self.portfolio.store;
        let page = Page { at, scope: "", after: "", count: 100 };
        let images = store.list_images(page, ImageOrder::Age, &Filter::default()).await.expect("images");
        let shown: Vec<_> =
            images.iter().map(|image| (&image.digest, &image.state.outcome, image.state.findings)).collect();
        format!("{shown:?} {:?}", store.tagged(NAME, at).await.expect("a tag"))
    }

    async fn outcome(&self, image: &str) -> String {
        let page = Page { at: i64::MAX, scope: "", after: "", count: 1 };
        self.portfolio.store.find_image(page, image).await.expect("an image").expect("an image").state.outcome
    }

    /// Intervals follow one another, and so do the changes that were told.
    async fn in_order(&self, image: &str) {
        let store = &self.portfolio.store;
        let page = Page { at: i64::MAX, scope: "", after: "", count: 1 };
        let id = store.find_image(page, image).await.expect("an image").expect("an image").id;
        let verdicts = store.verdicts(id, &Filter::default()).await.expect("verdicts");
        let tags = store.tags(Page { count: 100, ..page }, &Filter::default()).await.expect("tags");
        let intervals = [
            verdicts.iter().map(|verdict| (verdict.since, verdict.until)).collect::<Vec<_>>(),
            tags.iter().filter(|tag| tag.name == NAME).map(|tag| (tag.since, tag.until)).collect(),
        ];
        for mut intervals in intervals {
            intervals.sort_unstable();
            for pair in intervals.windows(2) {
                assert_eq!(pair[0].1, Some(pair[1].0), "{intervals:?}");
            }
            assert!(intervals.iter().all(|(since, until)| until.is_none_or(|until| *since < until)), "{intervals:?}");
            assert_eq!(intervals.iter().filter(|(_, until)| until.is_none()).count(), 1);
        }
        let changes = store.changes_after(0, "", &Filter::default(), 10_000).await.expect("changes");
        assert!(changes.windows(2).all(|pair| pair[0].number < pair[1].number && pair[0].at <= pair[1].at));
    }

    fn warnings(&self) -> usize {
        String::from_utf8_lossy(&self.log.0.lock().expect("the log")).matches("the clock went back").count()
    }
}

#[tokio::test]
async fn a_clock_that_jumps_leaves_moments_in_order_and_answers_as_they_were() {
    let log = Log::default();
    let to = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || to.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let start = "2026-06-01T12:00:00Z".parse::<Timestamp>().expect("a moment").as_microsecond();
    let shop = Shop::open(start, log).await;
    let first = shop.work(start, "first").await;
    assert_eq!(shop.outcome(&first).await, "passed", "by the exception");
    let then = shop.portfolio.store.newest().await.expect("a moment");
    let answered = shop.as_of(then).await;
    assert_eq!(shop.warnings(), 0);

    let second = shop.work(start - 2 * HOUR, "second").await;
    assert_eq!(shop.as_of(then).await, answered);
    assert!(shop.as_of(i64::MAX).await.contains(&second), "what came later is there");
    shop.work(start - 2 * HOUR + 1, "second").await;
    assert_eq!(shop.warnings(), 1, "said once, however much is written");

    shop.work(start + 365 * DAY, "third").await;
    assert_eq!(shop.outcome(&first).await, "failed", "the exception has ended");
    assert_eq!(shop.as_of(then).await, answered);
    let ahead = shop.portfolio.store.newest().await.expect("a moment");
    assert!(ahead >= start + 365 * DAY);
    let answered_ahead = shop.as_of(ahead).await;

    shop.work(start + HOUR, "fourth").await;
    assert_eq!(shop.outcome(&first).await, "passed", "the exception is in force by the clock that was set right");
    assert_eq!((shop.as_of(then).await, shop.as_of(ahead).await), (answered, answered_ahead));
    assert_eq!(shop.warnings(), 2, "it went back again");
    assert!(shop.portfolio.store.newest().await.expect("a moment") < ahead + HOUR, "a microsecond a write");

    // When the program starts and the newest write is later than the clock, that is said, too.
    let again = shop.portfolio.store.clone();
    let now = Arc::new(move || Timestamp::from_microsecond(start + HOUR).expect("a moment"));
    let portfolio =
        Portfolio::open(again, Indexes::new(shop.directory.path().join("indexes")), now).await.expect("a portfolio");
    portfolio.judge_all_again("test").await.expect("behind");
    assert_eq!(shop.warnings(), 3);

    // A token ends by the clock on the wall, whichever way that goes: set right, it is as it should be.
    let (token, _) = new_token("a", Role::Viewer, "", Some(start + HOUR));
    let may = |now: i64| caller(&token, now).is_some();
    assert_eq!([start, start - 2 * HOUR, start + HOUR, start + 365 * DAY].map(may), [true, true, false, false]);
}
