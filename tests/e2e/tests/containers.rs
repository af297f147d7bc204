//! Containers of a real engine: what they are made of, and what they changed.

use dogwatch_e2e::engines::Engine;
use dogwatch_e2e::program::User;
use dogwatch_e2e::skip;
use serde_json::Value;
use xtask::parts;

/// What the container does to itself: a package goes, a program comes, one is changed, one becomes setuid, one is deleted.
const CHANGES: &str = "dpkg --purge --force-all e2fsprogs >/dev/null 2>&1; \
    cp /bin/true /usr/local/bin/dropped; cp /bin/true /tmp/gone; \
    echo '# changed' >> /usr/bin/savelog; chmod u+s /usr/bin/env; rm /usr/bin/tac; touch /usr/bin/cut; \
    echo hello > /var/log/note; rm -rf /usr/share/doc; mkdir /usr/share/doc; \
    /tmp/gone; cp /bin/sleep /tmp/sleeper; /tmp/sleeper 1000 & sleep 1; rm /tmp/sleeper; echo ready > /ready; wait";

/// `added /usr/local/bin/dropped`, sorted.
fn files(report: &Value) -> Vec<String> {
    let changes = report["changes"]["files"].as_array().expect("changes").iter();
    changes.map(|file| format!("{} {}", file["change"], file["path"]).replace('"', "")).collect()
}

fn gaps(report: &Value) -> Vec<String> {
    let gaps = report["inventory"]["gaps"].as_array().expect("gaps").iter();
    gaps.map(|gap| format!("{}: {}", gap["subject"], gap["detail"]).replace('"', "")).collect()
}

fn packages(report: &Value) -> Vec<String> {
    let packages = report["inventory"]["packages"].as_array().expect("packages").iter();
    packages.map(|package| package["purl"].as_str().expect("a purl").to_owned()).collect()
}

