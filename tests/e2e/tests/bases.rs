//! Better base images: real ones in a real registry, compared, and put into Dockerfiles.

use std::fs;

use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small, upgraded};
use dogwatch_e2e::program::User;
use dogwatch_e2e::registry::{Registry, digest};
use serde_json::{Value, json};

/// A registry whose `base:12.1-slim` has old Python and npm packages on top of a Debian without updates; 12.2 has only that, in 12.3
/// one package is upgraded. Others are of another variant or major version, and one is no image.
fn start() -> Option<(User, Registry)> {
    let (small, upgraded) = (small()?, upgraded()?);
    if !have(&["skopeo", "docker-registry"]) {
        return None;
    }
    let user = User::new();
    let registry = Registry::start(&user.path(""));
    let plain = |name: &str| format!("oci:{}:{name}", upgraded.layout.display());
    for (from, tag) in [
        (format!("oci:{}:small", small.display()), "12.1-slim"),
        (plain("base"), "12.2-slim"),
        (plain("upgraded"), "12.3-slim"),
        (plain("base"), "12.3"),
        (plain("base"), "13-slim"),
    ] {
        copy(&from, &format!("docker://{}", registry.reference(&format!("base:{tag}"))), &[]);
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let blob = registry.blob("base", "no configuration");
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": 16 });
    let broken = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [] });
    registry.manifest("base", "12.4-slim", kind, &broken.to_string());
    Some((user, registry))
}

fn names(advice: &Value) -> Vec<&str> {
    let candidates = advice["candidates"].as_array().expect("candidates").iter();
    candidates.filter_map(|candidate| candidate["name"].as_str()?.rsplit(':').next()).collect()
}

#[test]
fn the_tag_with_the_fewest_violations_is_advised() {
    let Some((user, registry)) = start() else { return };
    let now = registry.reference("base:12.1-slim");
    let advice = user.run(&["bases", "advise", &now, "--fail-on", "low", "-o", "json"]).exits(0).json();
    // The newest first; other variants and major versions are not looked at, and what cannot be read is said.
    assert_eq!(names(&advice), ["12.1-slim", "12.4-slim", "12.3-slim", "12.2-slim"]);
    let candidate = |at: usize| &advice["candidates"][at]["scanned"];
    assert!(
        advice["candidates"][1]["failed"]["error"].as_str().is_some_and(|error| error.contains("config")),
        "{advice}"
    );
    let count = |at: usize, what: &str| candidate(at)[what].as_u64().expect(what);
    // Each is what a scan of it says.
    for at in [0, 2, 3] {
        let report = user.scan(advice["candidates"][at]["name"].as_str().expect("a name"), &["--fail-on", "low"]);
        let of = |list: &Value| list.as_array().map_or(0, |list| list.len() as u64);
        assert_eq!(count(at, "findings"), of(&report["findings"]));
        assert_eq!(count(at, "packages"), of(&report["inventory"]["packages"]));
        assert_eq!(candidate(at)["digest"], report["artifact"]["manifest_digest"]);
    }
    assert!(count(3, "violations") < count(0, "violations"), "{advice}");
    assert_eq!(count(0, "findings") - count(3, "fixes") + count(3, "brings"), count(3, "findings"), "{advice}");
    let better = advice["better"].as_u64().expect("one is better") as usize;
    let least = [2, 3].into_iter().min_by_key(|&at| (count(at, "violations"), count(at, "findings"), at));
    assert_eq!(Some(better), least, "{advice}");

    let table = user.run(&["bases", "advise", &now, "--fail-on", "low"]).exits(0).stdout;
    assert!(table.contains("12.4-slim is not compared") && table.contains("take "), "{table}");
    let advice = user.run(&["bases", "advise", &now, "--major", "--candidates", "2", "-o", "json"]).exits(0).json();
    assert_eq!(names(&advice), ["12.1-slim", "13-slim", "12.4-slim"]);
    assert!(advice["notes"][0].as_str().is_some_and(|note| note.starts_with("2 older tags")), "{advice}");
    // Nothing is better than the best, and a name without a version has nothing like it.
    let best = registry
        .reference(&format!("base:{}", names(&user.run(&["bases", "advise", &now, "-o", "json"]).json())[better]));
    let advice =
        user.run(&["bases", "advise", &best, "--candidate", &now, "--candidates", "0", "-o", "json"]).exits(0).json();
    assert_eq!((names(&advice).len(), &advice["better"]), (2, &Value::Null), "{advice}");
    user.run(&["bases", "advise", &registry.reference("base:none")]).exits(2);
}

