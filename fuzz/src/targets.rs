//! The parsers, and what they are fed with to begin with.

mod backup;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use advisories::{BuildOptions, Index};
use inventory::cataloger::{Cataloger, File, FileHead};
use inventory::catalogers;
use inventory::content::MemorySpool;
use inventory::tar::TarReader;
use model::advisory::Advisories as _;
use model::version::Scheme;
use portfolio::catalog::Catalog;
use portfolio::owners::{self, OwnerRules, Subject};
use scan::source::{Mirror, SourceOptions};
use scan::target::{Pattern, Reference, Target as ScanTarget};
use server::claim::Claim;
use server::portfolio::SeenAt;
use server::prepare::Prepared;

/// Seeds longer than this are cut: mutating them would take longer than parsing.
const SEED_BYTES_MAX: usize = 512 << 10;

/// Gives a parser one input.
type Feed = Box<dyn Fn(&[u8])>;

/// One parser.
pub(crate) struct Target {
    /// What the command line calls it.
    pub(crate) name: String,
    /// Feeds it. Must return whatever the bytes are.
    pub(crate) run: Feed,
    /// Files and directories below `tests/fixtures` that it should understand.
    fixtures: &'static [&'static str],
    /// Inputs that are no text.
    made: Vec<Vec<u8>>,
    /// Further inputs, short ones.
    texts: &'static [&'static str],
}

impl Target {
    /// Inputs to begin with, at least one.
    pub(crate) fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds: Vec<Vec<u8>> = self.texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        seeds.extend(self.made.clone());
        self.fixtures.iter().for_each(|fixture| read_all(&fixtures().join(fixture), &mut seeds));
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        seeds
    }
}

fn target(
    name: impl Into<String>,
    fixtures: &'static [&'static str],
    texts: &'static [&'static str],
    run: impl Fn(&[u8]) + 'static,
) -> Target {
    Target { name: name.into(), run: Box::new(run), fixtures, made: Vec::new(), texts }
}

impl Target {
    fn made(self, made: Vec<Vec<u8>>) -> Self {
        Self { made, ..self }
    }
}