/// Scans one container of Debian's that changes itself, while it runs and after it was stopped.
fn a_container_is_its_image_and_what_it_changed(user: &User, engine: &Engine, volume: &str) {
    engine.run(&[
        "run",
        "--detach",
        "--name",
        "web",
        "--network",
        "none",
        "--volume",
        volume,
        "shop:12",
        "sh",
        "-c",
        CHANGES,
    ]);
    let started = std::time::Instant::now();
    while engine.try_run(&["exec", "web", "cat", "/ready"]).is_err() {
        assert!(started.elapsed().as_secs() < 120, "{}", engine.run(&["logs", "web"]));
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let image = user.scan("shop:12", &["--offline"]);
    let report = user.scan("container:web", &[]);
    let artifact = &report["artifact"];
    assert_eq!((&artifact["kind"], &artifact["container"]["state"]), (&"container".into(), &"running".into()));
    assert_eq!(artifact["image_id"], image["artifact"]["image_id"]);
    assert_eq!(artifact["layers"][0]["diff_id"], image["artifact"]["layers"][0]["diff_id"]);

    let deleted = packages(&image).into_iter().filter(|purl| purl.contains("/e2fsprogs@"));
    let left: Vec<String> = packages(&image).into_iter().filter(|purl| !purl.contains("/e2fsprogs@")).collect();
    assert_eq!((deleted.count(), packages(&report)), (1, left));
    let changes = &report["changes"];
    assert_eq!(changes["packages"].as_array().map(Vec::len), Some(1), "{}", changes["packages"]);
    assert_eq!(changes["packages"][0]["name"], "e2fsprogs");
    let files = files(&report);
    for expected in [
        "added /usr/local/bin/dropped",
        "modified /usr/bin/savelog",
        "modified /usr/bin/env",
        "modified /var/lib/dpkg/status",
        "deleted /usr/bin/tac",
        "deleted /usr/sbin/mke2fs",
    ] {
        assert!(files.contains(&expected.to_owned()), "{expected} is not in {files:#?}");
    }
    assert!(!files.iter().any(|file| file.contains("/usr/bin/cut") || file.contains("/etc/h")), "{files:#?}");
    assert!(changes["other_files"].as_u64().is_some_and(|count| count > 1), "{}", changes["other_files"]);
    let gaps = gaps(&report);
    assert!(gaps.iter().any(|gap| gap.starts_with("/data: mounted into the container")), "{gaps:#?}");
    assert!(gaps.iter().any(|gap| gap.starts_with("/tmp/sleeper: a process runs it")), "{gaps:#?}");

    let id = artifact["container"]["id"].as_str().expect("an id");
    engine.run(&["kill", "web"]);
    let stopped = user.scan(&format!("container:{}", &id[..12]), &[]);
    assert_ne!(stopped["artifact"]["container"]["state"], "running");
    assert_eq!((&stopped["changes"], packages(&stopped)), (changes, packages(&report)));
    let table = user.run(&["scan", "container:web", "--inventory-only"]).exits(0).stdout;
    assert!(table.contains("Changed since the image"), "{table}");
    assert!(table.contains("deleted   deb package e2fsprogs"), "{table}");
}

// Proves: source container:.
#[test]
fn a_container_of_docker() {
    let tar = match parts::debian() {
        Ok(tar) => tar.display().to_string(),
        Err(error) => return skip(&format!("{error:#}")),
    };
    let Some(docker) = Engine::docker() else { return };
    if docker.run(&["info", "--format", "{{.Driver}}"]) != "overlay2" {
        return skip("Docker does not keep containers in overlays here");
    }
    let user = User::new().with("DOCKER_HOST", format!("unix://{}", docker.socket().display()));
    docker.run(&["import", &tar, "shop:12"]);
    let volume = format!("{}:/data", user.path("").display());
    a_container_is_its_image_and_what_it_changed(&user, &docker, &volume);
    let missing = user.run(&["scan", "container:nobody"]).exits(2);
    assert!(missing.stderr.contains("docker has no container `nobody`"), "{}", missing.stderr);
    docker.run(&["rm", "web"]);
    let gone = user.run(&["scan", "container:web"]).exits(2);
    assert!(gone.stderr.contains("docker has no container `web`"), "{}", gone.stderr);
}

// Proves: source container:.
#[test]
fn a_container_of_podman() {
    let tar = match parts::debian() {
        Ok(tar) => tar.display().to_string(),
        Err(error) => return skip(&format!("{error:#}")),
    };
    let Some(podman) = Engine::podman() else { return };
    let user = User::new().with("CONTAINER_HOST", format!("unix://{}", podman.socket().display()));
    podman.run(&["import", "--quiet", &tar, "shop:12"]);
    let volume = format!("{}:/data", user.path("").display());
    a_container_is_its_image_and_what_it_changed(&user, &podman, &volume);
}

/// A storage driver that keeps whole copies: then the tree that the container sees is compared with its image.
#[test]
fn a_container_that_is_not_kept_in_overlays() {
    let tar = match parts::debian() {
        Ok(tar) => tar.display().to_string(),
        Err(error) => return skip(&format!("{error:#}")),
    };
    let Some(docker) = Engine::docker_with(&["--storage-driver=vfs"]) else { return };
    let user = User::new().with("DOCKER_HOST", format!("unix://{}", docker.socket().display()));
    docker.run(&["import", &tar, "shop:12"]);
    let script = "cp /bin/true /usr/local/bin/dropped; rm /usr/bin/tac; echo ready > /ready; exec sleep 1000";
    // What lies below a mount is not seen, and not deleted either.
    let volume = format!("{}:/usr/lib/python3.11", user.path("").display());
    docker.run(&[
        "run",
        "--detach",
        "--name",
        "web",
        "--network=none",
        "--volume",
        &volume,
        "shop:12",
        "sh",
        "-c",
        script,
    ]);
    while docker.try_run(&["exec", "web", "cat", "/ready"]).is_err() {
        assert_eq!(docker.run(&["inspect", "--format", "{{.State.Running}}", "web"]), "true");
    }
    let report = user.scan("container:web", &[]);
    assert_eq!(files(&report), ["deleted /usr/bin/tac", "added /usr/local/bin/dropped"]);
    assert_eq!(report["changes"]["packages"], serde_json::json!([]));
    assert_eq!(packages(&report), packages(&user.scan("shop:12", &["--offline"])));
    assert!(gaps(&report).iter().any(|gap| gap.starts_with("/usr/lib/python3.11: mounted")), "{:#?}", gaps(&report));
    docker.run(&["kill", "web"]);
    let stopped = user.run(&["scan", "container:web"]).exits(2);
    assert!(stopped.stderr.contains("the files of container `web` cannot be found"), "{}", stopped.stderr);
}
