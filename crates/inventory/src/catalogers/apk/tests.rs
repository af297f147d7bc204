use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::content::MemorySpool;
use crate::fact::Fact;

fn fixture() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/os-packages/alpine.installed");
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parse_bytes(bytes: &[u8]) -> Parsed {
    parse(&File { path: "lib/apk/db/installed", mode: 0o644, content: &bytes, spool: &MemorySpool })
}

fn packages(parsed: &Parsed) -> &[PackageFact] {
    match parsed.facts.as_slice() {
        [Fact::Database(packages)] => packages,
        _ => &[],
    }
}

fn check(bytes: &[u8], expected: Expect) {
    let parsed = parse_bytes(bytes);
    let mut text = String::new();
    for p in packages(&parsed) {
        let source = p.source.as_ref().map_or(String::new(), |s| format!("{} {}", s.name, s.version));
        let (name, version, arch) = (&p.name, &p.version, p.arch.as_deref().unwrap_or("-"));
        let _ =
            writeln!(text, "{name} {version} {arch} <- {source} ({}) {} files", p.licenses.join(", "), p.files.len());
    }
    parsed.problems.iter().for_each(|problem| {
        let _ = writeln!(text, "{}: {}", problem.kind.as_str(), problem.detail);
    });
    expected.assert_eq(&text);
}

// Proves: cataloger apk.
#[test]
fn a_real_database() {
    check(
        &fixture(),
        expect![[r#"
            alpine-baselayout 3.2.0-r22 aarch64 <- alpine-baselayout 3.2.0-r22 (GPL-2.0-only) 14 files
            alpine-baselayout-data 3.2.0-r22 aarch64 <- alpine-baselayout 3.2.0-r22 (GPL-2.0-only) 14 files
            alpine-keys 2.4-r1 aarch64 <- alpine-keys 2.4-r1 (MIT) 41 files
            apk-tools 2.12.9-r3 aarch64 <- apk-tools 2.12.9-r3 (GPL-2.0-only) 2 files
            busybox 1.35.0-r17 aarch64 <- busybox 1.35.0-r17 (GPL-2.0-only) 7 files
            ca-certificates-bundle 20220614-r0 aarch64 <- ca-certificates 20220614-r0 (MPL-2.0 AND MIT) 2 files
            libc-utils 0.7.2-r3 aarch64 <- libc-dev 0.7.2-r3 (BSD-2-Clause AND BSD-3-Clause) 0 files
            libcrypto1.1 1.1.1q-r0 aarch64 <- openssl 1.1.1q-r0 (OpenSSL) 12 files
            libssl1.1 1.1.1q-r0 aarch64 <- openssl 1.1.1q-r0 (OpenSSL) 2 files
            musl 1.2.3-r0 aarch64 <- musl 1.2.3-r0 (MIT) 2 files
            musl-utils 1.2.3-r0 aarch64 <- musl 1.2.3-r0 (MIT BSD GPL2+) 5 files
            scanelf 1.3.4-r0 aarch64 <- pax-utils 1.3.4-r0 (GPL-2.0-only) 1 files
            ssl_client 1.35.0-r17 aarch64 <- busybox 1.35.0-r17 (GPL-2.0-only) 1 files
            zlib 1.2.12-r3 aarch64 <- zlib 1.2.12-r3 (Zlib) 2 files
        "#]],
    );
}

#[test]
fn files_are_below_the_directory_named_last() {
    let parsed = parse_bytes(b"P:a\nV:1-r0\nF:\nR:init\nF:etc\nF:usr/bin\nR:x\nR:y\n\n");
    assert_eq!(packages(&parsed)[0].files, ["/init", "/usr/bin/x", "/usr/bin/y"]);
}

#[test]
fn what_is_incomplete_is_reported_beside_what_is_not() {
    check(
        b"P:a\nV:1-r0\n\nP:b\n\nV:3\n\n",
        expect![[r#"
        a 1-r0 - <- a 1-r0 () 0 files
        malformed: package `b` has no version (`V:`)
        malformed: an entry without a name (`P:`)
    "#]],
    );
    check(
        b"P:a\nV:1-r0\n\nP:b\nV:2-r",
        expect![[r#"
        a 1-r0 - <- a 1-r0 () 0 files
        b 2-r - <- b 2-r () 0 files
        malformed: the file ends in the middle of a package, so packages may be missing
    "#]],
    );
    check(b"", expect![""]);
}

#[test]
fn a_database_cut_anywhere_is_never_silently_smaller() {
    let whole = fixture();
    let expected = parse_bytes(&whole);
    for length in 1..whole.len() {
        let parsed = parse_bytes(&whole[..length]);
        // Between two packages nothing tells that there were more.
        let told = !parsed.problems.is_empty() || parsed.facts == expected.facts;
        assert!(told || whole[..length].ends_with(b"\n\n"), "cut at {length} bytes");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "([PVAoLFR]:|[a-z/]|\n|\\PC){0,80}") {
        parse_bytes(text.as_bytes());
    }
}
