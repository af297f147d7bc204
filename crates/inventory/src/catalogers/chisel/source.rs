//! From which source package a binary package of Ubuntu is built.
//!
//! Only for packages that slices are commonly cut from. The pairs have been the same since Ubuntu 22.04, apart from the
//! `t64` that 24.04 put behind library names.

/// Binaries and their source, where the two differ.
const SOURCES: &[(&str, &[&str])] = &[
    ("acl", &["libacl1"]),
    ("attr", &["libattr1"]),
    ("audit", &["libaudit1", "libaudit-common"]),
    ("brotli", &["libbrotli1"]),
    ("bzip2", &["libbz2-1.0"]),
    ("curl", &["libcurl4", "libcurl3-gnutls"]),
    ("cyrus-sasl2", &["libsasl2-2", "libsasl2-modules", "libsasl2-modules-db"]),
    ("db5.3", &["libdb5.3"]),
    ("e2fsprogs", &["libcom-err2", "libext2fs2", "libss2", "logsave"]),
    ("expat", &["libexpat1"]),
    ("fontconfig", &["libfontconfig1", "fontconfig-config"]),
    ("freetype", &["libfreetype6"]),
    ("glibc", &["libc6", "libc-bin", "locales"]),
    ("gmp", &["libgmp10"]),
    ("gnutls28", &["libgnutls30"]),
    ("keyutils", &["libkeyutils1"]),
    ("krb5", &["krb5-locales", "libgssapi-krb5-2", "libk5crypto3", "libkrb5-3", "libkrb5support0"]),
    ("libcap2", &["libcap2-bin"]),
    ("libffi", &["libffi8"]),
    ("libgcrypt20", &[]),
    ("libgpg-error", &["libgpg-error0"]),
    ("libidn2", &["libidn2-0"]),
    ("libjpeg-turbo", &["libjpeg-turbo8"]),
    ("libnsl", &["libnsl2"]),
    ("libpng1.6", &["libpng16-16"]),
    ("libpsl", &["libpsl5"]),
    ("libselinux", &["libselinux1"]),
    ("libssh", &["libssh-4", "libssh-gcrypt-4"]),
    ("libtasn1-6", &[]),
    ("libtirpc", &["libtirpc3", "libtirpc-common"]),
    ("libunistring", &["libunistring2", "libunistring5"]),
    ("libunwind", &["libunwind8"]),
    ("libxcrypt", &["libcrypt1"]),
    ("libyaml", &["libyaml-0-2"]),
    ("lttng-ust", &["liblttng-ust1", "liblttng-ust-common1", "liblttng-ust-ctl5"]),
    ("lz4", &["liblz4-1"]),
    ("media-types", &[]),
    ("ncurses", &["libncurses6", "libncursesw6", "libtinfo6", "ncurses-base", "ncurses-bin"]),
    ("nettle", &["libhogweed6", "libnettle8"]),
    ("nghttp2", &["libnghttp2-14"]),
    ("numactl", &["libnuma1"]),
    ("openldap", &["libldap2", "libldap-2.5-0", "libldap-common"]),
    ("openssl", &["libssl3"]),
    ("p11-kit", &["libp11-kit0"]),
    ("pam", &["libpam0g", "libpam-modules", "libpam-runtime"]),
    ("pcre2", &["libpcre2-8-0", "libpcre2-posix3"]),
    ("perl", &["perl-base"]),
    ("readline", &["libreadline8", "readline-common"]),
    ("rtmpdump", &["librtmp1"]),
    ("shadow", &["login", "passwd"]),
    ("sqlite3", &["libsqlite3-0"]),
    ("systemd", &["libsystemd0", "libudev1"]),
    ("util-linux", &["bsdutils", "libblkid1", "libmount1", "libsmartcols1", "libuuid1", "mount"]),
    ("xxhash", &["libxxhash0"]),
    ("xz-utils", &["liblzma5"]),
    ("zlib", &["zlib1g"]),
    ("libzstd", &["libzstd1", "zstd"]),
];

