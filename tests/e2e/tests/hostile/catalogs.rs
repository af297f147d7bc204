//! Package databases, manifests, jars and binaries inside an image: cut anywhere, lying, huge.

use std::fs;
use std::io::Read;
use std::time::Duration;

use serde_json::Value;

use crate::craft::{Image, Member, file, gzip, hex_digest, nested, tar, witness, zip};
use crate::sandbox::{Sandbox, fixtures, gaps, packages};

fn scanned(sandbox: &Sandbox, members: Vec<Member>) -> Value {
    let layer = tar(members.into_iter().chain([witness()]));
    let path = sandbox.file("image.tar", Image::stored([(gzip(&layer), hex_digest(&layer))]).docker_archive());
    let report = sandbox.inventory(&format!("docker-archive:{}", path.display())).expect("a report");
    assert!(packages(&report).contains(&"witness 1.0.0".to_owned()));
    report
}

fn fixture(path: &str) -> Vec<u8> {
    let bytes = fs::read(fixtures().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut inflated).expect("a fixture inflates");
    inflated
}

/// What a database holds when whole, then at many cuts: never more, and never fewer without a gap that names the file.
/// `steady` are formats in which a cut between two records cannot be seen.
fn check_cuts(source: &str, path: &str, whole: usize, seen: bool) {
    let bytes = fixture(source);
    let sandbox = Sandbox::new();
    let count = |bytes: &[u8]| {
        let report = scanned(&sandbox, vec![file(path, bytes)]);
        (packages(&report).len() - 1, gaps(&report))
    };
    let (all, _) = count(&bytes);
    assert!(all >= whole, "{source}: {all} packages");
    for cut in (0..bytes.len()).step_by(bytes.len() / 11 + 1).skip(1).chain([bytes.len() - 1]) {
        let (left, gaps) = count(&bytes[..cut]);
        assert!(left <= all, "{source} cut at {cut}");
        assert!(
            !seen || left == all || gaps.contains(path),
            "{source} cut at {cut}: {left} of {all}, and no gap names it:\n{gaps}"
        );
    }
}

#[test]
fn dpkg_cut_anywhere() {
    check_cuts("os-packages/debian.status", "var/lib/dpkg/status", 3, false);
}

#[test]
fn apk_cut_anywhere() {
    check_cuts("os-packages/alpine.installed", "lib/apk/db/installed", 5, false);
}

#[test]
fn rpm_cut_anywhere() {
    for (source, path) in [
        ("os-packages/fedora35.rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"),
        ("os-packages/sle15.Packages.db", "usr/lib/sysimage/rpm/Packages.db"),
        ("os-packages/centos8.Packages", "var/lib/rpm/Packages"),
        ("os-packages/ubi8-s390x.Packages", "var/lib/rpm/Packages"),
    ] {
        check_cuts(source, path, 1, true);
    }
}

#[test]
fn jars_cut_anywhere() {
    check_cuts("java/log4j-core-2.14.1.jar", "opt/log4j-core-2.14.1.jar", 1, true);
    check_cuts("java/zipkin-server-2.23.2-exec.jar", "opt/zipkin.jar", 2, true);
}

#[test]
fn binaries_cut_anywhere() {
    // Where the table of sections is lost nobody can say that a binary was Go's: what it was is not claimed either.
    check_cuts("binaries/esbuild-0.19.0.gz", "usr/bin/esbuild", 1, false);
    check_cuts("binaries/uv-0.13.9.gz", "usr/bin/uv", 1, false);
}

#[test]
fn every_byte_of_an_elf_header_may_lie() {
    let sandbox = Sandbox::new();
    for source in [
        "binaries/esbuild-0.19.0.gz",
        "binaries/uv-0.13.9.gz",
        "binaries/hello-go1.26.exe.gz",
        "binaries/hello-go1.26-macho.gz",
    ] {
        let whole = fixture(source);
        let small = &whole[..whole.len().min(200_000)];
        let lies = (0..64).flat_map(|at| [0xff, 0x7f, 0x01].map(|value| (at, value)));
        let members = lies.map(|(at, value)| {
            let mut bytes = small.to_vec();
            bytes[at] = value;
            file(format!("usr/bin/x{at}-{value}"), bytes)
        });
        scanned(&sandbox, members.collect());
    }
}

#[test]
fn a_status_file_of_100_mb_is_a_gap() {
    let mut status = fixture("os-packages/debian.status");
    while status.len() < 100 << 20 {
        status.extend_from_within(..status.len().min(10 << 20));
    }
    let sandbox = Sandbox::new().with(|limits| (limits.rss_mib, limits.time) = (500, Duration::from_secs(90)));
    let report = scanned(&sandbox, vec![file("var/lib/dpkg/status", status)]);
    assert!(gaps(&report).contains("var/lib/dpkg/status"), "{}", gaps(&report));
}

#[test]
fn a_status_file_of_a_million_packages_is_bounded() {
    let mut status = String::new();
    for number in 0..600_000 {
        status.push_str(&format!("Package: p{number}\nStatus: install ok installed\nVersion: 1-{number}\n\n"));
    }
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(90));
    let report = scanned(&sandbox, vec![file("var/lib/dpkg/status", status)]);
    let found = packages(&report).len();
    assert!(found == 600_001 || gaps(&report).contains("var/lib/dpkg/status"), "{found} and {}", gaps(&report));
}

