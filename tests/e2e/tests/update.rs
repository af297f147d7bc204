//! Updating from a mirror that behaves, breaks, and lies.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dogwatch_e2e::program::{Ran, User};
use dogwatch_e2e::web::{Reply, Request, Web, content};
use sha2::{Digest, Sha256};

const PYPI: &str = "osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip";
const GO: &str = "osv-vulnerabilities.storage.googleapis.com/Go/all.zip";
const NVD: &str = "nvd-CVE-2024-3400.json";
const KEV: &str = "www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
const EPSS: &str = "epss.empiricalsecurity.com/epss_scores-current.csv.gz";

/// A feed of the shipped snapshot, whose records others wrote.
fn shipped(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(xtask::root().join("data/advisories").join(name)).expect("a feed of the snapshot");
    zstd::stream::decode_all(file).expect("zstd")
}

/// The first records of a shipped feed in the form in which OSV exports them: one file each, in a zip archive.
fn export(name: &str, records: usize) -> Vec<u8> {
    let text = String::from_utf8(shipped(name)).expect("text");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (number, record) in text.lines().take(records).enumerate() {
        zip.start_file(format!("{number}.json"), zip::write::SimpleFileOptions::default()).expect("a member");
        zip.write_all(record.as_bytes()).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// What a mirror does for a path.
type Answer = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A mirror with good feeds, some of whose answers a test replaces.
struct Mirror {
    web: Web,
    special: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Mirror {
    fn new() -> Self {
        let kev = shipped("kev.json.zst");
        let feeds: HashMap<&str, Vec<u8>> = HashMap::from([
            (PYPI, export("osv/pypi.jsonl.zst", 1000)),
            (GO, export("osv/go.jsonl.zst", 300)),
            (KEV, kev),
            (EPSS, gzip(&shipped("epss.csv.zst"))),
        ]);
        let special = Arc::new(Mutex::new(HashMap::<String, Answer>::new()));
        let answers = special.clone();
        let web = Web::start(move |request| {
            let file = request.path.strip_prefix("/feeds/").unwrap_or_default();
            if let Some(answer) = answers.lock().expect("no panic").get(file) {
                return answer(request);
            }
            match feeds.get(file) {
                Some(bytes) => content(request, bytes, &format!("\"{}\"", bytes.len())),
                None => Reply::new(404, "no such file"),
            }
        });
        Self { web, special }
    }

    fn answers(&self, file: &str, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        self.special.lock().expect("no panic").insert(file.into(), Box::new(answer));
    }

    fn address(&self) -> String {
        format!("{}/feeds", self.web.address())
    }

    fn update(&self, user: &User, more: &[&str]) -> Ran {
        let mirror = self.address();
        user.run(&[&["advisories", "update", "--mirror", &mirror], more].concat())
    }
}

/// What an update says of one feed.
fn said(ran: &Ran, feed: &str) -> String {
    let line = ran.stdout.lines().find_map(|line| line.strip_prefix(feed)).unwrap_or_else(|| panic!("{feed}: {ran:?}"));
    line.trim().to_owned()
}

fn digest(user: &User) -> String {
    let status = user.run(&["advisories", "status"]).exits(0).stdout;
    status.split_whitespace().find(|word| word.starts_with("sha256:")).expect("a digest").to_owned()
}

#[test]
fn feeds_are_fetched_once_and_asked_about_later() {
    let (mirror, user) = (Mirror::new(), User::new());
    let ran = mirror.update(&user, &[]).exits(0);
    assert_eq!((said(&ran, "osv-pypi"), said(&ran, "osv-npm")), ("1000 records".into(), "not there".into()));
    let found = user.run(&["advisories", "search", "pkg:pypi/ansible@1.2.1"]).exits(0);
    assert!(found.stdout.contains("PYSEC-"), "{}", found.stdout);
    mirror.web.requests();

    let before = digest(&user);
    let ran = mirror.update(&user, &[]).exits(0);
    assert_eq!(said(&ran, "osv-pypi"), "unchanged");
    assert!(ran.stdout.contains("the index is current"), "{ran:?}");
    let requests = mirror.web.requests();
    let asked = requests.iter().find(|request| request.path.ends_with(PYPI)).expect("it was asked for");
    assert!(asked.headers.contains_key("if-none-match"), "{asked:?}");
    assert_eq!(digest(&user), before);

    // One more record, one feed selected: only that is asked for.
    let more = export("osv/pypi.jsonl.zst", 1001);
    mirror.answers(PYPI, move |request| content(request, &more, "\"more\""));
    let ran = mirror.update(&user, &["--feed", "osv-pypi"]).exits(0);
    assert_eq!(said(&ran, "osv-pypi"), "1001 records, 1000 before");
    assert!(mirror.web.requests().iter().all(|request| request.path.ends_with(PYPI) || request.path.ends_with("SUMS")));
    assert_ne!(digest(&user), before);
    let ran = mirror.update(&user, &["--feed", "osv-nmp"]).exits(2);
    assert!(ran.stderr.contains("there is no feed `osv-nmp`\nhint: `dogwatch advisories update --list`"), "{ran:?}");
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    let (mirror, user) = (Mirror::new(), User::new());
    let whole = export("osv/pypi.jsonl.zst", 900);
    let bytes = whole.clone();
    mirror.answers(PYPI, move |request| {
        let reply = content(request, &bytes, "\"one\"");
        let breaks_after = (!request.headers.contains_key("range")).then_some(bytes.len() / 2);
        Reply { breaks_after, ..reply }
    });
    let ran = mirror.update(&user, &["--feed", "osv-pypi"]).exits(0);
    assert!(ran.stdout.contains("900 records"), "{ran:?}");
    let requests = mirror.web.requests();
    let ranges: Vec<_> = requests.iter().filter_map(|request| request.headers.get("range")).collect();
    assert_eq!(ranges, [&format!("bytes={}-", whole.len() / 2)]);
    assert!(requests.iter().any(|request| request.headers.get("if-range").is_some_and(|etag| etag == "\"one\"")));

    // Another state in between: the server sends it whole, and the halves are not joined.
    let (old, new) = (export("osv/pypi.jsonl.zst", 950), export("osv/pypi.jsonl.zst", 980));
    mirror.answers(PYPI, move |request| match request.headers.contains_key("range") {
        false => Reply { breaks_after: Some(1000), ..content(request, &old, "\"old\"") },
        true => content(request, &new, "\"new\""),
    });
    let ran = mirror.update(&user, &["--feed", "osv-pypi"]).exits(0);
    assert!(ran.stdout.contains("980 records, 900 before"), "{ran:?}");
}

#[test]
fn a_server_that_says_later_is_asked_again() {
    let (mirror, user) = (Mirror::new(), User::new());
    let (zip, asked) = (export("osv/pypi.jsonl.zst", 100), Mutex::new(0));
    mirror.answers(PYPI, move |request| {
        let mut asked = asked.lock().expect("no panic");
        *asked += 1;
        match *asked {
            1 => Reply::new(429, "slow down").with("Retry-After", "0"),
            2 => Reply::new(503, "later").with("Retry-After", "0"),
            // Less than promised, then what was missing.
            3 => Reply { breaks_after: Some(zip.len() - 10), ..content(request, &zip, "\"a\"") },
            _ => content(request, &zip, "\"a\""),
        }
    });
    let ran = mirror.update(&user, &["--feed", "osv-pypi"]).exits(0);
    assert!(ran.stdout.contains("100 records"), "{ran:?}");
}

/// What each bad answer is called. After each, what was in force before still is.
#[test]
fn what_is_not_the_feed_is_refused_and_the_old_copy_stays() {
    let (mirror, user) = (Mirror::new(), User::new());
    mirror.update(&user, &[]).exits(0);
    let before = digest(&user);
    let check = |file: &'static str, feed: &str, answer: Answer, expected: &str| {
        mirror.answers(file, answer);
        let ran = mirror.update(&user, &["--feed", feed]).exits(2);
        assert!(ran.stderr.contains(expected), "{expected}\nis not in\n{}", ran.stderr);
        assert!(ran.stdout.contains("the index is current"), "{ran:?}");
        assert_eq!(digest(&user), before);
    };
    let page = "<!DOCTYPE html><html><body>Access denied</body></html>";
    check(PYPI, "osv-pypi", Box::new(move |_| Reply::new(200, page)), "what came is not a feed");
    check(KEV, "kev", Box::new(move |_| Reply::new(200, page)), "what came is not a feed");
    let (kev, go) = (shipped("kev.json.zst"), export("osv/go.jsonl.zst", 1200));
    check(PYPI, "osv-pypi", Box::new(move |_| Reply::new(200, kev.clone())), "what came has no advisories in it");
    let other = "what came is mostly not about PyPI: only 0 of";
    check(PYPI, "osv-pypi", Box::new(move |_| Reply::new(200, go.clone())), other);
    let cut = export("osv/pypi.jsonl.zst", 1000);
    check(PYPI, "osv-pypi", Box::new(move |_| Reply::new(200, &cut[..cut.len() / 2])), "what came is not a feed");
    let small = export("osv/pypi.jsonl.zst", 899);
    let shrunk = "it was refused: only 899 records, where there were 1000";
    check(PYPI, "osv-pypi", Box::new(move |_| Reply::new(200, small.clone())), shrunk);
    let status = user.run(&["advisories", "status"]).exits(0).stdout;
    let line = status.lines().find(|line| line.starts_with("osv-pypi")).expect("a line for the feed");
    assert!(line.contains("QUARANTINED since 2"), "{status}");
    check(KEV, "kev", Box::new(|_| Reply::new(403, "no")), "answered 403");
    check(KEV, "kev", Box::new(|_| Reply::new(404, "no")), "does not have it");
    let gone = |target: &'static str| -> Answer { Box::new(move |_| Reply::new(302, "").with("Location", target)) };
    check(KEV, "kev", gone("file:///etc/passwd"), "it is neither HTTP nor HTTPS");
    check(KEV, "kev", gone("ftp://127.0.0.1/kev"), "it is neither HTTP nor HTTPS");
    check(KEV, "kev", gone(""), "there are too many in a row");
    let lie = Reply::new(200, "{}").with("Content-Length", "99999999999");
    check(KEV, "kev", Box::new(move |_| lie.clone()), "sends more than 67108864 bytes");
    let endless = Reply { endless: true, ..Reply::new(200, vec![b' '; 1 << 16]) };
    check(KEV, "kev", Box::new(move |_| endless.clone()), "sends more than 67108864 bytes");
    let wrong = Reply::new(200, shipped("kev.json.zst"));
    let wrong = wrong.with("Repr-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    check(KEV, "kev", Box::new(move |_| wrong.clone()), "and its `Repr-Digest` says e3b0c44298fc1c149afbf4c8996fb924");

    // What shrank may be right after all.
    let small = export("osv/pypi.jsonl.zst", 899);
    mirror.answers(PYPI, move |_| Reply::new(200, small.clone()));
    let ran = mirror.update(&user, &["--feed", "osv-pypi", "--accept-shrunk"]).exits(0);
    assert!(ran.stdout.contains("899 records, 1000 before"), "{ran:?}");
    assert!(!user.run(&["advisories", "status"]).stdout.contains("QUARANTINED"));
}

#[test]
fn a_bomb_is_refused_while_it_is_small() {
    let (mirror, user) = (Mirror::new(), User::new());
    // 256 MiB that shrink to a thousandth, as no feed does.
    let lines = format!("{}\n", " ".repeat((64 << 10) - 1)).repeat(4 << 10);
    let bomb = gzip(
        format!("#model_version:v2025.03.14,score_date:2026-08-16T00:00:00Z\ncve,epss,percentile\n{lines}").as_bytes(),
    );
    assert!(bomb.len() < 1 << 19);
    mirror.answers(EPSS, move |_| Reply::new(200, bomb.clone()));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for number in 0..6 {
        zip.start_file(format!("../../{number}.json"), zip::write::SimpleFileOptions::default()).expect("a member");
        zip.write_all(&vec![b' '; 40 << 20]).expect("memory");
    }
    let zip = zip.finish().expect("memory").into_inner();
    mirror.answers(PYPI, move |_| Reply::new(200, zip.clone()));
    let ran = mirror.update(&user, &[]).exits(2);
    assert_eq!(ran.stderr.matches("it expands to more than any feed of its size").count(), 2, "{}", ran.stderr);
    assert_eq!(said(&ran, "osv-go"), "300 records", "the others are not lost");
    assert!(!user.path("data/0.json").exists() && !user.path("data/advisories/0.json").exists());
}

#[test]
fn a_mirror_may_state_checksums_and_an_air_gapped_directory_is_one() {
    let (mirror, user) = (Mirror::new(), User::new());
    mirror.update(&user, &[]).exits(0);
    // What an updated machine keeps is laid out like a mirror.
    let (feeds, gapped) = (user.path("data/advisories/feeds"), User::new());
    let directory = feeds.display().to_string();
    let ran = gapped.run(&["advisories", "update", "--from-dir", &directory]).exits(0);
    assert_eq!(said(&ran, "osv-go"), "300 records");
    let go = std::fs::read(feeds.join(GO)).expect("the Go feed");
    let sum = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let list = |sum: &str| std::fs::write(feeds.join("SHA256SUMS"), format!("{sum}  {GO}\n")).expect("a list");
    let update =
        |code: i32| gapped.run(&["advisories", "update", "--from-dir", &directory, "--feed", "osv-go"]).exits(code);
    list(&sum(&go));
    assert!(update(0).stdout.contains("unchanged"));
    list(&sum(b"other"));
    assert!(update(2).stderr.contains("and `SHA256SUMS` says "));
    std::fs::write(feeds.join("SHA256SUMS"), "").expect("a list");
    assert!(update(2).stderr.contains("`SHA256SUMS` does not list it"));

    let listed = format!("{}  {GO}\n", sum(&go));
    mirror.answers("SHA256SUMS", move |_| Reply::new(200, listed.clone()));
    assert!(mirror.update(&User::new(), &["--feed", "osv-go"]).exits(0).stdout.contains("300 records"));
    let ran = gapped.run(&["advisories", "update", "--from-dir", "/nonexistent"]);
    assert!(ran.code == 2 && Path::new(&directory).exists(), "{ran:?}");
}

#[test]
fn a_checksum_that_the_publisher_has_beside_the_feed_is_compared() {
    let (mirror, user) = (Mirror::new(), User::new());
    let place = "nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-2021";
    let text = std::fs::read(xtask::root().join("tests/fixtures/feeds").join(NVD)).expect("records of the NVD");
    let (feed, meta) = (format!("{place}.json.gz"), format!("{place}.meta"));
    let (zipped, sum) = (gzip(&text), hex::encode_upper(Sha256::digest(&text)));
    mirror.answers(&feed, move |request| content(request, &zipped, "\"nvd\""));
    mirror.answers(&meta, |_| Reply::new(200, format!("size:1\r\nsha256:{}\r\n", "AB".repeat(32))));
    let ran = mirror.update(&user, &["--feed", "nvd-2021", "--feed", "kev"]).exits(2);
    assert!(
        ran.stderr.contains("nvd-2021: it was refused: its SHA-256 is") && ran.stderr.contains(".meta` says ABAB"),
        "{ran:?}"
    );
    mirror.answers(&meta, move |_| Reply::new(200, format!("size:1\r\nsha256:{sum}\r\n")));
    assert!(said(&mirror.update(&user, &["--feed", "nvd-2021"]).exits(0), "nvd-2021").ends_with("records"));
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    let mirror = Mirror::new();
    let user = User::new();
    let proxy = mirror.web.address();
    let arguments = ["advisories", "update", "--mirror", "http://mirror.example/feeds", "--feed", "osv-go"];
    let ran = user.run_in(&arguments, "", &[("http_proxy", &proxy)]).exits(0);
    assert!(ran.stdout.contains("300 records"), "{ran:?}");
    let requests = mirror.web.requests();
    assert!(
        requests.iter().any(|request| request.target == format!("http://mirror.example/feeds/{GO}")),
        "{requests:?}"
    );

    let ran = User::new().run(&["advisories", "update", "--mirror", "http://127.0.0.1:1/feeds"]).exits(2);
    assert!(ran.stderr.contains("no feed could be had") && ran.stderr.contains("hint: behind a proxy set"), "{ran:?}");
    let ran = User::new().run(&["advisories", "update", "--mirror", "ftp://x/"]).exits(2);
    assert!(ran.stderr.contains("`ftp://x/` is no HTTP address\nhint: for a directory"), "{ran:?}");
}

/// A repository whose address changes with its state, as `createrepo_c` makes it.
fn repository(file: &str) -> Vec<u8> {
    std::fs::read(xtask::root().join("tests/fixtures/repository").join(file)).expect("a fixture")
}

#[test]
fn a_feed_that_moves_is_found_by_its_publishers_lists() {
    const LIST: &str = "cdn.amazonlinux.com/2/core/latest/x86_64/mirror.list";
    const REPOSITORY: &str = "cdn.amazonlinux.com/2/core/2.0/x86_64/0123";
    let (mirror, user) = (Mirror::new(), User::new());
    let update = || mirror.update(&user, &["--feed", "amazon-2"]);
    let index = String::from_utf8(repository("repomd.xml")).expect("text");
    let href = index.split('"').find(|part| part.ends_with("updateinfo.xml.gz")).expect("a place").to_owned();
    mirror.answers(LIST, |_| Reply::new(200, format!("https://{REPOSITORY}\n")));
    let text = index.clone();
    mirror.answers(&format!("{REPOSITORY}/repodata/repomd.xml"), move |_| Reply::new(200, text.clone()));
    let errata = repository("updateinfo.xml.gz");
    mirror.answers(&format!("{REPOSITORY}/{href}"), move |request| content(request, &errata, "\"one\""));
    assert_eq!(said(&update().exits(0), "amazon-2"), "1 records");
    assert_eq!(said(&update().exits(0), "amazon-2"), "unchanged");
    let status = user.run(&["advisories", "status"]).exits(0).stdout;
    assert!(status.contains("the core repository alone"), "{status}");

    // The sum that the index states holds, and no list leads to another host.
    let other = gzip(&[b"<updates></updates>".as_slice(), &[b' '; 10]].concat());
    mirror.answers(&format!("{REPOSITORY}/{href}"), move |request| content(request, &other, "\"two\""));
    let ran = update().exits(2);
    assert!(ran.stderr.contains("and its repository says"), "{ran:?}");
    for elsewhere in ["https://elsewhere.example/2", "http://cdn.amazonlinux.com/2", "", "<html>"] {
        mirror.answers(LIST, move |_| Reply::new(200, elsewhere));
        let ran = update().exits(2);
        assert!(ran.stderr.contains("does not say where it is"), "{elsewhere}: {ran:?}");
    }

    // A mirror that has only the feed, at the address that `--list` shows, does as well.
    let (mirror, user) = (Mirror::new(), User::new());
    let errata = repository("updateinfo.xml.gz");
    mirror.answers("cdn.amazonlinux.com/2/core/latest/x86_64/updateinfo.xml.gz", move |request| {
        content(request, &errata, "\"one\"")
    });
    assert_eq!(said(&mirror.update(&user, &["--feed", "amazon-2"]).exits(0), "amazon-2"), "1 records");
}

#[test]
fn a_feed_on_request_is_fetched_with_the_others_once_it_was_asked_for() {
    const LIST: &str = "security.access.redhat.com/data/csaf/v2/vex/archive_latest.txt";
    let (mirror, user) = (Mirror::new(), User::new());
    let ran = mirror.update(&user, &[]).exits(0);
    assert!(!ran.stdout.contains("redhat-vex"), "{ran:?}");
    let document =
        std::fs::read(xtask::root().join("tests/fixtures/feeds/redhat-vex-CVE-2024-24786.json")).expect("a fixture");
    let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), 3).expect("zstd"));
    let mut header = tar::Header::new_gnu();
    header.set_size(document.len() as u64);
    archive.append_data(&mut header, "2024/cve-2024-24786.json", document.as_slice()).expect("memory");
    let archive = archive.into_inner().and_then(zstd::Encoder::finish).expect("memory");
    mirror.answers(LIST, |_| Reply::new(200, "csaf_vex_2026-11-20.tar.zst\n"));
    mirror.answers(&LIST.replace("archive_latest.txt", "csaf_vex_2026-11-20.tar.zst"), move |request| {
        content(request, &archive, "\"one\"")
    });
    let ran = mirror.update(&user, &["--feed", "redhat-vex"]).exits(0);
    assert_eq!(said(&ran, "redhat-vex"), "1 records");
    assert_eq!(said(&mirror.update(&user, &[]).exits(0), "redhat-vex"), "unchanged");
}
