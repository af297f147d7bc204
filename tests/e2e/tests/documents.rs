//! What leaves the program, and what comes back in.

use std::fs;
use std::time::Instant;

use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a report found: vulnerability, purl. Sorted, so that documents with another order compare.
fn findings(report: &Value) -> Vec<String> {
    let packages = report["inventory"]["packages"].as_array().expect("packages");
    let purl =
        |id: u64| packages.iter().find(|package| package["id"].as_u64() == Some(id)).map(|package| &package["purl"]);
    let all = report["findings"].as_array().expect("findings").iter();
    let mut found: Vec<String> =
        all.map(|finding| format!("{} {:?}", finding["id"], purl(finding["package"].as_u64().unwrap_or(0)))).collect();
    found.sort();
    found
}

#[test]
fn several_documents_at_once_and_our_own_bills_of_materials_read_back() {
    let Some(layout) = small() else { return };
    let (user, image) = (User::new(), format!("oci-dir:{}", layout.display()));
    let file = |name: &str| user.path(name).display().to_string();
    let outputs = ["json", "sarif", "cyclonedx", "spdx"].map(|format| format!("{format}={}", file(format)));
    let mut arguments = vec!["scan", &image, "-o", "table"];
    outputs.iter().for_each(|output| arguments.extend(["-o", output.as_str()]));
    assert!(user.run(&arguments).exits(1).stdout.starts_with("FAIL"));
    let json =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(user.path(name)).expect("a file")).expect("JSON") };
    assert_eq!(json("sarif")["version"], "2.1.0");
    assert_eq!(json("cyclonedx")["specVersion"], "1.6");
    assert_eq!(json("spdx")["spdxVersion"], "SPDX-2.3");
    let reference = findings(&json("json"));
    for name in ["cyclonedx", "spdx"] {
        assert_eq!(findings(&user.scan(&format!("sbom:{}", file(name)), &[])), reference, "{name}");
    }
    user.run(&["sbom", &image, "-o", &format!("spdx={}", file("bare.spdx"))]).exits(0);
    assert_eq!(findings(&user.scan(&format!("sbom:{}", file("bare.spdx")), &[])), reference);
    user.run(&["scan", &image, "-o", "json", "-o", "sarif"]).exits(2);
}

#[test]
fn a_second_scan_says_the_same_from_the_cache() {
    let Some(layout) = small() else { return };
    let (user, image) = (User::new(), format!("oci-dir:{}", layout.display()));
    let timed = |more: &[&str]| {
        let begun = Instant::now();
        let mut report = user.scan(&image, more);
        report["judged_at"].take();
        (report, begun.elapsed())
    };
    let (first, slow) = timed(&[]);
    let (second, fast) = timed(&[]);
    let (again, _) = timed(&["--no-cache"]);
    assert_eq!(first, second);
    assert_eq!(first, again);
    assert!(fast < slow, "{fast:?} from the cache, {slow:?} without");
}

#[test]
fn the_integrity_model_has_the_digests_of_the_files() {
    let Some(layout) = small() else { return };
    if !have(&["umoci"]) {
        return;
    }
    let (user, image) = (User::new(), format!("oci-dir:{}", layout.display()));
    let model = user.path("model.json");
    user.run(&["scan", &image, "--inventory-only", "--integrity-model", &model.display().to_string()]).exits(0);
    let model: Value = serde_json::from_slice(&fs::read(model).expect("a file")).expect("JSON");
    let bundle = user.path("bundle");
    let mut unpack = std::process::Command::new("umoci");
    unpack.args(["raw", "unpack", "--rootless", "--image"]).arg(format!("{}:small", layout.display())).arg(&bundle);
    assert!(unpack.output().expect("umoci starts").status.success());
    let files = model["files"].as_array().expect("files");
    assert!(files.len() > 50, "{} files", files.len());
    for file in files {
        let path = file["path"].as_str().expect("a path");
        let bytes =
            fs::read(bundle.join(path.trim_start_matches('/'))).unwrap_or_else(|error| panic!("{path}: {error}"));
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], format!("sha256:{digest}"), "{path}");
    }
    // The unpacked tree has the same packages of the distribution.
    let names = |report: &Value| -> Vec<String> {
        let all = report["inventory"]["packages"].as_array().expect("packages").iter();
        all.filter(|package| package["type"] == "deb").map(|package| package["purl"].to_string()).collect()
    };
    let tree = user.scan(&format!("dir:{}", bundle.display()), &[]);
    assert_eq!(names(&tree), names(&user.scan(&image, &[])));
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_refused() {
    let Some(layout) = small() else { return };
    if !have(&["skopeo"]) {
        return;
    }
    let user = User::new();
    let own = user.path("layout");
    copy(&format!("oci:{}:small", layout.display()), &format!("oci:{}:small", own.display()), &[]);
    let blobs = fs::read_dir(own.join("blobs/sha256")).expect("blobs").flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().map_or(0, |data| data.len())).expect("a blob").path();
    let mut bytes = fs::read(&largest).expect("a blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).expect("a blob");
    let ran = user.run(&["scan", &format!("oci-dir:{}", own.display())]).exits(2);
    assert!(ran.stderr.contains("sha256:"), "{}", ran.stderr);
}

#[test]
fn the_advisories_can_be_asked() {
    let user = User::new();
    let index = user.path("a.index").display().to_string();
    let data = xtask::root().join("data/advisories").display().to_string();
    let built = user.run(&["advisories", "build", "--from", &data, "--out", &index]).exits(0);
    assert!(built.stdout.contains("advisories with"), "{}", built.stdout);
    let ask = |arguments: &[&str]| {
        let mut all = vec!["advisories"];
        all.extend(arguments);
        all.extend(["--index", &index]);
        user.run(&all).exits(0).stdout
    };
    let status = ask(&["status"]);
    assert!(status.contains("Debian:12") && status.contains("npm"), "{status}");
    assert!(ask(&["show", "CVE-2020-11023"]).contains("jquery"));
    assert!(ask(&["search", "pkg:npm/jquery@1.12.4"]).contains("CVE-2020-11023"));
    assert_eq!(ask(&["search", "pkg:npm/jquery@99.0.0"]), "");
    let part = xtask::root().join("data/advisories/osv/npm.jsonl.zst").display().to_string();
    let smaller = user.path("b.index").display().to_string();
    user.run(&["advisories", "build", "--from", &part, "--out", &smaller]).exits(0);
    let difference = user.run(&["advisories", "diff", &smaller, &index]).exits(0).stdout;
    assert!(
        difference.contains("added") && difference.contains("PyPI"),
        "{}",
        &difference[..difference.len().min(500)]
    );
    assert_eq!(user.run(&["advisories", "diff", &index, &index]).exits(0).stdout, "");
    let order = user.run_with(&["advisories", "compare-versions", "deb"], "1.0~rc1\t1.0\n1:1\t2\n1\t1\n");
    assert_eq!(order.exits(0).stdout, "-1\n1\n0\n");
    user.run(&["advisories", "compare-versions", "nonsense"]).exits(2);
}

#[test]
fn the_shipped_advisories_are_compiled_on_first_use_and_again_when_damaged() {
    let user = User::new();
    let first = user.run(&["advisories", "status"]).exits(0).stdout;
    let files = fs::read_dir(user.path("cache")).expect("a cache").flatten().map(|file| file.path());
    let index = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "index")).expect("an index");
    let half = index.metadata().expect("a file").len() / 2;
    fs::OpenOptions::new().write(true).open(&index).and_then(|file| file.set_len(half)).expect("a shorter file");
    assert_eq!(user.run(&["advisories", "status"]).exits(0).stdout, first);
}