#[test]
fn a_manifest_nested_100_000_deep_is_a_gap_of_its_own() {
    let deep = nested(100_000);
    let json = format!("{{\"name\":\"x\",\"version\":\"1.0.0\",\"license\":{deep}}}");
    let report = scanned(&Sandbox::new(), vec![file("node_modules/x/package.json", json)]);
    assert!(gaps(&report).contains("node_modules/x/package.json"), "{}", gaps(&report));
}

#[test]
fn jars_50_deep_are_a_gap() {
    let mut jar =
        zip(&[("META-INF/maven/g/innermost/pom.properties", b"groupId=g\nartifactId=innermost\nversion=1\n")]);
    for level in 0..50 {
        jar = zip(&[
            (
                &format!("META-INF/maven/g/level{level}/pom.properties"),
                format!("groupId=g\nartifactId=level{level}\nversion=1\n").as_bytes(),
            ),
            ("inner.jar", &jar),
        ]);
    }
    let report = scanned(&Sandbox::new(), vec![file("opt/deep.jar", jar)]);
    assert!(packages(&report).iter().any(|package| package.contains("level49")), "{:?}", packages(&report));
    assert!(gaps(&report).contains("opt/deep.jar!/inner.jar"), "{}", gaps(&report));
}

#[test]
fn an_encrypted_jar_is_a_gap() {
    let mut jar = zip(&[("META-INF/MANIFEST.MF", b"Implementation-Title: secret\nImplementation-Version: 1\n")]);
    // The flag of an encrypted member, in its local header and in the directory.
    jar[6] |= 1;
    let directory = jar.windows(4).position(|window| window == b"PK\x01\x02").expect("has one");
    jar[directory + 8] |= 1;
    let report = scanned(&Sandbox::new(), vec![file("opt/secret.jar", jar)]);
    assert!(gaps(&report).contains("encrypted\" \"opt/secret.jar"), "{}", gaps(&report));
}

#[test]
fn zip_bombs_and_overlapping_members_are_bounded() {
    let sandbox = Sandbox::new().with(|limits| (limits.rss_mib, limits.time) = (300, Duration::from_secs(90)));
    // Deflate: 1,000 to 1, in a nested jar and in a descriptor.
    let zeros = raw_deflate(&vec![0; 300 << 20]);
    let bomb = deflated(&[("inner.jar", &zeros, 300 << 20), ("META-INF/maven/g/a/pom.properties", &zeros, 300 << 20)]);
    // Directory records that all point at one large nested archive: as many archives as records.
    let members: Vec<(String, Vec<u8>)> = (0..1000)
        .map(|number| {
            (format!("META-INF/maven/g/a{number}/pom.properties"), format!("version={number}\n").into_bytes())
        })
        .collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let shared = zip(&members);
    let overlapping = repeated(&shared, 20_000);
    let report = scanned(&sandbox, vec![file("opt/bomb.jar", bomb), file("opt/overlap.jar", overlapping)]);
    assert!(gaps(&report).contains("opt/bomb.jar!/inner.jar"), "{}", gaps(&report));
    assert!(gaps(&report).contains("opt/overlap.jar"), "{}", gaps(&report));
}

#[test]
fn a_zip_with_more_than_a_million_members_is_a_gap() {
    let jar = repeated(b"x", 1_000_001);
    let sandbox = Sandbox::new().with(|limits| limits.rss_mib = 300);
    let report = scanned(&sandbox, vec![file("opt/many.jar", jar)]);
    assert!(gaps(&report).contains("opt/many.jar"), "{}", gaps(&report));
}

/// One package in many layers: who introduced it is looked up in each.
#[test]
fn a_jar_in_every_layer_is_not_a_product_of_layers_and_packages() {
    let members: Vec<(String, Vec<u8>)> = (0..9_000)
        .map(|number| {
            (
                format!("META-INF/maven/g/a{number}/pom.properties"),
                format!("groupId=g\nartifactId=a{number}\nversion=1\n").into_bytes(),
            )
        })
        .collect();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let layer = tar([file("opt/fat.jar", zip(&members))]);
    let stored = gzip(&layer);
    let image = Image::stored((0..60).map(|_| (stored.clone(), hex_digest(&layer))));
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(60));
    let path = sandbox.file("image.tar", image.docker_archive());
    let report = sandbox.inventory(&format!("docker-archive:{}", path.display())).expect("a report");
    assert_eq!(packages(&report).len(), 9_000);
    assert_eq!(report["inventory"]["packages"][0]["layer"], 0);
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

/// A zip whose members are deflated already.
fn deflated(members: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let stored: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes, _)| (*name, *bytes)).collect();
    let mut archive = zip(&stored);
    for (signature, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let found: Vec<usize> =
            archive.windows(4).enumerate().filter(|(_, window)| window == signature).map(|(at, _)| at).collect();
        for (position, (_, _, size)) in found.into_iter().zip(members) {
            archive[position + at] = 8;
            archive[position + at + 14..position + at + 18].copy_from_slice(&size.to_le_bytes());
        }
    }
    archive
}

/// A zip64-less archive with `count` directory records that all name the one member there is.
fn repeated(content: &[u8], count: usize) -> Vec<u8> {
    let one = zip(&[("inner.jar", content)]);
    let directory = one.windows(4).rposition(|window| window == b"PK\x01\x02").expect("has one");
    let end = one.len() - 22;
    let mut archive = one[..directory].to_vec();
    (0..count).for_each(|_| archive.extend_from_slice(&one[directory..end]));
    let size = (archive.len() - directory) as u32;
    archive.extend_from_slice(&one[end..end + 12]);
    archive.extend(size.to_le_bytes());
    archive.extend((directory as u32).to_le_bytes());
    archive.extend([0, 0]);
    archive
}
