use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::content::MemorySpool;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/fixtures/os-packages/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parse_bytes(path: &str, bytes: &[u8]) -> Parsed {
    parse(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool })
}

fn render(parsed: &Parsed) -> String {
    let one = |p: &PackageFact| {
        let source = p.source.as_ref().map_or(String::new(), |s| format!("{} {}", s.name, s.version));
        format!("{} {} {} <- {source}\n", p.name, p.version, p.arch.as_deref().unwrap_or("-"))
    };
    let facts = parsed.facts.iter().map(|fact| match fact {
        Fact::Database(packages) => packages.iter().map(one).collect(),
        Fact::Package(package) => one(package),
        other => format!("{other:?}\n"),
    });
    let problems = parsed.problems.iter().map(|problem| format!("{}: {}\n", problem.kind.as_str(), problem.detail));
    facts.chain(problems).collect()
}

fn check(path: &str, bytes: &[u8], expected: Expect) {
    expected.assert_eq(&render(&parse_bytes(path, bytes)));
}

const STATUS: &str = "var/lib/dpkg/status";

/// dpkg left `gcc` half-configured and `libc6` half-installed; `wget` was removed and kept its configuration.
// Proves: cataloger dpkg.
#[test]
fn whatever_has_files_on_disk_is_installed() {
    check(
        STATUS,
        &fixture("debian.status"),
        expect![[r#"
        gcc 4:12.2.0-3 amd64 <- gcc-defaults 1.203
        libc6 2.36-9+deb12u14 amd64 <- libc6 2.36-9+deb12u14
        libgcc-s1 12.2.0-14+deb12u1 amd64 <- gcc-12 12.2.0-14+deb12u1
    "#]],
    );
}

#[test]
fn distroless_images_have_one_file_per_package() {
    check(
        "var/lib/dpkg/status.d/libgcc-s1",
        &fixture("status.d/libgcc-s1"),
        expect![[r#"
        libgcc-s1 12.2.0-14+deb12u1 amd64 <- gcc-12 12.2.0-14+deb12u1
    "#]],
    );
    check(
        "var/lib/dpkg/status.d/libgcc-s1.md5sums",
        &fixture("status.d/libgcc-s1.md5sums"),
        expect![[r#"
        Owns { kind: Deb, package: "libgcc-s1", paths: ["/lib/x86_64-linux-gnu/libgcc_s.so.1", "/usr/share/lintian/overrides/libgcc-s1"] }
    "#]],
    );
}

#[test]
fn lists_name_files_and_links_but_not_the_directories_around_them() {
    check(
        "var/lib/dpkg/info/libgcc-s1:amd64.list",
        &fixture("libgcc-s1.list"),
        expect![[r#"
        Owns { kind: Deb, package: "libgcc-s1", paths: ["/lib/x86_64-linux-gnu/libgcc_s.so.1", "/usr/share/lintian/overrides/libgcc-s1", "/usr/share/doc/libgcc-s1"] }
    "#]],
    );
}

#[test]
fn licenses_come_from_fields_or_from_pointers_in_prose() {
    check(
        "usr/share/doc/zlib1g/copyright",
        &fixture("zlib1g.copyright"),
        expect![[r#"
        Licenses { kind: Deb, package: "zlib1g", licenses: ["Zlib"] }
    "#]],
    );
    check(
        "usr/share/doc/libmpfr6/copyright",
        &fixture("libmpfr6.copyright"),
        expect![[r#"
        Licenses { kind: Deb, package: "libmpfr6", licenses: ["LGPL-3", "GFDL-1.2"] }
    "#]],
    );
}

#[test]
fn fields_are_read_whatever_their_case_and_line_ends() {
    check(
        STATUS,
        b"package: a\r\nSTATUS: install ok installed\r\nversion: 1:2~rc1-3\r\n\r\n",
        expect![[r#"
        a 1:2~rc1-3 - <- a 1:2~rc1-3
    "#]],
    );
    check(
        STATUS,
        b"Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (0.9-1)\nDescription: x\n Version: 7\n",
        expect![[r#"
            a 1 - <- b 0.9-1
        "#]],
    );
}

#[test]
fn what_is_incomplete_is_reported_beside_what_is_not() {
    check(
        STATUS,
        b"Package: a\nVersion: 1\n\nPackage: b\nStatus: install ok installed\n\nVersion: 3\n",
        expect![[r#"
        a 1 - <- a 1
        malformed: package `b` has no version
        malformed: a paragraph without the field `Package`
    "#]],
    );
    check(
        STATUS,
        b"Package: a\nVersion: 1\n\nPackage: b\nVersi",
        expect![[r#"
        a 1 - <- a 1
        malformed: package `b` has no version
        malformed: the file ends in the middle of a line, so packages may be missing
    "#]],
    );
    check(
        "var/lib/dpkg/status.d/x",
        b"",
        expect![[r#"
        malformed: the file names no package
    "#]],
    );
}

#[test]
fn only_the_files_that_are_read_are_wanted() {
    let wanted = |path| wants(&FileHead { path, mode: 0o644, size: 1, head: b"" });
    for path in [STATUS, "var/lib/dpkg/info/libc6:amd64.list", "usr/share/doc/a/copyright"] {
        assert!(wanted(path), "{path}");
    }
    for path in [
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/info/a.postinst",
        "usr/share/doc/a/b/copyright",
        "x/var/lib/dpkg/status",
    ] {
        assert!(!wanted(path), "{path}");
    }
}

#[test]
fn a_status_cut_anywhere_is_never_silently_smaller() {
    let whole = fixture("debian.status");
    let expected = parse_bytes(STATUS, &whole);
    for length in 0..whole.len() {
        let parsed = parse_bytes(STATUS, &whole[..length]);
        // A file that ends with a whole line cannot be told from a shorter one; everything else can.
        let told = !parsed.problems.is_empty() || parsed.facts == expected.facts || length == 0;
        assert!(told || whole[length - 1] == b'\n', "cut at {length} bytes");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(Package|Version|Status|Source|[a-z/(:. ]|\n|\\PC){0,80}", file in 0..5_usize) {
        let paths = [STATUS, "var/lib/dpkg/status.d/a", "var/lib/dpkg/status.d/a.md5sums", "var/lib/dpkg/info/a.list", "usr/share/doc/a/copyright"];
        parse_bytes(paths[file], text.as_bytes());
    }
}