/// Binaries that are built from a source of the same name.
const SAME: &[&str] = &[
    "base-files",
    "base-passwd",
    "bash",
    "busybox",
    "ca-certificates",
    "coreutils",
    "curl",
    "dash",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "git",
    "grep",
    "gzip",
    "hello",
    "hostname",
    "jq",
    "libcap2",
    "libgcrypt20",
    "libtasn1-6",
    "media-types",
    "mawk",
    "netbase",
    "nginx",
    "openssl",
    "perl",
    "procps",
    "sed",
    "tar",
    "tzdata",
    "util-linux",
    "wget",
    "xz-utils",
];

/// The name of the source; none where it is not known.
pub(super) fn of(binary: &str, version: &str) -> Option<String> {
    let plain = binary.strip_suffix("t64").unwrap_or(binary);
    if SAME.contains(&plain) {
        return Some(plain.to_owned());
    }
    let known = SOURCES.iter().find(|(_, binaries)| binaries.contains(&plain));
    known.map(|(source, _)| (*source).to_owned()).or_else(|| by_version(plain, version))
}

/// Sources that carry a version in their names, which their binaries carry in another place.
fn by_version(binary: &str, version: &str) -> Option<String> {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let major = upstream.split(|c: char| !c.is_ascii_digit()).next().filter(|major| !major.is_empty())?;
    let starts_with_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let after = |prefix: &str| binary.strip_prefix(prefix).filter(|rest| starts_with_number(rest));
    // The run-time libraries are of the newest compiler: `libgcc-s1` 14-20240412-0ubuntu1 is of `gcc-14`.
    if ["libgcc-s1", "libstdc++6", "libgomp1", "libatomic1", "libgfortran5"].contains(&binary)
        || (after("gcc-").is_some() && binary.ends_with("-base"))
    {
        return Some(format!("gcc-{major}"));
    }
    if after("libicu").is_some() {
        return Some("icu".into());
    }
    for (prefix, source) in [
        ("python", "python"),
        ("libpython", "python"),
        ("openjdk-", "openjdk-"),
        ("dotnet-runtime-", "dotnet"),
        ("dotnet-hostfxr-", "dotnet"),
        ("aspnetcore-runtime-", "dotnet"),
    ] {
        if let Some(rest) = after(prefix) {
            // `3.12-minimal`, `17-jre-headless`, `8.0`: dotnet's source has the major number alone.
            let number = rest.split('-').next().unwrap_or(rest);
            let number = if source == "dotnet" { number.split('.').next().unwrap_or(number) } else { number };
            return Some(format!("{source}{number}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_ubuntu_s_binaries() {
        for (binary, version, source) in [
            ("libc6", "2.39-0ubuntu8.4", Some("glibc")),
            ("libssl3t64", "3.0.13-0ubuntu3.4", Some("openssl")),
            ("libssl3", "3.0.2-0ubuntu1.18", Some("openssl")),
            ("libgcc-s1", "14-20240412-0ubuntu1", Some("gcc-14")),
            ("libstdc++6", "12.3.0-1ubuntu1~22.04", Some("gcc-12")),
            ("gcc-14-base", "14-20240412-0ubuntu1", Some("gcc-14")),
            ("libicu74", "74.2-1ubuntu3", Some("icu")),
            ("libpython3.12-minimal", "3.12.3-1ubuntu0.5", Some("python3.12")),
            ("openjdk-21-jre-headless", "21.0.5+11-1ubuntu1~24.04", Some("openjdk-21")),
            ("dotnet-runtime-8.0", "8.0.11-0ubuntu1~24.04.1", Some("dotnet8")),
            ("openssl", "3.0.13-0ubuntu3.4", Some("openssl")),
            ("libicu-le-hb0", "1", None),
            ("libnobody7", "1", None),
        ] {
            assert_eq!(of(binary, version).as_deref(), source, "{binary}");
        }
    }
}
