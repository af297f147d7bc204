//! A machine made of files; the real one is scanned in `tests/e2e/tests/host.rs`.

use std::os::unix::fs::symlink;

use inventory::assemble::{Stacking, assemble};
use inventory::content::MemorySpool;
use tempfile::TempDir;

use super::*;
use crate::inspect::image_catalogers;

fn machine(files: &[(&str, &[u8])]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, bytes) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn read(root: &TempDir) -> (Inventory, Host) {
    let read = read_host(root.path(), &image_catalogers(), &MemorySpool).unwrap();
    let inventory = assemble(&[read.facts], Stacking { layered: false, base_layers: None }).inventory;
    let host = describe(read.seen, &inventory);
    (inventory, host)
}

fn fixture(path: &str) -> Vec<u8> {
    fs::read(format!("{}/../../tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const KERNEL: &str = "Package: linux-image-6.1.0-18-amd64\nStatus: install ok installed\nArchitecture: amd64\nSource: linux-signed-amd64 (6.1.76+1)\nVersion: 6.1.76-1\n\nPackage: linux-image-6.1.0-17-amd64\nStatus: install ok installed\nArchitecture: amd64\nSource: linux-signed-amd64 (6.1.69+1)\nVersion: 6.1.69-1\n\n";

#[test]
fn the_running_kernel_is_its_package_among_those_installed() {
    let root = machine(&[
        ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ("var/lib/dpkg/status", KERNEL.as_bytes()),
        ("var/lib/dpkg/info/linux-image-6.1.0-17-amd64.list", b"/.\n/boot\n/boot/vmlinuz-6.1.0-17-amd64\n"),
        ("var/lib/dpkg/info/linux-image-6.1.0-18-amd64.list", b"/.\n/boot\n/boot/vmlinuz-6.1.0-18-amd64\n"),
        ("boot/vmlinuz-6.1.0-17-amd64", b"x"),
        ("boot/vmlinuz-6.1.0-18-amd64", b"x"),
        ("boot/config-6.1.0-18-amd64", b"x"),
        ("usr/lib/modules/6.1.0-18-amd64/modules.dep", b""),
        ("proc/sys/kernel/osrelease", b"6.1.0-17-amd64\n"),
        ("proc/version", b"Linux version 6.1.0-17-amd64 (debian-kernel@lists.debian.org) Debian 6.1.69-1\n"),
    ]);
    let (inventory, host) = read(&root);
    assert_eq!(host.kernel_release.as_deref(), Some("6.1.0-17-amd64"));
    assert_eq!(host.installed_kernels, ["6.1.0-17-amd64", "6.1.0-18-amd64"]);
    let purl = host.kernel_package.expect("a package owns it");
    assert!(purl.starts_with("pkg:deb/debian/linux-image-6.1.0-17-amd64@6.1.69-1?"), "{purl}");
    assert_eq!(inventory.packages.len(), 2, "the kernel is not listed twice: {:?}", inventory.packages);
    assert!(inventory.gaps.is_empty(), "{:?}", inventory.gaps);
}

#[test]
fn a_kernel_that_no_package_owns_is_a_package_of_its_own() {
    let root = machine(&[
        ("etc/os-release", b"ID=alpine\nVERSION_ID=3.18.4\n"),
        ("lib/apk/db/installed", &fixture("os-packages/alpine.installed")),
        ("proc/sys/kernel/osrelease", b"6.6.87.2-microsoft-standard-WSL2\n"),
    ]);
    let (inventory, host) = read(&root);
    assert_eq!(host.kernel_package.as_deref(), Some("pkg:generic/linux@6.6.87.2-microsoft-standard-WSL2"));
    assert!(inventory.packages.iter().any(|package| package.kind == PackageType::Apk), "{inventory:?}");
}

#[test]
fn places_are_read_and_nothing_else() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let status = b"Package: x\nStatus: install ok installed\nVersion: 1\n\n";
    let root = machine(&[
        ("usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA", &metadata),
        ("home/somebody/lib/python3/site-packages/flask-1.0.dist-info/METADATA", &metadata),
        ("var/lib/docker/overlay2/1/diff/var/lib/dpkg/status", status),
        ("usr/bin/runc", b"\x7fELF"),
        ("srv/var/lib/dpkg/status", status),
    ]);
    let (inventory, host) = read(&root);
    let found: Vec<_> = inventory.packages.iter().map(|package| package.purl.as_str()).collect();
    assert_eq!(found, ["pkg:pypi/requests@2.31.0"]);
    let runtimes: Vec<_> = host.container_runtimes.iter().map(|it| (it.name.as_str(), it.path.as_str())).collect();
    assert_eq!(runtimes, [("runc", "usr/bin/runc")]);
    assert!(host.kernel_release.is_none() && host.left_out.len() == LEFT_OUT.len());
}

#[test]
fn a_place_that_a_link_leads_to_is_not_read_twice() {
    let root = machine(&[
        ("usr/lib/apk/db/installed", &fixture("os-packages/alpine.installed")),
        ("elsewhere/dpkg/status", b"Package: x\nStatus: install ok installed\nVersion: 1\n\n"),
    ]);
    symlink("usr/lib", root.path().join("lib")).unwrap();
    fs::create_dir_all(root.path().join("var/lib")).unwrap();
    symlink("/elsewhere/dpkg", root.path().join("var/lib/dpkg")).unwrap();
    let (inventory, _) = read(&root);
    let from: BTreeSet<_> = inventory.packages.iter().map(|package| package.evidence[0].path.as_str()).collect();
    assert_eq!(from.into_iter().collect::<Vec<_>>(), ["usr/lib/apk/db/installed"]);
}

#[test]
fn a_machine_that_is_not_there_is_an_error() {
    assert!(read_host(Path::new("/nowhere/at/all"), &[], &MemorySpool).is_err());
}
