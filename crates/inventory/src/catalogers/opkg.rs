//! Installed packages of OpenWrt, Yocto and other small systems: opkg's database, which is written like dpkg's.
//!
//! `status` is the database; `info/*.list` says which paths a package owns. Entware has all of it below `/opt`, and ipkg,
//! which opkg came from, below its own name. Source: opkg, `libopkg/pkg_parse.c` and `libopkg/pkg.c`.

use model::package::PackageType;

use super::dpkg;
use super::os_database::owns;
use crate::cataloger::{Cataloger, File, FileHead, Scope, TEXT_BYTES_MAX};
use crate::fact::Parsed;

/// Packages and owned paths from opkg's files.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "opkg", version: 1, scope: Scope::Installed, wants, parse };

const DIRECTORIES: [&str; 6] =
    ["usr/lib/opkg/", "var/lib/opkg/", "opt/lib/opkg/", "usr/lib/ipkg/", "var/lib/ipkg/", "opt/lib/ipkg/"];

/// What a wanted path holds.
enum Role<'a> {
    Status,
    /// The paths of this package.
    List(&'a str),
}

fn role(path: &str) -> Option<Role<'_>> {
    let file = DIRECTORIES.iter().find_map(|directory| path.strip_prefix(directory))?;
    if file == "status" {
        return Some(Role::Status);
    }
    file.strip_prefix("info/")?.strip_suffix(".list").filter(|name| !name.contains('/')).map(Role::List)
}

fn wants(head: &FileHead<'_>) -> bool {
    role(head.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    let Some(role) = role(file.path) else { return Parsed::default() };
    let bytes = match file.bytes(TEXT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let text = String::from_utf8_lossy(&bytes);
    match role {
        Role::Status => dpkg::database(PackageType::Opkg, &text),
        // Yocto's has a tab and the mode behind each path.
        Role::List(package) => {
            let paths = text.lines().map(|line| line.split('\t').next().unwrap_or(line));
            owns(PackageType::Opkg, package, paths.map(|path| path.trim_start_matches('/')))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::content::MemorySpool;
    use crate::fact::Fact;

    fn parse_bytes(path: &str, bytes: &[u8]) -> Parsed {
        parse(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool })
    }

    // Proves: cataloger opkg.
    #[test]
    fn a_router_s_packages() {
        let path = format!("{}/../../tests/fixtures/os-packages/openwrt.status", env!("CARGO_MANIFEST_DIR"));
        let parsed = parse_bytes("usr/lib/opkg/status", &std::fs::read(path).unwrap());
        let [Fact::Database(packages)] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert!(parsed.problems.is_empty() && packages.iter().all(|package| package.source.is_none()));
        let lines: String =
            packages.iter().map(|it| format!("{} {} {}\n", it.name, it.version, it.arch.as_deref().unwrap())).collect();
        expect![[r#"
            busybox 1.36.1-1 x86_64
            kmod-mt76x0-common 5.15.137+2023-08-14-b14c2351-1 x86_64
            kmod-vhost-net 5.15.137-1 x86_64
            libc 1.2.4-4 x86_64
            libopenssl3 3.0.12-1 x86_64
            libusb-1.0-0 1.0.26-3 x86_64
            luci-i18n-ksmbd-pl git-23.306.39943-3d6a174 all
            opkg 2022-02-24-d038e5b6-2 x86_64
        "#]]
        .assert_eq(&lines);
    }

    #[test]
    fn lists_are_of_the_package_they_are_named_for() {
        let check = |path, text: &str, expected: &[&str]| match &parse_bytes(path, text.as_bytes()).facts[..] {
            [Fact::Owns { kind: PackageType::Opkg, package, paths }] => {
                assert_eq!(
                    (package.as_str(), paths.iter().map(String::as_str).collect::<Vec<_>>()),
                    ("coreutils-sort", expected.to_vec())
                );
            }
            other => panic!("{other:?}"),
        };
        check(
            "usr/lib/opkg/info/coreutils-sort.list",
            "/usr/libexec/sort-coreutils\n",
            &["/usr/libexec/sort-coreutils"],
        );
        check("var/lib/opkg/info/coreutils-sort.list", "/usr/bin/sort\t0100755\n", &["/usr/bin/sort"]);
    }

    #[test]
    fn other_files_are_not_wanted() {
        for path in ["usr/lib/opkg/info/x.control", "usr/lib/opkg/lists/x", "opkg/status", "usr/lib/opkg/info/a/b.list"]
        {
            assert!(role(path).is_none(), "{path}");
        }
    }
}
