//! Layers stacked into one inventory: who introduced what, and which packages are one.

use dogwatch_inventory::assemble::{Stacking, assemble};
use dogwatch_inventory::catalogers;
use dogwatch_inventory::content::MemorySpool;
use dogwatch_inventory::layer::{FileContent, LayerFacts, LayerReader};
use model::inventory::Inventory;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// One entry of a layer.
enum Entry<'a> {
    File(&'a str, &'a [u8]),
    Gone(&'a str),
    Link(&'a str, &'a str),
    Symlink(&'a str, &'a str),
}
use Entry::{File, Gone, Link, Symlink};

fn layer(entries: &[Entry<'_>]) -> LayerFacts {
    let mut reader = LayerReader::new(catalogers::ALL, &MemorySpool);
    for entry in entries {
        match *entry {
            File(path, mut bytes) => {
                let (size, random) = (bytes.len() as u64, bytes);
                reader
                    .file(path.as_bytes(), 0o644, size, FileContent { stream: &mut bytes, random: Some(&random) })
                    .unwrap();
            }
            Gone(path) => assert!(reader.whiteout(path.as_bytes()).unwrap()),
            Link(path, target) => reader.hardlink(path.as_bytes(), target.as_bytes(), 0o644).unwrap(),
            Symlink(path, target) => reader.symlink(path.as_bytes(), target.as_bytes()).unwrap(),
        }
    }
    reader.finish()
}

fn stack(layers: &[&[Entry<'_>]]) -> Inventory {
    let layers: Vec<LayerFacts> = layers.iter().map(|entries| layer(entries)).collect();
    assemble(&layers, Stacking { layered: true, base_layers: None }).inventory
}

/// `name version layer`, in the inventory's order.
fn packages(inventory: &Inventory) -> Vec<String> {
    inventory.packages.iter().map(|it| format!("{} {} {}", it.name, it.version, it.layer.unwrap())).collect()
}

const STATUS: &str = "var/lib/dpkg/status";

fn status(packages: &[(&str, &str)]) -> Vec<u8> {
    let stanza = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(stanza).collect::<String>().into_bytes()
}

#[test]
fn a_database_package_is_of_the_layer_whose_database_first_had_it() {
    let base = status(&[("libc6", "2.36-9"), ("openssl", "3.0.9-1")]);
    let upgraded = status(&[("libc6", "2.36-9"), ("openssl", "3.0.11-1"), ("curl", "7.88.1-10")]);
    let inventory = stack(&[&[File(STATUS, &base)], &[File("etc/motd", b"hello")], &[File(STATUS, &upgraded)]]);
    assert_eq!(packages(&inventory), ["curl 7.88.1-10 2", "libc6 2.36-9 0", "openssl 3.0.11-1 2"]);
    // The evidence is the copy of the database that is in force.
    assert!(inventory.packages.iter().all(|package| package.evidence[0].layer == Some(2)));
}

#[test]
fn a_package_that_was_removed_and_came_back_is_of_the_layer_that_brought_it_back() {
    let (with, without) = (status(&[("curl", "1"), ("libc6", "2")]), status(&[("libc6", "2")]));
    let inventory = stack(&[&[File(STATUS, &with)], &[File(STATUS, &without)], &[File(STATUS, &with)]]);
    assert_eq!(packages(&inventory), ["curl 1 2", "libc6 2 0"]);
}

#[test]
fn a_database_that_was_deleted_takes_its_packages_along() {
    let all = status(&[("libc6", "2")]);
    assert!(packages(&stack(&[&[File(STATUS, &all)], &[Gone("var/lib/dpkg/.wh.status")]])).is_empty());
    let inventory = stack(&[&[File(STATUS, &all)], &[Gone("var/lib/.wh.dpkg")], &[File(STATUS, &all)]]);
    assert_eq!(packages(&inventory), ["libc6 2 2"], "what is new after a deletion was not there before");
}

#[test]
fn a_real_alpine_database_that_is_only_touched_introduces_nothing() {
    let database = fixture("os-packages/alpine.installed");
    let path = "lib/apk/db/installed";
    let inventory = stack(&[&[File(path, &database)], &[File(path, &database)]]);
    assert!(inventory.packages.len() > 5, "{}", inventory.packages.len());
    assert!(inventory.packages.iter().all(|package| package.layer == Some(0)));
}

#[test]
fn a_real_rpm_database_keeps_its_packages_in_their_layer() {
    let database = fixture("os-packages/fedora35.rpmdb.sqlite");
    let path = "usr/lib/sysimage/rpm/rpmdb.sqlite";
    let inventory = stack(&[&[File("etc/motd", b"x")], &[File(path, &database)], &[File(path, &database)]]);
    assert!(!inventory.packages.is_empty());
    assert!(inventory.packages.iter().all(|package| package.layer == Some(1)));
}

const REQUESTS: &str = "usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA";

#[test]
fn a_language_package_is_of_the_layer_whose_version_is_there() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let newer = String::from_utf8(metadata.clone()).unwrap().replace("Version: 2.31.0", "Version: 2.32.0");
    // Ownership was changed in the second layer: the file is copied up, and the package is not new.
    let touched = stack(&[&[File(REQUESTS, &metadata)], &[File(REQUESTS, &metadata)]]);
    assert_eq!(packages(&touched), ["requests 2.31.0 0"]);
    let replaced = stack(&[&[File(REQUESTS, &metadata)], &[File(REQUESTS, newer.as_bytes())]]);
    assert_eq!(packages(&replaced), ["requests 2.32.0 1"]);
    let gone =
        stack(&[&[File(REQUESTS, &metadata)], &[Gone("usr/lib/python3/dist-packages/.wh.requests-2.31.0.dist-info")]]);
    assert!(packages(&gone).is_empty());
}

#[test]
fn a_language_package_that_an_os_package_owns_is_that_package() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let all = status(&[("python3-requests", "2.31.0+dfsg-1")]);
    // dpkg wrote the path before `/lib` became a link to `/usr/lib`.
    let list = b"/.\n/lib\n/lib/python3\n/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA\n";
    let owned = [
        Symlink("lib", "usr/lib"),
        File(STATUS, &all),
        File("var/lib/dpkg/info/python3-requests.list", list),
        File(REQUESTS, &metadata),
    ];
    let inventory = stack(&[&owned]);
    assert_eq!(packages(&inventory), ["python3-requests 2.31.0+dfsg-1 0"]);
    assert_eq!(inventory.packages[0].provides, ["pkg:pypi/requests@2.31.0"]);
}

#[test]
fn a_hard_link_is_as_good_as_the_file() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let linked = "opt/venv/lib/python3.11/site-packages/requests-2.31.0.dist-info/METADATA";
    let inventory = stack(&[&[File(REQUESTS, &metadata), Link(linked, REQUESTS)]]);
    assert_eq!(packages(&inventory), ["requests 2.31.0 0", "requests 2.31.0 0"]);
}