#[test]
fn thousands_of_tags_are_listed_and_few_are_scanned() {
    let Some((user, registry)) = start() else { return };
    let tags: Vec<String> = (0..1200).map(|number| format!("9.{number}-slim")).collect();
    registry.also(("base", "12.2-slim"), "many", &tags.iter().map(String::as_str).collect::<Vec<_>>());
    let advice =
        user.run(&["bases", "advise", &registry.reference("many:9.7-slim"), "--candidates", "2", "-o", "json"]);
    let advice = advice.exits(0).json();
    assert_eq!(names(&advice), ["9.7-slim", "9.1199-slim", "9.1198-slim"]);
    assert!(advice["notes"][0].as_str().is_some_and(|note| note.starts_with("1190 older tags")), "{advice}");
}

#[test]
fn dockerfiles_move_to_the_better_base() {
    let Some((user, registry)) = start() else { return };
    let now = registry.reference("base:12.1-slim");
    let report = user.scan(&now, &[]);
    let digest = report["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned();
    fs::create_dir(user.path("app")).expect("a directory");
    let text = format!(
        "FROM --platform=linux/amd64 {now} AS build\nRUN true\nFROM build AS test\nFROM {now}@{digest}\nCOPY --from=build /a /a\n"
    );
    let file = user.file("app/Dockerfile", &text);
    let app = user.path("app").display().to_string();
    let fixed = user.run(&["fix", &app, "--bases"]).exits(0);
    assert_eq!(fs::read_to_string(&file).expect("the file"), text, "nothing is written unasked");
    assert!(fixed.stderr.contains("take "), "{}", fixed.stderr);
    user.run(&["fix", &app, "--bases", "--write"]).exits(0);
    let written = fs::read_to_string(&file).expect("the file");
    let lines: Vec<&str> = written.lines().collect();
    let new = lines[0]
        .strip_prefix("FROM --platform=linux/amd64 ")
        .and_then(|rest| rest.strip_suffix(" AS build"))
        .expect(lines[0]);
    assert!(new == registry.reference("base:12.2-slim") || new == registry.reference("base:12.3-slim"), "{written}");
    assert_eq!((lines[1], lines[2], lines[4]), ("RUN true", "FROM build AS test", "COPY --from=build /a /a"));
    // What was pinned stays pinned, to the new image.
    let pinned = user.scan(new, &[])["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned();
    assert_eq!(lines[3], format!("FROM {new}@{pinned}"));

    // By an image and the file that it is built by: its base is that of the last stage. `--base` alone names one.
    fs::write(&file, &text).expect("the file");
    let fixed = user.run(&["fix", &now, "--dockerfile", &file]);
    let changed: Vec<&str> = fixed.stdout.lines().filter(|line| line.starts_with("+FROM")).collect();
    assert_eq!(changed, [format!("+FROM {new}@{pinned}")], "{}", fixed.stderr);
    let fixed = user.run(&["fix", &app, "--base", &now]).exits(0);
    assert!(fixed.stdout.contains(&format!("+FROM --platform=linux/amd64 {new} AS build")), "{}", fixed.stdout);
    let refused = user.run(&["fix", &app, "--base", "other:1=other:2"]).exits(2).stderr;
    assert!(refused.contains("no Dockerfile here is built on `other:1`"), "{refused}");
}

#[test]
fn what_was_pinned_for_all_platforms_stays_pinned_for_all() {
    let Some((user, registry)) = start() else { return };
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = |tag: &str, amd64: &str, arm64: &str| {
        let described = |tag: &str, architecture: &str| {
            let text = registry.text("base", tag);
            let (size, digest) = (text.len(), digest(&text));
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
                    "platform": { "os": "linux", "architecture": architecture } })
        };
        let manifests = [described(amd64, "amd64"), described(arm64, "arm64")];
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": manifests });
        registry.manifest("base", tag, kind, &index.to_string())
    };
    let (old, new) = (index("20.1", "12.1-slim", "12.3"), index("20.2", "12.2-slim", "12.3-slim"));
    let name = registry.reference("base:20.1");
    fs::create_dir(user.path("app")).expect("a directory");
    user.file("app/Dockerfile", &format!("FROM {name}@{old}\n"));
    let app = user.path("app").display().to_string();
    let patch = user.run(&["fix", &app, "--bases", "--platform", "linux/amd64", "--fail-on", "low"]).exits(0);
    assert!(patch.stdout.contains(&format!("+FROM {}@{new}\n", registry.reference("base:20.2"))), "{patch:?}");
}

