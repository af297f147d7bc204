//! Who may do what: every route, every role, every scope; the audit log; what a bound token sees.

use dogwatch_e2e::images::upgraded;
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use serde_json::{Value, json};
use server::access::{Permission, ROLES};
use server::api::ROUTES;

fn token(server: &Server, role: &str, scope: &str, days: Option<u32>) -> String {
    let asked = json!({ "name": format!("{role} {scope}"), "role": role, "scope": scope, "days": days });
    let (status, made) = server.ask("POST", "/api/v1/tokens", &server.token, Some(&asked.to_string()));
    assert_eq!(status, 200, "{made}");
    made["secret"].as_str().expect("a secret").to_owned()
}

/// The path with something that is nowhere in its places.
fn filled(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "nowhere" } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_refuses_every_role_and_scope_that_may_not() {
    let user = User::new();
    let server = Server::start(&user, None, None, None);
    let mut tried = 0;
    for scope in ["", "team:storefront", "system:webshop"] {
        for role in ROLES {
            let token = token(&server, role.as_str(), scope, None);
            for route in ROUTES.iter().filter(|route| !route.path.ends_with("/stream")) {
                let (method, path) = (route.method.as_str(), filled(route.path));
                let (status, problem) = server.ask(method, &path, &token, route.body.map(|_| "?"));
                let may = role.may(route.permission, !scope.is_empty());
                assert_eq!(status == 403, !may, "{method} {path} as {role:?} of `{scope}`: {status} {problem}");
                assert_ne!(status, 401, "{method} {path}");
                assert!(status < 500, "{method} {path}: {problem}");
                tried += 1;
            }
        }
    }
    assert!(tried > 18 * 25, "{tried}");
    for route in ROUTES.iter() {
        let (method, path) = (route.method.as_str(), filled(route.path));
        for bad in ["", "dwt_0000", "x"] {
            if route.permission == Permission::Open {
                continue;
            }
            let (status, problem) = server.ask(method, &path, bad, None);
            assert_eq!((status, &problem["status"]), (401, &json!(401)), "{method} {path} with `{bad}`");
        }
    }
    // A token that was revoked, and one that ended.
    let ended = token(&server, "viewer", "", Some(0));
    assert_eq!(server.ask("GET", "/api/v1/images", &ended, None).0, 401);
    let viewer = token(&server, "viewer", "", Some(1));
    assert_eq!(server.ask("GET", "/api/v1/images", &viewer, None).0, 200);
    let (_, tokens) = server.ask("GET", "/api/v1/tokens", &server.token, None);
    let last = tokens["items"].as_array().and_then(|all| all.last()).expect("a token");
    let id = last["id"].as_str().expect("an id");
    assert!(!tokens.to_string().contains(&viewer[4..]), "no secret is told twice");
    assert_eq!(server.ask("DELETE", &format!("/api/v1/tokens/{id}"), &server.token, None).0, 200);
    assert_eq!(server.ask("GET", "/api/v1/images", &viewer, None).0, 401);

    // Everything of that is in the audit log, which is whole, and tells what was changed.
    let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
    let log = user.run(&["audit-log", "export"]).exits(0).stdout;
    assert_eq!(log.lines().count(), 1 + 18 + 2 + 1 + 1, "entries, and a checkpoint: {log}");
    let verify = |text: &str| user.run(&["audit-log", "verify", &user.file("audit.jsonl", text)]);
    assert!(verify(&log).exits(0).stdout.contains("22 entries, whole"));
    let lines: Vec<&str> = log.lines().collect();
    let without = |at: usize| {
        lines
            .iter()
            .enumerate()
            .filter(|(line, _)| *line != at)
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    verify(&without(3)).exits(1);
    verify(&log.replace("administrator", "viewer")).exits(1);
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    verify(&swapped.join("\n")).exits(1);
}

#[test]
fn a_bound_token_sees_its_own_and_who_depends_on_it() {
    on_both(|database| {
        let Some(images) = upgraded() else { return };
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
        for name in ["base", "upgraded"] {
            user.run(&["scan", &format!("oci-dir:{}:{name}", images.layout.display()), "-o", "json"]);
        }
        let group = |name: &str| {
            format!(
                "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{ name: {name} }}\nspec: {{ type: team, children: [] }}\n---\n"
            )
        };
        let catalog = user
            .file("catalog.yaml", &format!("{}{}", group("platform"), group("storefront").trim_end_matches("---\n")));
        let owners = user.file("OWNERS", "image base  platform\nimage upgraded  storefront\n");
        user.run(&["portfolio", "put", "catalog", &catalog]).exits(0);
        user.run(&["portfolio", "put", "owner-rules", &owners]).exits(0);
        server.settle();
        let platform = token(&server, "viewer", "team:platform", None);
        let storefront = token(&server, "viewer", "team:storefront", None);
        let names = |token: &str| {
            let (_, page) = server.ask("GET", "/api/v1/images", token, None);
            page["items"].as_array().expect("items").iter().map(|image| image["name"].clone()).collect::<Vec<Value>>()
        };
        assert_eq!((names(&platform), names(&storefront)), (vec![json!("base")], vec![json!("upgraded")]));
        let of = |name: &str, token: &str| server.ask("GET", &format!("/api/v1/images/{name}/findings"), token, None).0;
        assert_eq!((of("base", &platform), of("upgraded", &platform)), (200, 404));
        // The base's owner learns who stands on it, and nothing of their findings.
        let (status, dependents) = server.ask("GET", "/api/v1/dependents?of=image&value=base", &platform, None);
        assert_eq!(status, 200, "{dependents}");
        let image = &dependents["images"][0];
        assert_eq!((&image["name"], &image["team"]), (&json!("upgraded"), &json!("storefront")));
        assert!(image.get("findings").is_none() && image.get("risk").is_none(), "{image}");
        assert_eq!(server.ask("GET", "/api/v1/dependents?of=image&value=base", &storefront, None).0, 404);
        assert_eq!(
            server.ask("GET", "/api/v1/dependents?of=vulnerability&value=CVE-2023-4911", &platform, None).0,
            404
        );
        let feed = |token: &str| {
            let (_, page) = server.ask("GET", "/api/v1/changes?limit=1000", token, None);
            page["items"].as_array().expect("items").iter().map(|change| change["team"].clone()).collect::<Vec<Value>>()
        };
        assert!(!feed(&platform).is_empty() && feed(&platform).iter().all(|team| team == "platform"));
    });
}

#[test]
fn the_feed_can_be_followed_and_lists_know_what_the_caller_has() {
    use std::io::{BufRead, BufReader, Write};
    let Some(images) = upgraded() else { return };
    let user = User::new();
    let server = Server::start(&user, None, None, None);
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&address).expect("a connection");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a limit");
    let head = format!(
        "GET /api/v1/changes/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        server.token
    );
    stream.write_all(head.as_bytes()).expect("asked");
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    user.run(&["scan", &format!("oci-dir:{}:base", images.layout.display()), "--server", &server.url, "-o", "json"]);
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let events: Vec<Value> =
        lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).take(2).collect();
    assert_eq!(events, server.changes(0), "what is followed is what is listed");

    let (status, first) =
        server.raw("GET", "/api/v1/images", &[("Authorization", &format!("Bearer {}", server.token))], b"");
    assert_eq!(status, 200);
    let etag = format!("\"{}\"", &dogwatch_e2e::registry::digest(&String::from_utf8_lossy(&first))[7..39]);
    let bearer = format!("Bearer {}", server.token);
    let (status, body) =
        server.raw("GET", "/api/v1/images", &[("Authorization", &bearer), ("If-None-Match", &etag)], b"");
    assert_eq!((status, body.len()), (304, 0));
    let (status, rows) =
        server.raw("GET", "/api/v1/images", &[("Authorization", &bearer), ("Accept", "application/x-ndjson")], b"");
    assert_eq!((status, String::from_utf8_lossy(&rows).lines().count()), (200, 1));
    for (query, status) in [
        ("limit=0", 400),
        ("limit=x", 400),
        ("nam=x", 400),
        ("cursor=zz", 400),
        ("as-of=yesterday", 400),
        ("as-of=2026-11-27", 200),
        ("sort=risk", 200),
        ("sort=name", 400),
    ] {
        assert_eq!(server.ask("GET", &format!("/api/v1/images?{query}"), &server.token, None).0, status, "{query}");
    }
    assert_eq!(server.ask("GET", "/api/v1/nothing", &server.token, None).0, 404);
    assert_eq!(server.ask("DELETE", "/api/v1/images", &server.token, None).0, 405);
}
