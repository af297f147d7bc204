//! Backups: made while the server works, restored into either database, and then everything is answered as before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use dogwatch_e2e::claims::{claim, small_report};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Postgres, Server};
use serde_json::{Value, json};

/// `--data-dir` and `--database-url`, as for the server.
fn kept(user: &User, database: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["--data-dir".to_owned(), user.path("server").display().to_string()];
    arguments.extend(database.iter().flat_map(|url| ["--database-url".to_owned(), (*url).to_owned()]));
    arguments
}

fn run(user: &User, what: &str, file: &str, database: Option<&str>) -> dogwatch_e2e::program::Ran {
    let kept = kept(user, database);
    let arguments: Vec<&str> = [what, file].into_iter().chain(kept.iter().map(String::as_str)).collect();
    user.run(&arguments)
}

fn upload(server: &Server, report: &Value, number: usize) -> String {
    let (status, answer) = server.ask("POST", "/api/v1/reports", &server.token, Some(&claim(report, number)));
    assert_eq!(status, 200, "{answer}");
    answer["image"].as_str().expect("a digest").to_owned()
}

/// All that a server answers about what it remembers.
fn answers(server: &Server) -> Vec<(String, Value)> {
    let mut paths: Vec<String> =
        ["images", "tags?filter=name=='shop'", "vulnerabilities", "workloads", "changes", "tokens", "audit-log"]
            .map(|list| format!("/api/v1/{list}"))
            .to_vec();
    let images = server.list("/api/v1/images?limit=1000");
    for image in images.iter().take(3) {
        let digest = image["digest"].as_str().expect("a digest");
        paths.extend(
            ["findings", "verdicts", "claims", "inventory"].map(|part| format!("/api/v1/images/{digest}/{part}")),
        );
    }
    paths.extend(
        ["catalog", "documents/advisories", "dependents?of=vulnerability&value=ACME-1"]
            .map(|path| format!("/api/v1/{path}")),
    );
    let moment =
        images[0]["judged_at"].as_str().or(images[0]["first_seen"].as_str()).unwrap_or("2999-01-01").to_owned();
    paths.push(format!("/api/v1/images?as-of={moment}"));
    let answer = |path: String| {
        let (status, answer) = server.ask("GET", &path, &server.token, None);
        assert_eq!(status, 200, "{path}: {answer}");
        (path, answer)
    };
    paths.into_iter().map(answer).collect()
}

/// The row of the clock, which is read first, counts what the other tables hold, which are read later.
fn is_of_one_moment(file: &str) {
    let text = zstd::decode_all(&*std::fs::read(file).expect("a backup")).expect("zstd");
    let (mut table, mut rows) = (String::new(), BTreeMap::<String, Vec<Value>>::new());
    for line in text.split(|byte| *byte == b'\n') {
        // The advisories are no lines.
        let Ok(line) = serde_json::from_slice::<Value>(line) else { break };
        match line["table"]["name"].as_str() {
            Some(name) => name.clone_into(&mut table),
            None if line["row"].is_array() => rows.entry(table.clone()).or_default().push(line["row"].clone()),
            None => {}
        }
    }
    let clock = &rows["clock"][0];
    for (table, at) in [("package", 3), ("package_set", 4), ("layer", 5), ("image", 6), ("change", 7), ("audit", 8)] {
        assert_eq!(rows[table].len() as u64, clock[at].as_u64().expect("a number"), "rows of `{table}`");
    }
}

