//! Images made of real packages, each made once and kept in the cache of the repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use xtask::image::Image;
use xtask::parts::{self, made_once};

use crate::skip;

/// An image small enough to copy through every source: Debian's package database and small programs, Python and npm
/// packages. An OCI layout whose only image is `small`; none (said loudly) when its parts cannot be fetched.
pub fn small() -> Option<PathBuf> {
    made("small", |partial| {
        let files = partial.join("files");
        unpack_some(&parts::debian()?, &files)?;
        let mut image = Image::begin(partial)?;
        image.directory(&files, "ADD debian.tar /")?;
        image.directory(&parts::pypi()?, "RUN pip install -r requirements.txt")?;
        image.directory(&parts::npm()?, "COPY shop /srv/shop")?;
        image.step("ENTRYPOINT [\"/usr/bin/env\"]");
        fs::remove_dir_all(files)?;
        image.finish("small", &config())
    })
}

/// The small image's configuration.
fn config() -> Value {
    json!({
        "User": "1000",
        "Entrypoint": ["/usr/bin/env"],
        "ExposedPorts": { "8080/tcp": {} },
        "Labels": { "org.opencontainers.image.title": "small" },
    })
}

/// The path of a cached thing; says SKIPPED when it cannot be made here.
pub fn made(name: &str, make: impl FnOnce(&Path) -> Made) -> Option<PathBuf> {
    made_once(name, make).inspect_err(|error| skip(&format!("{error:#}"))).ok()
}

/// What making something ends in.
pub type Made = Result<(), xtask::Error>;

/// Of a Debian tree what scanners look at, and little else.
fn unpack_some(tar: &Path, to: &Path) -> Made {
    const WANTED: &[&str] =
        &["etc/", "usr/bin/", "usr/lib/os-release", "usr/lib/python3/", "usr/lib/apt/", "var/lib/dpkg/"];
    const LARGE: u64 = 400_000;
    let mut archive = tar::Archive::new(io::BufReader::new(fs::File::open(tar)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path).to_owned();
        let wanted = WANTED.iter().any(|start| path.starts_with(start)) || matches!(path.to_str(), Some("bin" | "lib"));
        let small = entry.size() < LARGE || path.starts_with("var/lib/dpkg");
        let plain = entry.header().entry_type().is_file() || entry.header().entry_type().is_symlink();
        if wanted && small && plain {
            fs::create_dir_all(to.join(&path).parent().unwrap_or(to))?;
            entry.unpack(to.join(&path))?;
        }
    }
    Ok(())
}

/// Copies an image with skopeo.
pub fn copy(from: &str, to: &str, more: &[&str]) {
    let mut command = Command::new("skopeo");
    command.args(["copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false"]).args(more).args([from, to]);
    let output = command.stdin(Stdio::null()).output().expect("skopeo starts");
    assert!(output.status.success(), "{from} to {to}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A whole Debian whose second layer upgrades one package and removes another, by Debian's own apt and dpkg; and what apt
/// says of the security suite.
#[derive(Debug)]
pub struct Upgraded {
    /// The OCI layout; its images are `base` and `upgraded`.
    pub layout: PathBuf,
    /// `package/suite version arch [upgradable from: version]`, as `apt list --upgradable` prints with all updates enabled.
    pub upgradable: String,
    /// The package that was upgraded, and its versions before and after.
    pub package: [String; 3],
}

/// The package that the second layer of [`upgraded`] removes.
pub const REMOVED: &str = "logsave";

/// Makes [`Upgraded`], once. Needs root, or sudo without a password.
pub fn upgraded() -> Option<Upgraded> {
    let layout = made("upgraded", |partial| {
        let script = xtask::root().join("tests/e2e/upgrade.sh");
        let mut command = xtask::machine::as_root("bash");
        command.args([script.as_path(), parts::debian()?.as_path(), partial]);
        xtask::machine::run(command)?;
        let (before, after) = (partial.join("before"), partial.join("after"));
        let mut image = Image::begin(partial)?;
        image.tar(&parts::debian()?, "ADD debian.tar /")?;
        image.finish("base", &config())?;
        image.changes(&before, &after, "RUN apt-get update && apt-get upgrade")?;
        image.finish("upgraded", &config())?;
        let mut remove = xtask::machine::as_root("rm");
        remove.arg("-rf").args([before, after]);
        xtask::machine::run(remove)
    })?;
    let text = |name: &str| fs::read_to_string(layout.join(name)).unwrap_or_default();
    let upgradable = text("upgradable");
    let words: Vec<String> = text("upgraded").split_whitespace().map(str::to_owned).collect();
    let package = words.try_into().expect("`upgraded` has a name and two versions");
    Some(Upgraded { layout, upgradable, package })
}
