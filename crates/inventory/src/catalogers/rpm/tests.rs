use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::content::MemorySpool;
use crate::fact::Fact;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/fixtures/os-packages/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Berkeley DB (both byte orders, and one as rpm left it), ndb and SQLite.
const DATABASES: [&str; 6] = [
    "libuuid.Packages",
    "centos5.Packages",
    "centos8.Packages",
    "ubi8-s390x.Packages",
    "sle15.Packages.db",
    "fedora35.rpmdb.sqlite",
];

fn parse_bytes(bytes: &[u8]) -> Parsed {
    parse(&File { path: "var/lib/rpm/Packages", mode: 0o644, content: &bytes, spool: &MemorySpool })
}

fn packages(parsed: &Parsed) -> &[PackageFact] {
    match parsed.facts.as_slice() {
        [Fact::Database(packages)] => packages,
        _ => &[],
    }
}

fn render(parsed: &Parsed) -> String {
    let mut text = String::new();
    for package in packages(parsed) {
        let source = package.source.as_ref().map_or(String::new(), |s| format!(" <- {} {}", s.name, s.version));
        let module = package.module.as_ref().map_or(String::new(), |module| format!(" [{module}]"));
        let arch = package.arch.as_deref().unwrap_or("-");
        let (name, version, licenses) = (&package.name, &package.version, package.licenses.join(", "));
        let _ = writeln!(text, "{name} {version} {arch}{source}{module} ({licenses}) {} files", package.files.len());
    }
    parsed.problems.iter().for_each(|problem| {
        let _ = writeln!(text, "{}: {}", problem.kind.as_str(), problem.detail);
    });
    text
}

fn check(name: &str, expected: Expect) {
    expected.assert_eq(&render(&parse_bytes(&fixture(name))));
}

