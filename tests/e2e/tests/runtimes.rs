//! Servers and run-time environments without a package: Debian's own programs, taken out of their packages.
//!
//! The package's version is the independent truth about the program in it. Without the package database nothing but the
//! program itself can say it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogwatch_e2e::program::User;

/// Debian packages, what their program is called here, and how its version begins in the package's.
const PACKAGES: &[(&str, &str)] = &[
    ("apache2-bin", "httpd"),
    ("bash", "bash"),
    ("busybox-static", "busybox"),
    ("erlang-base", "erlang"),
    ("haproxy", "haproxy"),
    ("libcurl4", "curl"),
    ("libnode108", "node"),
    ("libpython3.11", "python"),
    ("libssl3", "openssl"),
    ("mariadb-server-core", "mariadb"),
    ("memcached", "memcached"),
    ("nginx", "nginx"),
    ("openjdk-17-jre-headless", "openjdk"),
    ("perl-base", "perl"),
    ("php8.2-cli", "php"),
    ("postgresql-15", "postgresql"),
    ("redis-tools", "redis"),
];

/// Downloads a package and unpacks its files; none, loudly, where apt does not have it.
fn unpacked(package: &str, directory: &Path) -> Option<PathBuf> {
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !run("apt-get", &["download", "-q", package]) {
        eprintln!("SKIPPED: `apt-get download {package}` fails here, so its program was not looked at");
        return None;
    }
    let archive = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let archive = archive.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let archive = archive.max().expect("apt-get left a package");
    let root = directory.join("root");
    assert!(run("dpkg", &["-x", archive.to_str()?, root.to_str()?]), "{} cannot be unpacked", archive.display());
    Some(root)
}

/// The version of the package that was downloaded, from its file name, without epoch.
fn packaged_version(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).expect("it was written to").flatten().map(|entry| entry.path());
    let file = files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).max().expect("one");
    let version = file.file_stem().unwrap().to_str().unwrap().split('_').nth(1).unwrap().replace("%3a", ":");
    version.split_once(':').map_or(version.clone(), |(_, rest)| rest.to_owned())
}

// Proves: cataloger runtime.
#[test]
fn a_program_says_the_version_of_the_package_it_was_taken_from() {
    let (user, mut seen) = (User::new(), 0);
    for (package, name) in PACKAGES {
        let directory = user.path(package);
        std::fs::create_dir(&directory).unwrap();
        let Some(root) = unpacked(package, &directory) else { continue };
        let report = user.scan(&format!("dir:{}", root.display()), &["--inventory-only"]);
        let packages = report["inventory"]["packages"].as_array().expect("packages");
        let found: Vec<_> = packages.iter().filter(|found| found["type"] == "generic").collect();
        assert!(!found.is_empty(), "{package}: nothing was found");
        for found in found {
            assert_eq!(found["name"], *name, "{package}: {found}");
            let (version, packaged) = (found["version"].as_str().unwrap(), packaged_version(&directory));
            let rest = packaged.strip_prefix(version).unwrap_or_else(|| panic!("{package}: {version}, not {packaged}"));
            assert!(!rest.starts_with(|c: char| c.is_ascii_digit()), "{package}: {version}, not {packaged}");
            assert!(found["evidence"][0]["text"].is_string(), "{package}: {found}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
        seen += 1;
    }
    assert!(seen == 0 || seen * 2 > PACKAGES.len(), "only {seen} of the packages could be had");
}