/// Ends the uploads, also when the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Works on a server, backs it up twice (busy, and at rest), restores both, and compares.
fn there_and_back(from: Option<&str>, to: [Option<&str>; 2]) {
    let user = User::new();
    let Some(report) = small_report(&user) else { return };
    let server = Server::start(&user, from, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let advisory = json!({ "id": "ACME-1", "modified": "2026-11-26T09:00:00Z", "affected": [{ "package": { "ecosystem": "npm", "name": "jquery" },
        "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }] });
    assert_eq!(server.ask("PUT", "/api/v1/advisories/ACME-1", &server.token, Some(&advisory.to_string())).0, 200);
    let workloads = json!([{ "name": "web", "image_name": "registry.example/shop:1" }]).to_string();
    assert_eq!(server.ask("PUT", "/api/v1/environments/prod-eu/workloads", &server.token, Some(&workloads)).0, 200);
    let before: BTreeSet<String> = (0..10).map(|number| upload(&server, &report, number)).collect();

    let stop = AtomicBool::new(false);
    let busy = user.path("busy.backup").display().to_string();
    let after: BTreeSet<String> = std::thread::scope(|scope| {
        let (server, report, stop) = (&server, &report, &stop);
        let uploads = scope.spawn(move || {
            (10..).take_while(|_| !stop.load(Ordering::Relaxed)).map(|number| upload(server, report, number)).collect()
        });
        let ends = Ends(stop);
        for _ in 0..10 {
            run(&user, "backup", &busy, from).exits(0);
            is_of_one_moment(&busy);
        }
        drop(ends);
        uploads.join().expect("uploads")
    });
    server.settle();
    let quiet = user.path("quiet.backup").display().to_string();
    assert!(run(&user, "backup", &quiet, from).exits(0).stdout.contains("rows, as of"));
    let expected = answers(&server);
    let token = server.token.clone();

    let restored = User::new().with("DOGWATCH_TOKEN", &*token);
    run(&restored, "restore", &quiet, to[0]).exits(0);
    let again = run(&restored, "restore", &quiet, to[0]).exits(2).stderr;
    assert!(again.contains("there is a portfolio in this database already") && again.contains("hint:"), "{again}");
    let other = Server::start(&restored, to[0], None, Some(&token));
    for (expected, found) in expected.iter().zip(answers(&other)) {
        assert_eq!(expected, &found);
    }
    // It goes on as the first would.
    upload(&other, &report, 1_000_000);
    let log = restored.run(&["audit-log", "export", "--server", &other.url]).exits(0).stdout;
    restored.run(&["audit-log", "verify", &restored.file("audit.jsonl", &log)]).exits(0);

    let restored = User::new();
    run(&restored, "restore", &busy, to[1]).exits(0);
    let other = Server::start(&restored, to[1], None, Some(&token));
    other.settle();
    let images = other.list("/api/v1/images?limit=1000");
    let known: BTreeSet<String> =
        images.iter().map(|image| image["digest"].as_str().expect("a digest").to_owned()).collect();
    assert!(known.is_superset(&before), "what was acknowledged before is in it");
    assert!(known.iter().all(|digest| before.contains(digest) || after.contains(digest)));
    let numbers: Vec<u64> = other.changes(0).iter().filter_map(|change| change["id"].as_str()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "one moment, not several");
}

#[test]
fn a_backup_made_while_the_server_works_restores_into_either_database() {
    let Some(postgres) = Postgres::start() else { return there_and_back(None, [None, None]) };
    there_and_back(None, [None, Some(&postgres.another("a"))]);
    there_and_back(Some(&postgres.url()), [Some(&postgres.another("b")), None]);
    there_and_back(None, [Some(&postgres.another("c")), None]);
    there_and_back(Some(&postgres.another("d")), [None, Some(&postgres.another("e"))]);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    let user = User::new();
    let nothing = run(&user, "backup", &user.path("x.backup").display().to_string(), None).exits(2).stderr;
    assert!(nothing.contains("there is no portfolio in this database") && nothing.contains("hint:"), "{nothing}");
    assert!(!user.path("server").exists(), "asking makes nothing");
    let server = Server::start(&user, None, None, None);
    let file = user.path("x.backup").display().to_string();
    run(&user, "backup", &file, None).exits(0);
    let (whole, token) = (std::fs::read(&file).expect("a backup"), server.token.clone());
    let text = zstd::decode_all(&*whole).expect("zstd");
    let first = text.iter().position(|byte| *byte == b'\n').expect("a line");
    let head = String::from_utf8_lossy(&text[..first]).into_owned();
    let with_head = |head: String| zstd::encode_all(&*[head.as_bytes(), &text[first..]].concat(), 1).expect("zstd");
    let mut changed = text.clone();
    let at = text.windows(13).position(|window| window == b"administrator").expect("a token");
    changed[at] = b'A';
    let cases = [
        ("is no backup", b"PK\x03\x04".to_vec()),
        ("is no backup", Vec::new()),
        ("is damaged", whole[..whole.len() / 2].to_vec()),
        ("is damaged", whole[..whole.len() - 1].to_vec()),
        ("is damaged", zstd::encode_all(&*changed, 1).expect("zstd")),
        ("is damaged", [whole.clone(), whole.clone()].concat()),
        ("form that this program does not know", with_head(head.replace("\"format\":1", "\"format\":2"))),
        ("has schema 99", with_head(head.replace("\"schema\":1", "\"schema\":99"))),
    ];
    let other = User::new();
    for (said, bytes) in cases {
        std::fs::write(other.path("bad.backup"), bytes).expect("a file");
        let ran = run(&other, "restore", &other.path("bad.backup").display().to_string(), None).exits(2);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("hint:"), "{said}: {}", ran.stderr);
    }
    run(&other, "restore", &file, None).exits(0);
    let restored = Server::start(&other, None, None, Some(&token));
    assert_eq!(restored.ask("GET", "/api/v1/images", &token, None).0, 200);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).expect("a backup").permissions().mode() & 0o777, 0o600);
}
