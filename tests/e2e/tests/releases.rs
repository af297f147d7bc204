//! What `make dist` packages is what Debian's, OCI's and checksums' own tools take, and what is in it works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use dogwatch_e2e::engines::Engine;
use dogwatch_e2e::have;
use dogwatch_e2e::images::copy;
use dogwatch_e2e::program::{self, User};
use serde_json::{Value, json};
use xtask::dist::audit;
use xtask::dist::package::{Release, sums};
use xtask::image::{Moment, architecture};

/// The program under test, packaged once. None (said loudly) where the tools are missing.
fn packaged() -> Option<&'static Path> {
    static OUT: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let made = OUT.get_or_init(|| {
        if !have(&["dpkg-deb", "objcopy", "xz"]) {
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let binary = directory.path().join("dogwatch");
        let list = audit::list(&xtask::root(), "x86_64-unknown-linux-gnu").expect("cargo metadata");
        audit::put_into(program::path(), &binary, &list, "objcopy").expect("objcopy");
        let out = directory.path().join("out");
        fs::create_dir(&out).expect("a directory");
        let made = Moment { seconds: 1_700_000_000, text: "2023-11-14T22:13:20Z".into() };
        let root = xtask::root();
        let release = Release { kind: architecture(), binary: &binary, speaker: &binary, made: &made, root: &root };
        release.write(&out).expect("a release");
        sums(&out).expect("checksums");
        Some((directory, out))
    });
    made.as_ref().map(|(_, out)| out.as_path())
}

fn named(out: &Path, end: &str) -> PathBuf {
    let mut files = fs::read_dir(out).expect("a directory").flatten().map(|entry| entry.path());
    files.find(|path| path.to_string_lossy().ends_with(end)).unwrap_or_else(|| panic!("no {end}"))
}

