//! What the Red Hat family adds to a version: the product a fix is for, and the module stream.
//!
//! A fix for one product (base, extended update support, a layered product) or one module stream says nothing about
//! another, so both become part of what is compared: the product of the ecosystem's name, the stream of each row.

/// Modules whose stream is the beginning of the version of the package of the same name, and how many numbers of it.
const STREAM_BY_VERSION: &[(&str, usize)] = &[
    ("389-ds", 2),
    ("ant", 2),
    ("freeradius", 2),
    ("gimp", 2),
    ("httpd", 2),
    ("inkscape", 3),
    ("mailman", 2),
    ("mariadb", 2),
    ("maven", 2),
    ("memcached", 2),
    ("mysql", 2),
    ("nginx", 2),
    ("nodejs", 1),
    ("parfait", 2),
    ("perl", 2),
    ("php", 2),
    ("postgresql", 1),
    ("python38", 2),
    ("python39", 2),
    ("redis", 1),
    ("ruby", 2),
    ("scala", 2),
    ("squid", 1),
    ("subversion", 2),
    ("swig", 2),
    ("varnish", 1),
];

/// The OSV ecosystem of a Red Hat CPE (`cpe:/o:redhat:enterprise_linux:8::baseos` → `Red Hat:enterprise_linux:8`).
///
/// The variant after the version (`baseos`, `appstream`) is dropped: one host has them all.
pub(crate) fn ecosystem_of_cpe(cpe: &str) -> Option<String> {
    let parts = cpe.strip_prefix("cpe:/").or_else(|| cpe.strip_prefix("cpe:2.3:"))?;
    let mut parts = parts.split(':').skip(1);
    if parts.next()? != "redhat" {
        return None;
    }
    let product = parts.next().filter(|product| !product.is_empty())?;
    Some(named(product, parts.next().unwrap_or_default()))
}

/// A Red Hat ecosystem as live OSV writes it (`Red Hat:enterprise_linux:8::baseos`), without its variant.
pub(crate) fn normalise_ecosystem(ecosystem: &str) -> Option<String> {
    let mut parts = ecosystem.strip_prefix("Red Hat:")?.split(':');
    Some(named(parts.next()?, parts.next().unwrap_or_default()))
}

fn named(product: &str, version: &str) -> String {
    // Enterprise Linux proper has one stream of updates per major version, though some CPEs name the minor one.
    let version = if product == "enterprise_linux" { version.split('.').next().unwrap_or(version) } else { version };
    if version.is_empty() || version == "*" {
        format!("Red Hat:{product}")
    } else {
        format!("Red Hat:{product}:{version}")
    }
}

/// Whether a version is that of a module's build (`…-1.module_el8.9.0+3734+1a2b3c4d`, `…module+el8…`).
pub(crate) fn is_modular(version: &str) -> bool {
    version.contains(".module+") || version.contains(".module_")
}

/// The module and stream that a package's name carries: `nodejs:18/nodejs` → `nodejs:18`.
pub(crate) fn module_in_name(name: &str) -> Option<&str> {
    let (module, _) = name.split_once('/')?;
    stream(module)
}

/// The module and stream that a title names: `Important: nodejs:18 security update` → `nodejs:18`.
pub(crate) fn module_in_summary(summary: &str) -> Option<&str> {
    summary.split_whitespace().find_map(|word| stream(word.trim_matches([',', ';', '(', ')'])))
}

fn stream(text: &str) -> Option<&str> {
    let (name, stream) = text.split_once(':')?;
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
    };
    (plain(name) && plain(stream)).then_some(text)
}

/// The module and stream of one advisory by its packages and their fixed versions: `nodejs` fixed in `1:18.19.0-1…`
/// means `nodejs:18`. None when no package, or more than one, bears a module's name, since then it would be a guess.
pub(crate) fn module_of_siblings<'a>(fixes: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut found: Option<String> = None;
    for (name, version) in fixes {
        let Some((module, numbers)) = STREAM_BY_VERSION.iter().find(|(module, _)| *module == name) else { continue };
        let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
        let upstream = upstream.split('-').next().unwrap_or(upstream);
        let stream: Vec<&str> = upstream.split('.').take(*numbers).collect();
        if stream.len() < *numbers || !stream.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            continue;
        }
        let module = format!("{module}:{}", stream.join("."));
        match &found {
            Some(other) if *other != module => return None,
            _ => found = Some(module),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpe_names_the_product_and_never_the_variant() {
        for (cpe, expected) in [
            ("cpe:/o:redhat:enterprise_linux:8::baseos", Some("Red Hat:enterprise_linux:8")),
            ("cpe:/a:redhat:enterprise_linux:9::appstream", Some("Red Hat:enterprise_linux:9")),
            ("cpe:/o:redhat:enterprise_linux:10.1", Some("Red Hat:enterprise_linux:10")),
            ("cpe:/a:redhat:rhel_eus:8.6::appstream", Some("Red Hat:rhel_eus:8.6")),
            ("cpe:/a:redhat:openshift:4.12::el8", Some("Red Hat:openshift:4.12")),
            ("cpe:2.3:o:redhat:enterprise_linux:8:*:*:*:*:*:*:*", Some("Red Hat:enterprise_linux:8")),
            ("cpe:/o:fedoraproject:fedora:39", None),
            ("", None),
        ] {
            assert_eq!(ecosystem_of_cpe(cpe).as_deref(), expected);
        }
        assert_eq!(
            normalise_ecosystem("Red Hat:enterprise_linux:8::baseos").as_deref(),
            Some("Red Hat:enterprise_linux:8")
        );
    }

    #[test]
    fn a_stream_is_read_from_name_title_or_sibling() {
        assert_eq!(module_in_name("nodejs:18/nodejs"), Some("nodejs:18"));
        assert_eq!(module_in_name("openshift4/ose-cli"), None);
        assert_eq!(module_in_summary("Important: nodejs:18 security update"), Some("nodejs:18"));
        assert_eq!(module_in_summary("Important: kernel security update"), None);
        let fixes = [("nodejs-nodemon", "2.0.20-2.module_el8.7.0+1"), ("nodejs", "1:18.12.1-2.module_el8.7.0+1")];
        assert_eq!(module_of_siblings(fixes.into_iter()).as_deref(), Some("nodejs:18"));
        let both = [("php", "7.4.33-1.module_el8+1"), ("ruby", "2.7.4-1.module_el8+1")];
        assert_eq!(module_of_siblings(both.into_iter()), None, "two modules in one advisory: no guess");
    }
}
