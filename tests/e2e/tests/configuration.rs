//! Settings: who wins, what is refused, what is never read; and what is said on stderr.

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;
use serde_json::Value;

fn start() -> Option<(User, String)> {
    Some((User::new(), format!("oci-dir:{}", small()?.display())))
}

/// The value of a setting and where it comes from, as `config show` says.
fn shown(user: &User, environment: &[(&str, &str)], name: &str) -> (String, String) {
    let text = user.run_under(environment, &["config", "show"]).exits(0).stdout;
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let words: Vec<&str> = line.unwrap_or_else(|| panic!("no {name} in\n{text}")).split_whitespace().collect();
    (words[1].to_owned(), words[2..].join(" "))
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let Some((user, image)) = start() else { return };
    assert_eq!(shown(&user, &[], "exit-code"), ("-".into(), "default".into()));
    std::fs::create_dir_all(user.path("config/dogwatch")).expect("a directory");
    let file =
        user.file("config/dogwatch/config.yaml", "exit-code: 5\nseverity: [critical, high, medium, low, unknown]\n");
    assert_eq!(shown(&user, &[], "exit-code"), ("5".into(), format!("{file}:1")));
    let variable = [("DOGWATCH_EXIT_CODE", "6")];
    assert_eq!(shown(&user, &variable, "exit-code"), ("6".into(), "DOGWATCH_EXIT_CODE".into()));
    user.run(&["scan", &image]).exits(5);
    user.run_under(&variable, &["scan", &image]).exits(6);
    user.run_under(&variable, &["scan", &image, "--exit-code", "7"]).exits(7);
    user.run_under(&[("DOGWATCH_EXIT_CODE", "")], &["scan", &image]).exits(5);
    user.run_under(&[("DOGWATCH_CONFIG", "")], &["scan", &image]).exits(1);
    let named = user.file("named.yaml", "exit-code: 8\noutput:\n  - csv\n");
    assert!(user.run(&["scan", &image, "--config", &named]).exits(8).stdout.starts_with("target,id,severity"));
    assert!(user.run_under(&[("DOGWATCH_CONFIG", &named)], &["scan", &image]).exits(8).stdout.starts_with("target,id"));
    let table = user.run(&["scan", &image, "--config", &named, "-o", "table"]).exits(8).stdout;
    assert!(table.starts_with("FAIL"), "a list on the command line replaces the file's: {table}");
    let both = user.run_under(&[("DOGWATCH_OUTPUT", "json,sarif=x.sarif")], &["scan", &image]).exits(5);
    assert!(both.json()["findings"].is_array() && user.path("x.sarif").is_file());
    // Other commands take what they share, and are not disturbed by the rest.
    user.run_under(&[("DOGWATCH_OUTPUT", "sarif"), ("DOGWATCH_FAIL_ON", "low")], &["sbom", &image]).exits(0);
    user.run_under(&[("DOGWATCH_OFFLINE", "true")], &["sbom", "debian:12"]).exits(2);
}

#[test]
fn the_cache_is_the_same_for_every_command() {
    let user = User::new();
    let config = user.file("c.yaml", "cache-dir: of-file\n");
    let where_is = |environment: &[(&str, &str)], more: &[&str]| {
        let arguments = [&["cache", "status", "--config", &config], more].concat();
        user.run_under(environment, &arguments).exits(0).stdout
    };
    let variable = ("DOGWATCH_CACHE_DIR", "of-variable");
    assert!(where_is(&[("DOGWATCH_CACHE_DIR", "")], &[]).contains("of-file"), "an empty variable is not set");
    assert!(where_is(&[variable], &[]).contains("of-variable"));
    assert!(where_is(&[variable], &["--cache-dir", "of-flag"]).contains("of-flag"));
    assert_eq!(shown(&user, &[variable], "cache-dir"), ("of-variable".into(), variable.0.into()));
}

#[test]
fn switches_are_yes_or_no_and_what_follows_two_dashes_is_no_flag() {
    let Some((user, image)) = start() else { return };
    let config = user.file("c.yaml", "inventory-only: true\n");
    let run = |environment: &[(&str, &str)]| user.run_under(environment, &["scan", "--config", &config, "--", &image]);
    assert!(run(&[]).exits(0).stdout.starts_with("INVENTORY"));
    assert!(run(&[("DOGWATCH_INVENTORY_ONLY", "no")]).exits(1).stdout.starts_with("FAIL"));
    let said = run(&[("DOGWATCH_INVENTORY_ONLY", "perhaps")]).exits(2).stderr;
    assert!(said.contains("`DOGWATCH_INVENTORY_ONLY`: `perhaps` is neither true nor false"), "{said}");
    let said = run(&[("DOGWATCH_FAIL_ON", "hihg")]).exits(2).stderr;
    assert!(said.contains("the variable `DOGWATCH_FAIL_ON`: invalid value 'hihg'"), "{said}");
    let said = run(&[("DOGWATCH_SEVERTY", "high")]).exits(0).stderr;
    assert!(said.contains("did you mean `DOGWATCH_SEVERITY`?"), "{said}");
}

