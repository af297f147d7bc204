//! Images that engines on this machine have: real Docker, Podman and containerd.

use std::path::PathBuf;

use dogwatch_e2e::engines::Engine;
use dogwatch_e2e::essence::same;
use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use serde_json::Value;

/// The small image as a file that engines load, and what a scan of its layout says.
struct Shop {
    layout: PathBuf,
    report: Value,
}

impl Shop {
    fn new() -> Option<Self> {
        let layout = small().filter(|_| have(&["skopeo"]))?;
        let report = User::new().scan(&format!("oci-dir:{}", layout.display()), &["--no-cache"]);
        Some(Self { layout, report })
    }

    /// Copies the image into a file of this kind.
    fn file(&self, user: &User, kind: &str, name: &str) -> String {
        let file = user.path(&format!("{kind}.tar")).display().to_string();
        copy(&format!("oci:{}:small", self.layout.display()), &format!("{kind}:{file}:{name}"), &[]);
        file
    }

    fn is(&self, user: &User, targets: &[&str]) {
        for target in targets {
            same(target, &user.scan(target, &["--no-cache"]), &self.report);
        }
    }
}

fn variable(engine: &Engine) -> String {
    format!("unix://{}", engine.socket().display())
}

fn names(report: &Value) -> Vec<&str> {
    report["artifact"]["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

// Proves: source docker:; source NAME.
#[test]
fn docker_gives_the_same_image_and_is_asked_for_its_bytes_once() {
    let Some(shop) = Shop::new() else { return };
    let Some(docker) = Engine::docker() else { return };
    let user = User::new().with("DOCKER_HOST", variable(&docker));
    docker.run(&["load", "--input", &shop.file(&user, "docker-archive", "shop:1")]);
    let id = docker.run(&["images", "--no-trunc", "--quiet", "shop:1"]);
    let short = &id.trim_start_matches("sha256:")[..12];
    shop.is(&user, &["docker:shop:1", &format!("docker:{short}")]);

    let sent = || docker.log().lines().filter(|line| line.contains("Calling GET") && line.contains("/get")).count();
    let before = sent();
    let first = user.scan("docker:shop:1", &[]);
    assert_eq!((names(&first), sent()), (vec!["docker.io/library/shop:1"], before + 1));
    // Another name, and no name at all: the same image, which is not sent again.
    docker.run(&["tag", "shop:1", "registry.example/team/shop:new"]);
    for target in ["docker:shop:1", "docker:registry.example/team/shop:new", &format!("docker:{id}")] {
        let report = user.scan(target, &[]);
        same(target, &report, &first);
        assert_eq!(report["artifact"]["target"], *target);
        assert_eq!(names(&report).len(), 2);
        assert!(target.starts_with("docker:sha256:") || names(&report)[0].ends_with(&target["docker:".len()..]));
    }
    assert_eq!(sent(), before + 1, "{}", docker.log());

    a_bare_name_is_looked_for_here_first(&user, &first);
    let missing = user.run(&["scan", "docker:shop:2"]).exits(2);
    assert!(missing.stderr.contains("docker does not have the image `shop:2`"), "{}", missing.stderr);
    drop(docker);
    let gone = user.run(&["scan", "docker:shop:1"]).exits(2);
    assert!(gone.stderr.contains("could not talk to docker"), "{}", gone.stderr);
}

/// The network is forbidden and there is no registry; the image is there all the same.
fn a_bare_name_is_looked_for_here_first(user: &User, report: &Value) {
    let ran = user.run(&["scan", "shop:1", "--offline", "--output", "json"]);
    assert!(ran.code < 2, "{}", ran.stderr);
    same("shop:1", &ran.json(), report);
    assert_eq!(ran.json()["artifact"]["target"], "shop:1");
    assert_eq!(ran.stderr.matches("note: ").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("note: `shop:1` is taken from docker"), "{}", ran.stderr);
    let unknown = user.run(&["scan", "shop:2", "--offline"]).exits(2);
    assert!(unknown.stderr.contains("no engine on this machine has `shop:2`"), "{}", unknown.stderr);
    let forced = user.run(&["scan", "registry:shop:1", "--offline"]).exits(2);
    assert!(forced.stderr.contains("`--offline` forbids the network"), "{}", forced.stderr);
}

// Proves: source podman:.
#[test]
fn podman_gives_the_same_image() {
    let Some(shop) = Shop::new() else { return };
    let Some(podman) = Engine::podman() else { return };
    let user = User::new().with("CONTAINER_HOST", variable(&podman));
    podman.run(&["load", "--input", &shop.file(&user, "docker-archive", "shop:1")]);
    shop.is(&user, &["podman:shop:1"]);
    // By way of OCI: saved in Docker's format it would be another image.
    let file = user.path("docker-archive.tar");
    podman.run(&["rmi", "--all", "--force"]);
    std::fs::remove_file(file).expect("a file");
    podman.run(&["load", "--input", &shop.file(&user, "oci-archive", "localhost/shop:oci")]);
    let id = podman.run(&["images", "--no-trunc", "--quiet"]);
    shop.is(&user, &["podman:localhost/shop:oci", &format!("podman:{}", &id.trim_start_matches("sha256:")[..12])]);
    let bare = user.run(&["sbom", "localhost/shop:oci", "--offline"]).exits(0);
    assert!(bare.stderr.contains("is taken from podman"), "{}", bare.stderr);
}

// Proves: source containerd:.
#[test]
fn containerd_gives_the_same_image_from_any_namespace() {
    let Some(shop) = Shop::new() else { return };
    let Some(containerd) = Engine::containerd() else { return };
    let socket = containerd.socket().display().to_string();
    let user = User::new().with("CONTAINERD_ADDRESS", &*socket);
    let file = shop.file(&user, "oci-archive", "registry.example/shop:1");
    containerd.run(&["--namespace", "k8s.io", "images", "import", "--no-unpack", &file]);
    let digest = shop.report["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned();
    let by_digest = format!("containerd:registry.example/shop@{digest}");
    let short = format!("containerd:{}", &digest.trim_start_matches("sha256:")[..12]);
    shop.is(&user, &["containerd:registry.example/shop:1", &by_digest, &short]);
    let report = user.scan("containerd:registry.example/shop:1", &[]);
    assert_eq!(names(&report), ["registry.example/shop:1"]);
    assert_eq!(report["artifact"]["manifest_digest"], *digest);

    let elsewhere = User::new().with("CONTAINERD_ADDRESS", &*socket).with("CONTAINERD_NAMESPACE", "default");
    let missing = elsewhere.run(&["scan", "containerd:registry.example/shop:1"]).exits(2);
    assert!(missing.stderr.contains("containerd does not have the image"), "{}", missing.stderr);
    without_its_layers(&containerd, &user);
}

/// Kubernetes can be told to drop layers once they are unpacked.
fn without_its_layers(containerd: &Engine, user: &User) {
    let blobs = containerd.run(&["--namespace", "k8s.io", "content", "list"]);
    let layers = blobs.lines().filter(|line| line.contains("MB") || line.contains("MiB"));
    let layers: Vec<&str> = layers.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(!layers.is_empty(), "{blobs}");
    containerd.run(&[&["--namespace", "k8s.io", "content", "rm"], layers.as_slice()].concat());
    let ran = user.run(&["scan", "containerd:registry.example/shop:1", "--no-cache"]).exits(2);
    assert!(ran.stderr.contains("containerd does not keep the layer sha256:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: containerd drops layers"), "{}", ran.stderr);
}