// Proves: cataloger rpm.
#[test]
fn berkeley_db_as_rpm_wrote_it() {
    check(
        "libuuid.Packages",
        expect![[r#"
        libuuid 2.32.1-42.el8_8 x86_64 <- util-linux 2.32.1-42.el8_8 (BSD) 5 files
    "#]],
    );
}

#[test]
fn berkeley_db_of_centos_5() {
    check(
        "centos5.Packages",
        expect![[r#"
        basesystem 8.0-5.1.1.el5.centos noarch <- basesystem 8.0-5.1.1.el5.centos (public domain) 0 files
        crontabs 1.10-11.el5 noarch <- crontabs 1.10-11.el5 (Public Domain) 5 files
        mingetty 1.07-5.2.2 x86_64 <- mingetty 1.07-5.2.2 (GPL) 3 files
        python-sqlite 1.1.7-1.2.1 x86_64 <- python-sqlite 1.1.7-1.2.1 (GPL) 13 files
        rootfiles 8.1-1.1.1 noarch <- rootfiles 8.1-1.1.1 (Public Domain) 5 files
        sgpio 1.2.0_10-2.el5 x86_64 <- sgpio 1.2.0_10-2.el5 (GPLv2+) 3 files
        yum-metadata-parser 1.1.2-4.el5 x86_64 <- yum-metadata-parser 1.1.2-4.el5 (GPLv2) 7 files
    "#]],
    );
}

#[test]
fn modules_and_keys_in_centos_8() {
    check(
        "centos8.Packages",
        expect![[r#"
        conmon 2:2.0.6-1.module_el8.2.0+305+5e198a41 x86_64 <- conmon 2:2.0.6-1.module_el8.2.0+305+5e198a41 [container-tools:rhel8:8020020200507003530:0d58ad57] (ASL 2.0) 4 files
        ocaml-srpm-macros 5-4.el8 noarch <- ocaml-srpm-macros 5-4.el8 (GPLv2+) 1 files
        openblas-srpm-macros 2-2.el8 noarch <- openblas-srpm-macros 2-2.el8 (MIT) 1 files
        rust-srpm-macros 5-2.el8 noarch <- rust-srpm-macros 5-2.el8 (MIT) 2 files
        toolbox 0.0.7-1.module_el8.2.0+305+5e198a41 noarch <- toolbox 0.0.7-1.module_el8.2.0+305+5e198a41 [container-tools:rhel8:8020020200507003530:0d58ad57] (ASL 2.0) 4 files
    "#]],
    );
}

#[test]
fn big_endian_berkeley_db() {
    check(
        "ubi8-s390x.Packages",
        expect![[r#"
        basesystem 11-5.el8 noarch <- basesystem 11-5.el8 (Public Domain) 0 files
        langpacks-en 1.0-12.el8 noarch <- langpacks 1.0-12.el8 (GPLv2+) 1 files
        libnsl2 1.2.0-2.20180605git4a062cf.el8 s390x <- libnsl2 1.2.0-2.20180605git4a062cf.el8 (BSD and LGPLv2+) 4 files
        librhsm 0.0.3-4.el8 s390x <- librhsm 0.0.3-4.el8 (LGPLv2+) 4 files
        npth 1.5-4.el8 s390x <- npth 1.5-4.el8 (LGPLv2+) 4 files
    "#]],
    );
}

// Proves: cataloger rpm.
#[test]
fn ndb_of_sle_15() {
    check(
        "sle15.Packages.db",
        expect![[r#"
        libattr1 2.4.47-2.19 x86_64 <- attr 2.4.47-2.19 (GPL-2.0-or-later AND LGPL-2.1-or-later) 4 files
        libbz2-1 1.0.6-5.11.1 x86_64 <- bzip2 1.0.6-5.11.1 (BSD-3-Clause) 3 files
        libcap2 2.26-4.6.1 x86_64 <- libcap 2.26-4.6.1 (BSD-3-Clause or GPL-2.0) 3 files
        libcrypt1 4.4.15-2.51 x86_64 <- libxcrypt 4.4.15-2.51 (LGPL-2.1-or-later AND BSD-2-Clause AND BSD-3-Clause AND SUSE-Public-Domain) 10 files
        libgmp10 6.1.2-4.6.1 x86_64 <- gmp 6.1.2-4.6.1 (LGPL-3.0-or-later OR GPL-2.0-or-later) 7 files
        liblua5_3-5 5.3.6-3.6.1 x86_64 <- lua53 5.3.6-3.6.1 (MIT) 5 files
        liblzma5 5.2.3-4.3.1 x86_64 <- xz 5.2.3-4.3.1 (SUSE-Public-Domain) 2 files
        rpm-config-SUSE 1-5.6.1 noarch <- rpm-config-SUSE 1-5.6.1 (GPL-2.0-or-later) 15 files
        system-user-root 20190513-3.3.1 noarch <- system-user-root 20190513-3.3.1 (MIT) 1 files
    "#]],
    );
}

// Proves: cataloger rpm.
#[test]
fn sqlite_of_fedora_35() {
    check(
        "fedora35.rpmdb.sqlite",
        expect![[r#"
        basesystem 11-12.fc35 noarch <- basesystem 11-12.fc35 (Public Domain) 0 files
        bzip2-libs 1.0.8-9.fc35 x86_64 <- bzip2 1.0.8-9.fc35 (BSD) 4 files
        libattr 2.5.1-3.fc35 x86_64 <- attr 2.5.1-3.fc35 (LGPLv2+) 4 files
        libssh-config 0.9.6-1.fc35 noarch <- libssh 0.9.6-1.fc35 (LGPLv2+) 2 files
        lz4-libs 1.9.3-3.fc35 x86_64 <- lz4 1.9.3-3.fc35 (GPLv2+ and BSD) 4 files
        npth 1.6-7.fc35 x86_64 <- npth 1.6-7.fc35 (LGPLv2+) 4 files
        openssl-libs 1:1.1.1l-2.fc35 x86_64 <- openssl 1:1.1.1l-2.fc35 (OpenSSL and ASL 2.0) 19 files
        publicsuffix-list-dafsa 20210518-2.fc35 noarch <- publicsuffix-list 20210518-2.fc35 (MPLv2.0) 2 files
        rootfiles 8.1-30.fc35 noarch <- rootfiles 8.1-30.fc35 (Public Domain) 5 files
    "#]],
    );
}

/// Where a row's bytes go on in overflow pages depends on its size to the byte.
#[test]
fn sqlite_rows_of_every_size_around_a_page() {
    let bytes = fixture("sizes.sqlite");
    let mut sizes = Vec::new();
    sqlite::read(&bytes, &mut |blob| {
        let blob = blob.expect("SQLite wrote it");
        assert!(blob.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8), "{} bytes", blob.len());
        sizes.push(blob.len());
    });
    sizes.sort_unstable();
    let expected: Vec<usize> = [0, 1, 100].into_iter().chain(462..486).chain(965..1000).chain([5000]).collect();
    assert_eq!(sizes, expected);
}

#[test]
fn paths_are_joined_from_their_parts_without_directories() {
    let parsed = parse_bytes(&fixture("libuuid.Packages"));
    expect![[r#"
        /usr/lib/.build-id/df/ef6a880adac817216ab9866779a0725e017647
        /usr/lib64/libuuid.so.1
        /usr/lib64/libuuid.so.1.3.0
        /usr/share/licenses/libuuid/COPYING
        /usr/share/licenses/libuuid/COPYING.BSD-3"#]]
    .assert_eq(&packages(&parsed)[0].files.join("\n"));
}

#[test]
fn the_database_is_wanted_where_distributions_keep_it() {
    let wanted = |path, size| wants(&FileHead { path, mode: 0o644, size, head: b"" });
    for path in ["var/lib/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db", "usr/share/rpm/rpmdb.sqlite"] {
        assert!(wanted(path, 0), "{path}");
    }
    for path in ["var/lib/rpm/Name", "opt/var/lib/rpm/Packages", "usr/share/rpm/macros/Packages"] {
        assert!(!wanted(path, 9), "{path}");
    }
}

#[test]
fn a_write_ahead_log_with_content_is_a_problem() {
    let head = |size| FileHead { path: "var/lib/rpm/rpmdb.sqlite-wal", mode: 0o644, size, head: b"" };
    assert!(!wants(&head(0)) && !wants(&head(32)) && wants(&head(4152)));
    let content = vec![0; 4152];
    let parsed = parse(&File { path: head(0).path, mode: 0o644, content: &content, spool: &MemorySpool });
    assert_eq!(parsed.problems[0].kind, GapKind::Unsupported);
}

/// What was cut off is either not missed, or missed aloud.
#[test]
fn a_database_cut_anywhere_is_never_silently_smaller() {
    for name in DATABASES {
        let whole = fixture(name);
        let expected = parse_bytes(&whole);
        // Every length in the pages that describe the others, then lengths that fall everywhere into a page.
        for length in (0..4200).chain((4200..whole.len()).step_by(97)) {
            let parsed = parse_bytes(&whole[..length]);
            let told = !parsed.problems.is_empty() || packages(&parsed) == packages(&expected);
            assert!(told, "{name} cut at {length} bytes");
        }
    }
}

/// Overwrites four bytes at `at`.
fn patch(bytes: &mut [u8], at: usize, number: [u8; 4]) {
    bytes[at..at + 4].copy_from_slice(&number);
}

/// Where pages of this type begin: `type_at` is the place of the type in a page.
fn pages_of_type(bytes: &[u8], type_at: usize, kind: u8) -> Vec<usize> {
    (4096..bytes.len()).step_by(4096).filter(|page| bytes[page + type_at] == kind).collect()
}

#[test]
fn overflow_pages_in_a_circle_end() {
    let mut bytes = fixture("centos5.Packages");
    for page in pages_of_type(&bytes, 25, 7) {
        let number = (page / 4096) as u32;
        patch(&mut bytes, page + 16, number.to_le_bytes());
    }
    // References to them (type 3, three unused bytes, page, size) claim 60 MiB each.
    for page in pages_of_type(&bytes, 25, 13) {
        for item in 0..usize::from(bytes[page + 20]) {
            let at = page + 26 + 2 * item;
            let start = page + usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
            if bytes[start] == 3 {
                patch(&mut bytes, start + 8, (60_u32 << 20).to_le_bytes());
            }
        }
    }
    check_bytes(&bytes, "linked in a circle");
}

fn check_bytes(bytes: &[u8], expected: &str) {
    let rendered = render(&parse_bytes(bytes));
    assert!(rendered.contains(expected), "{rendered}");
}

#[test]
fn a_header_of_a_gibibyte_is_not_believed() {
    let mut bytes = fixture("sle15.Packages.db");
    patch(&mut bytes, 4096 + 12, (1_u32 << 30).to_le_bytes());
    check_bytes(&bytes, "limit-exceeded: a header of 1073741824 bytes");

    let mut header = Vec::new();
    for number in [1_u32, 1 << 30, 1000, 6, 0, 1] {
        header.extend_from_slice(&number.to_be_bytes());
    }
    assert!(header::Header::parse(&header).is_err());
    patch(&mut header, 0, u32::MAX.to_be_bytes());
    assert!(header::Header::parse(&header).is_err());
}

#[test]
fn ndb_slots_that_share_a_blob_end() {
    let mut bytes = fixture("sle15.Packages.db");
    let first: [u8; 16] = bytes[32..48].try_into().unwrap();
    for slot in bytes[48..4096].chunks_exact_mut(16) {
        slot.copy_from_slice(&first);
    }
    check_bytes(&bytes, "longer than the file: slots share them");
}

#[test]
fn table_pages_in_a_circle_end() {
    let mut bytes = fixture("fedora35.rpmdb.sqlite");
    let page = *pages_of_type(&bytes, 0, 5).first().expect("the table has more than one page");
    let number = (page / 4096 + 1) as u32;
    patch(&mut bytes, page + 8, number.to_be_bytes());
    check_bytes(&bytes, "linked in a circle");
}

#[test]
fn cells_that_share_their_bytes_end() {
    // One leaf page of 64 KiB with 30,000 cells, all of them the same row of 5,000 bytes.
    let mut page = vec![0_u8; 64 << 10];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&1_u16.to_be_bytes());
    page[100] = 13;
    page[103..105].copy_from_slice(&30_000_u16.to_be_bytes());
    for cell in 0..30_000 {
        page[108 + 2 * cell..110 + 2 * cell].copy_from_slice(&60_200_u16.to_be_bytes());
    }
    page[60_200..60_202].copy_from_slice(&[0xa7, 0x08]);
    check_bytes(&page, "cells share them");
}

#[test]
fn other_files_are_told_apart() {
    for bytes in [&b""[..], b"x", b"%PDF-1.7 and so on", &[0; 4096]] {
        assert_eq!(parse_bytes(bytes).problems[0].kind, GapKind::Malformed);
    }
}

proptest! {
    #[test]
    fn damaged_databases_never_panic(
        database in 0..DATABASES.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut bytes = fixture(DATABASES[database]);
        for (place, byte) in damage {
            // Half of the damage falls into the page that describes the others.
            let range = if byte % 2 == 0 { 4096.min(bytes.len()) } else { bytes.len() };
            bytes[place.index(range)] = byte;
        }
        let parsed = parse_bytes(&bytes);
        prop_assert!(parsed.problems.len() <= 18);
    }

    #[test]
    fn arbitrary_headers_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 24..600), entries in 0_u32..8) {
        patch(&mut bytes, 0, entries.to_be_bytes());
        let data = (bytes.len() as u32).saturating_sub(8 + 16 * entries);
        patch(&mut bytes, 4, data.to_be_bytes());
        let _ = package(&bytes, &mut PathBudget::default());
    }
}
