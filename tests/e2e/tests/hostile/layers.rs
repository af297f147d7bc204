//! Layers with what no build tool puts into them.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::craft::{HARD, Image, Member, SOFT, file, gzip, hex_digest, link, nested, tar, witness};
use crate::sandbox::{Sandbox, gaps, packages};

fn scanned(sandbox: &Sandbox, image: &Image) -> Result<Value, String> {
    let path = sandbox.file("image.tar", image.docker_archive());
    sandbox.inventory(&format!("docker-archive:{}", path.display()))
}

/// A layer of these members and a witness: the witness is found, and the gaps name all of `named`.
fn check(members: Vec<Member>, named: &[&str]) -> Value {
    let layer = tar(members.into_iter().chain([witness()]));
    let report = scanned(&Sandbox::new(), &Image::of([layer])).expect("a report");
    assert!(packages(&report).contains(&"witness 1.0.0".to_owned()), "{:?}", packages(&report));
    let gaps = gaps(&report);
    for name in named {
        assert!(gaps.contains(name), "no gap names {name}:\n{gaps}");
    }
    report
}

/// The layer is refused, and the message says which one.
fn refused(layer: Vec<u8>) -> String {
    let error = scanned(&Sandbox::new(), &Image::of([tar([]), layer])).expect_err("a refusal");
    assert!(error.contains("layer 2"), "{error}");
    error
}

