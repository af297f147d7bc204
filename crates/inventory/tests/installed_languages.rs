//! The catalogers for installed language packages, on real files and on damaged ones.

mod reading;

use std::io::{Cursor, Write};

use dogwatch_inventory::fact::Parsed;
use expect_test::{Expect, expect};
use model::gap::GapKind;
use proptest::prelude::*;
use reading::{fixture, packages, read, render};
use zip::write::{SimpleFileOptions, ZipWriter};

fn check(cataloger: &str, path: &str, content: &[u8], expected: Expect) {
    expected.assert_eq(&render(&read(cataloger, path, &content)));
}

// Proves: cataloger npm-unpacked.
#[test]
fn npm_applications_and_unpacked_packages() {
    let check = |path: &str, content: &[u8], expected| check("npm-unpacked", path, content, expected);
    let manifest = fixture("npm/qs-6.5.2.json");
    for path in ["srv/qs/package.json", "app/node_modules/request/vendor/qs/package.json"] {
        check(
            path,
            &manifest,
            expect![[r#"
                npm qs 6.5.2 ["BSD-3-Clause"]
            "#]],
        );
    }
    // What has no name or no version says how its files are loaded; what is no manifest is somebody's own file.
    check("srv/dist/cjs/package.json", br#"{"type":"commonjs"}"#, expect![[""]]);
    check("srv/package.json", br#"{"name":"a"}"#, expect![[""]]);
    check("srv/package.json", b"{{ name }}", expect![[""]]);
}

// Proves: cataloger npm.
#[test]
fn npm_packages_of_all_ages() {
    let check = |path: &str, content: &[u8], expected| check("npm", path, content, expected);
    check(
        "app/node_modules/@babel/core/package.json",
        &fixture("npm/babel-core-7.24.0.json"),
        expect![[r#"
        npm @babel/core 7.24.0 ["MIT"] needs @ampproject/remapping @babel/code-frame @babel/generator @babel/helper-compilation-targets @babel/helper-module-transforms @babel/helpers @babel/parser @babel/template @babel/traverse @babel/types convert-source-map debug gensync json5 semver
    "#]],
    );
    check(
        "app/node_modules/json-schema/package.json",
        &fixture("npm/json-schema-0.2.3.json"),
        expect![[r#"
        npm json-schema 0.2.3 ["AFLv2.1", "BSD"]
    "#]],
    );
    check(
        "app/node_modules/alias/package.json",
        &fixture("npm/qs-6.5.2.json"),
        expect![[r#"
        npm qs 6.5.2 ["BSD-3-Clause"]
    "#]],
    );
    let path = "node_modules/a/package.json";
    check(
        path,
        br#"{"version":"1.0.0","license":{"type":"MIT"},"name":1}"#,
        expect![[r#"
        npm a 1.0.0 ["MIT"]
    "#]],
    );
    check(
        path,
        br#"{"name":"a","name":"b","licenses":"ISC"}"#,
        expect![[r#"
        npm b  ["ISC"]
    "#]],
    );
    check(path, br#"{"type":"module"}"#, expect![[""]]);
    check(
        path,
        br#"{"name":"a","version""#,
        expect![[r#"
        malformed: not a package manifest: EOF while parsing an object at line 1 column 21 in None
    "#]],
    );
    check(
        path,
        format!(r#"{{"x":{}"#, "[".repeat(100_000)).as_bytes(),
        expect![[r#"
        malformed: not a package manifest: EOF while parsing a list at line 1 column 100005 in None
    "#]],
    );
    check(
        path,
        format!(r#"{{"license":{}"#, "[".repeat(100_000)).as_bytes(),
        expect![[r#"
        malformed: not a package manifest: recursion limit exceeded at line 1 column 138 in None
    "#]],
    );
}

// Proves: cataloger python.
#[test]
fn python_distributions_by_every_kind_of_metadata() {
    let check = |path: &str, content: &[u8], expected| check("python", path, content, expected);
    let metadata = |name: &str| fixture(&format!("python/{name}.dist-info.METADATA"));
    check(
        "x/requests-2.31.0.dist-info/METADATA",
        &metadata("requests-2.31.0"),
        expect![[r#"
        pypi requests 2.31.0 ["Apache 2.0"] needs certifi charset-normalizer idna urllib3
    "#]],
    );
    check(
        "x/zope_interface-8.7.dist-info/METADATA",
        &metadata("zope_interface-8.7"),
        expect![[r#"
        pypi zope.interface 8.7 ["ZPL-2.1"]
    "#]],
    );
    check(
        "x/cryptography-50.0.2.dist-info/METADATA",
        &metadata("cryptography-50.0.2"),
        expect![[r#"
        pypi cryptography 50.0.2 ["Apache-2.0 OR BSD-3-Clause"] needs cffi typing-extensions
    "#]],
    );
    check(
        "x/bsddb3-6.2.9.egg-info",
        &fixture("python/bsddb3-6.2.9.egg-info"),
        expect![[r#"
        pypi bsddb3 6.2.9 ["3-clause BSD License"]
    "#]],
    );
    check(
        "x/six.egg/EGG-INFO/PKG-INFO",
        b"Name: six\nVersion: 1.16.0\nLicense: UNKNOWN\n\nName: b\n",
        expect![[r#"
        pypi six 1.16.0
    "#]],
    );
    check(
        "x/a.dist-info/METADATA",
        b"Version: 1\n",
        expect![[r#"
        malformed: the metadata names no distribution in None
    "#]],
    );
    check("x/a.dist-info/RECORD", b"Name: a\nVersion: 1\n", expect![[""]]);
}

#[test]
fn a_wheel_carries_its_own_and_vendored_distributions() {
    let wheel = fixture("python/setuptools-75.8.0-py3-none-any.whl");
    check(
        "python",
        "wheels/setuptools-75.8.0-py3-none-any.whl",
        &wheel,
        expect![[r#"
        pypi setuptools 75.8.0 in setuptools-75.8.0.dist-info/METADATA ["MIT License"]
        pypi autocommand 2.2.2 in setuptools/_vendor/autocommand-2.2.2.dist-info/METADATA ["LGPLv3"]
        pypi backports.tarfile 1.2.0 in setuptools/_vendor/backports.tarfile-1.2.0.dist-info/METADATA ["MIT License"]
        pypi importlib_metadata 8.0.0 in setuptools/_vendor/importlib_metadata-8.0.0.dist-info/METADATA ["Apache Software License"] needs typing-extensions zipp
        pypi inflect 7.3.1 in setuptools/_vendor/inflect-7.3.1.dist-info/METADATA ["MIT License"] needs more-itertools typeguard typing-extensions
        pypi jaraco.collections 5.1.0 in setuptools/_vendor/jaraco.collections-5.1.0.dist-info/METADATA ["MIT License"] needs jaraco.text
        pypi jaraco.context 5.3.0 in setuptools/_vendor/jaraco.context-5.3.0.dist-info/METADATA ["MIT License"] needs backports.tarfile
        pypi jaraco.functools 4.0.1 in setuptools/_vendor/jaraco.functools-4.0.1.dist-info/METADATA ["MIT License"] needs more-itertools
        pypi jaraco.text 3.12.1 in setuptools/_vendor/jaraco.text-3.12.1.dist-info/METADATA ["MIT License"] needs autocommand importlib-resources inflect jaraco.context jaraco.functools more-itertools
        pypi more-itertools 10.3.0 in setuptools/_vendor/more_itertools-10.3.0.dist-info/METADATA ["MIT License"]
        pypi packaging 24.2 in setuptools/_vendor/packaging-24.2.dist-info/METADATA ["Apache Software License", "BSD License"]
        pypi platformdirs 4.2.2 in setuptools/_vendor/platformdirs-4.2.2.dist-info/METADATA ["MIT"]
        pypi tomli 2.0.1 in setuptools/_vendor/tomli-2.0.1.dist-info/METADATA ["MIT License"]
        pypi typeguard 4.3.0 in setuptools/_vendor/typeguard-4.3.0.dist-info/METADATA ["MIT"] needs importlib-metadata typing-extensions
        pypi typing_extensions 4.12.2 in setuptools/_vendor/typing_extensions-4.12.2.dist-info/METADATA ["Python Software Foundation License"]
        pypi wheel 0.43.0 in setuptools/_vendor/wheel-0.43.0.dist-info/METADATA ["MIT License"]
        pypi zipp 3.19.2 in setuptools/_vendor/zipp-3.19.2.dist-info/METADATA ["MIT License"]
    "#]],
    );
}

#[test]
fn jars_are_named_by_descriptor_manifest_and_file_name() {
    for (name, expected) in [
        (
            "spring-core-5.3.30",
            expect![[r#"
            maven org.springframework:spring-core 5.3.30
        "#]],
        ),
        (
            "log4j-core-2.14.1",
            expect![[r#"
            maven org.apache.logging.log4j:log4j-core 2.14.1 ["https://www.apache.org/licenses/LICENSE-2.0.txt"]
        "#]],
        ),
        (
            "elasticsearch-7.10.0",
            expect![[r#"
            maven org.elasticsearch:elasticsearch 7.10.0
        "#]],
        ),
        (
            "tomcat-embed-core-9.0.50",
            expect![[r#"
            maven org.apache.tomcat.embed:tomcat-embed-core 9.0.50
        "#]],
        ),
        (
            "postgresql-42.2.5",
            expect![[r#"
            maven org.postgresql:postgresql 42.2.5 ["https://jdbc.postgresql.org/about/license.html"]
            maven com.ongres.scram:client 1.0.0-beta.2
            maven com.ongres.scram:common 1.0.0-beta.2
        "#]],
        ),
    ] {
        check("java", &format!("opt/app/lib/{name}.jar"), &fixture(&format!("java/{name}.jar")), expected);
    }
    check(
        "java",
        "renamed.jar",
        &fixture("java/log4j-core-2.14.1.jar"),
        expect![[r#"
        maven org.apache.logging.log4j:log4j-core 2.14.1 ["https://www.apache.org/licenses/LICENSE-2.0.txt"]
    "#]],
    );
}

#[test]
fn a_merged_jar_is_all_its_packages() {
    let parsed = read("java", "opt/avro-tools-1.8.0.jar", &fixture("java/avro-tools-1.8.0.jar"));
    let names: Vec<_> = packages(&parsed).map(|it| format!("{} {}", it.name, it.version)).collect();
    assert_eq!(names[0], "org.apache.avro:avro-tools 1.8.0", "its own comes first");
    assert!(names.contains(&"com.google.guava:guava 11.0.2".to_owned()));
    assert_eq!(names.len(), 51);
}

// Proves: cataloger java.
#[test]
fn a_spring_boot_jar_is_read_through_also_behind_a_launch_script() {
    let jar = fixture("java/zipkin-server-2.23.2-exec.jar");
    check(
        "java",
        "app.jar",
        &jar,
        expect![[r#"
        maven org.springframework.boot:spring-boot-starter 2.4.1 in BOOT-INF/lib/spring-boot-starter-2.4.1.jar
        maven org.springframework.boot:spring-boot 2.4.1 in BOOT-INF/lib/spring-boot-2.4.1.jar
        maven org.springframework:spring-context 5.3.2 in BOOT-INF/lib/spring-context-5.3.2.jar
        maven org.springframework:spring-aop 5.3.2 in BOOT-INF/lib/spring-aop-5.3.2.jar
        maven org.springframework:spring-beans 5.3.2 in BOOT-INF/lib/spring-beans-5.3.2.jar
        maven org.springframework:spring-expression 5.3.2 in BOOT-INF/lib/spring-expression-5.3.2.jar
    "#]],
    );
    let scripted = [b"#!/bin/bash\nexec java -jar \"$0\"\n".as_slice(), &jar].concat();
    assert_eq!(render(&read("java", "app.jar", &scripted)), render(&read("java", "app.jar", &jar)));
}

fn archive(members: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, options).expect("a valid name");
        writer.write_all(content).expect("memory takes it");
    }
    writer.finish().expect("memory takes it").into_inner()
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default()
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
}

#[test]
fn an_ear_with_a_war_with_a_jar_is_read_deflated_and_stored() {
    let log4j = fixture("java/log4j-core-2.14.1.jar");
    for options in [deflated(), stored(), deflated().large_file(true)] {
        let war = archive(&[("WEB-INF/lib/log4j-core-2.14.1.jar", &log4j)], options);
        let ear = archive(&[("shop.war", &war)], options);
        let parsed = read("java", "srv/shop.ear", &ear);
        assert_eq!(parsed.problems, []);
        let inside = packages(&parsed).next().and_then(|it| it.inside.as_deref());
        assert_eq!(inside, Some("shop.war!/WEB-INF/lib/log4j-core-2.14.1.jar"));
    }
}

#[test]
fn jars_fifty_deep_are_a_gap() {
    let mut jar = fixture("java/log4j-core-2.14.1.jar");
    for _ in 0..50 {
        jar = archive(&[("a.jar", &jar)], stored());
    }
    let parsed = read("java", "a.jar", &jar);
    let kinds: Vec<_> = parsed.problems.iter().map(|it| it.kind).collect();
    assert_eq!((kinds.as_slice(), parsed.facts.len()), ([GapKind::LimitExceeded].as_slice(), 0));
}

#[test]
fn a_bomb_is_a_gap_and_its_neighbours_are_read() {
    let log4j = fixture("java/log4j-core-2.14.1.jar");
    let ear = archive(&[("bomb.jar", &vec![0; 50 << 20]), ("log4j-core-2.14.1.jar", &log4j)], deflated());
    let parsed = read("java", "a.ear", &ear);
    assert_eq!(parsed.problems[0].kind, GapKind::LimitExceeded);
    assert_eq!(packages(&parsed).count(), 1);
}

#[test]
fn archives_that_multiply_end() {
    // Four levels of 30 archives each are 810,000.
    let mut jar = archive(&[("x", b"")], stored());
    for _ in 0..4 {
        let names: Vec<_> = (0..30).map(|index| format!("{index}.jar")).collect();
        let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), jar.as_slice())).collect();
        jar = archive(&members, deflated());
    }
    let parsed = read("java", "a.jar", &jar);
    assert!(parsed.problems.iter().any(|it| it.kind == GapKind::LimitExceeded), "{}", render(&parsed));
    assert!(parsed.problems.len() < 10, "said once, not for each");
}

#[test]
fn packages_and_problems_without_number_are_cut_short() {
    let names: Vec<_> = (0..2_000).map(|index| format!("META-INF/maven/g/{index}/pom.properties")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let inner = archive(&members, stored());
    let names: Vec<_> = (0..60).map(|index| format!("{index}.jar")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), inner.as_slice())).collect();
    let parsed = read("java", "a.jar", &archive(&members, deflated()));
    assert_eq!((parsed.facts.len(), parsed.problems.len()), (100_000, 10));

    let names: Vec<_> = (0..2_000).map(|index| format!("{index}.jar")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"no zip".as_slice())).collect();
    let parsed = read("java", "a.jar", &archive(&members, stored()));
    let last = parsed.problems.last().map(|it| it.kind);
    assert_eq!((parsed.problems.len(), last), (1_001, Some(GapKind::LimitExceeded)));
}

#[test]
fn encrypted_members_are_a_gap() {
    let mut jar = fixture("java/log4j-core-2.14.1.jar");
    // Bit 0 of the flags in every central record.
    let records: Vec<_> = jar.windows(4).enumerate().filter(|(_, it)| *it == b"PK\x01\x02").map(|(at, _)| at).collect();
    for at in records {
        jar[at + 8] |= 1;
    }
    let parsed = read("java", "lib/log4j-core-2.14.1.jar", &jar);
    assert_eq!(parsed.problems.iter().map(|it| it.kind).collect::<Vec<_>>(), [GapKind::Encrypted]);
    let name = packages(&parsed).next().map(|it| it.name.as_str());
    assert_eq!(name, Some("org.apache.logging.log4j:log4j-core"), "names are not encrypted");
}

#[test]
fn what_is_named_a_jar_and_is_none_is_a_gap() {
    check(
        "java",
        "a.jar",
        b"version https://git-lfs",
        expect![[r#"
        malformed: not a zip archive: it has no end record in None
    "#]],
    );
    check(
        "java",
        "a.jar",
        b"",
        expect![[r#"
        malformed: not a zip archive: it has no end record in None
    "#]],
    );
    check("java", "radar.sar", b"not an archive", expect![[""]]);
}

// Proves: cataloger go-binary.
#[test]
fn go_programs_of_every_format() {
    for (name, expected) in [
        (
            "hello-go1.26-stripped",
            expect![[r#"
            golang example.org/hello v1.4.2 needs github.com/pkg/errors golang.org/x/text
            golang github.com/pkg/errors v0.9.1
            golang golang.org/x/text v0.3.8
            golang stdlib 1.26.8
        "#]],
        ),
        (
            "hello-go1.26-macho",
            expect![[r#"
            golang example.org/hello  needs github.com/pkg/errors golang.org/x/text
            golang github.com/pkg/errors v0.9.1
            golang golang.org/x/text v0.3.8
            golang stdlib 1.26.8
        "#]],
        ),
        (
            "hello-go1.26-s390x",
            expect![[r#"
            golang example.org/hello  needs github.com/pkg/errors golang.org/x/text
            golang github.com/pkg/errors v0.9.1
            golang golang.org/x/text v0.3.8
            golang stdlib 1.26.8
        "#]],
        ),
        (
            "hello-go1.26.exe",
            expect![[r#"
            golang example.org/hello  needs github.com/pkg/errors golang.org/x/text
            golang github.com/pkg/errors v0.9.1
            golang golang.org/x/text v0.3.8
            golang stdlib 1.26.8
        "#]],
        ),
        (
            "esbuild-0.8.0",
            expect![[r#"
            golang github.com/evanw/esbuild  needs golang.org/x/sys
            golang golang.org/x/sys v0.0.0-20200501145240-bc7a7d42d5c3
            golang stdlib 1.15
        "#]],
        ),
        (
            "esbuild-0.19.0",
            expect![[r#"
            golang github.com/evanw/esbuild  needs golang.org/x/sys
            golang golang.org/x/sys v0.0.0-20220715151400-c0bba94af5f8
            golang stdlib 1.20.7
        "#]],
        ),
    ] {
        check("go-binary", &format!("usr/bin/{name}"), &fixture(&format!("binaries/{name}.gz")), expected);
    }
}

#[test]
fn a_go_program_without_section_headers_is_found_in_its_data() {
    let mut program = fixture("binaries/hello-go1.26-stripped.gz");
    let whole = render(&read("go-binary", "a", &program));
    program[0x28..0x30].fill(0); // e_shoff
    program[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    assert_eq!(render(&read("go-binary", "a", &program)), whole);
}

#[test]
fn a_cut_go_program_is_a_gap() {
    let mut program = fixture("binaries/esbuild-0.19.0.gz");
    let header = program.windows(14).position(|it| it == b"\xff Go buildinf:").expect("it has build information");
    // The length of the tool chain's version.
    program[header + 32..header + 42].fill(0xff);
    check(
        "go-binary",
        "a",
        &program,
        expect![[r#"
        malformed: the Go build information is cut off or damaged in None
    "#]],
    );
}

// Proves: cataloger rust-binary.
#[test]
fn a_rust_program_lists_what_was_linked() {
    let program = fixture("binaries/uv-0.13.9.gz");
    let parsed = read("rust-binary", "usr/bin/uv", &program);
    let names: Vec<_> = packages(&parsed).map(|it| format!("{} {}", it.name, it.version)).collect();
    assert_eq!(names.len(), 567 - 35, "35 of 567 are needed for building only");
    assert!(names.contains(&"uv 0.13.9".to_owned()));
    let uv = packages(&parsed).find(|it| it.name == "uv").expect("it is the root");
    assert!(uv.requires.iter().any(|it| it.name == "tokio" && it.version.is_some()), "{:?}", uv.requires);
    assert_eq!(read("go-binary", "usr/bin/uv", &program), Parsed::default());
}

#[test]
fn damaged_audit_data_is_a_gap() {
    let mut program = fixture("binaries/uv-0.13.9.gz");
    let data = program.windows(2).rposition(|it| it == [0x78, 0xda] || it == [0x78, 0x9c] || it == [0x78, 0x5e]);
    program[data.expect("it is zlib") + 100] ^= 0xff;
    assert_eq!(read("rust-binary", "usr/bin/uv", &program).problems[0].kind, GapKind::Malformed);
}

/// Every cataloger with a path it wants and a real file; of programs, the beginning.
fn real_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let beginning = |mut content: Vec<u8>| {
        content.truncate(64 << 10);
        content
    };
    vec![
        ("npm", "node_modules/qs/package.json", fixture("npm/qs-6.5.2.json")),
        ("python", "a.dist-info/METADATA", fixture("python/requests-2.31.0.dist-info.METADATA")),
        ("python", "a.whl", fixture("python/setuptools-75.8.0-py3-none-any.whl")),
        ("java", "a.jar", fixture("java/zipkin-server-2.23.2-exec.jar")),
        ("go-binary", "a", beginning(fixture("binaries/esbuild-0.19.0.gz"))),
        ("go-binary", "a", beginning(fixture("binaries/hello-go1.26.exe.gz"))),
        ("go-binary", "a", beginning(fixture("binaries/hello-go1.26-macho.gz"))),
        ("rust-binary", "a", beginning(fixture("binaries/uv-0.13.9.gz"))),
    ]
}

#[test]
fn files_cut_anywhere_do_not_panic() {
    for (name, path, content) in real_files() {
        for length in (0..content.len().min(8 << 10)).chain([content.len() - 1]) {
            read(name, path, &&content[..length]);
        }
    }
}

#[test]
fn damaged_files_do_not_panic() {
    let files = real_files();
    // The headers are at the front of programs and at the end of archives.
    let edits = prop::collection::vec((0_usize..4 << 10, any::<bool>(), any::<u8>()), 1..40);
    proptest!(ProptestConfig::with_cases(500), |(edits in edits)| {
        for (name, path, content) in &files {
            let mut content = content.clone();
            let last = content.len() - 1;
            for &(distance, from_end, byte) in &edits {
                let at = distance.min(last);
                content[if from_end { last - at } else { at }] = byte;
            }
            read(name, path, &content);
        }
    });
}

#[test]
fn arbitrary_bytes_do_not_panic() {
    let files = real_files();
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..2000))| {
        for (name, path, content) in &files {
            read(name, path, &[&content[..content.len().min(64)], &bytes].concat());
            read(name, path, &bytes);
        }
    });
}
