//! What `deploy/ci` gives to pipelines: valid by its publishers' schemas, and its scripts do what they say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dogwatch_e2e::images::{made, small};
use dogwatch_e2e::program::{self, User};
use dogwatch_e2e::{have, skip};
use serde_json::Value;

const ACTION: &str = "deploy/ci/github/action.yml";
const TEMPLATE: &str = "deploy/ci/gitlab/dogwatch.gitlab-ci.yml";

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(xtask::root().join(path)).expect("a file");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Runs a script as the service does, with this environment and the program under test in PATH.
fn run(user: &User, shell: &[&str], script: &str, environment: &BTreeMap<String, String>) -> Output {
    let programs = program::path().parent().expect("a directory").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-c").arg(script).current_dir(user.path("")).stdin(Stdio::null());
    command.env_clear().env("PATH", path).env("HOME", user.path("")).env("DOGWATCH_INDEX", program::index());
    command.envs(environment).output().expect("the shell starts")
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The action's step with these inputs; all others have their defaults.
fn act(user: &User, inputs: &[(&str, &str)]) -> Output {
    let action = yaml(ACTION);
    let step = &action["runs"]["steps"][0];
    let input = |name: &str| {
        let given = inputs.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        given.unwrap_or_else(|| text(&action["inputs"][name]["default"]))
    };
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in step["env"].as_object().expect("variables") {
        let value = text(value);
        let named = value.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}"));
        environment.insert(name.clone(), named.map_or_else(|| panic!("{value}"), input));
    }
    let file = |name: &str| user.path(name).display().to_string();
    environment.insert("GITHUB_STEP_SUMMARY".into(), file("step-summary"));
    environment.insert("GITHUB_OUTPUT".into(), file("step-output"));
    assert_eq!(step["shell"], "bash");
    // "bash --noprofile --norc -eo pipefail {0}": GitHub, "Workflow syntax", `shell`.
    run(user, &["bash", "--noprofile", "--norc", "-eo", "pipefail"], &text(&step["run"]), &environment)
}

#[test]
fn the_github_action_scans_summarises_and_annotates() {
    let Some(layout) = small() else { return };
    let (user, target) = (User::new(), format!("oci-dir:{}", layout.display()));
    let read = |name: &str| fs::read_to_string(user.path(name)).unwrap_or_default();
    let output = act(&user, &[("target", &target)]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("FAIL") && said(&output).contains("::error title="), "{}", said(&output));
    assert!(read("step-summary").contains("## ❌ FAIL"));
    assert_eq!(read("step-output"), "exit-code=1\n");
    let log: Value = serde_json::from_str(&read("dogwatch.sarif")).expect("SARIF");
    assert!(log["runs"][0]["results"].as_array().map(Vec::len) > Some(10));
    let output =
        act(&user, &[("target", &target), ("exit-code", "0"), ("annotations", "false"), ("sarif", "own.sarif")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("::error") && user.path("own.sarif").is_file());
    let output = act(&user, &[("target", "oci-dir:/nowhere")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    // An input is never part of the script.
    let output = act(&user, &[("target", "x; touch owned $(touch owned) `touch owned`")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(!user.path("owned").exists());
}

#[test]
fn the_gitlab_job_leaves_its_artifacts() {
    let Some(layout) = small() else { return };
    let user = User::new();
    let template = yaml(TEMPLATE);
    let job = &template["dogwatch_container_scanning"];
    let lines = |key: &str| job[key].as_array().expect(key).iter().map(text).collect::<Vec<_>>().join("\n");
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    environment.insert("SCAN_TARGET".into(), format!("oci-dir:{}", layout.display()));
    for (name, value) in
        [("CI_REGISTRY", "registry.example"), ("CI_REGISTRY_USER", "ci"), ("CI_REGISTRY_PASSWORD", "s\"e:cret")]
    {
        environment.insert(name.into(), value.into());
    }
    let script = format!("{}\n{}", lines("before_script"), lines("script"));
    let output = run(&user, &["sh", "-e"], &script, &environment);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let reports = job["artifacts"]["reports"].as_object().expect("reports");
    let paths = job["artifacts"]["paths"].as_array().expect("paths").iter();
    for path in reports.values().chain(paths).map(text) {
        assert!(user.path(&path).metadata().is_ok_and(|data| data.len() > 100), "{path}");
    }
    let report: Value =
        serde_json::from_slice(&fs::read(user.path(&text(&reports["container_scanning"]))).expect("a report"))
            .expect("JSON");
    assert_eq!(report["scan"]["type"], "container_scanning");
    let login = fs::read_to_string(user.path(".docker/config.json")).expect("a login");
    assert_eq!(login, r#"{"auths":{"registry.example":{"auth":"Y2k6cyJlOmNyZXQ="}}}"#);
}

/// PyPI's `check-jsonschema`, which carries the schemas of both services.
fn checker() -> Option<PathBuf> {
    if !have(&["python3"]) {
        return None;
    }
    made("check-jsonschema", |partial| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "check-jsonschema==0.33.3",
            "--target",
        ]);
        xtask::machine::run({
            pip.arg(partial);
            pip
        })
    })
}

fn valid(checker: &Path, schema: &str, file: &Path) -> bool {
    let mut python = Command::new("python3");
    python.args(["-m", "check_jsonschema", "--builtin-schema", schema]).arg(file).env("PYTHONPATH", checker);
    let output = python.output().expect("python3 starts");
    if !output.status.success() {
        println!("{}", said(&output));
    }
    output.status.success()
}

#[test]
fn both_are_valid_by_their_publishers_schemas() {
    let Some(checker) = checker() else { return skip("check-jsonschema cannot be had") };
    let (user, root) = (User::new(), xtask::root());
    assert!(valid(&checker, "vendor.github-actions", &root.join(ACTION)));
    assert!(valid(&checker, "vendor.gitlab-ci", &root.join(TEMPLATE)));
    let broken = user.file("action.yml", "name: x\ndescription: y\nruns: { using: composite, steps: 7 }\n");
    assert!(!valid(&checker, "vendor.github-actions", broken.as_ref()));
}
