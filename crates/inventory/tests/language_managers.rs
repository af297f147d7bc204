//! The catalogers for what package managers of languages leave behind, on real files and on damaged ones.

mod reading;

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use dogwatch_inventory::content::ReadAt;
use expect_test::{Expect, expect};
use model::gap::GapKind;
use proptest::prelude::*;
use reading::{fixture, packages, read, render};
use zip::write::{SimpleFileOptions, ZipWriter};

fn check(cataloger: &str, path: &str, content: &[u8], expected: Expect) {
    expected.assert_eq(&render(&read(cataloger, path, &content)));
}

fn language(name: &str) -> Vec<u8> {
    fixture(&format!("languages/{name}"))
}

// Proves: cataloger gem.
#[test]
fn gems_of_ruby_and_jruby() {
    for (path, name, expected) in [
        (
            "usr/share/rubygems-integration/all/specifications/nokogiri-1.13.10.gemspec",
            "nokogiri-1.13.10.gemspec",
            expect![[r#"
                gem nokogiri 1.13.10 ["MIT"] needs mini_portile2 racc
            "#]],
        ),
        (
            "usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec",
            "json-2.6.1.gemspec",
            expect![[r#"
            gem json 2.6.1 ["Ruby"]
        "#]],
        ),
        (
            "opt/jruby/lib/ruby/gems/shared/specifications/default/psych-3.3.4-java.gemspec",
            "psych-3.3.4-java.gemspec",
            expect![[r#"
                gem psych 3.3.4 ["MIT"] needs jar-dependencies
            "#]],
        ),
    ] {
        check("gem", path, &language(name), expected);
    }
    let psych = read("gem", "specifications/psych-3.3.4-java.gemspec", &language("psych-3.3.4-java.gemspec"));
    assert_eq!(packages(&psych).next().and_then(|it| it.arch.as_deref()), Some("java"));
}

#[test]
fn a_gem_that_computes_its_version_is_named_by_its_file() {
    let check =
        |content: &[u8], expected| check("gem", "specifications/a-b2-1.2.3-x86_64-linux.gemspec", content, expected);
    check(
        b"Gem::Specification.new do |s|\n s.name = NAME\n s.version = File.read('VERSION')\n s.license = 'MIT'\nend\n",
        expect![[r#"
            gem a-b2 1.2.3 ["MIT"]
        "#]],
    );
    check(
        b"s.version = Gem::Version.new(\"1.0.0\")\ns.name = %q<a>\ns.licenses = [\"A\", %q<B>, C, \"D",
        expect![[r#"
        gem a 1.0.0 ["A", "B"]
    "#]],
    );
    check(
        b"\xff\xfe\x00",
        expect![[r#"
        gem a-b2 1.2.3
    "#]],
    );
    // A gem's sources are not what is installed.
    assert!(packages(&read("gem", "app/a.gemspec", &b"s.name = 'a'\ns.version = '1'\n".as_slice())).next().is_none());
}

// Proves: cataloger composer.
#[test]
fn packages_of_composer_1_and_2() {
    check(
        "composer",
        "app/vendor/composer/installed.json",
        &language("composer-1.installed.json"),
        expect![[r#"
        composer symfony/routing v2.4.1 ["MIT"]
        composer guzzle/http v3.7.4 ["MIT"] needs guzzle/common guzzle/parser guzzle/stream
    "#]],
    );
    let installed = language("composer-2.installed.json");
    check(
        "composer",
        "app/vendor/composer/installed.json",
        &installed,
        expect![[r#"
        composer phpunit/phpunit 9.6.3 ["BSD-3-Clause"]
        composer symfony/console v5.4.53 ["MIT"] needs symfony/deprecation-contracts
        composer symfony/deprecation-contracts v3.2.1 ["MIT"]
    "#]],
    );
    let parsed = read("composer", "vendor/composer/installed.json", &installed);
    let development: Vec<_> = packages(&parsed).filter(|it| it.development).map(|it| it.name.as_str()).collect();
    assert_eq!(development, ["phpunit/phpunit"]);
}

// Proves: cataloger pear.
#[test]
fn packages_of_pear() {
    check(
        "pear",
        "usr/share/php/.registry/xml_util.reg",
        &language("xml_util.reg"),
        expect![[r#"
        pear pear.php.net/XML_Util 1.4.5 ["BSD License"]
    "#]],
    );
    check(
        "pear",
        "usr/share/php/.registry/.channel.pear.horde.org/horde_util.reg",
        &language("horde_util.reg"),
        expect![[r#"
            pear pear.horde.org/Horde_Util 2.5.12 ["LGPL-2.1"]
        "#]],
    );
    // Descriptions of version 1.
    check(
        "pear",
        ".registry/a.reg",
        br#"a:2:{s:7:"package";s:1:"a";s:7:"version";s:3:"1.0";}"#,
        expect![[r#"
        pear pear.php.net/a 1.0
    "#]],
    );
    check(
        "pear",
        ".registry/a.reg",
        br#"a:999999999999:{s:4:"name";s:1:"a";}"#,
        expect![[r#"
        malformed: not a PHP-serialised description of a package in None
    "#]],
    );
    check(
        "pear",
        ".registry/a.reg",
        br#"a:1:{s:4:"name";s:99:"a";}"#,
        expect![[r#"
        malformed: not a PHP-serialised description of a package in None
    "#]],
    );
    check(
        "pear",
        ".registry/a.reg",
        "a:1:{i:0;".repeat(100_000).as_bytes(),
        expect![[r#"
        malformed: not a PHP-serialised description of a package in None
    "#]],
    );
}

// Proves: cataloger dotnet.
#[test]
fn packages_of_net_programs_and_frameworks() {
    check(
        "dotnet",
        "app/Python.Runtime.deps.json",
        &language("Python.Runtime.deps.json"),
        expect![[r#"
        nuget Microsoft.CSharp 4.7.0
        nuget System.Buffers 4.6.1
        nuget System.IO.Hashing 10.0.12 needs System.Buffers System.Memory
        nuget System.Memory 4.6.3 needs System.Buffers System.Numerics.Vectors System.Runtime.CompilerServices.Unsafe
        nuget System.Numerics.Vectors 4.6.1
        nuget System.Reflection.Emit.ILGeneration 4.7.0
        nuget System.Reflection.Emit 4.7.0 needs System.Reflection.Emit.ILGeneration
        nuget System.Runtime.CompilerServices.Unsafe 6.1.2
    "#]],
    );
    let framework = language("Microsoft.NETCore.App.deps.json");
    check(
        "dotnet",
        "usr/share/dotnet/shared/Microsoft.NETCore.App/3.1.23/Microsoft.NETCore.App.deps.json",
        &framework,
        expect![[r#"
            nuget runtime.linux-x64.Microsoft.NETCore.App 3.1.23-servicing.22122.4
            nuget runtime.linux-x64.Microsoft.NETCore.DotNetHostPolicy 3.1.23
            nuget Microsoft.NETCore.App.Runtime.linux-x64 3.1.23
        "#]],
    );
    // What a self-contained program carries along is the framework, too.
    let program = br#"{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0/linux-x64"},"targets":{".NETCoreApp,Version=v8.0":{},".NETCoreApp,Version=v8.0/linux-x64":{
        "Shop/1.0.0":{"dependencies":{"Dapper":"2.1.28","runtimepack.Microsoft.NETCore.App.Runtime.linux-x64":"8.0.1"}},
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"runtime":{"System.Private.CoreLib.dll":{}}},
        "Dapper/2.1.28":{"runtime":{"lib/net7.0/Dapper.dll":{}}}}},
        "libraries":{"Shop/1.0.0":{"type":"project"},"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"type":"runtimepack"},"Dapper/2.1.28":{"type":"package"}}}"#;
    check(
        "dotnet",
        "app/Shop.deps.json",
        program,
        expect![[r#"
        nuget Dapper 2.1.28
        nuget Microsoft.NETCore.App.Runtime.linux-x64 8.0.1
    "#]],
    );
    assert!(packages(&read("dotnet", "Shop.deps.json", &program.as_slice())).all(|it| it.direct));
}

// Proves: cataloger erlang.
#[test]
fn applications_of_erlang_are_of_hex_or_of_otp() {
    for (path, name, expected) in [
        (
            "plugins/cowboy-2.8.0/ebin/cowboy.app",
            "cowboy.app",
            expect![[r#"
            hex cowboy 2.8.0 needs cowlib crypto kernel ranch stdlib
        "#]],
        ),
        (
            "usr/lib/erlang/lib/jiffy-1.1.1/ebin/jiffy.app",
            "jiffy.app",
            expect![[r#"
            hex jiffy 1.1.1 ["MIT", "BSD"] needs kernel stdlib xmerl
        "#]],
        ),
        (
            "usr/lib/erlang/lib/stdlib-4.2/ebin/stdlib.app",
            "stdlib.app",
            expect![[r#"
            otp stdlib 4.2 needs kernel
        "#]],
        ),
    ] {
        check("erlang", path, &language(name), expected);
    }
    let path = "lib/a/ebin/a.app";
    check(
        "erlang",
        path,
        b"{application, 'a-b', [{env, [{vsn, \"9\"}]}, {vsn, \"1.0\"}, {applications",
        expect![[r#"
            hex a-b 1.0
            malformed: the resource file is cut off in None
        "#]],
    );
    check(
        "erlang",
        path,
        b"{application, a, [{description, \"never closed",
        expect![[r#"
            hex a 
            malformed: the resource file is cut off in None
        "#]],
    );
    check(
        "erlang",
        path,
        "{application, a, [".repeat(50_000).as_bytes(),
        expect![[r#"
            hex a 
            malformed: the resource file is cut off in None
        "#]],
    );
    check(
        "erlang",
        path,
        b"%% only a comment",
        expect![[r#"
        malformed: not an application's resource file in None
    "#]],
    );
}

#[test]
fn a_plugin_of_rabbitmq_is_read_in_its_archive() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("cowboy-2.8.0/ebin/cowboy.app", SimpleFileOptions::default()).expect("memory");
    archive.write_all(&language("cowboy.app")).expect("memory");
    let archive = archive.finish().expect("memory").into_inner();
    check(
        "erlang",
        "opt/rabbitmq/plugins/cowboy-2.8.0.ez",
        &archive,
        expect![[r#"
        hex cowboy 2.8.0 in cowboy-2.8.0/ebin/cowboy.app needs cowlib crypto kernel ranch stdlib
    "#]],
    );
    check(
        "erlang",
        "opt/rabbitmq/plugins/cowboy-2.8.0.ez",
        &archive[..archive.len() / 2],
        expect![[r#"
        malformed: not a zip archive: it has no end record in None
    "#]],
    );
}

// Proves: cataloger r.
#[test]
fn packages_of_r_are_of_cran_or_of_bioconductor() {
    for (path, name, expected) in [
        (
            "usr/lib/R/site-library/Biobase/DESCRIPTION",
            "Biobase.DESCRIPTION",
            expect![[r#"
            bioconductor Biobase 2.58.0 ["Artistic-2.0"] needs BiocGenerics methods utils
        "#]],
        ),
        (
            "usr/lib/R/site-library/Rcpp/DESCRIPTION",
            "Rcpp.DESCRIPTION",
            expect![[r#"
            cran Rcpp 1.0.10 ["GPL (>= 2)"] needs methods utils
        "#]],
        ),
        (
            "usr/lib/R/library/stats/DESCRIPTION",
            "stats.DESCRIPTION",
            expect![[r#"
            cran stats 4.2.2 ["Part of R 4.2.2"] needs grDevices graphics utils
        "#]],
        ),
    ] {
        check("r", path, &language(name), expected);
    }
    let topics = b"Package: a\nVersion: 1.0\nbiocViews:\nRepository: CRAN\nBuilt: R 4.2.2\n";
    check(
        "r",
        "library/a/DESCRIPTION",
        topics,
        expect![[r#"
        cran a 1.0
    "#]],
    );
    check("r", "src/a/DESCRIPTION", b"Package: a\nVersion: 1.0\n", expect![[""]]);
}

// Proves: cataloger haskell.
#[test]
fn libraries_registered_with_ghc() {
    check(
        "haskell",
        "var/lib/ghc/package.conf.d/aeson-2.0.3.0.conf",
        &language("aeson-2.0.3.0.conf"),
        expect![[r#"
        hackage aeson 2.0.3.0 ["BSD-3-Clause"] needs OneTuple QuickCheck attoparsec base base-compat-batteries bytestring containers data-fix deepseq dlist ghc-prim hashable indexed-traversable primitive scientific semialign strict tagged template-haskell text text-short th-abstraction these time time-compat unordered-containers uuid-types vector witherable
    "#]],
    );
    let ghc = read("haskell", ".cabal/store/ghc-9.0.2/package.db/ghc-9.0.2.conf", &language("ghc-9.0.2.conf"));
    assert_eq!(packages(&ghc).map(|it| format!("{} {}", it.name, it.version)).collect::<Vec<_>>(), ["ghc 9.0.2"]);
    check(
        "haskell",
        "package.db/a.conf",
        b"version: 1\n",
        expect![[r#"
        malformed: the registration names no package in None
    "#]],
    );
}

// Proves: cataloger luarocks; cataloger opam; cataloger julia; cataloger dart; cataloger perl.
#[test]
fn packages_of_smaller_languages() {
    for (cataloger, path, name, expected) in [
        (
            "luarocks",
            "usr/local/lib/luarocks/rocks-5.1/luasocket/3.0.0-1/luasocket-3.0.0-1.rockspec",
            "luasocket-3.0.0-1.rockspec",
            expect![[r#"
                luarocks luasocket 3.0.0-1 ["MIT"]
            "#]],
        ),
        (
            "opam",
            "home/opam/.opam/4.14/.opam-switch/packages/cohttp.5.0.0/opam",
            "cohttp.5.0.0.opam",
            expect![[r#"
            opam cohttp 5.0.0 ["ISC"]
        "#]],
        ),
        (
            "julia",
            "root/.julia/packages/HTTP/sJD5V/Project.toml",
            "http-2.0.0.Project.toml",
            expect![[r#"
            julia HTTP 2.0.0 needs Base64 CodecZlib Dates JSON LibAwsCommon LibAwsHTTP LibAwsIO Logging Mmap PrecompileTools Random Sockets URIs
        "#]],
        ),
        (
            "dart",
            "root/.pub-cache/hosted/pub.dev/http-0.13.5/pubspec.yaml",
            "README.md",
            expect![[r#"
            pub http 0.13.5
        "#]],
        ),
        (
            "perl",
            "usr/local/lib/perl5/x86_64-linux/.meta/Try-Tiny-0.31/install.json",
            "try-tiny-0.31.install.json",
            expect![[r#"
                cpan ETHER/Try-Tiny 0.31
            "#]],
        ),
        (
            "perl",
            "usr/local/lib/perl5/x86_64-linux/perllocal.pod",
            "try-tiny-0.31.perllocal.pod",
            expect![[r#"
            cpan Try-Tiny 0.31
        "#]],
        ),
    ] {
        check(cataloger, path, &language(name), expected);
    }
    check(
        "julia",
        "packages/A/abcde/Project.toml",
        b"name = ",
        expect![[r#"
        malformed: not a project file: string values must be quoted, expected literal string in None
    "#]],
    );
    check(
        "perl",
        "lib/.meta/a/install.json",
        b"[]",
        expect![[r#"
        malformed: not cpanm's note: invalid length 0, expected struct Note with 3 elements at line 1 column 2 in None
    "#]],
    );
    check("luarocks", "src/a-1.rockspec", b"package = 'a'", expect![[""]]);
}

// Proves: cataloger wordpress.
#[test]
fn wordpress_its_plugins_and_its_themes() {
    for (path, name, expected) in [
        (
            "var/www/html/wp-includes/version.php",
            "wordpress.version.php",
            expect![[r#"
            generic wordpress 6.1.9
        "#]],
        ),
        (
            "var/www/html/wp-content/plugins/akismet/akismet.php",
            "akismet.php",
            expect![[r#"
            wordpress-plugin akismet 5.0.2 ["GPLv2 or later"]
        "#]],
        ),
        (
            "var/www/html/wp-content/themes/twentytwentythree/style.css",
            "twentytwentythree.style.css",
            expect![[r#"
            wordpress-theme twentytwentythree 1.0 ["GNU General Public License v2 or later"]
        "#]],
        ),
    ] {
        check("wordpress", path, &language(name), expected);
    }
    check(
        "wordpress",
        "wp-content/plugins/hello.php",
        b"<?php /* Plugin Name: Hello */",
        expect![[r#"
        wordpress-plugin hello 
    "#]],
    );
    check("wordpress", "wp-content/plugins/a/b.php", b"<?php echo 1;", expect![[""]]);
    check(
        "wordpress",
        "a/wp-includes/version.php",
        b"<?php",
        expect![[r#"
        malformed: it does not say which WordPress this is in None
    "#]],
    );
}

// Proves: cataloger conda.
#[test]
fn records_of_conda() {
    check(
        "conda",
        "opt/conda/conda-meta/wheel-0.45.1-py312hca03da5_0.json",
        &language("wheel-0.45.1-py312hca03da5_0.json"),
        expect![[r#"
            conda wheel 0.45.1 ["MIT"] needs python
        "#]],
    );
    check(
        "conda",
        "conda-meta/_libgcc_mutex-0.1-main.json",
        &language("_libgcc_mutex-0.1-main.json"),
        expect![[r#"
        conda _libgcc_mutex 0.1
    "#]],
    );
    check(
        "conda",
        "conda-meta/a.json",
        br#"{"name": 1}"#,
        expect![[r#"
        malformed: not a record of a Conda package: invalid type: integer `1`, expected a string at line 1 column 10 in None
    "#]],
    );
    let parsed = read("conda", "opt/conda/conda-meta/wheel.json", &language("wheel-0.45.1-py312hca03da5_0.json"));
    let files: Vec<_> = packages(&parsed).flat_map(|it| &it.files).collect();
    assert_eq!(
        files,
        ["/opt/conda/lib/python3.12/site-packages/wheel-0.45.1.dist-info/METADATA"],
        "others describe nothing"
    );
}

// Proves: cataloger embedded-sbom.
#[test]
fn bills_of_materials_are_claims() {
    check(
        "embedded-sbom",
        "opt/bitnami/redis/.spdx-redis.spdx",
        &language("redis.spdx"),
        expect![[r#"
        bitnami redis 7.4.1-0 ["RSALv2"]
    "#]],
    );
    let tags = "SPDXVersion: SPDX-2.3\nPackageName: a\nPackageVersion: 1\nPackageLicenseDeclared: MIT\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\nPackageName: b\nExternalRef: PACKAGE-MANAGER purl pkg:npm/b@2\n";
    check(
        "embedded-sbom",
        "usr/share/a.spdx",
        tags.as_bytes(),
        expect![[r#"
        npm a 1 ["MIT"]
        npm b 2
    "#]],
    );
    check("embedded-sbom", "a.cdx.json", br#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/a@1","licenses":[{"license":{"id":"MIT"}}],"components":[{"purl":"pkg:npm/b@1"}]},{"purl":"x"},{"purl":7},{"purl":"pkg:oci/a@1"},{"purl":"pkg:npm/a@1"}]}"#, expect![[r#"
        npm a 1 ["MIT"]
        npm b 1
        malformed: 1 of its package URLs cannot be read in None
    "#]]);
    check("embedded-sbom", "bom.json", br#"{"materials":[]}"#, expect![""]);
    check(
        "embedded-sbom",
        "a.cdx.json",
        br#"{"materials":[]}"#,
        expect![[r#"
        malformed: it does not say that it is a bill of materials in None
    "#]],
    );
    check(
        "embedded-sbom",
        "a.spdx",
        b"text",
        expect![[r#"
        malformed: it does not say that it is a bill of materials in None
    "#]],
    );
    check(
        "embedded-sbom",
        "a.spdx.json",
        br#"{"@graph":[]}"#,
        expect![[r#"
        unsupported: SPDX 3 is not read in None
    "#]],
    );
    check(
        "embedded-sbom",
        "a.cdx.json",
        format!(r#"{{"bomFormat":"CycloneDX","components":{}"#, r#"[{"components":"#.repeat(10_000)).as_bytes(),
        expect![[r#"
            malformed: not a bill of materials: recursion limit exceeded at line 1 column 984 in None
        "#]],
    );
    let syft = read("embedded-sbom", "usr/share/sbom/image.cdx.json", &fixture("formats/syft.cdx.json"));
    assert!(packages(&syft).count() > 10 && packages(&syft).all(|it| it.claimed));
    assert!(read("embedded-sbom", "app/testdata/a.cdx.json", &language("redis.spdx")).facts.is_empty());
}

/// So many zeros, of which none is kept.
struct Zeros(u64);

impl ReadAt for Zeros {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.0.saturating_sub(offset) as usize);
        buffer[..count].fill(0);
        Ok(count)
    }
}

/// A path that each cataloger wants, and a real file.
fn real_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    [
        ("gem", "specifications/a-1.gemspec", "nokogiri-1.13.10.gemspec"),
        ("composer", "vendor/composer/installed.json", "composer-2.installed.json"),
        ("pear", ".registry/a.reg", "xml_util.reg"),
        ("dotnet", "shared/A/1/A.deps.json", "Microsoft.NETCore.App.deps.json"),
        ("erlang", "a/ebin/a.app", "cowboy.app"),
        ("r", "a/DESCRIPTION", "Biobase.DESCRIPTION"),
        ("haskell", "package.db/a.conf", "aeson-2.0.3.0.conf"),
        ("luarocks", "a/1-1/a-1-1.rockspec", "luasocket-3.0.0-1.rockspec"),
        ("opam", ".opam-switch/packages/a.1/opam", "cohttp.5.0.0.opam"),
        ("julia", "packages/A/abcde/Project.toml", "http-2.0.0.Project.toml"),
        ("perl", "a/.meta/a-1/install.json", "try-tiny-0.31.install.json"),
        ("perl", "a/perllocal.pod", "try-tiny-0.31.perllocal.pod"),
        ("wordpress", "wp-content/plugins/a/a.php", "akismet.php"),
        ("conda", "conda-meta/a.json", "wheel-0.45.1-py312hca03da5_0.json"),
        ("embedded-sbom", "a.spdx", "redis.spdx"),
    ]
    .map(|(cataloger, path, name)| (cataloger, path, language(name)))
    .to_vec()
}

#[test]
fn files_cut_anywhere_do_not_panic() {
    for (cataloger, path, content) in real_files() {
        assert!(packages(&read(cataloger, path, &content)).next().is_some(), "{cataloger} reads {path}");
        for length in 0..content.len().min(4 << 10) {
            read(cataloger, path, &&content[..length]);
        }
    }
}

#[test]
fn damaged_files_do_not_panic() {
    let files = real_files();
    let edits = prop::collection::vec((0_usize..4 << 10, any::<u8>()), 1..40);
    proptest!(ProptestConfig::with_cases(300), |(edits in edits, bytes in prop::collection::vec(any::<u8>(), 0..500))| {
        for (cataloger, path, content) in &files {
            let mut content = content.clone();
            let last = content.len() - 1;
            edits.iter().for_each(|&(at, byte)| content[at.min(last)] = byte);
            read(cataloger, path, &content);
            read(cataloger, path, &bytes);
        }
    });
}

#[test]
fn files_that_are_too_large_are_gaps() {
    // Of WordPress only the beginning of a file is read.
    for (cataloger, path, _) in real_files().into_iter().filter(|(cataloger, ..)| *cataloger != "wordpress") {
        let huge = Zeros(65 << 20);
        let parsed = read(cataloger, path, &huge);
        assert_eq!(parsed.problems.first().map(|it| it.kind), Some(GapKind::LimitExceeded), "{cataloger} {path}");
    }
}

/// As large as is read, of what each parser repeats most: an accidental square would take minutes.
#[test]
fn long_files_take_linear_time() {
    let start = Instant::now();
    for (cataloger, path, _) in real_files() {
        for piece in [
            "\"",
            "{",
            "[",
            "s.name = %q<",
            "a:1:{",
            "%q<'\"",
            "Built: a\n ",
            "a-1 ",
            "PackageName: a\nExternalRef: x purl pkg:npm/a\n",
        ] {
            read(cataloger, path, &piece.repeat((1 << 20) / piece.len()).into_bytes());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}
