//! The server killed, its database restarted, two servers at once: nothing acknowledged is lost, nothing stands twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dogwatch_e2e::claims::{claim, small_report};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Postgres, Server, on_both};
use serde_json::{Value, json};

/// What must hold whenever the server has settled.
fn check(server: &Server, user: &User, acknowledged: &BTreeSet<String>) {
    let images = server.list("/api/v1/images?limit=1000");
    let known: BTreeSet<String> =
        images.iter().map(|image| image["digest"].as_str().expect("a digest").to_owned()).collect();
    assert_eq!(images.len(), known.len(), "an image stands twice");
    assert!(known.is_superset(acknowledged), "something acknowledged is lost");
    for image in &images {
        assert!(image["findings"].as_u64() > Some(0) && image["outcome"] == "failed", "{image}");
    }
    let changes = server.changes(0);
    let numbers: Vec<u64> = changes.iter().filter_map(|change| change["id"].as_str()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "the feed has gaps");
    let found: Vec<&Value> = changes
        .iter()
        .filter(|change| change["type"] == "dev.dogwatch.image.found")
        .map(|change| &change["data"]["image"])
        .collect();
    assert_eq!(found.len(), known.len(), "found once each");
    let log = user.run(&["audit-log", "export", "--server", &server.url]).exits(0).stdout;
    user.run(&["audit-log", "verify", &user.file("audit.jsonl", &log)]).exits(0);
}

/// How many times it is killed; `DOGWATCH_KILLS=500` is the whole test.
fn kills() -> usize {
    std::env::var("DOGWATCH_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

#[test]
fn killed_at_any_moment_it_has_all_that_it_acknowledged() {
    on_both(|database| {
        let user = User::new();
        let Some(report) = small_report(&user) else { return };
        let mut server = Server::start(&user, database, None, None);
        let token = server.token.clone();
        let user = user.with("DOGWATCH_TOKEN", &*token);
        let advisory = |number: usize| {
            json!({ "id": "ACME-1", "modified": "2026-11-26T09:00:00Z", "database_specific": { "severity": "LOW" },
                "affected": [{ "package": { "ecosystem": "npm", "name": "lodash" },
                    "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": format!("99.{number}.0") }] }] }] }).to_string()
        };
        let mut acknowledged = BTreeSet::new();
        let mut number = 0;
        for kill in 0..kills() {
            let stop = AtomicBool::new(false);
            // Moments that differ, from a few milliseconds on; the same in each run.
            let moment = Duration::from_millis(5 + (kill as u64 * 37) % 400);
            std::thread::scope(|scope| {
                let (server, stop, report) = (&server, &stop, &report);
                let uploads = scope.spawn(move || {
                    let mut done = Vec::new();
                    for at in number.. {
                        if stop.load(Ordering::Relaxed) {
                            return (done, at);
                        }
                        let body = claim(report, at);
                        let answer = std::panic::catch_unwind(|| {
                            server.ask("POST", "/api/v1/reports", &server.token, Some(&body))
                        });
                        match answer {
                            Ok((200, answer)) => done.push(answer["image"].as_str().expect("a digest").to_owned()),
                            _ => return (done, at + 1),
                        }
                    }
                    unreachable!("numbers do not end")
                });
                let judging = scope.spawn(move || {
                    // Knowledge changes meanwhile, so images are judged again.
                    let _ = std::panic::catch_unwind(|| {
                        server.ask("PUT", "/api/v1/advisories/ACME-1", &server.token, Some(&advisory(kill)))
                    });
                });
                std::thread::sleep(moment);
                server.kill_now();
                stop.store(true, Ordering::Relaxed);
                let (done, next) = uploads.join().expect("uploads");
                let _ = judging.join();
                acknowledged.extend(done);
                number = next;
            });
            server = Server::start(&user, database, None, Some(&token));
        }
        server.settle();
        assert!(!acknowledged.is_empty());
        check(&server, &user, &acknowledged);
        // All are judged with what is in force: the same inventory, the same findings.
        let images = server.list("/api/v1/images?limit=1000");
        let counts: BTreeSet<u64> = images.iter().filter_map(|image| image["findings"].as_u64()).collect();
        assert_eq!(counts.len(), 1, "{counts:?}");
    });
}

#[test]
fn a_database_that_was_away_is_found_again_and_two_servers_share_the_work() {
    let Some(postgres) = Postgres::start() else { return };
    let user = User::new();
    let Some(report) = small_report(&user) else { return };
    let url = postgres.url();
    let server = Server::start(&user, Some(&url), None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let upload =
        |server: &Server, number| server.ask("POST", "/api/v1/reports", &server.token, Some(&claim(&report, number)));
    assert_eq!(upload(&server, 0).0, 200);
    postgres.down();
    let (status, problem) = upload(&server, 1);
    assert_eq!(status, 503, "{problem}");
    assert_eq!(server.ask("GET", "/readyz", &server.token, None).0, 503);
    assert_eq!(server.ask("GET", "/healthz", &server.token, None).0, 200);
    postgres.up();
    assert_eq!(upload(&server, 1).0, 200);

    let second_user = User::new();
    let second = Server::start(&second_user, Some(&url), None, Some(&server.token));
    let mut acknowledged = BTreeSet::new();
    std::thread::scope(|scope| {
        let both = [(&server, 100), (&second, 200)].map(|(server, from)| {
            let upload = &upload;
            scope.spawn(move || {
                (from..from + 15)
                    .map(|number| {
                        let (status, answer) = upload(server, number);
                        assert_eq!(status, 200, "{answer}");
                        answer["image"].as_str().expect("a digest").to_owned()
                    })
                    .collect::<Vec<_>>()
            })
        });
        both.into_iter().for_each(|uploads| acknowledged.extend(uploads.join().expect("uploads")));
    });
    let advisory = json!({ "id": "ACME-1", "modified": "2026-11-26T09:00:00Z", "database_specific": { "severity": "CRITICAL" },
        "affected": [{ "package": { "ecosystem": "npm", "name": "lodash" }, "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }] });
    let before = server.changes(0).len() as u64;
    let (status, taken) = second.ask("PUT", "/api/v1/advisories/ACME-1", &server.token, Some(&advisory.to_string()));
    assert_eq!((status, taken["images"].as_u64()), (200, Some(32)), "{taken}");
    server.settle();
    let told = server.changes(before);
    let found: BTreeSet<&str> = told
        .iter()
        .filter(|change| change["type"] == "dev.dogwatch.finding.found" && change["data"]["vulnerability"] == "ACME-1")
        .filter_map(|change| change["data"]["image"].as_str())
        .collect();
    assert_eq!(found.len(), 32);
    assert_eq!(told.iter().filter(|change| change["data"]["vulnerability"] == "ACME-1").count(), 32, "each told once");
    check(&server, &user, &acknowledged);
}
