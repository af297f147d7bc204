//! Filters asked of the real server, on real images: every list has one, a bound token sees only its own by it, and mistakes are explained.

use dogwatch_e2e::images::{small, upgraded};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use serde_json::{Value, json};
use server::api::ROUTES;

const CATALOG: &str = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: platform }\nspec: { type: team, children: [] }\n---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: storefront }\nspec: { type: team, children: [] }\n";

/// A server that knows `base` and `small`, which are team platform's, and `upgraded`, which is storefront's and runs; and something that runs of which nobody
/// knows what it is. `storefront` is a token that is bound to that team.
struct Shop {
    user: User,
    server: Server,
    upgraded: String,
    storefront: String,
}

fn start(database: Option<&str>) -> Option<Shop> {
    let (images, small) = (upgraded()?, small()?);
    let user = User::new();
    let server = Server::start(&user, database, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
    for (layout, name) in [(&images.layout, "base"), (&images.layout, "upgraded"), (&small, "small")] {
        user.run(&["scan", &format!("oci-dir:{}:{name}", layout.display()), "-o", "json"]);
    }
    let (catalog, owners) = (
        user.file("catalog.yaml", CATALOG),
        user.file("OWNERS", "image base  platform\nimage small  platform\nimage upgraded  storefront\n"),
    );
    user.run(&["portfolio", "put", "catalog", &catalog]).exits(0);
    user.run(&["portfolio", "put", "owner-rules", &owners]).exits(0);
    let named = server.list(&asked("/api/v1/images", "name == 'upgraded'"));
    let upgraded = named[0]["digest"].as_str().expect("a digest").to_owned();
    let runs = json!([{ "name": "web", "image_digest": upgraded, "image_name": "upgraded" }, { "name": "other", "image_name": "else/where:1" }]);
    user.run(&["portfolio", "running", "prod-eu", &user.file("runs.json", &runs.to_string())]).exits(0);
    server.settle();
    let storefront =
        user.run(&["portfolio", "token", "s", "--role", "viewer", "--scope", "team:storefront"]).exits(0).stdout;
    Some(Shop { user, server, upgraded, storefront: storefront.trim().to_owned() })
}

/// The path with a filter.
fn asked(path: &str, filter: &str) -> String {
    let escaped: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("{path}{}filter={escaped}", if path.contains('?') { '&' } else { '?' })
}

impl Shop {
    /// The rows that a token gets, of one page.
    fn rows(&self, token: &str, path: &str, filter: &str) -> Vec<Value> {
        let path = if filter.is_empty() { path.to_owned() } else { asked(path, filter) };
        let (status, page) = self.server.ask("GET", &path, token, None);
        assert_eq!(status, 200, "{path}: {page}");
        let rows = if path.contains("/dependents") { &page["images"] } else { &page["items"] };
        rows.as_array().expect("rows").clone()
    }

    fn all(&self, path: &str, filter: &str) -> Vec<Value> {
        self.rows(&self.server.token, path, filter)
    }
}

#[test]
fn every_list_is_filtered_by_what_its_rows_say() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        let image = format!("/api/v1/images/{}", shop.upgraded);
        let first = shop.all(&format!("{image}/findings"), "")[0].clone();
        let cve = first["finding"]["id"].as_str().expect("an id").to_owned();
        let package = first["package"].as_str().and_then(|purl| purl.split('@').next()).expect("a package URL");
        let of_package = format!("package.startsWith('{package}')");
        let scored = format!("/api/v1/vulnerabilities/{cve}/scores");
        let findings = format!("{image}/findings?limit=1000");
        let small = format!(
            "/api/v1/images/{}/findings?limit=1000",
            shop.all("/api/v1/images", "name == 'small'")[0]["digest"].as_str().expect("a digest")
        );
        let (verdicts, claims) = (format!("{image}/verdicts"), format!("{image}/claims"));
        let dependents = "/api/v1/dependents?of=package&value=zlib1g";
        let is_in = |row: &Value, key: &str, values: &[&str]| {
            values.iter().any(|value| row.pointer(key) == Some(&json!(value)))
        };
        let severe = |row: &Value, key: &str| is_in(row, key, &["high", "critical"]);
        type Holds<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
        let cases: Vec<(&str, &str, Holds<'_>)> = vec![
            ("/api/v1/images", "name == 'base' || risk < 0", Box::new(|row| row["name"] == "base")),
            ("/api/v1/images", "running > 0 && team in ['storefront']", Box::new(|row| row["running"] == 1)),
            ("/api/v1/images", "first_seen > '2099-01-01'", Box::new(|_| false)),
            (&small, "finding.severity >= HIGH", Box::new(|row| severe(row, "/finding/severity"))),
            (&findings, "fixable && layer == 0", Box::new(|row| row["fixable"] == true && row["layer"] == 0)),
            (
                &findings,
                &of_package,
                Box::new(|row| row["package"].as_str().is_some_and(|purl| purl.starts_with(package))),
            ),
            (&findings, "score >= 7 && layer_team != 'nobody'", Box::new(|row| row["score"].as_f64() >= Some(7.0))),
            (
                "/api/v1/vulnerabilities?limit=1000",
                "severity >= 'high' && fixable > 0",
                Box::new(|row| severe(row, "/severity") && row["fixable"] != 0),
            ),
            (&verdicts, "has(until)", Box::new(|row| row["until"].is_string())),
            (&verdicts, "!has(until) && findings > 0", Box::new(|row| row["until"].is_null())),
            (&claims, "claimed_by == 'nobody'", Box::new(|_| false)),
            ("/api/v1/tags", "name.endsWith('ed') && !has(until)", Box::new(|row| row["name"] == "upgraded")),
            (&scored, "scorer == 'EPSS' && score <= 1", Box::new(|row| row["scorer"] == "EPSS")),
            (dependents, "team == 'platform'", Box::new(|row| row["team"] == "platform")),
            ("/api/v1/workloads", "production && image_name.contains('grade')", Box::new(|row| row["name"] == "web")),
            (
                "/api/v1/changes?limit=1000",
                "type == 'dev.dogwatch.owner.changed'",
                Box::new(|row| row["type"] == "dev.dogwatch.owner.changed"),
            ),
            ("/api/v1/changes?limit=1000", "team == 'platform'", Box::new(|row| row["team"] == "platform")),
            ("/api/v1/tokens", "role == 'viewer' && !has(revoked)", Box::new(|row| row["role"] == "viewer")),
            (
                "/api/v1/audit-log",
                "action.startsWith('document') || at < '2020-01-01'",
                Box::new(|row| row["action"].as_str().is_some_and(|action| action.starts_with("document"))),
            ),
        ];
        for (path, filter, holds) in &cases {
            let expected: Vec<Value> = shop.all(path, "").into_iter().filter(|row| holds(row)).collect();
            assert_eq!(shop.all(path, filter), expected, "{path} {filter}");
            assert!(
                !expected.is_empty() || filter.contains("nobody'") || filter.contains("2099"),
                "{path} {filter} finds nothing"
            );
        }
        let of_image = shop.all("/api/v1/changes?limit=1000", &format!("subject == '{}'", shop.upgraded));
        assert!(
            !of_image.is_empty() && of_image.iter().all(|change| change["data"].to_string().contains(&shop.upgraded))
        );

        // Pages go on, and what is counted is what is let through.
        let page = shop.server.list(&asked(&format!("{image}/findings?limit=7"), "finding.severity >= MEDIUM"));
        assert_eq!(page, shop.all(&findings, "finding.severity >= MEDIUM"));
        let (_, counted) = shop.server.ask("GET", &asked(dependents, "team == 'platform'"), &shop.server.token, None);
        assert_eq!(counted["teams"], json!([{ "team": "platform", "system": "", "images": 2, "running": 0 }]));
        assert_eq!(counted["environments"], json!([]));
    });
}

