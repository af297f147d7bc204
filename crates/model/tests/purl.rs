//! Package URLs: what we write, and what other tools wrote.

use dogwatch_model::distro::Distro;
use dogwatch_model::package::{PackageType, SourcePackage};
use dogwatch_model::purl::{ParsedPurl, PurlParts, parse, render};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn parts(purl: &ParsedPurl) -> PurlParts<'_> {
    PurlParts {
        kind: &purl.kind,
        name: &purl.name,
        version: &purl.version,
        arch: purl.arch.as_deref(),
        distro: purl.distro.as_ref(),
        source: purl.source.as_ref(),
        module: purl.module.as_deref(),
    }
}

/// One line per purl: what was understood, and the purl we would write, where it is another one.
fn check(purls: &[&str], expected: Expect) {
    let mut lines = String::new();
    for text in purls {
        match parse(text) {
            Err(error) => lines += &format!("{error}\n"),
            Ok(purl) => {
                lines += &format!("{} | {} | {}", purl.kind, purl.name, purl.version);
                if let Some(arch) = &purl.arch {
                    lines += &format!(" | {arch}");
                }
                if let Some(Distro { id, version_id, codename, .. }) = &purl.distro {
                    lines += &format!(
                        " | {id} {} {}",
                        version_id.as_deref().unwrap_or("-"),
                        codename.as_deref().unwrap_or("")
                    );
                }
                if let Some(SourcePackage { name, version }) = &purl.source {
                    lines += &format!(" | from {name} {version}");
                }
                if let Some(module) = &purl.module {
                    lines += &format!(" | module {module}");
                }
                lines += "\n";
                let rendered = render(&parts(&purl));
                if rendered != *text {
                    lines += &format!("    {rendered}\n");
                }
            }
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn purls_of_other_tools_are_understood() {
    check(
        &[
            // Syft
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc",
            "pkg:deb/debian/libgcc-s1@12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12",
            "pkg:deb/debian/bash@5.2.15-2%2Bb2?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2",
            "pkg:deb/ubuntu/zlib1g@1%3A1.2.11.dfsg-2ubuntu9.2?arch=amd64&upstream=zlib&distro=ubuntu-22.04",
            "pkg:apk/alpine/ssl_client@1.36.1-r2?arch=x86_64&upstream=busybox&distro=alpine-3.18.4",
            "pkg:apk/wolfi/ld-linux@2.38-r5?arch=x86_64&upstream=glibc&distro=wolfi-20230201",
            "pkg:rpm/redhat/acl@2.2.53-1.el8?arch=x86_64&upstream=acl-2.2.53-1.el8.src.rpm&distro=rhel-8.4",
            "pkg:rpm/rhel/dbus@1.12.8-26.el8?arch=x86_64&epoch=1&upstream=dbus-1.12.8-26.el8.src.rpm&distro=rhel-8.9",
            "pkg:rpm/almalinux/nodejs@18.19.0-1?epoch=1&rpmmod=nodejs:18:8090020231208084154:a75119d5",
            "pkg:golang/stdlib@1.21.0",
            "pkg:golang/github.com/Masterminds/semver/v3@v3.2.1",
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
            "pkg:pypi/Zope.Interface@5.4.0",
            "pkg:gem/nokogiri@1.15.4?platform=x86_64-linux",
            // Trivy
            "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=3.18.4",
            "pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12.4",
            "pkg:deb/debian/perl-base@5.36.0-7?distro=bookworm",
            "pkg:rpm/redhat/nodejs@10.23.1-1.module%2Bel8?distro=redhat-8.3&epoch=1&modularitylabel=nodejs:10:8030",
            "pkg:rpm/oracle/bash@4.4.20-1.el8_4?arch=x86_64&distro=oracle-8.4",
            "pkg:rpm/opensuse/zypper@1.14.51?distro=opensuse-leap-15.3",
            "pkg:npm/%40babel/core@7.22.0",
            // Written by hand
            "pkg:npm/@babel/core@7.22.0",
            "pkg:npm/@babel/core",
            "PKG://NPM/JSONStream@1.3.5#lib/index.js",
            "pkg:deb/debian/curl@7.74?distro=debian-bullseye",
            "pkg:deb/curl@7.74",
            "pkg:composer/Symfony/Http-Kernel@v5.4.1",
            "pkg:nuget/Newtonsoft.Json@13.0.1",
            "pkg:cargo/rand@0.8.5?arch=",
            "pkg:bitnami/wordpress@6.2.0?arch=arm64&distro=debian-12",
            "pkg:maven/commons-io@2.11",
            "pkg:generic/a%2Fb@1",
            // Syft, of a module whose path has more than three parts; the specification's example of a package in a module;
            // a package in a module of a later major version, as each would write it
            "pkg:golang/github.com/redis/go-redis@v9.7.0#v9",
            "pkg:golang/google.golang.org/genproto@v1.2.0#googleapis/api",
            "pkg:golang/github.com/redis/go-redis@v9.7.0#v9/internal/pool",
            "pkg:golang/github.com/redis/go-redis/v9@v9.7.0#internal/v9/pool",
        ],
        expect![[r#"
            deb | libc6 | 2.36-9+deb12u4 | amd64 | debian 12  | from glibc 2.36-9+deb12u4
            deb | libgcc-s1 | 12.2.0-14 | amd64 | debian 12  | from gcc-12 12.2.0-14
            deb | bash | 5.2.15-2+b2 | amd64 | debian 12  | from bash 5.2.15-2
            deb | zlib1g | 1:1.2.11.dfsg-2ubuntu9.2 | amd64 | ubuntu 22.04  | from zlib 1:1.2.11.dfsg-2ubuntu9.2
                pkg:deb/ubuntu/zlib1g@1:1.2.11.dfsg-2ubuntu9.2?arch=amd64&distro=ubuntu-22.04&upstream=zlib
            apk | ssl_client | 1.36.1-r2 | x86_64 | alpine 3.18.4  | from busybox 1.36.1-r2
                pkg:apk/alpine/ssl_client@1.36.1-r2?arch=x86_64&distro=alpine-3.18.4&upstream=busybox
            apk | ld-linux | 2.38-r5 | x86_64 | wolfi 20230201  | from glibc 2.38-r5
                pkg:apk/wolfi/ld-linux@2.38-r5?arch=x86_64&distro=wolfi-20230201&upstream=glibc
            rpm | acl | 2.2.53-1.el8 | x86_64 | rhel 8.4  | from acl 2.2.53-1.el8
                pkg:rpm/redhat/acl@2.2.53-1.el8?arch=x86_64&distro=rhel-8.4
            rpm | dbus | 1:1.12.8-26.el8 | x86_64 | rhel 8.9  | from dbus 1.12.8-26.el8
                pkg:rpm/redhat/dbus@1.12.8-26.el8?arch=x86_64&distro=rhel-8.9&epoch=1&upstream=dbus%401.12.8-26.el8
            rpm | nodejs | 1:18.19.0-1 | almalinux -  | module nodejs:18:8090020231208084154:a75119d5
                pkg:rpm/almalinux/nodejs@18.19.0-1?distro=almalinux&epoch=1&rpmmod=nodejs:18:8090020231208084154:a75119d5
            golang | stdlib | 1.21.0
            golang | github.com/Masterminds/semver/v3 | v3.2.1
            maven | org.apache.logging.log4j:log4j-core | 2.14.1
            pypi | Zope.Interface | 5.4.0
                pkg:pypi/zope-interface@5.4.0
            gem | nokogiri | 1.15.4 | x86_64-linux
            apk | musl | 1.2.4-r2 | x86_64 | alpine 3.18.4 
                pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4
            deb | openssl | 3.0.11-1~deb12u2 | amd64 | debian 12.4 
            deb | perl-base | 5.36.0-7 | debian 12 bookworm
                pkg:deb/debian/perl-base@5.36.0-7?distro=debian-12
            rpm | nodejs | 1:10.23.1-1.module+el8 | rhel 8.3  | module nodejs:10:8030
                pkg:rpm/redhat/nodejs@10.23.1-1.module%2Bel8?distro=rhel-8.3&epoch=1&rpmmod=nodejs:10:8030
            rpm | bash | 4.4.20-1.el8_4 | x86_64 | ol 8.4 
                pkg:rpm/ol/bash@4.4.20-1.el8_4?arch=x86_64&distro=ol-8.4
            rpm | zypper | 1.14.51 | opensuse-leap 15.3 
                pkg:rpm/opensuse-leap/zypper@1.14.51?distro=opensuse-leap-15.3
            npm | @babel/core | 7.22.0
            npm | @babel/core | 7.22.0
                pkg:npm/%40babel/core@7.22.0
            npm | @babel/core | 
                pkg:npm/%40babel/core
            npm | JSONStream | 1.3.5
                pkg:npm/JSONStream@1.3.5
            deb | curl | 7.74 | debian 11 bullseye
                pkg:deb/debian/curl@7.74?distro=debian-11
            deb | curl | 7.74
            composer | Symfony/Http-Kernel | v5.4.1
                pkg:composer/symfony/http-kernel@v5.4.1
            nuget | Newtonsoft.Json | 13.0.1
            cargo | rand | 0.8.5
                pkg:cargo/rand@0.8.5
            bitnami | wordpress | 6.2.0 | arm64
                pkg:bitnami/wordpress@6.2.0?arch=arm64
            maven | commons-io | 2.11
            generic | a/b | 1
                pkg:generic/a/b@1
            golang | github.com/redis/go-redis/v9 | v9.7.0
                pkg:golang/github.com/redis/go-redis/v9@v9.7.0
            golang | google.golang.org/genproto | v1.2.0
                pkg:golang/google.golang.org/genproto@v1.2.0
            golang | github.com/redis/go-redis/v9 | v9.7.0
                pkg:golang/github.com/redis/go-redis/v9@v9.7.0
            golang | github.com/redis/go-redis/v9 | v9.7.0
                pkg:golang/github.com/redis/go-redis/v9@v9.7.0
        "#]],
    );
}

#[test]
fn the_name_beside_a_purl_completes_a_go_module() {
    let beside = |text: &str, name: &str| dogwatch_model::purl::parse_beside(text, name).unwrap().name;
    // Syft writes both so, of modules in a directory of a repository and of names with capital letters.
    let azcore = "github.com/Azure/azure-sdk-for-go/sdk/azcore";
    assert_eq!(beside("pkg:golang/github.com/azure/azure-sdk-for-go@v1.7.0#sdk/azcore", azcore), azcore);
    let other = "the document's own words";
    assert_eq!(
        beside("pkg:golang/github.com/azure/azure-sdk-for-go@v1.7.0#sdk/azcore", other),
        "github.com/azure/azure-sdk-for-go"
    );
    assert_eq!(beside("pkg:golang/golang.org/x/net@v0.7.0#html", "golang.org/x/net"), "golang.org/x/net");
    assert_eq!(beside("pkg:npm/JSONStream@1.3.5", "jsonstream"), "JSONStream");
}

#[test]
fn what_is_no_purl_is_named() {
    check(
        &["", "pkg", "pkg:", "pkg:npm", "pkg:npm/", "pkg:npm/@1.0", "pkg:/x", "pkg:n m/x", "npm/x@1", "pkg:npm/%ff@1"],
        expect![[r#"
            `` is not a package URL: it does not begin with `pkg:`
            `pkg` is not a package URL: it does not begin with `pkg:`
            `pkg:` is not a package URL: it has no name after the type
            `pkg:npm` is not a package URL: it has no name after the type
            `pkg:npm/` is not a package URL: it has no name
            npm | @1.0 | 
                pkg:npm/%401.0
            `pkg:/x` is not a package URL: it has no name after the type
            `pkg:n m/x` is not a package URL: its type is empty or malformed
            `npm/x@1` is not a package URL: it does not begin with `pkg:`
            `pkg:npm/%ff@1` is not a package URL: a percent-encoding is not UTF-8
        "#]],
    );
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.+~_%@ é?#&=-]{1,12}"
}

fn any_purl() -> impl Strategy<Value = ParsedPurl> {
    let kind = prop::sample::select(vec![
        "deb", "apk", "rpm", "npm", "pypi", "maven", "golang", "cargo", "gem", "composer", "nuget", "bitnami", "alpm",
        "ebuild", "opkg",
    ]);
    let distro = ("(debian|alpine|rhel|opensuse-leap|wolfi)", prop::option::of("[0-9]{1,2}(\\.[0-9]{1,2})?"));
    (
        (kind, word(), word(), prop::option::of("[0-9]{1,3}"), word()),
        (
            prop::option::of(word()),
            prop::option::of(distro),
            prop::option::of((word(), word())),
            prop::option::of(word()),
        ),
    )
        .prop_map(|((kind, scope, name, epoch, version), (arch, distro, source, module))| {
            let kind = PackageType::from(kind.to_owned());
            let name = match &kind {
                PackageType::Npm => format!("@{scope}/{name}"),
                PackageType::Maven => format!("{scope}:{name}"),
                PackageType::Golang => format!("{scope}/x/{name}"),
                PackageType::Ebuild => format!("{scope}/{name}"),
                PackageType::Composer => format!("{scope}/{name}").to_lowercase(),
                PackageType::PyPi => dogwatch_model::ecosystem::normalise_name("PyPI", &name),
                _ => name,
            };
            let version = match (&kind, epoch) {
                (PackageType::Rpm | PackageType::Deb, Some(epoch)) => format!("{epoch}:{version}"),
                _ => version,
            };
            let os = kind.is_os();
            ParsedPurl {
                distro: distro.filter(|_| os).map(|(id, version_id)| Distro { id, version_id, ..Distro::default() }),
                source: source
                    .map(|(name, version)| SourcePackage { name, version: version.replace('@', "+") })
                    .filter(|source| source.name != name || source.version != version),
                kind,
                name,
                version,
                arch,
                module,
            }
        })
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(purl in any_purl()) {
        let text = render(&parts(&purl));
        prop_assert_eq!(parse(&text), Ok(purl), "{}", text);
    }

    #[test]
    fn what_was_read_is_written_in_one_form(
        text in "pkg:(deb|npm|rpm|x)/([a-z@]{1,8}/)?[a-z@%0-9:]{1,8}(\\?(distro=([a-z]{1,4}-)?[a-z0-9.]{0,5}|(upstream|epoch)=[a-z0-9@.-]{0,9}))?"
    ) {
        if let Ok(purl) = parse(&text) {
            let canonical = render(&parts(&purl));
            let again = parse(&canonical).expect("what we write is a purl");
            prop_assert_eq!(render(&parts(&again)), canonical);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text);
        let _ = parse(&format!("pkg:{text}"));
    }
}