#[test]
fn one_base_that_cannot_be_compared_keeps_no_other_from_its_place() {
    let Some((user, registry)) = start() else { return };
    fs::create_dir(user.path("app")).expect("a directory");
    let (missing, now) = (registry.reference("base:none"), registry.reference("base:12.1-slim"));
    let composed = registry.reference("base:${VERSION}");
    let text = format!("ARG VERSION=12.1-slim\nFROM {missing}\nFROM {composed} AS built\nFROM {now}\n");
    let file = user.file("app/Dockerfile", &text);
    let app = user.path("app").display().to_string();
    let fixed = user.run(&["fix", &app, "--bases", "--write"]).exits(3);
    let by_hand: Vec<&str> = fixed.stderr.lines().filter(|line| line.contains("by hand: ")).collect();
    assert!(by_hand.len() == 2 && by_hand[0].contains("${VERSION}"), "{}", fixed.stderr);
    assert!(by_hand[1].contains("base:none"), "{}", fixed.stderr);
    let written = fs::read_to_string(&file).expect("the file");
    let changed: Vec<&str> = written.lines().filter(|line| !text.contains(*line)).collect();
    assert_eq!(changed.len(), 1, "{written}");
    assert!(changed[0].starts_with(&format!("FROM {}", registry.reference("base:12."))), "{written}");
}

#[test]
fn registered_bases_are_looked_at_and_must_be_able_to_stand_in() {
    let Some((user, registry)) = start() else { return };
    let (now, plain) = (registry.reference("base:12.1-slim"), registry.reference("base:13-slim"));
    user.run(&["bases", "add", &plain, &plain]).exits(0);
    user.run(&["bases", "add", "the house's own", &registry.reference("base:12.3")]).exits(0);
    let advise = |image: &str| {
        user.run(&["bases", "advise", image, "--candidates", "0", "--fail-on", "low", "-o", "json"]).exits(0).json()
    };
    let advice = advise(&now);
    assert_eq!(names(&advice), ["12.1-slim", "13-slim"]);
    // It has neither Python nor npm packages, so what is built on the other would miss them.
    assert_eq!(advice["candidates"][1]["scanned"]["lacks"], json!(["npm packages", "pypi packages"]));
    assert_eq!(advice["better"], Value::Null);
    let table = user.run(&["bases", "advise", &now, "--candidates", "0"]).exits(0).stdout;
    assert!(table.contains("13-slim is not called better: it lacks npm packages, pypi packages"), "{table}");
    // The other way round it could.
    user.run(&["bases", "add", &now, &now]).exits(0);
    let advice = advise(&plain);
    assert_eq!(advice["candidates"][1]["scanned"]["lacks"], json!([]));
}
