//! Trees on disk: nested, linked in circles, unreadable, changing while they are read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sandbox::{Sandbox, gaps, packages};

fn tree(sandbox: &Sandbox) -> std::path::PathBuf {
    let witness = sandbox.file("tree/node_modules/witness/package.json", r#"{"name":"witness","version":"1.0.0"}"#);
    witness.ancestors().nth(3).expect("below the tree").to_owned()
}

fn scanned(sandbox: &Sandbox, root: &Path) -> serde_json::Value {
    let report = sandbox.inventory(&format!("dir:{}", root.display())).expect("a report");
    assert!(packages(&report).contains(&"witness 1.0.0".to_owned()));
    report
}

#[test]
fn links_in_circles_and_out_of_the_tree_are_not_followed() {
    let sandbox = Sandbox::new();
    let root = tree(&sandbox);
    let outside = sandbox.file("outside/node_modules/outside/package.json", r#"{"name":"outside","version":"1.0.0"}"#);
    symlink(".", root.join("self")).expect("links");
    symlink("../..", root.join("node_modules/up")).expect("links");
    symlink(outside.ancestors().nth(2).expect("a directory"), root.join("node_modules/out")).expect("links");
    symlink(&outside, root.join("node_modules/witness/package-lock.json")).expect("links");
    symlink("b", root.join("a")).expect("links");
    symlink("a", root.join("b")).expect("links");
    assert_eq!(packages(&scanned(&sandbox, &root)), ["witness 1.0.0"]);
}

#[test]
fn fifos_sockets_and_devices_are_not_waited_for() {
    let sandbox = Sandbox::new();
    let root = tree(&sandbox);
    fs::create_dir_all(root.join("node_modules/fifo")).expect("can be made");
    let made = std::process::Command::new("mkfifo").arg(root.join("node_modules/fifo/package.json")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket.jar")).expect("a socket");
    assert_eq!(packages(&scanned(&sandbox, &root)), ["witness 1.0.0"]);
    for kind in ["docker-archive", "sbom", "oci-archive"] {
        let outcome = sandbox.run(&[
            "scan",
            &format!("{kind}:{}/node_modules/fifo/package.json", root.display()),
            "--inventory-only",
        ]);
        assert!(outcome.code == 2 && outcome.stderr.contains("package.json"), "{kind}: {}", outcome.stderr);
    }
}

#[test]
fn directories_5000_deep_are_a_gap() {
    let sandbox = Sandbox::new();
    let root = tree(&sandbox);
    // Deeper than any path is long, so it is made in steps from the middle outwards.
    let mut inner = root.join("deepest");
    fs::create_dir(&inner).expect("can be made");
    for number in 0..50 {
        let run = root.join(format!("r{number}"));
        let bottom = run.join("d/".repeat(100));
        fs::create_dir_all(&bottom).expect("can be made");
        fs::rename(&inner, bottom.join("d")).expect("same disk");
        inner = run;
    }
    let report = scanned(&sandbox, &root);
    assert!(gaps(&report).contains("r49/d/d/d"), "{}", gaps(&report));
}

#[test]
fn what_may_not_be_read_is_a_gap() {
    let sandbox = Sandbox::new().with(|limits| limits.user = Some(65534));
    let root = tree(&sandbox);
    let file = sandbox.file("tree/node_modules/secret/package.json", "{}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o0)).expect("ours");
    let closed = sandbox.file("tree/closed/node_modules/x/package.json", "{}");
    let closed = closed.ancestors().nth(3).expect("a directory");
    fs::set_permissions(closed, fs::Permissions::from_mode(0o0)).expect("ours");
    for directory in
        [sandbox.root().to_owned(), sandbox.cache(), sandbox.root().join("work"), sandbox.root().join("tmp")]
    {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("ours");
    }
    let report = scanned(&sandbox, &root);
    assert!(
        gaps(&report).contains("node_modules/secret/package.json") && gaps(&report).contains("closed"),
        "{}",
        gaps(&report)
    );
    fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).expect("ours");
}

#[test]
fn a_file_that_changes_during_the_scan_does_no_harm() {
    let sandbox = Sandbox::new();
    let root = tree(&sandbox);
    let changing = root.join("changing");
    fs::create_dir(&changing).expect("can be made");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (stop, changing) = (stop.clone(), changing.clone());
        move || {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let path = changing.join(format!("{}.jar", round % 50));
                let _ = fs::write(&path, vec![b'P'; round * 7919 % 300_000]);
                let _ = fs::File::options().write(true).open(&path).and_then(|file| file.set_len(3));
                let _ = fs::remove_file(changing.join(format!("{}.jar", (round + 25) % 50)));
            }
        }
    });
    // Names come and go meanwhile, so the check of what lies around cannot be made: the command is run as it is.
    for _ in 0..5 {
        let output = sandbox
            .command(&["scan", &format!("dir:{}", root.display()), "--inventory-only", "-o", "json"])
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("witness"));
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("writes");
}
