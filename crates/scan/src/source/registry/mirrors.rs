//! Mirrors: other registries that hold copies of a registry's images.
//!
//! They are named on the command line, and in the configuration of the engines that users already have: Docker's
//! `daemon.json` (`registry-mirrors`, for Docker Hub alone) and the containers tools' `registries.conf` (version 2). What
//! those files say beyond mirrors (blocked or renamed registries, short names, wildcards) is not for a scanner to follow.
//!
//! A mirror is trusted with tags, as the engines trust it; content named by digest is verified wherever it comes from.
//! Sources: Docker's "Registry as a pull through cache"; `containers-registries.conf(5)`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::target::is_host;

/// The longest configuration that is read.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Where copies of some images are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// A registry, or the beginning of its repositories' names: `docker.io`, `docker.io/library`.
    of: String,
    /// The mirror's host and port.
    pub(super) host: String,
    /// What stands before the repository there, without slashes at its ends.
    path: String,
    /// Plain HTTP may be spoken.
    pub(super) plain: bool,
    /// Only to be asked for what is named by its digest.
    pub(super) digest_only: bool,
}

/// Why a text names no mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no mirror: write `REGISTRY=HOST[:PORT][/PATH]`, as in `docker.io=mirror.example`")]
pub struct MirrorError {
    text: String,
}

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let parsed = text.split_once('=').and_then(|(of, location)| Self::new(of, location));
        parsed.ok_or_else(|| MirrorError { text: text.into() })
    }
}

impl Mirror {
    fn new(of: &str, location: &str) -> Option<Self> {
        let of = of.trim_end_matches('/');
        let (plain, rest) = match location.split_once("://") {
            Some(("http", rest)) => (true, rest),
            Some(("https", rest)) => (false, rest),
            Some(_) => return None,
            None => (false, location),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let of_host = of.split('/').next().unwrap_or(of);
        let path = path.trim_matches('/');
        let is_path = |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        let usable = is_host(host) && is_host(of_host) && is_path(path) && !path.contains("..");
        usable.then(|| Self { of: of.into(), host: host.into(), path: path.into(), plain, digest_only: false })
    }

    /// The repository's name at the mirror, if it has copies of it.
    pub(super) fn repository(&self, registry: &str, repository: &str) -> Option<String> {
        let name = format!("{registry}/{repository}");
        let rest = name.strip_prefix(&self.of)?.strip_prefix('/')?;
        Some(if self.path.is_empty() { rest.to_owned() } else { format!("{}/{rest}", self.path) })
    }

    /// The mirrors that this machine's engines are configured with. What cannot be read names none: engines say so.
    pub fn configured() -> Vec<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let first_text = |paths: &[Option<PathBuf>]| paths.iter().flatten().find_map(|path| read(path));
        let docker = first_text(&[in_home(".config/docker/daemon.json"), Some("/etc/docker/daemon.json".into())]);
        let named = std::env::var_os("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from);
        let usual = [in_home(".config/containers/registries.conf"), Some("/etc/containers/registries.conf".into())];
        let containers = match named {
            Some(path) => read(&path),
            None => first_text(&usual),
        };
        let docker = docker.map(|text| of_docker(&text)).unwrap_or_default();
        let containers = containers.map(|text| of_containers(&text)).unwrap_or_default();
        docker.into_iter().chain(containers).collect()
    }
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(CONFIG_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn of_docker(text: &str) -> Vec<Mirror> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "kebab-case", default)]
    struct Daemon {
        registry_mirrors: Vec<String>,
    }
    let daemon: Daemon = serde_json::from_str(text).unwrap_or_default();
    daemon.registry_mirrors.iter().filter_map(|location| Mirror::new("docker.io", location)).collect()
}

fn of_containers(text: &str) -> Vec<Mirror> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct File {
        registry: Vec<Registry>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "kebab-case", default)]
    struct Registry {
        prefix: Option<String>,
        location: Option<String>,
        blocked: bool,
        mirror_by_digest_only: bool,
        mirror: Vec<Location>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "kebab-case", default)]
    struct Location {
        location: String,
        insecure: bool,
        pull_from_mirror: String,
    }
    let file: File = toml::from_str(text).unwrap_or_default();
    let mut mirrors = Vec::new();
    for registry in file.registry.iter().filter(|registry| !registry.blocked) {
        let Some(of) = registry.prefix.as_ref().or(registry.location.as_ref()) else { continue };
        for found in registry.mirror.iter().filter(|found| found.pull_from_mirror != "tag-only") {
            let digest_only = registry.mirror_by_digest_only || found.pull_from_mirror == "digest-only";
            let mirror = Mirror::new(of, &found.location);
            mirrors.extend(mirror.map(|mirror| Mirror { plain: found.insecure, digest_only, ..mirror }));
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mirrors: &[Mirror], registry: &str, repository: &str, expected: &str) {
        let found = mirrors.iter().filter_map(|mirror| {
            let path = mirror.repository(registry, repository)?;
            let remarks = [(mirror.plain, " plain"), (mirror.digest_only, " digest-only")];
            let remarks: String = remarks.iter().filter(|(is, _)| *is).map(|(_, remark)| *remark).collect();
            Some(format!("{}/{path}{remarks}", mirror.host))
        });
        assert_eq!(found.collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn a_mirror_is_a_host_and_a_path_before_the_name() {
        let mirrors = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Mirror>>();
        check(&mirrors(&["docker.io=mirror.example"]), "docker.io", "library/debian", "mirror.example/library/debian");
        check(&mirrors(&["docker.io=mirror.example"]), "registry.example", "a/b", "");
        check(
            &mirrors(&["docker.io/team=http://m.example:5000/hub/"]),
            "docker.io",
            "team/a",
            "m.example:5000/hub/a plain",
        );
        check(&mirrors(&["docker.io/team=m.example"]), "docker.io", "teams/a", "");
        for wrong in ["", "docker.io", "docker.io=", "docker.io=ftp://x", "=x.example", "a=b/../c", "a b=c", "a=c d"] {
            assert!(wrong.parse::<Mirror>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn engines_configurations_are_read() {
        let daemon = r#"{"data-root": "/srv", "registry-mirrors": ["https://mirror.example", "not a host"]}"#;
        check(&of_docker(daemon), "docker.io", "a/b", "mirror.example/a/b");
        check(&of_docker("{"), "docker.io", "a/b", "");
        // The example of containers-registries.conf(5), with two mirrors.
        let conf = r#"
            unqualified-search-registries = ["example.com"]
            [[registry]]
            prefix = "example.com/foo"
            insecure = false
            blocked = false
            location = "internal-registry-for-example.net/bar"
            [[registry.mirror]]
            location = "example-mirror-0.local/mirror-for-foo"
            [[registry.mirror]]
            location = "example-mirror-1.local/mirrors/foo"
            insecure = true
            pull-from-mirror = "digest-only"
            [[registry]]
            location = "blocked.example"
            blocked = true
            [[registry.mirror]]
            location = "m.example"
        "#;
        let expected =
            "example-mirror-0.local/mirror-for-foo/image, example-mirror-1.local/mirrors/foo/image plain digest-only";
        check(&of_containers(conf), "example.com", "foo/image", expected);
        check(&of_containers(conf), "blocked.example", "x", "");
        check(&of_containers("[[registry"), "example.com", "foo/image", "");
    }
}
