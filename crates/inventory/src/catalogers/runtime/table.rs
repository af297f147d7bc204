//! Which programs are recognised: the names of their files, and the words their versions stand behind.

use super::search::Words;

/// One program.
pub(super) struct Program {
    /// The upstream name, which becomes the package's.
    pub(super) name: &'static str,
    /// Its files.
    files: &'static [FileName],
    /// Where its version stands; the first words that are found count.
    pub(super) words: &'static [Words],
}

/// How a file is called.
enum FileName {
    /// Exactly so.
    Is(&'static str),
    /// So, and then a version: `python3.11`, `php-fpm8.2`.
    Numbered(&'static str),
    /// A shared library: `libcrypto.so.3`, `libpython3.11.so.1.0`, also with a hash where a wheel brings it along.
    Library(&'static str),
}
use FileName::{Is, Library, Numbered};
use Words::{After, AsFileName, Before, Highest};

#[rustfmt::skip] // One program a line.
const PROGRAMS: &[Program] = &[
    Program { name: "bash", files: &[Is("bash")], words: &[After(b"@(#)Bash version ")] },
    Program { name: "busybox", files: &[Is("busybox"), Is("busybox.static")], words: &[After(b"BusyBox v")] },
    Program { name: "curl", files: &[Is("curl"), Library("libcurl")], words: &[After(b"libcurl/")] },
    Program { name: "haproxy", files: &[Is("haproxy")], words: &[After(b"\0 version "), After(b"HA-Proxy version ")] },
    Program { name: "httpd", files: &[Is("httpd"), Is("apache2")], words: &[After(b"\0Apache/")] },
    Program { name: "mariadb", files: &[Is("mariadbd"), Is("mysqld")], words: &[Before(b"-MariaDB")] },
    Program { name: "memcached", files: &[Is("memcached")], words: &[After(b"\0memcached ")] },
    Program { name: "nginx", files: &[Is("nginx"), Is("nginx-debug")], words: &[After(b"nginx version: nginx/")] },
    Program { name: "openresty", files: &[Is("nginx"), Is("openresty")], words: &[After(b"nginx version: openresty/")] },
    Program { name: "node", files: &[Is("node"), Is("nodejs"), Library("libnode")], words: &[After(b"node.js/v"), After(b"/node-v")] },
    Program { name: "openssl", files: &[Library("libcrypto")], words: &[After(b"\0OpenSSL ")] },
    Program { name: "perl", files: &[Numbered("perl"), Library("libperl")], words: &[After(b"\0v")] },
    Program { name: "php", files: &[Numbered("php"), Numbered("php-fpm"), Numbered("php-cgi"), Library("libphp")], words: &[After(b"X-Powered-By: PHP/")] },
    Program { name: "postgresql", files: &[Is("postgres")], words: &[After(b"postgres (PostgreSQL) ")] },
    Program { name: "python", files: &[Numbered("python"), Library("libpython")], words: &[AsFileName] },
    Program { name: "redis", files: &[Is("redis-server"), Is("redis-check-rdb")], words: &[Highest] },
    Program { name: "ruby", files: &[Numbered("ruby"), Library("libruby")], words: &[After(b"\0ruby ")] },
    Program { name: "rust", files: &[Is("rustc"), Library("librustc_driver")], words: &[After(b"rustc version ")] },
    Program { name: "valkey", files: &[Is("valkey-server"), Is("valkey-check-rdb")], words: &[Highest] },
];

/// The programs that a file of this name may be: `nginx` is also OpenResty's.
pub(super) fn programs(file_name: &str) -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().filter(move |program| program.files.iter().any(|file| file.is(file_name)))
}

impl FileName {
    fn is(&self, name: &str) -> bool {
        match self {
            Is(known) => name == *known,
            Numbered(known) => name
                .strip_prefix(known)
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')),
            Library(known) => name.strip_prefix(known).is_some_and(|rest| {
                rest.starts_with(|c: char| c == '.' || c == '-' || c.is_ascii_digit()) && rest.contains(".so")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (file, expected) in [
            ("nginx", Some("nginx")),
            ("python3.11", Some("python")),
            ("python3.11-config", None),
            ("libpython3.11.so.1.0", Some("python")),
            ("libcrypto.so.3", Some("openssl")),
            ("libcrypto-2e26f48e.so.1.1", Some("openssl")),
            ("libcryptopp.so.8", None),
            ("libcurl.so.4.8.0", Some("curl")),
            ("libcurl-gnutls.so.4.8.0", Some("curl")),
            ("librustc_driver-6108105cd7e839cf.so", Some("rust")),
            ("php-fpm8.2", Some("php")),
            ("phpize", None),
            ("perl5.36.0", Some("perl")),
            ("libperl.so.5.36.0", Some("perl")),
            ("redis-cli", None),
        ] {
            assert_eq!(programs(file).map(|program| program.name).next(), expected, "{file}");
        }
    }
}