/// Every target: one for each cataloger, each format of feeds, each version scheme, and each other parser.
pub(crate) fn all() -> Vec<Target> {
    let mut all = vec![
        target("tar", &[], &["etc/passwd"], tar).made(vec![
            [one_file("pax", b"20 path=a/long/name\n"), one_file("b", b"content")].concat(),
            [one_file("a", &[7; 600]), vec![0; 1024]].concat(),
        ]),
        target("docker-archive", &[], &[MANIFEST], |bytes| image("docker-archive", "manifest.json", bytes)),
        target("image-config", &[], &[CONFIG], |bytes| image("docker-archive", "c.json", bytes)),
        target("oci-index", &[], &[OCI_INDEX], |bytes| image("oci-archive", "index.json", bytes)),
        target("reference", &[], REFERENCES, |bytes| drop(text(bytes).parse::<Reference>())),
        target("target", &[], REFERENCES, |bytes| drop(text(bytes).parse::<ScanTarget>())),
        target("pattern", &[], PATTERNS, |bytes| drop(Pattern::parse(&text(bytes)))),
        target("mirror", &[], MIRRORS, |bytes| drop(text(bytes).parse::<Mirror>())),
        target("challenge", &[], CHALLENGES, |bytes| _ = scan::source::understands_challenge(bytes)),
        target("engine", &[], DESCRIPTIONS, |bytes| _ = engines::understands(bytes)),
        target("reader", &[], &[], |bytes| _ = scan::sandbox::understands(bytes)).made(words()),
        target("template", &["formats/templates"], &["{{ findings|length }}"], |bytes| {
            drop(formats::template::Template::new("fuzz.html", text(bytes)))
        }),
        target("sbom", &["formats/syft.cdx.json", "formats/syft.spdx.json"], &[], |bytes| {
            drop(formats::sbom::read(bytes))
        }),
        target(
            "vex",
            &["vex", "feeds/redhat-vex-CVE-2024-24786.json", "feeds/ubuntu-vex-CVE-2025-5994.json"],
            &[],
            |bytes| drop(formats::vex::read("fuzz.json", bytes)),
        ),
        target("attached", &["vex"], ATTACHED, |bytes| {
            let image = model::digest::Digest::from_bytes([0; 32]);
            drop(formats::vex::read_attached("fuzz.json", bytes, &[image]));
        }),
        target("report", &["formats/report.json", "policy/shop-report.json"], &[], report),
        target("feed", &["advisories", "feeds"], &[], feed),
        target("statement", &[], STATEMENTS, |bytes| drop(advisories::share::statement::Statement::open(bytes, &[]))),
        target("index", &[], &[], index()).made(vec![vec![1; 64], (0..=255).collect()]),
        target("manifest-edit", &["locks/go", "locks/maven", "locks/requirements"], MANIFESTS, manifest_edit),
        target("purl", &[], PURLS, |bytes| drop(model::purl::parse(&text(bytes)))),
        target("cvss", &["cvss/scores.tsv"], CVSS, cvss),
        target("policy", &[], &[policy::DEFAULT_POLICY], |bytes| drop(policy::check("p.yaml", &text(bytes)))),
        target("condition", &[], CONDITIONS, condition),
        target("ignore-files", &["ignore"], &["CVE-2019-14697 exp:2026-03-01 # until the rebuild"], |bytes| {
            let options = policy::ImportOptions { owner: "a", until: None };
            for name in [".trivyignore", ".trivyignore.yaml", ".grype.yaml", "osv-scanner.toml"] {
                drop(policy::import(name, &text(bytes), options));
            }
        }),
        target("exceptions", &[], &[EXCEPTION], |bytes| {
            drop(policy::Exceptions::load([("e.yaml", text(bytes).as_str())]))
        }),
        target("catalog", &["catalog/shop.yaml", "catalog/teams.yaml", "catalog/catalog-info.yaml"], &[], catalog),
        target("owner-rules", &["catalog/OWNERS"], &[], owner_rules()),
        target("claim", &["formats/report.json", "policy/shop-report.json"], &[], |bytes| {
            for encoding in [None, Some("gzip"), Some("zstd")] {
                let Ok(claim) = Claim::read(bytes, encoding) else { continue };
                let prepared = Prepared::of(claim);
                drop(prepared.image(SeenAt::Build, &[1; 600]));
            }
        }),
        target("backup", &[], backup::SEEDS, backup::reader())
            .made(vec![zstd::encode_all(backup::SEEDS[0].as_bytes(), 1).unwrap_or_default()]),
        target("thresholds", &[], THRESHOLDS, |bytes| {
            drop(portfolio::threshold::Thresholds::load("t.yaml", &text(bytes)))
        }),
    ];
    all.extend(catalogers::ALL.iter().map(cataloger));
    all.extend(advisories::feeds::format_names().map(|format| {
        let name = format!("feed-{}", format.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        target(name, &["advisories", "feeds"], &[], move |bytes| {
            advisories::feeds::read_as(format, bytes, &mut |_| {});
        })
    }));
    all.extend(Scheme::ALL.iter().map(|&scheme| {
        target(format!("version-{scheme}"), &["versions"], &["1.0\t2.0"], move |bytes| versions(scheme, bytes))
    }));
    all
}

/// What is published beside an index.
const STATEMENTS: &[&str] = &[
    r#"{"payloadType":"application/vnd.dogwatch.advisories.statement.v1+json","payload":"e30=","signatures":[{"keyid":"a","sig":"AA=="}]}"#,
];

/// A path by which each cataloger recognises its files, and files that it understands.
const CATALOGED: &[(&str, &str, &[&str])] = &[
    ("apk", "lib/apk/db/installed", &["os-packages/alpine.installed"]),
    ("bottlerocket", "usr/share/bottlerocket/application-inventory.json", &["os-packages/bottlerocket.json"]),
    ("chisel", "var/lib/chisel/manifest.wall", &["os-packages/manifest.wall"]),
    ("dpkg", "var/lib/dpkg/status", &["os-packages/debian.status", "os-packages/status.d"]),
    ("opkg", "usr/lib/opkg/status", &["os-packages/openwrt.status"]),
    ("os-release", "etc/os-release", &["os-packages/debian.status"]),
    ("pacman", "var/lib/pacman/local/gmp-6.2.1-2/desc", &["os-packages/pacman"]),
    ("portage", "var/db/pkg/dev-python/requests-2.31.0-r1/CONTENTS", &["os-packages/portage"]),
    (
        "rpm",
        "var/lib/rpm/Packages",
        &[
            "os-packages/centos5.Packages",
            "os-packages/ubi8-s390x.Packages",
            "os-packages/sle15.Packages.db",
            "os-packages/fedora35.rpmdb.sqlite",
            "os-packages/sizes.sqlite",
        ],
    ),
    ("npm", "node_modules/x/package.json", &["npm"]),
    ("npm-unpacked", "srv/x/package.json", &["npm"]),
    ("python", "usr/lib/python3/dist-packages/x-1.dist-info/METADATA", &["python"]),
    ("java", "opt/x.jar", &["java"]),
    ("runtime", "usr/sbin/nginx", &["binaries/runtimes"]),
    ("go-binary", "usr/bin/x", &["binaries"]),
    ("rust-binary", "usr/bin/x", &["binaries"]),
    (
        "composer",
        "vendor/composer/installed.json",
        &["languages/composer-1.installed.json", "languages/composer-2.installed.json"],
    ),
    ("conda", "opt/conda/conda-meta/x-1-0.json", &["languages/wheel-0.45.1-py312hca03da5_0.json"]),
    ("dart", ".pub-cache/hosted/pub.dev/http-0.13.5/pubspec.yaml", &[]),
    (
        "dotnet",
        "usr/share/dotnet/shared/A/1.0/A.deps.json",
        &["languages/Python.Runtime.deps.json", "languages/Microsoft.NETCore.App.deps.json"],
    ),
    ("erlang", "lib/x-1/ebin/x.app", &["languages/cowboy.app", "languages/jiffy.app", "languages/stdlib.app"]),
    (
        "gem",
        "usr/lib/ruby/specifications/x-1.gemspec",
        &["languages/nokogiri-1.13.10.gemspec", "languages/psych-3.3.4-java.gemspec"],
    ),
    ("haskell", "var/lib/ghc/package.conf.d/x.conf", &["languages/aeson-2.0.3.0.conf"]),
    ("julia", ".julia/packages/HTTP/sJD5V/Project.toml", &["languages/http-2.0.0.Project.toml"]),
    ("luarocks", "rocks-5.1/luasocket/3.0.0-1/luasocket-3.0.0-1.rockspec", &["languages/luasocket-3.0.0-1.rockspec"]),
    ("opam", ".opam-switch/packages/cohttp.5.0.0/opam", &["languages/cohttp.5.0.0.opam"]),
    ("pear", "usr/share/php/.registry/x.reg", &["languages/xml_util.reg"]),
    ("perl", "usr/local/lib/perl5/.meta/x-1/install.json", &["languages/try-tiny-0.31.install.json"]),
    ("r", "usr/lib/R/library/x/DESCRIPTION", &["languages/Biobase.DESCRIPTION", "languages/stats.DESCRIPTION"]),
    (
        "embedded-sbom",
        "opt/bitnami/x/.spdx-x.spdx",
        &["languages/redis.spdx", "formats/syft.cdx.json", "formats/syft.spdx.json"],
    ),
    ("wordpress", "srv/wp-content/plugins/akismet/akismet.php", &["languages/akismet.php"]),
    ("bun-lock", "bun.lock", &["locks/bun"]),
    ("cabal-freeze", "cabal.project.freeze", &["locks/cabal"]),
    ("cargo-lock", "Cargo.lock", &["locks/cargo-2", "locks/cargo-3", "locks/cargo-4"]),
    ("composer-lock", "composer.lock", &["locks/composer"]),
    ("conan-lock", "conan.lock", &["locks/conan-1", "locks/conan-2"]),
    ("conanfile-txt", "conanfile.txt", &["locks/conanfile"]),
    ("deno-lock", "deno.lock", &["locks/deno-5"]),
    ("dotnet-project", "x.csproj", &["locks/dotnet-project"]),
    ("gemfile-lock", "Gemfile.lock", &["locks/bundler", "locks/bundler-git"]),
    ("github-actions", ".github/workflows/x.yml", &["locks/github-actions"]),
    ("go-mod", "go.mod", &["locks/go"]),
    ("go-vendor", "vendor/modules.txt", &["locks/go-vendor"]),
    ("gradle-lock", "gradle.lockfile", &["locks/gradle"]),
    ("julia-manifest", "Manifest.toml", &["locks/julia-1"]),
    ("mix-lock", "mix.lock", &["locks/mix-1", "locks/mix-2"]),
    ("npm-lock", "package-lock.json", &["locks/npm-v1", "locks/npm-v2", "locks/npm-v3"]),
    ("nuget-lock", "packages.lock.json", &["locks/nuget"]),
    ("pdm-lock", "pdm.lock", &["locks/pdm"]),
    ("pipfile-lock", "Pipfile.lock", &["locks/pipenv"]),
    ("pnpm-lock", "pnpm-lock.yaml", &["locks/pnpm-7", "locks/pnpm-8", "locks/pnpm-9"]),
    ("podfile-lock", "Podfile.lock", &["locks/podfile"]),
    ("poetry-lock", "poetry.lock", &["locks/poetry-1", "locks/poetry-2"]),
    ("pom-xml", "pom.xml", &["locks/maven"]),
    ("pubspec-lock", "pubspec.lock", &["locks/pubspec"]),
    ("pylock", "pylock.toml", &["locks/pylock-pip", "locks/pylock-uv"]),
    ("rebar-lock", "rebar.lock", &["locks/rebar"]),
    ("renv-lock", "renv.lock", &["locks/renv"]),
    ("requirements-txt", "requirements.txt", &["locks/requirements"]),
    ("stack-lock", "stack.yaml.lock", &["locks/stack"]),
    ("swift-resolved", "Package.resolved", &["locks/swift-1", "locks/swift-2"]),
    ("terraform-lock", ".terraform.lock.hcl", &["locks/terraform"]),
    ("uv-lock", "uv.lock", &["locks/uv"]),
    ("yarn-lock", "yarn.lock", &["locks/yarn-1", "locks/yarn-berry"]),
];

fn cataloger(cataloger: &'static Cataloger) -> Target {
    let known = CATALOGED.iter().find(|(name, ..)| *name == cataloger.name);
    let &(_, path, fixtures) =
        known.unwrap_or_else(|| panic!("the cataloger `{}` needs a line in CATALOGED", cataloger.name));
    target(cataloger.name, fixtures, &[], move |bytes| {
        let head = &bytes[..bytes.len().min(inventory::cataloger::HEAD_BYTES)];
        (cataloger.wants)(&FileHead { path, mode: 0o755, size: bytes.len() as u64, head });
        drop((cataloger.parse)(&File { path, mode: 0o755, content: &bytes, spool: &MemorySpool }));
    })
}

fn tar(bytes: &[u8]) {
    // As it is, and as the content of a sound archive, so that mutations also hit members behind a good header.
    for archive in [bytes, &one_file("etc/passwd", bytes)] {
        let mut tar = TarReader::new(archive);
        while let Ok(Some(_)) = tar.next() {
            if tar.content().take(1 << 20).read_to_end(&mut Vec::new()).is_err() {
                break;
            }
        }
    }
}

/// Opens an archive in which `name` has the bytes, beside what else an image needs.
fn image(kind: &str, name: &str, bytes: &[u8]) {
    let members = [
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        ("manifest.json", MANIFEST),
        ("index.json", OCI_INDEX),
        ("c.json", CONFIG),
        ("l.tar", ""),
    ];
    let mut archive: Vec<u8> = members
        .iter()
        .filter(|(other, _)| *other != name)
        .flat_map(|(name, text)| one_file(name, text.as_bytes()))
        .collect();
    archive.extend(one_file(name, bytes));
    archive.resize(archive.len() + 1024, 0);
    let path = scratch("image.tar");
    fs::write(&path, archive).expect("the scratch directory can be written");
    let target: ScanTarget = format!("{kind}:{}", path.display()).parse().expect("a path without colons");
    drop(scan::source::open(&target, &SourceOptions::default()));
}

/// A tar member with a sound header.
fn one_file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(124, format!("{:011o}\0", bytes.len()).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar  \0");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut member = [&block, bytes].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

fn report(bytes: &[u8]) {
    let Ok(report) = formats::json::read(bytes) else { return };
    // Whoever reads a report also judges and prints it.
    policy::test(&policy::PolicySet::built_in(), &policy::Exceptions::default(), &report);
    for format in formats::format::ALL {
        drop(format.write(&report, &formats::format::WriteOptions::default()));
    }
}

fn feed(bytes: &[u8]) {
    drop(advisories::feeds::read_text(&mut &*bytes, &mut |_| {}));
    let path = scratch("feed");
    fs::write(&path, bytes).expect("the scratch directory can be written");
    drop(advisories::feeds::read(&path, &mut |_| {}));
}

/// What the sandbox's reading process says, in MessagePack: a number or name, and what belongs to it.
fn words() -> Vec<Vec<u8>> {
    let text = |text: &str| [&[0xa0 | text.len() as u8], text.as_bytes()].concat();
    let word = |name: &str, with: &[u8]| [&[0x81], text(name).as_slice(), with].concat();
    vec![
        text("Confined"),
        word("NotConfined", &text("no Landlock")),
        word("Alone", &text("0123456789abcdef")),
        word("Keep", &[&[0x82], text("kind").as_slice(), &text("Layer"), &text("key"), &text("00")].concat()),
        word("Ask", &text("Top")),
        word(
            "Failed",
            &[&[0x83], text("text").as_slice(), &text("x"), &text("cause"), &[0xc0], &text("hint"), &[0xc0]].concat(),
        ),
    ]
}

/// An index with bytes changed: as they are, which the checksums notice, and with the checksums made right again.
fn index() -> impl Fn(&[u8]) {
    let path = scratch("whole.index");
    let built = advisories::build(&[fixtures().join("advisories")], &path, &BuildOptions::default());
    let whole = built.ok().and_then(|_| fs::read(&path).ok()).unwrap_or_default();
    move |bytes| {
        let mut damaged = whole.clone();
        // Pairs of a place and a value.
        for change in bytes.chunks_exact(4).take(64) {
            let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % damaged.len().max(1);
            damaged[at] = change[3];
        }
        if bytes.first().is_some_and(|first| first % 4 != 0) {
            seal(&mut damaged);
        }
        let path = scratch("damaged.index");
        // A new file each time: the old one may still be mapped.
        drop(fs::remove_file(&path));
        fs::write(&path, damaged).expect("the scratch directory can be written");
        let Ok(index) = Index::open(&path) else { return };
        drop(index.status());
        drop(index.coverages().map(<[_]>::len));
        for id in ["CVE-2021-44228", "GHSA-35jh-r3h4-6jhm", "ALSA-2022:1550", "x"] {
            drop(index.show(id));
            drop(index.vulnerability(id));
        }
        for (ecosystem, name) in
            [("npm", "lodash"), ("PyPI", "django"), ("Debian:12", "openssl"), ("Go", "stdlib"), ("crates.io", "time")]
        {
            for candidate in index.candidates(ecosystem, name).unwrap_or_default() {
                drop(index.advisory(candidate.advisory, ecosystem, name));
            }
            drop(index.coverage(ecosystem));
        }
    }
}

/// Makes the checksums of an index right (its layout is in `advisories::index::layout`): the readers behind them must not
/// trust what passed them, for whoever can write an index can write checksums.
fn seal(index: &mut [u8]) {
    const HEADER: usize = 4096;
    const BLOCK: usize = 64 << 10;
    let Some(data) =
        index.get(24..32).and_then(|bytes| bytes.try_into().ok()).map(|bytes| u64::from_le_bytes(bytes) as usize)
    else {
        return;
    };
    let Some(blocks) = index.get(HEADER..HEADER.saturating_add(data)) else { return };
    let sums: Vec<u8> = blocks.chunks(BLOCK).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect();
    let Some(place) = index.get_mut(HEADER + data..HEADER + data + sums.len()) else { return };
    place.copy_from_slice(&sums);
    index[64..68].copy_from_slice(&crc32fast::hash(&sums).to_le_bytes());
    let header = crc32fast::hash(&index[..HEADER - 4]).to_le_bytes();
    index[HEADER - 4..HEADER].copy_from_slice(&header);
}

fn cvss(bytes: &[u8]) {
    text(bytes)
        .lines()
        .take(200)
        .flat_map(|line| line.split('\t'))
        .for_each(|vector| _ = model::cvss::base_score(vector));
}

fn condition(bytes: &[u8]) {
    let indented = text(bytes).replace('\n', " ").replace('\'', "''");
    let policy = format!(
        "version: 1\nname: p\nstages: [build]\ncondition: '{indented}'\naction: deny\nseverity: high\nrationale: r\nremediation: m\n"
    );
    drop(policy::check("p.yaml", &policy));
}

fn catalog(bytes: &[u8]) {
    let Ok(catalog) = Catalog::load([("c.yaml", text(bytes).as_str())]) else { return };
    // Whoever reads a catalog also asks it.
    for component in catalog.components.keys() {
        catalog.effective(component);
    }
    for person in catalog.people.keys() {
        catalog.teams.keys().for_each(|team| _ = catalog.is_member(person, team));
    }
    catalog.component_of_image("registry.example/shop/api:1");
}

fn owner_rules() -> impl Fn(&[u8]) {
    let teams = fs::read_to_string(fixtures().join("catalog/teams.yaml")).unwrap_or_default();
    let catalog = Catalog::load([("teams.yaml", teams.as_str())]).unwrap_or_default();
    let subject = Subject {
        images: vec!["registry.example/base/debian:12".into()],
        base: Some("debian".into()),
        ..Subject::default()
    };
    move |bytes| {
        let text = text(bytes);
        if let Ok(rules) = OwnerRules::load("OWNERS", &text, &catalog) {
            rules.owners_of(&subject, &catalog);
        }
        // The same bytes as labels: anybody who builds an image writes those.
        let labels = owners::LABELS.iter().map(|label| ((*label).to_owned(), text.clone())).collect();
        OwnerRules::default().owners_of(&Subject { labels, ..Subject::default() }, &catalog);
    }
}

fn versions(scheme: Scheme, bytes: &[u8]) {
    for line in text(bytes).lines().take(100) {
        let (a, b) = line.split_once('\t').unwrap_or((line, "1.0"));
        let order = model::version::compare(scheme, a, b);
        assert_eq!(
            order,
            model::version::compare(scheme, b, a).map(std::cmp::Ordering::reverse),
            "{scheme} {a:?} {b:?}"
        );
        _ = model::version::compare_lenient(scheme, a, b);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("dogwatch-fuzz-{}-{name}", std::process::id()))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// A file, inflated when it is a `.gz`, or every file of a directory.
fn read_all(path: &Path, seeds: &mut Vec<Vec<u8>>) {
    if path.is_dir() {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| read_all(path, seeds));
        return;
    }
    let Ok(stored) = fs::read(path) else { return };
    let mut bytes = Vec::new();
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    if !is_gzip
        || flate2::read::GzDecoder::new(stored.as_slice()).take(SEED_BYTES_MAX as u64).read_to_end(&mut bytes).is_err()
    {
        bytes = stored;
    }
    bytes.truncate(SEED_BYTES_MAX);
    seeds.push(bytes);
}

const MANIFEST: &str = r#"[{"Config":"c.json","RepoTags":["shop:1.4"],"Layers":["l.tar"]}]"#;
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"1","Env":["A=b"],"Entrypoint":["/a"],"ExposedPorts":{"80/tcp":{}},"Labels":{"a":"b"}},"history":[{"created":"2024-01-01T00:00:00Z","created_by":"RUN x"},{"empty_layer":true}],"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
const OCI_INDEX: &str = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7,"annotations":{"org.opencontainers.image.ref.name":"1.4"},"platform":{"architecture":"amd64","os":"linux"}}]}"#;
const PATTERNS: &[&str] = &["registry.example/team/*:v1.*", "registry:debian:1?", "localhost:5000/**:*"];

