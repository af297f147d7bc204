//! Servers and run-time environments that no package manager installed, and whose advisories speak of them.
//!
//! A `generic` package is what a program says of itself: an upstream name and version. Bitnami publishes OSV records for
//! upstream releases of the applications it packages, which hold for every build of those releases; the kernel has an
//! ecosystem of its own, `Linux`. The NVD's records are
//! by CPE and are no ecosystem of their own.

use super::Query;

/// Upstream names, and what Bitnami calls them.
const APPLICATIONS: &[(&str, &str)] = &[
    ("haproxy", "haproxy"),
    ("httpd", "apache"),
    ("mariadb", "mariadb"),
    ("memcached", "memcached"),
    ("nginx", "nginx"),
    ("node", "node"),
    ("openjdk", "java"),
    ("openresty", "openresty"),
    ("php", "php"),
    ("postgresql", "postgresql"),
    ("python", "python"),
    ("redis", "redis"),
    ("ruby", "ruby"),
    ("valkey", "valkey"),
];

/// What is asked for a `generic` package; none when no advisories are known for it.
pub(super) fn query(name: &str, version: &str) -> Option<Query> {
    if name == "linux" {
        return Some(Query { ecosystem: "Linux".into(), name: "Kernel".into(), version: kernel_version(version)? });
    }
    let (_, application) = APPLICATIONS.iter().find(|(ours, _)| *ours == name)?;
    let version = if name == "openjdk" { java_version(version) } else { version.to_owned() };
    Some(Query { ecosystem: "Bitnami".into(), name: (*application).to_owned(), version })
}

/// A version of Java as its advisories write it: three numbers. Java 8 calls itself `1.8.0_392` and is `8.0.392` there, and
/// a fourth number of later ones is a rebuild.
fn java_version(version: &str) -> String {
    let version = version.strip_prefix("1.").unwrap_or(version).replace('_', ".");
    version.split('.').take(3).collect::<Vec<_>>().join(".")
}

/// The upstream version of a kernel's release (`6.6.87.2-microsoft-standard` is 6.6.87). None when it does not tell which
/// fixes are in it: distributions that mend one version for years write `5.15.0-91-generic`.
fn kernel_version(release: &str) -> Option<String> {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let numbers: Vec<&str> = release[..end].split('.').take(3).collect();
    let frozen = numbers.get(2).is_none_or(|third| *third == "0" || third.is_empty());
    (!frozen && numbers.iter().all(|number| !number.is_empty())).then(|| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_is_numbered_as_its_advisories_number_it() {
        for (own, advised) in
            [("1.8.0_392", "8.0.392"), ("17.0.21.1", "17.0.21"), ("21", "21"), ("11.0.20", "11.0.20"), ("1.8.0", "8.0")]
        {
            assert_eq!(query("openjdk", own).unwrap().version, advised);
        }
        assert_eq!(query("nginx", "1.22.1").unwrap().version, "1.22.1");
        assert_eq!(query("nobody", "1"), None);
    }

    #[test]
    fn a_kernel_is_compared_where_its_release_tells_its_fixes() {
        for (release, expected) in [
            ("6.6.87.2-microsoft-standard-WSL2", Some("6.6.87")),
            ("6.12.5-arch1-1", Some("6.12.5")),
            ("5.15.0-91-generic", None),
            ("6.1.0-18-amd64", None),
            ("5.14.0-362.el9.x86_64", None),
            ("6.12", None),
            ("", None),
        ] {
            assert_eq!(query("linux", release).map(|query| query.version).as_deref(), expected, "{release}");
        }
    }
}