fn said(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output().expect(program);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn checksums_hold_and_the_archive_unpacks_and_runs() {
    let Some(out) = packaged() else { return };
    let checked = said("sha256sum", &["--check", "--strict", "SHA256SUMS"], out);
    assert_eq!(checked.lines().filter(|line| line.ends_with(": OK")).count(), 5, "{checked}");
    let user = User::new();
    said("tar", &["xzf", &named(out, ".tar.gz").display().to_string(), "--strip-components=1"], &user.path(""));
    let program = user.path("bin/dogwatch").display().to_string();
    assert!(said(&program, &["--version"], out).starts_with("dogwatch "));
    let listing = said("tar", &["tvzf", &named(out, ".tar.gz").display().to_string()], out);
    assert!(listing.lines().all(|line| line.contains("0/0") && line.contains("2023-11-14")), "{listing}");
}

#[test]
fn the_bills_of_materials_name_what_cargo_built_in() {
    let Some(out) = packaged() else { return };
    let read = |end: &str| -> Value { serde_json::from_slice(&fs::read(named(out, end)).expect(end)).expect("JSON") };
    let bill = read(".cdx.json");
    let components = bill["components"].as_array().expect("components");
    let has = |name: &str| components.iter().any(|it| it["name"] == name && it["purl"].is_string());
    let tree = said(
        "cargo",
        &["tree", "-p", "dogwatch", "-e", "normal,no-proc-macro", "--prefix", "none", "--offline"],
        &xtask::root(),
    );
    let crates: Vec<&str> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).collect();
    assert!(crates.len() > 150, "{tree}");
    let missing: Vec<&&str> = crates.iter().filter(|name| !has(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!has("proptest") && !has("cc"), "what only tests and builds need is not in the program");
    assert_eq!(bill["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    assert_eq!(read(".spdx.json")["creationInfo"]["created"], "2023-11-14T22:13:20Z");
    // And so the program finds them in itself.
    let user = User::new();
    let scanned = user.scan(&format!("file:{}", out.with_file_name("dogwatch").display()), &["--inventory-only"]);
    let packages = scanned["inventory"]["packages"].as_array().expect("packages");
    assert!(packages.iter().any(|package| package["name"] == "rustls" && package["type"] == "cargo"));
}

#[test]
fn debian_installs_the_package() {
    let Some(out) = packaged() else { return };
    let package = named(out, ".deb").display().to_string();
    assert_eq!(said("dpkg-deb", &["--field", &package, "Package"], out).trim(), "dogwatch");
    let contents = said("dpkg-deb", &["--contents", &package], out);
    for path in ["./usr/bin/dogwatch", "./usr/share/man/man1/dogwatch-scan.1.gz", "./usr/share/doc/dogwatch/copyright"]
    {
        assert!(contents.lines().any(|line| line.ends_with(path) && line.contains("root/root")), "{path}: {contents}");
    }
    let user = User::new();
    let at = user.path("system");
    installed(&package, &at, out);
    let page = at.join("usr/share/man/man1/dogwatch.1.gz").display().to_string();
    assert!(said("zcat", &[&page], out).contains(".TH dogwatch 1"));
    assert!(
        said(&at.join("usr/bin/dogwatch").display().to_string(), &["completions", "bash"], out).contains("_dogwatch")
    );
    // What dpkg installed is found as what dpkg installed, not once more as a program.
    let report = user.scan(&format!("dir:{}", at.display()), &["--inventory-only"]);
    let packages = report["inventory"]["packages"].as_array().expect("packages");
    let found: Vec<&Value> = packages.iter().filter(|package| package["name"] == "dogwatch").collect();
    assert!(found.iter().any(|package| package["type"] == "deb"), "{found:?}");
    if have(&["lintian"]) {
        let mut lintian = Command::new("lintian");
        // Our test binary is not linked statically, depends on nothing it says, and there is no bug to close.
        lintian.args(["--fail-on", "error", "--allow-root", "--suppress-tags"]);
        lintian.args(["undeclared-elf-prerequisites,initial-upload-closes-no-bugs,statically-linked-binary", &package]);
        let output = lintian.output().expect("lintian starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_image_is_one_for_skopeo_and_umoci_and_for_ourselves() {
    let Some(out) = packaged() else { return };
    if !have(&["skopeo", "umoci"]) {
        return;
    }
    let image = named(out, ".oci.tar").display().to_string();
    let inspected = said("skopeo", &["inspect", "--config", &format!("oci-archive:{image}")], out);
    let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
    assert_eq!(inspected["config"]["User"], "65534:65534");
    assert_eq!(inspected["config"]["Entrypoint"], json!(["/usr/bin/dogwatch"]));
    assert_eq!(inspected["created"], "2023-11-14T22:13:20Z");
    let user = User::new();
    let report = user.scan(&format!("oci-archive:{image}"), &[]);
    assert!(report["inventory"]["packages"].as_array().is_some_and(|packages| packages.len() > 150));
    let layout = user.path("layout").display().to_string();
    let bundle = user.path("bundle").display().to_string();
    said("skopeo", &["copy", &format!("oci-archive:{image}"), &format!("oci:{layout}:dogwatch")], out);
    said("umoci", &["raw", "unpack", "--rootless", "--image", &format!("{layout}:dogwatch"), &bundle], out);
    let files = said("find", &[".", "-type", "f"], Path::new(&bundle));
    assert_eq!(files.lines().filter(|line| line.ends_with("/usr/bin/dogwatch")).count(), 1, "{files}");
}

/// Installs a package into a system of its own with dpkg, which then finds nothing missing or changed.
fn installed(package: &str, at: &Path, out: &Path) {
    for directory in ["info", "updates", "triggers"] {
        fs::create_dir_all(at.join("var/lib/dpkg").join(directory)).expect("a directory");
    }
    fs::write(at.join("var/lib/dpkg/status"), "").expect("an empty database");
    let root = format!("--root={}", at.display());
    let log = format!("--log={}", at.join("log").display());
    // Ordinary users own what they install here.
    let command: &[&str] =
        if xtask::machine::is_root() { &["dpkg"] } else { &["fakeroot", "dpkg", "--force-not-root"] };
    if !have(&command[..1]) {
        said("dpkg-deb", &["--extract", package, &at.display().to_string()], out);
        return;
    }
    let with = |more: &[&str]| said(command[0], &[&command[1..], &[root.as_str(), log.as_str()], more].concat(), out);
    with(&["--install", package]);
    assert_eq!(with(&["--verify", "dogwatch"]), "", "every file is there as the package lists it");
    let state = said("dpkg-query", &[&root, "--show", "--showformat=${db:Status-Abbrev}", "dogwatch"], out);
    assert_eq!(state.trim(), "ii");
}

/// The program under test is not linked statically as a released one is: it borrows this machine's libraries.
const LIBRARIES: &[&str] = &["--volume=/lib:/lib:ro", "--volume=/lib64:/lib64:ro"];

/// What the image is for, in an engine: its user, its entry point and its certificates are there, and it scans itself.
fn runs_in(engine: &Engine, load: &str, name: &str, out: &Path) {
    engine.run(&["load", "--input", load]);
    let files = format!("--volume={}:/scanned:ro", out.display());
    let run = |arguments: &[&str]| {
        engine.try_run(
            &[&["run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp", &files], LIBRARIES, &[name], arguments]
                .concat(),
        )
    };
    assert!(run(&["--version"]).expect("it starts").starts_with("dogwatch "));
    let image = named(out, ".oci.tar");
    let image = format!("oci-archive:/scanned/{}", image.file_name().and_then(|name| name.to_str()).expect("a name"));
    let report = run(&["scan", &image, "-o", "json", "--inventory-only"]).expect("it scans");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert!(report["inventory"]["packages"].as_array().is_some_and(|packages| packages.len() > 150));
}

#[test]
fn docker_and_podman_run_the_image() {
    let Some(out) = packaged() else { return };
    if !have(&["skopeo"]) || !Path::new("/lib64").exists() {
        return;
    }
    let user = User::new();
    let archive = user.path("docker.tar").display().to_string();
    let from = format!("oci-archive:{}", named(out, ".oci.tar").display());
    copy(&from, &format!("docker-archive:{archive}:localhost/dogwatch:packaged"), &[]);
    for engine in [Engine::docker(), Engine::podman()].into_iter().flatten() {
        runs_in(&engine, &archive, "localhost/dogwatch:packaged", out);
    }
}