const MIRRORS: &[&str] = &["docker.io=mirror.example:5000/hub", "docker.io/library=https://mirror.example"];

const REFERENCES: &[&str] = &[
    "debian:12",
    "registry:localhost:5000/a/b:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "docker-archive:a.tar:@1",
    "oci-dir:x:name",
    "dir:/",
    "[::1]:5000/x",
];
/// An image and a container as Docker describes them, shortened; a list of images as containerd sends it.
const DESCRIPTIONS: &[&str] = &[
    r#"{"Id":"sha256:4f06b3e1a2c34f06b3e1a2c34f06b3e1a2c34f06b3e1a2c34f06b3e1a2c34f06","RepoTags":["shop:1"],"RepoDigests":null,
        "Os":"linux","Architecture":"arm64","Variant":"v8","RootFS":{"Type":"layers","Layers":[]}}"#,
    r#"{"Id":"4f06","Name":"/web","Image":"sha256:4f06","State":{"Status":"running","Pid":7},"GraphDriver":{"Name":"overlay2",
        "Data":{"LowerDir":"/a/diff:/b/diff","UpperDir":"/c/diff"}},"Mounts":[{"Type":"bind","Source":"/s","Destination":"/d"}],
        "HostConfig":{"Tmpfs":{"/t":""}},"Config":{"Image":"shop:1"}}"#,
    "\n\u{15}\n\u{6}shop:1\u{1a}\u{b}\u{12}\tsha256:4f",
];

