//! One image is one image, wherever it comes from.

use dogwatch_e2e::essence::same;
use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use dogwatch_e2e::registry::Registry;

// Proves: source registry:; source docker-archive:; source oci-dir:; source oci-archive:; source dir:.
#[test]
fn every_source_gives_the_same_inventory_and_findings() {
    let Some(layout) = small() else { return };
    if !have(&["skopeo", "docker-registry", "tar"]) {
        return;
    }
    let user = User::new();
    let from = format!("oci:{}:small", layout.display());
    let file = |name: &str| user.path(name).display().to_string();
    let registry = Registry::start(&user.path(""));
    copy(&from, &format!("docker-archive:{}:shop:1", file("docker.tar")), &[]);
    copy(&from, &format!("oci-archive:{}:shop", file("oci.tar")), &[]);
    // By way of layers that are not compressed: skopeo keeps gzip where it finds it.
    copy(&from, &format!("dir:{}", file("plain")), &["--dest-decompress"]);
    let plain = format!("dir:{}", file("plain"));
    copy(&plain, &format!("oci:{}:zstd", file("zstd")), &["--dest-compress", "--dest-compress-format", "zstd"]);
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let blobs = std::fs::read_dir(user.path("zstd/blobs/sha256")).expect("blobs").flatten();
    let compressed = blobs.filter(|blob| std::fs::read(blob.path()).is_ok_and(|bytes| bytes.starts_with(&magic)));
    assert_eq!(compressed.count(), 3, "every layer is compressed by zstd");
    copy(&from, &format!("docker://{}", registry.reference("shop:1")), &[]);
    copy(&format!("oci:{}:zstd", file("zstd")), &format!("docker://{}", registry.reference("shop:zstd")), &[]);

    let reference = user.scan(&format!("oci-dir:{}", layout.display()), &["--no-cache"]);
    assert!(reference["inventory"]["packages"].as_array().is_some_and(|packages| packages.len() > 150));
    assert!(reference["findings"].as_array().is_some_and(|findings| findings.len() > 50));
    let digest = reference["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned();
    for target in [
        format!("docker-archive:{}", file("docker.tar")),
        format!("oci-archive:{}", file("oci.tar")),
        format!("oci-dir:{}:zstd", file("zstd")),
        registry.reference("shop:1"),
        format!("registry:{}", registry.reference("shop:zstd")),
        registry.reference(&format!("shop@{digest}")),
    ] {
        // A user without a cache, so that nothing is known from the source before.
        let report = user.scan(&target, &["--no-cache"]);
        same(&target, &report, &reference);
    }
}
