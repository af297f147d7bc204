//! Archives and directories, as skopeo, umoci and `docker save` write them.

use std::path::Path;

use dogwatch_scan::source::{self, SourceIdentity, SourceOptions};
use tempfile::TempDir;

use super::tools::*;

fn skopeo(from: &str, to: &str) {
    run("skopeo", &["copy", "--insecure-policy", "-q", from, to]);
}

#[test]
fn one_image_is_the_same_from_every_source() {
    if !have(&["umoci", "skopeo", "tar", "gzip", "zstd"]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let options = SourceOptions::default();
    let layout = layout(&scratch);
    let dir = scratch.path().display().to_string();
    let from = format!("oci:{}:base", layout.display());
    skopeo(&from, &format!("docker-archive:{dir}/docker.tar:example/base:1"));
    skopeo(&from, &format!("oci-archive:{dir}/oci.tar:base"));
    run("tar", &["-C", layout.to_str().unwrap(), "-cf", &format!("{dir}/layout.tar"), "."]);
    run("gzip", &["-k", &format!("{dir}/docker.tar")]);
    run("zstd", &["-q", &format!("{dir}/docker.tar")]);

    let reference = check(&format!("oci-dir:{}:base", layout.display()), &options);
    assert_eq!(reference.artifact.config.user.as_deref(), Some("1000"));
    assert_eq!(reference.artifact.config.entrypoint, ["/app/true"]);
    assert_eq!(reference.artifact.config.exposed_ports, ["8080/tcp"]);
    assert_eq!(reference.layers.len(), 2);
    assert!(reference.layers.iter().all(|layer| layer.created_by.is_some()));
    for same in [
        "docker-archive:DIR/docker.tar",
        "docker-archive:DIR/docker.tar.gz",
        "docker-archive:DIR/docker.tar.zst",
        "docker-archive:DIR/docker.tar:example/base:1",
        "docker-archive:DIR/docker.tar:docker.io/example/base:1",
        "oci-archive:DIR/oci.tar",
        "oci-archive:DIR/oci.tar:base",
        "oci-archive:DIR/layout.tar:base",
    ] {
        let image = check(&same.replace("DIR", &dir), &options);
        assert_eq!(essence(&image), essence(&reference), "{same}");
    }
    let image = check(&format!("docker-archive:{dir}/docker.tar"), &options);
    assert!(
        image.layers.iter().all(|layer| layer.file_range().is_some()),
        "layers of docker archives are not compressed"
    );
    assert_eq!(image.artifact.names, ["docker.io/example/base:1"]);
    assert_eq!(image.artifact.manifest_digest, None);
}

#[test]
fn of_several_images_one_must_be_chosen() {
    if !have(&["umoci", "skopeo", "tar"]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let layout = layout(&scratch);
    let options = SourceOptions::default();
    let target = format!("oci-dir:{}", layout.display());
    let error = error_of(&target, &options);
    assert!(error.contains("holds 3 images: base (@0), other (@1), arm (@2) | hint: choose one with"), "{error}");
    let error = error_of(&format!("{target}:nope"), &options);
    assert!(error.contains("holds no image `nope`, only base (@0), other (@1), arm (@2)"), "{error}");
    assert_eq!(
        essence(&check(&format!("{target}:@1"), &options)),
        essence(&check(&format!("{target}:other"), &options))
    );
    let digest = check(&format!("{target}:other"), &options).artifact.manifest_digest.unwrap();
    check(&format!("{target}:@{digest}"), &options);

    // What nobody asked for is taken as it is, and what was asked for must be there.
    assert_eq!(check(&format!("{target}:arm"), &options).artifact.platform.as_deref(), Some("linux/arm64"));
    let amd = SourceOptions { platform: Some("linux/amd64".parse().unwrap()), ..SourceOptions::default() };
    let error = error_of(&format!("{target}:arm"), &amd);
    assert!(
        error.contains(
            "has no image for linux/amd64, only for linux/arm64 | hint: choose one with `--platform linux/arm64`"
        ),
        "{error}"
    );

    two_saved(&layout, &scratch.path().join("saved"));
    let saved = format!("docker-archive:{}", scratch.path().join("saved.tar").display());
    let error = error_of(&saved, &options);
    assert!(error.contains("holds 2 images: example/a:1 (@0), @1 | hint:"), "{error}");
    let image = check(&format!("{saved}:example/a:1"), &options);
    assert!(image.artifact.manifest_digest.is_some(), "`docker save` of today has manifests inside");
    assert_eq!(essence(&image), essence(&check(&format!("{target}:base"), &options)));
    assert_eq!(
        essence(&check(&format!("{saved}:@1"), &options)),
        essence(&check(&format!("{target}:other"), &options))
    );
}

/// Docker 25 and later save an OCI layout with a `manifest.json` beside `index.json`.
fn two_saved(layout: &Path, dir: &Path) {
    let dir_text = dir.to_str().unwrap();
    run("cp", &["-r", layout.to_str().unwrap(), dir_text]);
    let read = |path: &Path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let blob =
        |descriptor: &serde_json::Value| format!("blobs/sha256/{}", &descriptor["digest"].as_str().unwrap()[7..]);
    let index = read(&dir.join("index.json"));
    let saved = ["base", "other"].iter().zip([serde_json::json!(["example/a:1"]), serde_json::Value::Null]).map(
        |(tag, names)| {
            let found = index["manifests"].as_array().unwrap().iter();
            let descriptor = found
                .into_iter()
                .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == *tag)
                .unwrap();
            let manifest = read(&dir.join(blob(descriptor)));
            let layers: Vec<_> = manifest["layers"].as_array().unwrap().iter().map(blob).collect();
            serde_json::json!({"Config": blob(&manifest["config"]), "RepoTags": names, "Layers": layers})
        },
    );
    let saved = serde_json::Value::Array(saved.collect());
    std::fs::write(dir.join("manifest.json"), saved.to_string()).unwrap();
    run("tar", &["-C", dir_text, "-cf", &format!("{dir_text}.tar"), "."]);
}

#[test]
fn what_old_engines_saved_is_understood() {
    if !have(&["umoci", "skopeo", "tar"]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let (layout, options) = (layout(&scratch), SourceOptions::default());
    let dir = scratch.path().display().to_string();
    let archive = format!("{dir}/docker.tar");
    skopeo(&format!("oci:{}:base", layout.display()), &format!("docker-archive:{archive}:example/base:1"));
    let whole = check(&format!("docker-archive:{archive}"), &options);

    // Until Docker 24, `manifest.json` named `<id>/layer.tar`, and layers that occur twice were links. skopeo still
    // writes those names, as links to its own.
    let old = scratch.path().join("old");
    std::fs::create_dir(&old).unwrap();
    run("tar", &["-C", old.to_str().unwrap(), "-xf", &archive]);
    let mut names = std::collections::HashMap::new();
    for entry in std::fs::read_dir(&old).unwrap() {
        let entry = entry.unwrap();
        if let Ok(link) = std::fs::read_link(entry.path().join("layer.tar")) {
            let id = entry.file_name().into_string().unwrap();
            names.insert(link.file_name().unwrap().to_str().unwrap().to_owned(), format!("{id}/layer.tar"));
        }
    }
    let file = old.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for layer in manifest[0]["Layers"].as_array_mut().unwrap() {
        *layer = names[layer.as_str().unwrap()].clone().into();
    }
    std::fs::write(file, manifest.to_string()).unwrap();
    run("tar", &["-C", old.to_str().unwrap(), "-cf", &format!("{dir}/old.tar"), "."]);
    assert_eq!(essence(&check(&format!("docker-archive:{dir}/old.tar"), &options)), essence(&whole));

    std::fs::remove_file(old.join("manifest.json")).unwrap();
    run("tar", &["-C", old.to_str().unwrap(), "-cf", &format!("{dir}/older.tar"), "."]);
    let error = error_of(&format!("docker-archive:{dir}/older.tar"), &options);
    assert!(error.contains("saved by a Docker older than 1.10"), "{error}");
}

#[test]
fn damage_and_confusion_are_named() {
    if !have(&["umoci", "skopeo", "tar", "xz"]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let layout = layout(&scratch);
    let options = SourceOptions::default();
    let (dir, target) = (scratch.path().display().to_string(), format!("oci-dir:{}:base", layout.display()));
    let image = check(&target, &options);
    let blob = |digest: &model::digest::Digest| layout.join("blobs/sha256").join(digest.hex());

    skopeo(&format!("oci:{}:base", layout.display()), &format!("docker-archive:{dir}/docker.tar:example/base:1"));
    run("xz", &["-k", "-0", &format!("{dir}/docker.tar")]);
    let error = error_of(&format!("docker-archive:{dir}/docker.tar.xz"), &options);
    assert!(error.contains("compression with xz is not supported"), "{error}");
    let error = error_of(&format!("oci-archive:{dir}/docker.tar"), &options);
    assert!(error.contains("hint: write `docker-archive:` before the file"), "{error}");
    run("tar", &["-C", layout.to_str().unwrap(), "-cf", &format!("{dir}/layout.tar"), "."]);
    let error = error_of(&format!("docker-archive:{dir}/layout.tar"), &options);
    assert!(error.contains("hint: write `oci-archive:` before the file"), "{error}");
    let error = error_of(&format!("docker-archive:{dir}"), &options);
    assert!(error.contains("is not a regular file | hint: for a directory write `oci-dir:"), "{error}");
    assert!(error_of("docker-archive:/dev/zero", &options).contains("is not a regular file"));

    // A second `manifest.json` at the end: some tools would take the first, some the last.
    std::fs::write(scratch.path().join("manifest.json"), "[]").unwrap();
    run("tar", &["-C", &dir, "-rf", &format!("{dir}/docker.tar"), "manifest.json"]);
    let error = error_of(&format!("docker-archive:{dir}/docker.tar"), &options);
    assert!(error.contains("two members have this name"), "{error}");

    let config = blob(image.artifact.image_id.as_ref().unwrap());
    let before = source::identify(&target.parse().unwrap(), &options).unwrap().identity;
    let bytes = std::fs::read(&config).unwrap();
    std::fs::write(&config, [bytes.as_slice(), b" "].concat()).unwrap();
    let error = error_of(&target, &options);
    assert!(
        error.contains("the configuration of")
            && error.contains("should have the digest sha256:")
            && error.contains(", but has sha256:"),
        "{error}"
    );
    std::fs::write(&config, bytes).unwrap();
    let after = source::identify(&target.parse().unwrap(), &options).unwrap().identity;
    assert_ne!(before, after, "a file that was written to is not the same, even with the same bytes");
    assert!(
        matches!(after, SourceIdentity::Files { files, .. } if files.len() == 5),
        "index, manifest, configuration, two layers"
    );

    std::fs::remove_file(blob(image.layers[0].expected_digest.as_ref().unwrap())).unwrap();
    let error = error_of(&target, &options);
    assert!(
        error.contains(&format!("lacks the layer {}", image.layers[0].expected_digest.as_ref().unwrap())),
        "{error}"
    );
}

#[test]
fn an_archive_cut_anywhere_is_an_error_or_the_same_image() {
    if !have(&["umoci", "skopeo", "tar"]) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let (layout, options) = (layout(&scratch), SourceOptions::default());
    let dir = scratch.path().display().to_string();
    let from = format!("oci:{}:base", layout.display());
    skopeo(&from, &format!("docker-archive:{dir}/docker.tar:example/base:1"));
    skopeo(&from, &format!("oci-archive:{dir}/oci.tar:base"));
    for (prefix, name) in [("docker-archive", "docker.tar"), ("oci-archive", "oci.tar")] {
        let whole = essence(&check(&format!("{prefix}:{dir}/{name}"), &options));
        let bytes = std::fs::read(format!("{dir}/{name}")).unwrap();
        let target = format!("{prefix}:{dir}/cut.tar");
        let cuts: Vec<usize> = (0..bytes.len()).step_by(512).flat_map(|cut| [cut, cut + 7]).collect();
        // A file that only ever shrinks is the quickest way to have it at every length.
        std::fs::write(format!("{dir}/cut.tar"), &bytes).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(format!("{dir}/cut.tar")).unwrap();
        let mut errors = 0;
        for cut in cuts.iter().rev() {
            file.set_len(*cut as u64).unwrap();
            match open(&target, &options) {
                Ok(image) => assert_eq!(essence(&image), whole, "{prefix} cut at {cut}"),
                Err(error) => {
                    errors += 1;
                    assert!(error.to_string().contains("cut.tar"), "{error}");
                }
            }
        }
        // Only the zeros after the last member may be missing.
        assert!(errors + 50 > cuts.len(), "{errors} of {}", cuts.len());
    }
}