const CHALLENGES: &[&str] = &[
    r#"Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull""#,
    "Basic realm=x, Bearer realm=y",
    r#"Bearer realm="a\"b"#,
];
const PURLS: &[&str] = &[
    "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12#x",
    "pkg:npm/%40babel/core@7.0.0",
    "pkg:golang/github.com/a/b@v1.0.0",
    "pkg:maven/g/a@1?type=jar",
];
const CVSS: &[&str] = &[
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "AV:N/AC:L/Au:N/C:P/I:P/A:P",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A",
];
const CONDITIONS: &[&str] = &[
    "finding.severity >= HIGH && finding.fixed",
    "image.labels.exists(l, l.key == \"a\")",
    "[1, 2].all(x, x > 0) ? true : false",
    "\"a\".matches(\"(a+)+$\")",
];
/// An envelope, a bundle and a statement, as cosign writes them.
const ATTACHED: &[&str] = &[
    r#"{"payloadType":"application/vnd.in-toto+json","payload":"eyJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6Ly9vcGVudmV4LmRldi9ucy92MC4yLjAiLCJwcmVkaWNhdGUiOnt9fQ==","signatures":[]}"#,
    r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"e30="}}"#,
    r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://openvex.dev/ns/v0.2.0","subject":[{"digest":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}}],"predicate":{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}}"#,
];
const EXCEPTION: &str = "version: 1\nid: EX-1\nwho: someone\nwhy: a reason\nuntil: 2027-01-01\nscope:\n  vulnerabilities: [CVE-2021-44228]\n  packages: [\"pkg:npm/*\"]\naccepted_at:\n  severity: high\n";