#[test]
fn a_bound_token_lists_what_is_in_its_images_and_learns_nothing_of_others_by_asking() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        let own = shop.rows(&shop.storefront, &format!("/api/v1/images/{}/findings?limit=1000", shop.upgraded), "");
        let mut ids: Vec<&str> = own.iter().filter_map(|row| row["finding"]["id"].as_str()).collect();
        ids.dedup();
        let seen = shop.rows(&shop.storefront, "/api/v1/vulnerabilities?limit=1000", "");
        assert_eq!(seen.iter().filter_map(|row| row["id"].as_str()).collect::<Vec<_>>(), ids);
        for row in &seen {
            let packages =
                own.iter().filter(|found| found["finding"]["id"] == row["id"]).map(|found| &found["package"]);
            let packages: std::collections::BTreeSet<String> = packages.map(ToString::to_string).collect();
            assert_eq!(row["packages"], packages.len(), "{row}");
        }
        let everything = shop.all("/api/v1/vulnerabilities?limit=1000", "");
        let foreign = everything
            .iter()
            .filter_map(|row| row["id"].as_str())
            .find(|id| !ids.contains(id))
            .expect("one of the others'");
        assert_eq!(shop.rows(&shop.storefront, "/api/v1/workloads", "").len(), 1);
        assert_eq!(shop.all("/api/v1/workloads", "").len(), 2);

        // What is not shown cannot be asked for either, however the question is put.
        let base = shop.all("/api/v1/images", "name == 'base'")[0]["digest"].as_str().expect("a digest").to_owned();
        for (path, filter) in [
            ("/api/v1/images", "name == 'base'".to_owned()),
            ("/api/v1/images", "team != 'storefront' || !(team == 'storefront')".to_owned()),
            ("/api/v1/images", "true || name == 'base'".to_owned()),
            ("/api/v1/tags", "name == 'base'".to_owned()),
            ("/api/v1/tags", format!("image == '{base}'")),
            ("/api/v1/vulnerabilities", format!("id == '{foreign}' || id == '{foreign}'")),
            ("/api/v1/workloads", "name == 'other'".to_owned()),
            ("/api/v1/changes", "team == 'platform' || team != 'storefront'".to_owned()),
            ("/api/v1/changes", format!("subject == '{base}'")),
            (&format!("/api/v1/vulnerabilities/{foreign}/scores"), "true".to_owned()),
        ] {
            let rows = shop.rows(&shop.storefront, path, &filter);
            let is_own =
                |row: &Value| path.ends_with("images") && filter.starts_with("true") && row["team"] == "storefront";
            assert!(rows.iter().all(is_own), "{path} {filter}: {rows:?}");
        }
        // Yesterday the image was not there, and as of then nothing of it is seen.
        for path in ["/api/v1/vulnerabilities?as-of=2020-01-01", "/api/v1/workloads?as-of=2020-01-01"] {
            assert_eq!(shop.rows(&shop.storefront, path, ""), Vec::<Value>::new());
        }
        let now = shop.server.list("/api/v1/images")[0]["judged_at"].as_str().expect("a moment").to_owned();
        let then = shop.rows(&shop.storefront, &format!("/api/v1/vulnerabilities?limit=1000&as-of={now}"), "");
        assert_eq!(then, seen);
    });
}

