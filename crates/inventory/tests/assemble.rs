//! Layers stacked into one inventory: who introduced what, and which packages are one.

use dogwatch_inventory::assemble::{Stacking, assemble};
use dogwatch_inventory::catalogers;
use dogwatch_inventory::content::MemorySpool;
use dogwatch_inventory::layer::{FileContent, LayerFacts, LayerReader};
use model::inventory::Inventory;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// One entry of a layer.
enum Entry<'a> {
    File(&'a str, &'a [u8]),
    Gone(&'a str),
    Link(&'a str, &'a str),
    Symlink(&'a str, &'a str),
}
use Entry::{File, Gone, Link, Symlink};

fn layer(entries: &[Entry<'_>]) -> LayerFacts {
    let mut reader = LayerReader::new(catalogers::ALL, &MemorySpool);
    for entry in entries {
        match *entry {
            File(path, mut bytes) => {
                let (size, random) = (bytes.len() as u64, bytes);
                reader
                    .file(path.as_bytes(), 0o644, size, FileContent { stream: &mut bytes, random: Some(&random) })
                    .unwrap();
            }
            Gone(path) => assert!(reader.whiteout(path.as_bytes()).unwrap()),
            Link(path, target) => reader.hardlink(path.as_bytes(), target.as_bytes(), 0o644).unwrap(),
            Symlink(path, target) => reader.symlink(path.as_bytes(), target.as_bytes()).unwrap(),
        }
    }
    reader.finish()
}

fn stack(layers: &[&[Entry<'_>]]) -> Inventory {
    let layers: Vec<LayerFacts> = layers.iter().map(|entries| layer(entries)).collect();
    assemble(&layers, Stacking { layered: true, base_layers: None }).inventory
}

/// `name version layer`, in the inventory's order.
fn packages(inventory: &Inventory) -> Vec<String> {
    inventory.packages.iter().map(|it| format!("{} {} {}", it.name, it.version, it.layer.unwrap())).collect()
}

const STATUS: &str = "var/lib/dpkg/status";

fn status(packages: &[(&str, &str)]) -> Vec<u8> {
    let stanza = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(stanza).collect::<String>().into_bytes()
}

#[test]
fn a_database_package_is_of_the_layer_whose_database_first_had_it() {
    let base = status(&[("libc6", "2.36-9"), ("openssl", "3.0.9-1")]);
    let upgraded = status(&[("libc6", "2.36-9"), ("openssl", "3.0.11-1"), ("curl", "7.88.1-10")]);
    let inventory = stack(&[&[File(STATUS, &base)], &[File("etc/motd", b"hello")], &[File(STATUS, &upgraded)]]);
    assert_eq!(packages(&inventory), ["curl 7.88.1-10 2", "libc6 2.36-9 0", "openssl 3.0.11-1 2"]);
    // The evidence is the copy of the database that is in force.
    assert!(inventory.packages.iter().all(|package| package.evidence[0].layer == Some(2)));
}

#[test]
fn a_package_that_was_removed_and_came_back_is_of_the_layer_that_brought_it_back() {
    let (with, without) = (status(&[("curl", "1"), ("libc6", "2")]), status(&[("libc6", "2")]));
    let inventory = stack(&[&[File(STATUS, &with)], &[File(STATUS, &without)], &[File(STATUS, &with)]]);
    assert_eq!(packages(&inventory), ["curl 1 2", "libc6 2 0"]);
}

#[test]
fn a_database_that_was_deleted_takes_its_packages_along() {
    let all = status(&[("libc6", "2")]);
    assert!(packages(&stack(&[&[File(STATUS, &all)], &[Gone("var/lib/dpkg/.wh.status")]])).is_empty());
    let inventory = stack(&[&[File(STATUS, &all)], &[Gone("var/lib/.wh.dpkg")], &[File(STATUS, &all)]]);
    assert_eq!(packages(&inventory), ["libc6 2 2"], "what is new after a deletion was not there before");
}

#[test]
fn a_real_alpine_database_that_is_only_touched_introduces_nothing() {
    let database = fixture("os-packages/alpine.installed");
    let path = "lib/apk/db/installed";
    let inventory = stack(&[&[File(path, &database)], &[File(path, &database)]]);
    assert!(inventory.packages.len() > 5, "{}", inventory.packages.len());
    assert!(inventory.packages.iter().all(|package| package.layer == Some(0)));
}

#[test]
fn a_real_rpm_database_keeps_its_packages_in_their_layer() {
    let database = fixture("os-packages/fedora35.rpmdb.sqlite");
    let path = "usr/lib/sysimage/rpm/rpmdb.sqlite";
    let inventory = stack(&[&[File("etc/motd", b"x")], &[File(path, &database)], &[File(path, &database)]]);
    assert!(!inventory.packages.is_empty());
    assert!(inventory.packages.iter().all(|package| package.layer == Some(1)));
}

const REQUESTS: &str = "usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA";

#[test]
fn a_language_package_is_of_the_layer_whose_version_is_there() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let newer = String::from_utf8(metadata.clone()).unwrap().replace("Version: 2.31.0", "Version: 2.32.0");
    // Ownership was changed in the second layer: the file is copied up, and the package is not new.
    let touched = stack(&[&[File(REQUESTS, &metadata)], &[File(REQUESTS, &metadata)]]);
    assert_eq!(packages(&touched), ["requests 2.31.0 0"]);
    let replaced = stack(&[&[File(REQUESTS, &metadata)], &[File(REQUESTS, newer.as_bytes())]]);
    assert_eq!(packages(&replaced), ["requests 2.32.0 1"]);
    let gone =
        stack(&[&[File(REQUESTS, &metadata)], &[Gone("usr/lib/python3/dist-packages/.wh.requests-2.31.0.dist-info")]]);
    assert!(packages(&gone).is_empty());
}

#[test]
fn a_language_package_that_an_os_package_owns_is_that_package() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let all = status(&[("python3-requests", "2.31.0+dfsg-1")]);
    // dpkg wrote the path before `/lib` became a link to `/usr/lib`.
    let list = b"/.\n/lib\n/lib/python3\n/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA\n";
    let owned = [
        Symlink("lib", "usr/lib"),
        File(STATUS, &all),
        File("var/lib/dpkg/info/python3-requests.list", list),
        File(REQUESTS, &metadata),
    ];
    let inventory = stack(&[&owned]);
    assert_eq!(packages(&inventory), ["python3-requests 2.31.0+dfsg-1 0"]);
    assert_eq!(inventory.packages[0].provides, ["pkg:pypi/requests@2.31.0"]);
}

#[test]
fn a_hard_link_is_as_good_as_the_file() {
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let linked = "opt/venv/lib/python3.11/site-packages/requests-2.31.0.dist-info/METADATA";
    let inventory = stack(&[&[File(REQUESTS, &metadata), Link(linked, REQUESTS)]]);
    assert_eq!(packages(&inventory), ["requests 2.31.0 0", "requests 2.31.0 0"]);
}

#[test]
fn a_pacman_package_is_of_the_layer_that_brought_its_directory_and_owns_its_files() {
    let directory = "var/lib/pacman/local/python-requests-2.31.0-1";
    let desc = b"%NAME%\npython-requests\n\n%VERSION%\n2.31.0-1\n\n%BASE%\npython-requests\n\n%ARCH%\nany\n\n";
    let files = format!("%FILES%\nusr/\n{REQUESTS}\n\n");
    let (gmp, metadata) =
        (fixture("os-packages/pacman/gmp-6.2.1-2/desc"), fixture("python/requests-2.31.0.dist-info.METADATA"));
    let inventory = stack(&[
        &[File("var/lib/pacman/local/gmp-6.2.1-2/desc", &gmp)],
        &[
            File(&format!("{directory}/desc"), desc),
            File(&format!("{directory}/files"), files.as_bytes()),
            File(REQUESTS, &metadata),
        ],
        // Somebody touched the older one.
        &[File("var/lib/pacman/local/gmp-6.2.1-2/desc", &gmp)],
    ]);
    assert_eq!(packages(&inventory), ["gmp 6.2.1-2 0", "python-requests 2.31.0-1 1"]);
    assert_eq!(inventory.packages[1].provides, ["pkg:pypi/requests@2.31.0"]);
    // An upgrade takes the old directory away.
    let newer = b"%NAME%\ngmp\n\n%VERSION%\n6.3.0-1\n\n";
    let inventory = stack(&[
        &[File("var/lib/pacman/local/gmp-6.2.1-2/desc", &gmp)],
        &[Gone("var/lib/pacman/local/.wh.gmp-6.2.1-2"), File("var/lib/pacman/local/gmp-6.3.0-1/desc", newer)],
    ]);
    assert_eq!(packages(&inventory), ["gmp 6.3.0-1 1"]);
}

#[test]
fn what_portage_merged_owns_the_python_package_in_it() {
    let directory = "var/db/pkg/dev-python/requests-2.31.0-r1";
    let contents = fixture("os-packages/portage/requests-2.31.0-r1/CONTENTS");
    let license = fixture("os-packages/portage/requests-2.31.0-r1/LICENSE");
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let inventory = stack(&[
        &[File("etc/os-release", b"ID=gentoo\n")],
        &[
            File(&format!("{directory}/CONTENTS"), &contents),
            File(&format!("{directory}/LICENSE"), &license),
            File("usr/lib/python3.12/site-packages/requests-2.31.0.dist-info/METADATA", &metadata),
        ],
    ]);
    assert_eq!(packages(&inventory), ["dev-python/requests 2.31.0-r1 1"]);
    let package = &inventory.packages[0];
    assert_eq!(package.purl, "pkg:ebuild/dev-python/requests@2.31.0-r1?distro=gentoo");
    assert_eq!(
        (package.provides.as_slice(), package.licenses.as_slice()),
        (["pkg:pypi/requests@2.31.0".to_owned()].as_slice(), ["Apache-2.0".to_owned()].as_slice())
    );
}

#[test]
fn an_opkg_list_says_whose_a_file_is() {
    let status = "Package: python3-requests\nVersion: 2.31.0-1\nStatus: install user installed\nArchitecture: all\n\n";
    let metadata = fixture("python/requests-2.31.0.dist-info.METADATA");
    let inventory = stack(&[&[
        File("usr/lib/opkg/status", status.as_bytes()),
        File("usr/lib/opkg/info/python3-requests.list", format!("/{REQUESTS}\n").as_bytes()),
        File(REQUESTS, &metadata),
    ]]);
    assert_eq!(packages(&inventory), ["python3-requests 2.31.0-1 0"]);
    assert_eq!(inventory.packages[0].provides, ["pkg:pypi/requests@2.31.0"]);
}

#[test]
fn slices_of_ubuntu_are_its_packages() {
    let manifest = fixture("os-packages/manifest.wall");
    let release = b"ID=ubuntu\nVERSION_ID=\"22.04\"\n";
    let inventory = stack(&[&[File("etc/os-release", release), File("var/lib/chisel/manifest.wall", &manifest)]]);
    assert_eq!(packages(&inventory), ["base-files 12ubuntu4.7 0", "hello 2.10-2ubuntu4 0", "libc6 2.35-0ubuntu3.8 0"]);
    assert_eq!(
        inventory.packages[2].purl,
        "pkg:deb/ubuntu/libc6@2.35-0ubuntu3.8?arch=amd64&distro=ubuntu-22.04&upstream=glibc"
    );
}

#[test]
fn a_python_package_that_conda_installed_is_one_package() {
    let record = fixture("languages/wheel-0.45.1-py312hca03da5_0.json");
    let metadata = fixture("languages/wheel-0.45.1.METADATA");
    let mutex = fixture("languages/_libgcc_mutex-0.1-main.json");
    let python =
        br#"{"name":"python","version":"3.12.8","files":["lib/python3.12/ensurepip/pip-25.0.dist-info/METADATA"]}"#;
    let pip = b"Name: pip\nVersion: 25.0\n";
    let inventory = stack(&[&[
        File("opt/conda/conda-meta/wheel-0.45.1-py312hca03da5_0.json", &record),
        File("opt/conda/conda-meta/_libgcc_mutex-0.1-main.json", &mutex),
        File("opt/conda/conda-meta/python-3.12.8-h99e199e_0.json", python),
        File("opt/conda/lib/python3.12/site-packages/wheel-0.45.1.dist-info/METADATA", &metadata),
        File("opt/conda/lib/python3.12/ensurepip/pip-25.0.dist-info/METADATA", pip),
    ]]);
    let purls: Vec<_> = inventory.packages.iter().map(|it| it.purl.as_str()).collect();
    let expected =
        ["pkg:pypi/pip@25.0", "pkg:pypi/wheel@0.45.1", "pkg:conda/_libgcc_mutex@0.1", "pkg:conda/python@3.12.8"];
    assert_eq!(purls, expected);
    let wheel = &inventory.packages[1];
    assert_eq!(
        (wheel.provides.as_slice(), wheel.evidence.len()),
        (["pkg:conda/wheel@0.45.1".to_owned()].as_slice(), 2)
    );
}

#[test]
fn what_a_document_claims_counts_only_where_nothing_was_found() {
    let document = br#"{"bomFormat":"CycloneDX","components":[
        {"purl":"pkg:pypi/Wheel@0.45.1"},{"purl":"pkg:npm/left-pad@1.3.0"},{"purl":"pkg:deb/debian/curl@7.0"}]}"#;
    let again = br#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/left-pad@1.3.0"}]}"#;
    let metadata = fixture("languages/wheel-0.45.1.METADATA");
    let base = status(&[("bash", "5.2")]);
    let inventory = stack(&[
        &[File(STATUS, &base)],
        &[
            File("usr/lib/python3/site-packages/wheel-0.45.1.dist-info/METADATA", &metadata),
            File("app/sbom.json", document),
            File("srv/app.cdx.json", again),
        ],
    ]);
    assert_eq!(packages(&inventory), ["bash 5.2 0", "left-pad 1.3.0 1", "wheel 0.45.1 1"]);
    let evidence = |name: &str| {
        let package = inventory.packages.iter().find(|it| it.name == name).unwrap();
        package.evidence.iter().map(|it| it.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(evidence("left-pad"), ["app/sbom.json", "srv/app.cdx.json"]);
    assert_eq!(evidence("wheel")[1], "app/sbom.json");
    // Without a database of its kind an OS package is taken at its word.
    let inventory = stack(&[&[File("app/sbom.json", document)]]);
    assert!(inventory.packages.iter().any(|it| it.purl.starts_with("pkg:deb/curl@7.0")), "{:?}", inventory.packages);
}

/// Wheels tell what was linked into them and which libraries of their build machine they carry along (PEP 770).
#[test]
fn what_a_wheel_carries_along_is_listed_or_a_gap() {
    let site = "usr/lib/python3.12/site-packages";
    let inventory = stack(&[&[
        File("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
        File(
            &format!("{site}/cryptography-50.0.2.dist-info/sboms/sbom.json"),
            &fixture("languages/cryptography-50.0.2.sbom.json"),
        ),
        File(
            &format!("{site}/pillow-13.0.0.dist-info/sboms/auditwheel.cdx.json"),
            &fixture("languages/pillow-13.0.0.auditwheel.cdx.json"),
        ),
    ]]);
    assert_eq!(packages(&inventory), ["pillow 13.0.0 0", "openssl 4.0.3 0"]);
    let gap = inventory.gaps.iter().find(|it| it.subject.ends_with("auditwheel.cdx.json")).unwrap();
    assert_eq!(
        gap.detail,
        "1 packages of another distribution are listed in it and were not assessed: `libXau 1.0.9-3.el8`"
    );
}

#[test]
fn claims_without_number_take_linear_time() {
    let mut document = String::from(r#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/a@1"}"#);
    (0..50_000).for_each(|number| document += &format!(r#",{{"purl":"pkg:npm/a@{number}"}},{{"purl":"pkg:npm/b@1"}}"#));
    document += "]}";
    let database = status(&[("a", "1")]);
    let inventory = stack(&[&[
        File(STATUS, &database),
        File("var/lib/dpkg/info/a.list", b"/usr/share/a.cdx.json\n"),
        File("usr/share/a.cdx.json", document.as_bytes()),
        File("srv/b.cdx.json", document.as_bytes()),
    ]]);
    assert_eq!(inventory.packages[0].provides.len(), 50_001);
}

#[test]
fn a_document_that_an_os_package_owns_names_what_that_provides() {
    let database = status(&[("redis", "7.4.1")]);
    let inventory = stack(&[&[
        File(STATUS, &database),
        File("var/lib/dpkg/info/redis.list", b"/opt/bitnami/redis/.spdx-redis.spdx\n"),
        File("opt/bitnami/redis/.spdx-redis.spdx", &fixture("languages/redis.spdx")),
    ]]);
    assert_eq!(packages(&inventory), ["redis 7.4.1 0"]);
    assert_eq!(inventory.packages[0].provides, ["pkg:bitnami/redis@7.4.1-0?arch=arm64"]);
}

#[test]
fn packages_of_a_language_find_what_they_need() {
    let gemspec = fixture("languages/psych-3.3.4-java.gemspec");
    let inventory = stack(&[&[
        File("opt/jruby/specifications/default/psych-3.3.4-java.gemspec", &gemspec),
        File(
            "opt/jruby/specifications/jar-dependencies-0.4.1.gemspec",
            b"s.name = 'jar-dependencies'\ns.version = '0.4.1'\n",
        ),
        File("usr/lib/R/library/stats/DESCRIPTION", &fixture("languages/stats.DESCRIPTION")),
        File("usr/lib/R/library/utils/DESCRIPTION", b"Package: utils\nVersion: 4.2.2\nBuilt: R 4.2.2\n"),
        File("r/lib/cowboy-2.8.0/ebin/cowboy.app", &fixture("languages/cowboy.app")),
        File("r/lib/ranch-1/ebin/ranch.app", b"{application,ranch,[{vsn,\"1\"}]}."),
    ]]);
    let needs = |name: &str| {
        let package = inventory.packages.iter().find(|it| it.name == name).unwrap();
        let names = package.depends_on.iter().map(|id| inventory.packages[id.0 as usize].name.as_str());
        names.collect::<Vec<_>>()
    };
    assert_eq!(needs("psych"), ["jar-dependencies"]);
    assert_eq!(needs("stats"), ["utils"]);
    assert_eq!(needs("cowboy"), ["ranch"]);
}