fn package(path: &str) -> Member {
    file(path, r#"{"name":"evil","version":"6.6.6"}"#)
}

#[test]
fn paths_that_climb_out_are_gaps_and_are_not_followed() {
    let report = check(
        vec![
            package("../../node_modules/evil/package.json"),
            package("a/../../node_modules/evil/package.json"),
            package("node_modules/evil/../../../../x/node_modules/evil/package.json"),
            file("../../../canary", "written"),
            file(b"n\xff\xfe/../../x", "written"),
        ],
        &["../../node_modules/evil/package.json", "a/../../node_modules/evil/package.json", "../../../canary"],
    );
    assert_eq!(packages(&report), ["witness 1.0.0"]);
}

#[test]
fn absolute_paths_stay_inside_the_image() {
    let report = check(
        vec![package("/node_modules/evil/package.json"), package("//.//opt/node_modules/evil/package.json")],
        &[],
    );
    assert_eq!(packages(&report), ["evil 6.6.6", "evil 6.6.6", "witness 1.0.0"]);
}

#[test]
fn links_outside_and_in_circles_lead_nowhere() {
    let secret = Sandbox::new();
    let outside = secret.file("package.json", r#"{"name":"outside","version":"1.0.0"}"#);
    let outside = outside.parent().expect("a directory").to_string_lossy().into_owned();
    let report = check(
        vec![
            link(SOFT, "node_modules/outside", &outside),
            link(SOFT, "node_modules/climbs", format!("../../../../../../..{outside}")),
            link(SOFT, "a", "b"),
            link(SOFT, "b", "a"),
            link(SOFT, "self", "self"),
            link(SOFT, "var/lib/dpkg", "/etc/../../../.."),
            file("a/x", "below a circle"),
            package("self/node_modules/evil/package.json"),
            link(HARD, "node_modules/missing/package.json", "nowhere/package.json"),
            link(HARD, "node_modules/climbing/package.json", "../../../../etc/passwd"),
            link(HARD, "h1", "h2"),
            link(HARD, "h2", "h1"),
            link(HARD, "h3", "h3"),
        ],
        &["node_modules/climbing/package.json"],
    );
    assert!(!packages(&report).iter().any(|package| package.starts_with("outside")));
}

#[test]
fn devices_and_fifos_are_not_opened() {
    let kinds = [b'3', b'4', b'6', b'7', b'Z', b'V', b'M', b'D', 0, 255];
    check(kinds.iter().map(|&kind| link(kind, format!("dev/k{kind}"), "")).collect(), &[]);
}

#[test]
fn sparse_files_are_gaps_in_all_four_forms() {
    let mut members = Vec::new();
    let old = Member { kind: b'S', ..file("old/node_modules/a/package.json", "{}") };
    members.push(old);
    for (form, records) in [
        (
            "v00",
            vec![
                ("GNU.sparse.size", "1000000"),
                ("GNU.sparse.numblocks", "1"),
                ("GNU.sparse.offset", "0"),
                ("GNU.sparse.numbytes", "2"),
            ],
        ),
        ("v01", vec![("GNU.sparse.size", "1000000"), ("GNU.sparse.map", "0,2")]),
        (
            "v10",
            vec![("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "9223372036854775807")],
        ),
    ] {
        let pax = records.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        members.push(Member { pax, ..file(format!("{form}/node_modules/a/package.json"), "{}") });
    }
    check(members, &["old/node_modules/a/package.json", "v00/", "v01/", "v10/"]);
}

#[test]
fn sizes_that_lie_are_errors_that_name_the_layer() {
    let sized = |size: &[u8]| tar([Member { size: Some(size.to_vec()), ..file("x", "12345") }, witness()]);
    let negative = [0xff; 12];
    let huge = [&[0x80, 0, 0, 0][..], &i64::MAX.to_be_bytes()].concat();
    for size in [&negative[..], &huge, b"77777777777\0", b"abc\0", b"99999999999\0", b"00000010000\0"] {
        refused(sized(size));
    }
    for value in ["18446744073709551615", "18446744073709551105", "9223372036854775807", "-1", "1e9", ""] {
        let pax = vec![(b"size".to_vec(), value.as_bytes().to_vec())];
        refused(tar([Member { pax, ..file("x", "12345") }]));
    }
}

#[test]
fn extension_headers_of_gigabytes_are_not_believed() {
    for kind in [b'x', b'g', b'L', b'K'] {
        let member = Member { kind, size: Some(b"77777777777\0".to_vec()), ..file("header", "") };
        let error = refused(tar([member]));
        assert!(error.contains("extension header"), "{error}");
    }
    // Nor are millions of small ones that describe nothing.
    let mut empty = tar([Member { kind: b'g', ..file("header", "") }]);
    empty.truncate(512);
    let mut layer = empty.repeat(1_000_000);
    layer.extend(tar([witness()]));
    let report = scanned(
        &Sandbox::new().with(|limits| limits.time = Duration::from_secs(60)),
        &Image::stored([(gzip(&layer), hex_digest(&layer))]),
    );
    assert_eq!(packages(&report.expect("a report")), ["witness 1.0.0"]);
}

#[test]
fn names_of_64_kib_are_gaps() {
    let long = "n".repeat(65536);
    let deep = "d/".repeat(32768);
    let pax = vec![(b"path".to_vec(), long.clone().into_bytes())];
    check(
        vec![
            file(&long, "x"),
            package(&format!("{deep}node_modules/evil/package.json")),
            Member { pax, ..file("short", "x") },
            link(SOFT, "link", &long),
            link(HARD, "hard", &long),
        ],
        &["nnnnnnnn", "d/d/d/d"],
    );
}

#[test]
fn one_name_many_times_is_the_last_one() {
    let mut members: Vec<_> = (0..5000)
        .map(|number| file("node_modules/a/package.json", format!(r#"{{"name":"a","version":"1.0.{number}"}}"#)))
        .collect();
    members.push(file("node_modules/a/package.json", r#"{"name":"a","version":"2.0.0"}"#));
    assert_eq!(packages(&check(members, &[])), ["a 2.0.0", "witness 1.0.0"]);
}

#[test]
fn a_million_empty_entries_fit() {
    let mut layer = Vec::new();
    for number in 0..1_000_000 {
        let mut one = tar([file(format!("{:x}/{number}", number % 4096), "")]);
        one.truncate(512);
        layer.extend(one);
    }
    layer.extend(tar([witness()]));
    let sandbox = Sandbox::new().with(|limits| limits.rss_mib = 400);
    let report = scanned(&sandbox, &Image::stored([(gzip(&layer), hex_digest(&layer))])).expect("a report");
    assert_eq!(packages(&report), ["witness 1.0.0"]);
}

/// What a link may cost: the same few bytes, looked up again and again.
#[test]
fn a_hundred_thousand_links_are_not_a_hundred_thousand_squared() {
    let mut members: Vec<Member> = (0..30_000)
        .map(|number| file(format!("node_modules/p{number}/package.json"), r#"{"name":"p","version":"1.0.0"}"#))
        .collect();
    members.extend((0..100_000).map(|number| {
        link(HARD, format!("h/node_modules/p{number}/package.json"), "node_modules/p29999/package.json")
    }));
    let layer = tar(members);
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(60));
    scanned(&sandbox, &Image::stored([(gzip(&layer), hex_digest(&layer))])).expect("a report");
}

/// Every component of a path is a link whose target is long and leads back: work multiplies unless links are counted
/// for the whole path.
#[test]
fn links_that_multiply_are_bounded() {
    let round = "./".repeat(30_000);
    let mut members = vec![link(SOFT, "l", &round)];
    members.extend((0..2000).map(|number| file(format!("{}d{number}/x", "l/".repeat(2000)), "")));
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(60));
    let layer = tar(members.into_iter().chain([witness()]));
    let report = scanned(&sandbox, &Image::stored([(gzip(&layer), hex_digest(&layer))])).expect("a report");
    assert_eq!(packages(&report), ["witness 1.0.0"]);
}

/// Links let directories nest deeper than any path is long.
#[test]
fn directories_that_nest_through_links_are_bounded() {
    let run = "d/".repeat(1000);
    let mut members = Vec::new();
    let mut below = run.clone();
    for number in 0..1000 {
        members.push(file(format!("{below}x.sh"), "#!/bin/sh\n"));
        members.push(link(SOFT, format!("l{number}"), &below));
        below = format!("l{number}/{run}");
    }
    members.extend((0..2000).map(|number| file(format!("l999/{number}.sh"), "#!/bin/sh\n")));
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(60));
    let layer = tar(members.into_iter().chain([witness()]));
    let report = scanned(&sandbox, &Image::stored([(gzip(&layer), hex_digest(&layer))])).expect("a report");
    assert_eq!(packages(&report), ["witness 1.0.0"]);
}

/// Gigabytes of zeros as stored: 1,032 to 1 is the most that gzip does, zstd does more.
#[test]
fn bombs_are_refused_by_layer() {
    let part = vec![0; 64 << 20];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&part).expect("to memory");
    let gz = encoder.finish().expect("to memory").repeat(90);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("to memory");
    (0..90).for_each(|_| encoder.write_all(&part).expect("to memory"));
    let zst = encoder.finish().expect("to memory");
    for (what, bomb) in [("gzip", gz), ("zstd", zst)] {
        let image = Image::stored([(tar([]), hex_digest(&tar([]))), (bomb, hex_digest(b"never computed"))]);
        let sandbox = Sandbox::new().with(|limits| limits.rss_mib = 250);
        // The zeros end the archive at once; what follows still has to be hashed, and is not, beyond the bound.
        let error = scanned(&sandbox, &image).expect_err(what);
        assert!(error.contains("layer 2") && error.contains("expands"), "{what}: {error}");
    }
}

#[test]
fn a_layer_that_is_cut_or_damaged_is_named() {
    let layer = tar([file("usr/bin/x", "x".repeat(40_000)), witness()]);
    let diff_id = hex_digest(&layer);
    for stored in [gzip(&layer), zstd::encode_all(layer.as_slice(), 1).expect("to memory"), layer.clone()] {
        for cut in [20, stored.len() / 2, stored.len() - 3] {
            let image = Image::stored([(stored[..cut].to_vec(), diff_id.clone())]);
            let error = scanned(&Sandbox::new(), &image).expect_err("cut");
            assert!(error.contains("layer 1"), "{cut}: {error}");
            let mut damaged = stored.clone();
            damaged[cut] ^= 0xff;
            let error = scanned(&Sandbox::new(), &Image::stored([(damaged, diff_id.clone())])).expect_err("damaged");
            assert!(error.contains("layer 1"), "{cut}: {error}");
        }
    }
    let unsupported = b"\xfd7zXZ\0\0\0\0\0 and so on".to_vec();
    let error = scanned(&Sandbox::new(), &Image::stored([(unsupported, diff_id)])).expect_err("xz");
    assert!(error.contains("layer 1") && error.contains("xz"), "{error}");
}

#[test]
fn nested_manifests_are_gaps_that_name_the_file() {
    let deep = nested(100_000);
    check(
        vec![
            file("srv/node_modules/deep/package.json", format!(r#"{{"name":"deep","version":{deep}}}"#)),
            file("usr/lib/python3/dist-packages/x-1.dist-info/METADATA", "Name: x\n".repeat(100_000)),
        ],
        &["srv/node_modules/deep/package.json"],
    );
}

#[test]
fn whiteouts_of_all_sorts_hide_only_what_they_may() {
    let names = [
        ".wh.",
        ".wh...",
        ".wh..",
        ".wh..wh..opq",
        "a/.wh..wh..opq",
        ".wh..wh.plnk",
        "../.wh.x",
        ".wh.a/b",
        "x/.wh.../y",
        ".wh..wh..wh.x",
    ];
    check(names.iter().map(|name| file(name, "")).collect(), &[]);
}