const THRESHOLDS: &[&str] = &[
    "thresholds:\n- score: 9.0\n- environment: production\n  data-classification: [restricted]\n  criticality: high\n  score: 7\n",
];

const MANIFESTS: &[&str] = &[
    "a==1.0.0 \\\n  --hash=sha256:00\nb\n",
    "{\"dependencies\": {\"a\": \"^1.0.0\"}}",
    "[dependencies]\na = { version = \"1.0.0\" }\n",
    "ARG B=a:1.0.0\nFROM --platform=x ${B} AS c\nRUN <<E\nFROM a:1.0.0\nE\n",
];

/// An edit is refused or keeps the number of lines, so that a patch can be made of it.
fn manifest_edit(bytes: &[u8]) {
    use assessment::edit::{Manifest, Upgrade, diff::unified, dockerfile::replace_base};
    let text = text(bytes);
    let names = [("a", "1.0.0"), ("golang.org/x/net", "0.7.0"), ("junit:junit", "4.12"), ("flask", "2.2.5")];
    for (name, from) in names {
        let upgrade = Upgrade { name, from, to: "9.9.9" };
        for file in ["Cargo.toml", "go.mod", "package.json", "pom.xml", "pyproject.toml", "requirements.txt"] {
            let edited = Manifest::of(file).map(|manifest| manifest.edit(&text, &[upgrade]).0);
            drop(edited.map(|edited| unified(file, &text, &edited)));
        }
    }
    drop(replace_base(&text, "a:1.0.0", "a:2").map(|edited| unified("Dockerfile", &text, &edited)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also holds `CATALOGED` against the catalogers: one without a line panics.
    #[test]
    fn every_target_has_a_name_of_its_own_and_takes_its_seeds() {
        let all = all();
        let names: std::collections::BTreeSet<_> = all.iter().map(|target| &target.name).collect();
        assert_eq!(names.len(), all.len());
        for target in &all {
            target.seeds().iter().for_each(|seed| (target.run)(seed));
        }
    }

    #[test]
    fn a_sealed_index_is_accepted() {
        let path = scratch("test.index");
        advisories::build(&[fixtures().join("advisories")], &path, &BuildOptions::default()).expect("builds");
        let mut bytes = fs::read(&path).expect("written");
        let before = bytes.clone();
        seal(&mut bytes);
        assert_eq!(bytes, before, "sealing a sound index changes nothing");
        fs::remove_file(path).expect("ours");
    }
}
