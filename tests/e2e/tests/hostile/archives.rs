//! Archives and the documents in them: cut, damaged, lying.

use serde_json::json;

use crate::craft::{Image, file, gzip, hex_digest, nested, tar, witness};
use crate::sandbox::{Sandbox, packages};

fn small() -> Image {
    Image::of([tar([file("etc/os-release", "ID=debian\nVERSION_ID=12\n")]), tar([witness()])])
}

/// Scans the bytes as a docker-archive; none when it was understood.
fn refused(sandbox: &Sandbox, bytes: &[u8]) -> Option<String> {
    let path = sandbox.file("image.tar", bytes);
    let outcome =
        sandbox.run(&["scan", &format!("docker-archive:{}", path.display()), "--inventory-only", "-o", "json"]);
    (outcome.code == 2).then_some(outcome.stderr)
}

#[test]
fn an_archive_cut_anywhere_is_refused_by_name() {
    let whole = small().docker_archive();
    let sandbox = Sandbox::new();
    assert_eq!(refused(&sandbox, &whole), None);
    // The last 1,024 bytes only mark the end.
    for cut in (0..whole.len() - 1024).step_by(397).chain([1, 511, 512, 513]) {
        let error = refused(&sandbox, &whole[..cut]).unwrap_or_else(|| panic!("cut at {cut} and understood"));
        assert!(error.contains("image.tar"), "{cut}: {error}");
    }
}

#[test]
fn a_compressed_archive_cut_anywhere_is_refused_by_name() {
    let whole = small().docker_archive();
    let sandbox = Sandbox::new();
    for packed in [gzip(&whole), zstd::encode_all(whole.as_slice(), 1).expect("to memory")] {
        assert_eq!(refused(&sandbox, &packed), None);
        for cut in (12..packed.len() - 1).step_by(packed.len() / 12) {
            let error = refused(&sandbox, &packed[..cut]).unwrap_or_else(|| panic!("cut at {cut} and understood"));
            assert!(error.contains("image.tar"), "{cut}: {error}");
        }
    }
}

/// A flipped byte changes what a document or a layer says, or nothing that counts. It never changes what is found unsaid.
#[test]
fn a_flipped_byte_is_noticed_or_means_nothing() {
    let whole = small().docker_archive();
    let sandbox = Sandbox::new();
    for at in (0..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        let path = sandbox.file("image.tar", &bytes);
        if let Ok(report) = sandbox.inventory(&format!("docker-archive:{}", path.display())) {
            assert_eq!(packages(&report), ["witness 1.0.0"], "byte {at}");
        }
    }
}

#[test]
fn digests_that_are_wrong_are_named() {
    let sandbox = Sandbox::new();
    let mut image = small();
    image.layers[1].0[700] ^= 1;
    let error = refused(&sandbox, &image.docker_archive()).expect("wrong layer");
    assert!(error.contains("layer 2") && error.contains(&image.layers[1].1), "{error}");

    let mut image = small();
    image.config["rootfs"]["diff_ids"][0] = format!("sha256:{}", hex_digest(b"other")).into();
    let error = refused(&sandbox, &image.docker_archive()).expect("wrong diff id");
    assert!(error.contains("layer 1"), "{error}");

    for (at, word) in [(2, "configuration"), (3, "manifest"), (4, "layer 1")] {
        let directory = sandbox.root().join("work/layout");
        for (number, (path, mut bytes)) in small().oci().into_iter().enumerate() {
            if number == at {
                let last = bytes.len() - 10;
                bytes[last] ^= 1;
            }
            sandbox.file(&format!("layout/{path}"), bytes);
        }
        let outcome = sandbox.run(&["scan", &format!("oci-dir:{}", directory.display()), "--inventory-only"]);
        assert_eq!(outcome.code, 2, "{word}: {}", outcome.stdout);
        assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        std::fs::remove_dir_all(directory).expect("was made");
    }
}

#[test]
fn documents_that_do_not_fit_the_layers_are_refused() {
    let sandbox = Sandbox::new();
    let mut fewer = small();
    fewer.config["rootfs"]["diff_ids"].as_array_mut().expect("a list").pop();
    let mut more = small();
    more.config["rootfs"]["diff_ids"]
        .as_array_mut()
        .expect("a list")
        .push(json!(format!("sha256:{}", hex_digest(b"x"))));
    let layer = tar([witness()]);
    let many = Image::stored((0..10_000).map(|_| (Vec::new(), hex_digest(&layer))));
    let mut no_digests = small();
    no_digests.config = json!({"rootfs": {"diff_ids": [1, {}, "sha256:zz"]}});
    for (what, image) in [("fewer", fewer), ("more", more), ("10,000 layers", many), ("no digests", no_digests)] {
        let error = refused(&sandbox, &image.docker_archive()).unwrap_or_else(|| panic!("{what} was understood"));
        assert!(error.contains("image.tar"), "{what}: {error}");
    }
}

#[test]
fn members_with_one_name_are_refused_because_tools_disagree() {
    let image = small();
    let name = format!("{}.json", hex_digest(image.config.to_string().as_bytes()));
    let manifest = json!([{"Config": name, "Layers": ["layer.tar", "layer.tar"]}]).to_string();
    let archive = tar([
        file("manifest.json", &manifest),
        file(&name, image.config.to_string()),
        file("layer.tar", &image.layers[0].0),
        file("./layer.tar", &image.layers[1].0),
    ]);
    let error = refused(&Sandbox::new(), &archive).expect("two layers of one name");
    assert!(error.contains("layer.tar"), "{error}");
}

#[test]
fn nesting_a_hundred_thousand_deep_is_an_error() {
    let sandbox = Sandbox::new();
    let deep = nested(100_000);
    for (what, archive) in [
        ("manifest.json", tar([file("manifest.json", &deep)])),
        (
            "the configuration",
            tar([
                file("manifest.json", r#"[{"Config":"c.json","Layers":[]}]"#),
                file("c.json", format!("{{\"config\":{deep}}}")),
            ]),
        ),
    ] {
        let error = refused(&sandbox, &archive).unwrap_or_else(|| panic!("{what} was understood"));
        assert!(error.contains(what), "{error}");
    }
    let objects = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    sandbox.file("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = sandbox.file("layout/index.json", objects);
    let outcome = sandbox.run(&["scan", &format!("oci-dir:{}", index.parent().expect("a directory").display())]);
    assert!(outcome.code == 2 && outcome.stderr.contains("index"), "{}", outcome.stderr);
}

#[test]
fn what_is_no_archive_at_all_is_refused() {
    let sandbox = Sandbox::new();
    for bytes in [&b""[..], b"x", &[0; 4096], &[0xff; 4096], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"] {
        assert!(refused(&sandbox, bytes).is_some_and(|error| error.contains("image.tar")), "{bytes:?}");
    }
    for target in [
        "docker-archive:/dev/zero",
        "oci-archive:/dev/zero",
        "docker-archive:/",
        "oci-dir:/dev/null",
        "dir:/dev/zero",
        "dir:nowhere",
        "sbom:/dev/zero",
        "sbom:/",
    ] {
        let outcome = sandbox.run(&["scan", target, "--inventory-only"]);
        assert_eq!(outcome.code, 2, "{target}");
        let path = target.split_once(':').expect("a prefix").1;
        assert!(outcome.stderr.contains(path), "{target}: {}", outcome.stderr);
    }
}