#[test]
fn mistakes_in_the_file_have_a_line_and_a_suggestion() {
    let user = User::new();
    let config = user.file("c.yaml", "# ours\nseverty: high\nfail-on: 7\n");
    let said = user.run(&["scan", "oci-dir:/nowhere", "--config", &config]).exits(2).stderr;
    for words in ["c.yaml:2:1", "did you mean `severity`?", "c.yaml:3:10", "^^^^^^^", "2 mistakes"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    let said = user.run(&["scan", "oci-dir:/nowhere", "--config", "/nowhere.yaml"]).exits(2).stderr;
    assert!(said.contains("`/nowhere.yaml` cannot be read") && said.contains("configuration file"), "{said}");
    user.run(&["scan", "--help", "--config", &config]).exits(0);
    user.run(&["completions", "bash", "--config", &config]).exits(0);
}

#[test]
fn a_file_in_the_directory_that_is_scanned_changes_nothing() {
    let Some((user, image)) = start() else { return };
    let expected = user.run(&["scan", &image]).exits(1);
    for name in ["dogwatch.yaml", ".dogwatch.yaml"] {
        user.file(name, "exit-code: 0\nseverity: [critical]\ninventory-only: true\n");
    }
    let here = user.run(&["scan", &image]).exits(1);
    assert_eq!(here.stdout, expected.stdout);
    assert!(here.stderr.contains("`dogwatch.yaml` in this directory is not read"), "{}", here.stderr);
    assert!(!user.run(&["scan", "dir:."]).stdout.starts_with("INVENTORY"));
    user.run(&["scan", &image, "--config", "dogwatch.yaml"]).exits(0);
}

#[test]
fn quiet_and_verbose() {
    let Some((user, image)) = start() else { return };
    let hidden = ["scan", image.as_str(), "--only-fixed"];
    let said = |more: &[&str]| user.run(&[&hidden, more].concat()).stderr;
    assert!(said(&[]).contains("note:"));
    assert_eq!(said(&["--quiet"]), "");
    let verbose = said(&["-v", "--no-cache"]);
    assert!(verbose.contains("layer 1 of 3, ") && verbose.contains("advisories as of 20"), "{verbose}");
    assert!(user.run(&["scan", "oci-dir:/nowhere", "-q"]).exits(2).stderr.starts_with("error:"));
}

#[test]
fn progress_is_json_lines_as_their_schema_says() {
    let Some((user, image)) = start() else { return };
    let schema = std::fs::read_to_string(xtask::root().join("schemas/progress-v1.schema.json")).expect("a schema");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    let events = |arguments: &[&str]| -> Vec<Value> {
        let said = user.run(&[&["scan", "--progress", "json"], arguments].concat()).stderr;
        let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for event in &events {
            let errors: Vec<String> = validator.iter_errors(event).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{event}: {errors:?}");
        }
        events
    };
    let first = events(&[&image, "--only-fixed"]);
    let names: Vec<&str> = first.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["advisories", "started", "layers", "layer", "layer", "layer", "done", "note"]);
    let mut layers: Vec<u64> = first.iter().filter_map(|event| event["layer"].as_u64()).collect();
    layers.sort_unstable();
    assert_eq!(layers, [1, 2, 3]);
    let done: Vec<u64> = first.iter().filter_map(|event| event["done"].as_u64()).collect();
    assert_eq!(done, [1, 2, 3], "in the order of reading");
    assert!(first.iter().filter(|event| event["event"] == "layer").all(|event| event["bytes"].as_u64() > Some(0)));
    assert_eq!(first[6]["outcome"], "failed");
    assert_eq!(first[6]["exit_code"], 1);
    let names =
        |events: Vec<Value>| events.iter().map(|event| event["event"].to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(events(&[&image])), r#""advisories" "started" "done""#, "known whole");
    assert_eq!(names(events(&["oci-dir:/nowhere"])), r#""advisories" "started" "error""#);
    let several = names(events(&[&image, "oci-dir:/nowhere"]));
    assert!(several.contains(r#""done""#) && several.contains(r#""error""#), "{several}");
    // A wrong line is seen.
    assert!(!validator.is_valid(&serde_json::json!({ "version": 1, "event": "done" })));
}

#[test]
fn colour_is_as_the_user_wants_it() {
    let Some((user, image)) = start() else { return };
    let coloured =
        |environment: &[(&str, &str)]| user.run_under(environment, &["scan", &image]).stdout.contains('\u{1b}');
    assert!(!coloured(&[("NO_COLOR", "")]), "no terminal, no colour");
    assert!(coloured(&[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
    assert!(!coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")]));
}
