//! Excerpts of real programs (see the fixtures' README); `tests/e2e/tests/runtimes.rs` reads whole ones.

use std::io::Read;

use expect_test::{Expect, expect};

use super::*;
use crate::content::MemorySpool;
use crate::fact::Fact;

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let directory = format!("{}/../../tests/fixtures/binaries/runtimes", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(&directory).expect(&directory).map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let (name, mut bytes) =
                (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap());
            let Some(name) = name.strip_suffix(".gz").map(str::to_owned) else { return (name, bytes) };
            let stored = std::mem::take(&mut bytes);
            flate2::read::GzDecoder::new(stored.as_slice()).read_to_end(&mut bytes).unwrap();
            (name, bytes)
        })
        .collect()
}

fn read(path: &str, bytes: &[u8]) -> Parsed {
    let head = &bytes[..bytes.len().min(crate::cataloger::HEAD_BYTES)];
    assert!(wants(&FileHead { path, mode: 0o755, size: bytes.len() as u64, head }), "{path} is not wanted");
    parse(&File { path, mode: 0o755, content: &bytes, spool: &MemorySpool })
}

fn render(parsed: &Parsed) -> String {
    let one = |fact: &Fact| match fact {
        Fact::Package(it) => {
            format!("{} {} {} by `{}`", it.kind, it.name, it.version, it.said.as_deref().unwrap_or(""))
        }
        other => format!("{other:?}"),
    };
    let problems = parsed.problems.iter().map(|problem| format!("{}: {}", problem.kind.as_str(), problem.detail));
    parsed.facts.iter().map(one).chain(problems).collect::<Vec<_>>().join("; ")
}

#[test]
fn programs_say_their_versions() {
    let said: String = fixtures()
        .iter()
        .map(|(name, bytes)| format!("{name}: {}\n", render(&read(&format!("opt/{name}"), bytes))))
        .collect();
    expect![[r#"
        OTP_VERSION: generic erlang 25.2.3 by `25.2.3`
        apache2: generic httpd 2.4.71 by `Apache/2.4.71`
        bash: generic bash 5.2.15 by `@(#)Bash version 5.2.15`
        busybox: generic busybox 1.35.0 by `BusyBox v1.35.0`
        haproxy: generic haproxy 2.6.12 by `version 2.6.12`
        libcrypto.so.3: generic openssl 3.0.22 by `OpenSSL 3.0.22`
        libcurl.so.4.8.0: generic curl 7.88.1 by `libcurl/7.88.1`
        libpython3.11.so.1.0: generic python 3.11.2 by `3.11.2`
        libruby-3.1.so.3.1.2: generic ruby 3.1.2 by `ruby 3.1.2`
        librustc_driver-6108105cd7e839cf.so: generic rust 1.95.0 by `rustc version 1.95.0`
        mariadbd: generic mariadb 10.11.19 by `10.11.19-MariaDB`
        memcached: generic memcached 1.6.18 by `memcached 1.6.18`
        nginx: generic nginx 1.22.1 by `nginx version: nginx/1.22.1`
        node: generic node 20.11.0 by `node.js/v20.11.0`
        perl: generic perl 5.36.0 by `v5.36.0`
        php8.2: generic php 8.2.36 by `X-Powered-By: PHP/8.2.36`
        postgres: generic postgresql 15.20 by `postgres (PostgreSQL) 15.20`
        redis-check-rdb: generic redis 7.0.15 by `7.0.15`
        release: generic openjdk 17.0.21.1 by `JAVA_VERSION="17.0.21.1"`
    "#]]
    .assert_eq(&said);
}

/// An ELF file whose data are these texts, each between zeros.
fn program(texts: &[&str]) -> Vec<u8> {
    [ELF, &[2, 1, 1, 0], texts.join("\0").as_bytes(), b"\0"].concat()
}

fn check(path: &str, bytes: &[u8], expected: Expect) {
    expected.assert_eq(&render(&read(path, bytes)));
}

#[test]
fn one_file_name_may_be_two_programs() {
    check(
        "usr/sbin/nginx",
        &program(&["nginx version: openresty/1.21.4.1"]),
        expect!["generic openresty 1.21.4.1 by `nginx version: openresty/1.21.4.1`"],
    );
    check(
        "usr/sbin/mysqld",
        &program(&["", "10.6.16-MariaDB"]),
        expect!["generic mariadb 10.6.16 by `10.6.16-MariaDB`"],
    );
}

#[test]
fn pre_releases_and_letters_are_versions_and_patch_levels_are_not() {
    check(
        "lib/libcrypto.so.1.1",
        &program(&["", "OpenSSL 1.1.1w  11 Sep 2023"]),
        expect!["generic openssl 1.1.1w by `OpenSSL 1.1.1w`"],
    );
    check("bin/python3.13", &program(&["", "3.13.0rc2"]), expect!["generic python 3.13.0rc2 by `3.13.0rc2`"]);
    check(
        "bin/postgres",
        &program(&["postgres (PostgreSQL) 17beta1"]),
        expect!["generic postgresql 17beta1 by `postgres (PostgreSQL) 17beta1`"],
    );
    check(
        "bin/ruby",
        &program(&["", "ruby 3.1.2p20 (2022-04-12 revision 4491bb740a)"]),
        expect!["generic ruby 3.1.2 by `ruby 3.1.2`"],
    );
}

#[test]
fn what_does_not_say_its_version_is_not_reported() {
    for (path, texts) in [
        ("usr/sbin/nginx", &["nginx version: "][..]),
        ("usr/sbin/nginx", &["nginx version: nginx/"]),
        ("usr/bin/python3.11", &["", "3.12.1", "3.11.x"]),
        ("usr/bin/redis-server", &["7.0"]),
        ("usr/bin/perl", &["v5 x"]),
    ] {
        assert_eq!(read(path, &program(texts)), Parsed::default(), "{path} {texts:?}");
    }
    check("usr/bin/valkey-server", &program(&["", "7.2.4", "8.0.1"]), expect!["generic valkey 8.0.1 by `8.0.1`"]);
}

#[test]
fn scripts_and_others_files_are_not_wanted() {
    for (path, head) in [
        ("usr/bin/node", &b"#!/bin/sh"[..]),
        ("opt/bitnami/nginx/sbin/nginx", ELF),
        ("usr/bin/pythonista", ELF),
        ("etc/release", b"NAME=x"),
        ("srv/VERSION", b"1.0"),
        ("srv/.version", b"1.0"),
    ] {
        assert!(!wants(&FileHead { path, mode: 0o755, size: 9, head }), "{path}");
    }
}

#[test]
fn the_go_distribution_names_itself() {
    check(
        "usr/local/go/VERSION",
        b"go1.21.5\ntime 2023-11-29T21:21:46Z\n",
        expect!["golang toolchain 1.21.5 by `go1.21.5`"],
    );
}

#[test]
fn words_across_chunks_are_found_and_the_search_ends() {
    for gap in [(1 << 20) - 40, (1 << 20) - 24, (1 << 20) - 5, (1 << 20) - 256, (2 << 20) - 300, 3 << 20] {
        let mut bytes = program(&[]);
        bytes.resize(gap, b'.');
        bytes.extend(b"nginx version: nginx/1.25.3\0");
        assert!(render(&read("usr/sbin/nginx", &bytes)).contains("1.25.3"), "{gap}");
        let mut bytes = program(&[]);
        bytes.resize(gap, b'.');
        bytes.extend(b"\x007.4.1\0");
        assert!(render(&read("usr/bin/redis-server", &bytes)).contains("7.4.1"), "{gap}");
    }
}
