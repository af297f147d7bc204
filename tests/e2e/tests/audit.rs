//! The audit log is signed: what somebody changes, cuts off or writes anew is found, also by who can write the database.

use advisories::share::key::SecretKey;
use dogwatch_e2e::program::User;
use dogwatch_e2e::registry::digest;
use dogwatch_e2e::server::{Postgres, Server, on_both};
use serde_json::{Value, json};
use server::checkpoint::Checkpoint;

fn make_token(server: &Server, name: &str) {
    let asked = json!({ "name": name, "role": "viewer", "scope": "", "days": 1 }).to_string();
    assert_eq!(server.ask("POST", "/api/v1/tokens", &server.token, Some(&asked)).0, 200);
}

fn signed(server: &Server) -> (u16, Value) {
    server.ask("GET", "/api/v1/audit-log/checkpoint", &server.token, None)
}

/// An export's entries with another actor in one of them and all digests made anew, and a checkpoint with a key of one's own.
fn rewritten(log: &str, at: usize) -> String {
    let (mut before, mut text, mut entries) = (String::new(), String::new(), 0);
    for line in log.lines().filter(|line| !line.contains("\"checkpoint\"")) {
        entries += 1;
        let mut entry: Value = serde_json::from_str(line).expect("an entry");
        if entries == at {
            entry["actor"] = json!("nobody");
        }
        let parts: Vec<&Value> =
            ["number", "at", "actor", "action", "subject", "body"].map(|part| &entry[part]).to_vec();
        let chained = serde_json::to_string(&[vec![&json!(before)], parts].concat()).expect("JSON");
        before = digest(&chained).trim_start_matches("sha256:").to_owned();
        entry["chain"] = json!(before);
        text.push_str(&format!("{entry}\n"));
    }
    let key = SecretKey::parse(&SecretKey::generate().expect("a key")).expect("a key");
    let note = Checkpoint { entries: entries as i64, chain: before }.sign(&key);
    format!("{text}{}\n", json!({ "checkpoint": note }))
}

#[test]
fn what_is_changed_cut_off_or_written_anew_is_found() {
    on_both(|database| {
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
        make_token(&server, "first");
        let (status, early) = signed(&server);
        assert_eq!((status, &early["entries"]), (200, &json!(2)), "{early}");
        let early_file = user.file("early.checkpoint", early["checkpoint"].as_str().expect("a text"));
        let pem = early["public_key"].as_str().expect("a key").to_owned();
        let (key_file, key) = (user.file("audit.pub", &pem), pem.lines().nth(1).expect("a key").to_owned());
        (0..4).for_each(|number| make_token(&server, &format!("token {number}")));
        let log = user.run(&["audit-log", "export"]).exits(0).stdout;
        let verify = |text: &str, more: &[&str]| {
            let file = user.file("audit.jsonl", text);
            user.run(&[&["audit-log", "verify", &file], more].concat())
        };
        let all = ["--key", &key, "--checkpoint", &early_file];
        assert!(verify(&log, &all).exits(0).stdout.contains("6 entries, whole, signed"));
        verify(&log, &["--key", &key_file]).exits(0);
        assert!(verify(&log, &[]).exits(0).stderr.contains("was not checked"));
        verify(&log, &["--key", "nonsense"]).exits(2);

        let found = |what: &str, text: &str, more: &[&str], said: &str| {
            let ran = verify(text, more).exits(1);
            assert!(ran.stdout.contains(said), "{what}: {}", ran.stdout);
        };
        let lines: Vec<&str> = log.lines().collect();
        let cut = |range: std::ops::Range<usize>, checkpoint: bool| {
            let kept = lines[range].iter().chain(lines.last().filter(|_| checkpoint));
            kept.map(|line| format!("{line}\n")).collect::<String>()
        };
        found("an entry changed", &log.replace("token 1", "token X"), &[], "is not what was written");
        found("cut off", &cut(0..4, true), &[], "the end was cut off");
        found("cut off with its checkpoint", &cut(0..4, false), &all, "only 0 of 4 entries are signed");
        found("cut off with its checkpoint", &cut(0..1, false), &["--checkpoint", &early_file], "the end was cut off");
        let anew = rewritten(&log, 2);
        verify(&anew, &[]).exits(0);
        found("written anew", &anew, &["--key", &key], "not signed by the key");
        found("written anew", &anew, &["--checkpoint", &early_file], "they were rewritten");
        let late = rewritten(&log, 5);
        found("its end written anew", &late, &["--key", &key], "not signed by the key");

        // The key stays, and so does what it signed.
        let token = server.token.clone();
        server.stop();
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |name: &str| std::fs::metadata(user.path("server").join(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!((mode("audit.key"), mode("audit.checkpoint")), (0o600, 0o600));
        let server = Server::start(&user, database, None, Some(&token));
        make_token(&server, "later");
        assert_eq!(signed(&server).1["public_key"], json!(pem));
        let log = user.run(&["audit-log", "export", "--server", &server.url]).exits(0).stdout;
        assert!(verify(&log, &all).exits(0).stdout.contains("7 entries, whole, signed"));
    });
}

#[test]
fn a_server_signs_no_log_that_does_not_continue_what_it_signed() {
    let Some(postgres) = Postgres::start() else { return };
    let user = User::new();
    let server = Server::start(&user, Some(&postgres.url()), None, None);
    (0..3).for_each(|number| make_token(&server, &format!("token {number}")));
    assert_eq!(signed(&server).1["entries"], 4);
    postgres.sql("DELETE FROM audit WHERE number = 4; UPDATE clock SET audit = 3");
    let (status, problem) = signed(&server);
    assert_eq!(status, 409, "{problem}");
    make_token(&server, "in its place");
    assert_eq!(signed(&server).0, 409, "there are four again, and another fourth");
    assert!(server.log().contains("the audit log was changed"), "{}", server.log());
    let token = server.token.clone();
    server.stop();
    let server = Server::start(&user, Some(&postgres.url()), None, Some(&token));
    assert_eq!(signed(&server).0, 409, "also after a restart");
}