#[test]
fn mistakes_in_a_filter_are_explained_and_large_ones_refused() {
    on_both(|database| {
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let ask = |path: &str, filter: &str| server.ask("GET", &asked(path, filter), &server.token, None);
        for (filter, said) in [
            ("nam == 'x'", "did you mean `name`?"),
            ("judged_with == 'x'", "there is no fact `judged_with`"),
            ("name.matches('x')", "a filter knows no regular expressions"),
            ("name == 'x' OR 1=1", "`OR` is not expected here"),
            ("name == '\\u0000'", "NUL"),
            ("first_seen > 'soon'", "a point in time"),
            ("inventory == 'x'", "there is no fact `inventory`"),
        ] {
            let (status, problem) = ask("/api/v1/images", filter);
            assert_eq!((status, &problem["title"]), (400, &json!("bad filter")), "{filter}: {problem}");
            assert!(
                problem["detail"].as_str().is_some_and(|detail| detail.contains(said) && detail.contains('^')),
                "{problem}"
            );
        }
        // The largest that are let in are answered; a database must not choke on them.
        let nested = format!("{}(name == 'x'){}", "(!".repeat(23), ")".repeat(23));
        let chained = vec!["name != 'x'"; 66].join(" && ");
        let listed = format!("name in [{}]", vec!["'x'"; 190].join(","));
        for filter in [&nested, &chained, &listed, &format!("{}production", "!".repeat(390))] {
            assert_eq!(ask("/api/v1/workloads", filter).0, 200, "{filter}");
        }
        assert_eq!(ask("/api/v1/workloads", &"(".repeat(2_000)).0, 400);
        assert_eq!(ask("/api/v1/workloads", &"x".repeat(3_000)).0, 400);
        for route in
            ROUTES.iter().filter(|route| route.facts.is_empty() && route.method == "GET" && !route.path.contains('{'))
        {
            let (status, problem) = ask(route.path, "true");
            assert_eq!(status, 400, "{route:?}: {problem}");
        }
    });
}

#[test]
fn the_command_line_turns_its_flags_into_a_filter() {
    let Some(shop) = start(None) else { return };
    let lines =
        |arguments: &[&str]| shop.user.run(&[&["portfolio"], arguments].concat()).exits(0).stdout.lines().count();
    assert_eq!(lines(&["images", "--json"]), 3);
    assert_eq!(lines(&["images", "--json", "--team", "storefront"]), 1);
    assert_eq!(
        lines(&[
            "images",
            "--json",
            "--team",
            "storefront",
            "--filter",
            "name == 'base' || name == 'upgraded' // both"
        ]),
        1
    );
    assert_eq!(lines(&["images", "--json", "--filter", "name in ['base', 'upgraded']"]), 2);
    for hostile in ["\" || true || team == \"", "x\\", "\n", "' || true", "\u{1}\u{8}\u{c}\u{7f}"] {
        assert_eq!(lines(&["images", "--json", "--team", hostile]), 0, "{hostile:?}");
    }
    let whole = shop.user.run(&["portfolio", "changes"]).exits(0).stdout;
    let tagged = whole.lines().filter(|line| line.contains("dev.dogwatch.image.tagged")).count();
    assert!(tagged > 0);
    assert_eq!(lines(&["changes", "--kind", "image.tagged"]), tagged);
    assert_eq!(lines(&["changes", "--kind", "image.tagged", "--filter", "team == 'nobody'"]), 0);
    let dependents = shop
        .user
        .run(&["portfolio", "dependents", "zlib1g", "--json", "--filter", "team == 'platform'"])
        .exits(0)
        .json();
    assert_eq!(dependents["images"].as_array().map(Vec::len), Some(2), "{dependents}");
    let refused = shop.user.run(&["portfolio", "images", "--filter", "teem == 'x'"]).exits(2);
    assert!(refused.stderr.contains("did you mean `team`?"), "{}", refused.stderr);
}
