//! Counts the attack surface of a stacked tree, from names and permission bits: nothing is read again.
//!
//! **Never:** what is not there under its usual name is not guessed, and no program is said to be reachable or used.

use model::surface::{Places, Surface};

use crate::entry::EntryKind;
use crate::layer::{LayerFacts, display};
use crate::tree::{ContentRef, Tree, TreeNode, TreeNodeKind};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const EXECUTABLE: u32 = 0o111;
const EVERYONE_WRITES: u32 = 0o002;

const SHELLS: &[&str] =
    &["ash", "bash", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "pwsh", "rbash", "sh", "tcsh", "yash", "zsh"];

const PACKAGE_MANAGERS: &[&str] = &[
    "apk", "apt", "apt-get", "aptitude", "bundle", "cargo", "composer", "conda", "dnf", "dpkg", "gem", "mamba",
    "microdnf", "npm", "npx", "nuget", "opkg", "pacman", "pip", "pip3", "pipx", "pnpm", "poetry", "rpm", "tdnf", "uv",
    "yarn", "yum", "zypper",
];

const COMPILERS: &[&str] = &[
    "as", "c++", "cc", "clang", "clang++", "cmake", "g++", "gcc", "gdb", "gfortran", "go", "javac", "ld", "lldb",
    "make", "rustc", "strace", "tcc",
];

const INTERPRETERS: &[&str] = &[
    "awk", "bun", "deno", "gawk", "guile", "java", "lua", "luajit", "mawk", "node", "nodejs", "perl", "php", "pypy3",
    "python", "python2", "python3", "ruby", "tclsh",
];

const NETWORK_TOOLS: &[&str] = &[
    "curl", "dig", "ftp", "nc", "ncat", "netcat", "nmap", "nslookup", "rsync", "scp", "sftp", "socat", "ssh",
    "tcpdump", "telnet", "tftp", "wget",
];

const DAEMONS: &[&str] = &[
    "apache2",
    "caddy",
    "containerd",
    "crond",
    "cupsd",
    "dnsmasq",
    "dockerd",
    "dropbear",
    "envoy",
    "exim4",
    "haproxy",
    "httpd",
    "inetd",
    "lighttpd",
    "mariadbd",
    "memcached",
    "mongod",
    "mysqld",
    "named",
    "nginx",
    "nmbd",
    "postgres",
    "proftpd",
    "redis-server",
    "rpcbind",
    "slapd",
    "smbd",
    "snmpd",
    "squid",
    "sshd",
    "telnetd",
    "tftpd",
    "traefik",
    "unbound",
    "valkey-server",
    "vsftpd",
    "xinetd",
];

/// Below these lie settings, examples and package databases; their programs are found where they are called.
const NO_PROGRAMS: [&str; 3] = ["etc/", "usr/share/", "var/lib/"];

/// What the tree of these layers offers.
pub(super) fn surface(tree: &Tree, layers: &[LayerFacts]) -> Surface {
    let (mut found, mut reached) = (Found::default(), Reached::of(layers));
    for node in tree.nodes() {
        reached.mark(tree, &node);
        found.permissions(tree, &node);
        found.program(tree, &node);
        found.service(tree, &node);
    }
    let [shells, package_managers, compilers, interpreters, network_tools, daemons] =
        found.programs.map(Sort::into_places);
    Surface {
        setuid_files: found.setuid.into_places(),
        setgid_files: found.setgid.into_places(),
        world_writable: found.writable.into_places(),
        shells,
        package_managers,
        compilers,
        interpreters,
        network_tools,
        daemons,
        services: found.services.into_places(),
        hidden_files: reached.hidden(layers),
    }
}

/// Which entries of each layer can still be reached.
struct Reached(Vec<Vec<bool>>);

impl Reached {
    fn of(layers: &[LayerFacts]) -> Self {
        Self(layers.iter().map(|layer| vec![false; layer.entries.len() as usize]).collect())
    }

    fn mark(&mut self, tree: &Tree, node: &TreeNode<'_>) {
        for ContentRef { layer, entry } in tree.content(node.id).into_iter().chain([tree.made_by(node.id)]) {
            if let Some(reached) = self.0.get_mut(layer as usize).and_then(|layer| layer.get_mut(entry as usize)) {
                *reached = true;
            }
        }
    }

    /// Files whose bytes nothing reaches any more: a later layer replaced or removed them. Whoever has the image has them.
    fn hidden(self, layers: &[LayerFacts]) -> Places {
        let mut hidden = Sort::default();
        for (layer, reached) in layers.iter().zip(self.0) {
            let entries = layer.entries.iter().zip(reached).filter(|(_, reached)| !reached);
            for (entry, _) in entries.filter(|(entry, _)| matches!(entry.kind, EntryKind::File { .. })) {
                hidden.add(|| absolute(&entry.path));
            }
        }
        hidden.into_places()
    }
}

/// More paths than this are not worked out, for each sort: long paths cost time, and a hostile layer has millions. What
/// comes after is counted by its name alone.
const PATHS_MAX: u64 = 1_000_000;

#[derive(Default)]
struct Found {
    setuid: Sort,
    setgid: Sort,
    writable: Sort,
    /// By the lists of names, in their order.
    programs: [Sort; 6],
    services: Sort,
    /// How many names were looked at closer.
    looked: u64,
}

/// Places of one sort; of the paths only the first in order are kept.
#[derive(Default)]
struct Sort {
    count: u64,
    paths: Vec<String>,
}

impl Sort {
    fn add(&mut self, path: impl FnOnce() -> String) {
        self.count += 1;
        if self.count <= PATHS_MAX {
            self.paths.push(path());
            if self.paths.len() >= 2 * Places::SHOWN_MAX {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.paths.sort_unstable();
        self.paths.truncate(Places::SHOWN_MAX);
    }

    fn into_places(mut self) -> Places {
        self.cut();
        Places { count: self.count, paths: self.paths }
    }
}

impl Found {
    fn permissions(&mut self, tree: &Tree, node: &TreeNode<'_>) {
        let has = |bits: u32| node.mode & bits != 0;
        let path = || absolute(&tree.path(node.id));
        match node.kind {
            TreeNodeKind::File => {
                if has(SETUID) && has(EXECUTABLE) {
                    self.setuid.add(path);
                }
                // Without the group's execute bit, setgid once meant mandatory locking (`chmod(2)`).
                if has(SETGID) && has(0o010) {
                    self.setgid.add(path);
                }
                if has(EVERYONE_WRITES) {
                    self.writable.add(path);
                }
            }
            TreeNodeKind::Directory if has(EVERYONE_WRITES) && !has(STICKY) => self.writable.add(path),
            _ => {}
        }
    }

    fn program(&mut self, tree: &Tree, node: &TreeNode<'_>) {
        let Some(sort) = std::str::from_utf8(node.name).ok().and_then(sort_of) else { return };
        self.looked += 1;
        if self.looked > PATHS_MAX {
            self.programs[sort].count += 1;
            return;
        }
        let path = tree.path(node.id);
        let is_program = || match node.kind {
            TreeNodeKind::File => node.mode & EXECUTABLE != 0,
            // Alternatives and the applets of busybox are links to the program.
            TreeNodeKind::Symlink => tree.resolve(&path).is_some_and(|target| {
                let target = tree.look(target);
                target.kind == TreeNodeKind::File && target.mode & EXECUTABLE != 0
            }),
            _ => false,
        };
        if !NO_PROGRAMS.iter().any(|place| path.starts_with(place.as_bytes())) && is_program() {
            self.programs[sort].add(|| absolute(&path));
        }
    }

    fn service(&mut self, tree: &Tree, node: &TreeNode<'_>) {
        let name = node.name;
        let may_be =
            name == b"run" || name.ends_with(b".service") || name.ends_with(b".socket") || name == b"inetd.conf";
        // OpenRC and xinetd name services freely, so the place alone tells.
        if node.kind == TreeNodeKind::Directory || !(may_be || tree.is_below(node.id, PLACES_OF_FREE_NAMES)) {
            return;
        }
        self.looked += 1;
        if self.looked > PATHS_MAX {
            self.services.count += 1;
            return;
        }
        let path = absolute(&tree.path(node.id));
        if starts_a_service(&path) {
            self.services.add(|| path);
        }
    }
}

const PLACES_OF_FREE_NAMES: &[&[u8]] = &[b"runlevels", b"xinetd.d"];

/// The number of the list that has this name; `python3.11` counts as `python3`, `gcc-12` as `gcc`.
fn sort_of(name: &str) -> Option<usize> {
    let lists = [SHELLS, PACKAGE_MANAGERS, COMPILERS, INTERPRETERS, NETWORK_TOOLS, DAEMONS];
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    lists.iter().position(|list| {
        list.binary_search(&name).is_ok() || (plain != name && !plain.is_empty() && list.binary_search(&plain).is_ok())
    })
}

/// Whether an init system starts something because this file is there: units enabled by a link (`systemctl enable`), scripts
/// of s6, s6-overlay and runit, services in an OpenRC run level, and inetd's list.
fn starts_a_service(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["etc", "systemd", "system", wants, _unit] => wants.ends_with(".wants") || wants.ends_with(".requires"),
        ["etc", "services.d" | "service" | "sv", _, "run"] | ["etc", "s6-overlay", "s6-rc.d", _, "run"] => true,
        ["etc", "runlevels", _, _] | ["etc", "xinetd.d", _] | ["etc", "inetd.conf"] => true,
        _ => false,
    }
}

fn absolute(path: &[u8]) -> String {
    format!("/{}", display(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, EntryKind, EntryTable};

    fn check(layers: &[&[(&str, u32, EntryKind)]], expected: &[(&str, &[&str])]) {
        let mut tree = Tree::default();
        for (number, layer) in (0..).zip(layers) {
            let mut table = EntryTable::default();
            for (path, mode, kind) in *layer {
                table.push(&Entry { path: path.as_bytes().to_vec(), kind: kind.clone(), mode: *mode });
            }
            tree.stack(number, &table);
        }
        let surface = surface(&tree, &[]);
        let found: Vec<(&str, Vec<&str>)> = surface
            .sorts()
            .into_iter()
            .filter(|(_, places)| !places.is_empty())
            .map(|(sort, places)| (sort, places.paths.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> = expected.iter().map(|(sort, paths)| (*sort, paths.to_vec())).collect();
        assert_eq!(found, expected);
    }

    fn file() -> EntryKind {
        EntryKind::File { size: 1, pinned: None }
    }

    fn link(target: &str) -> EntryKind {
        EntryKind::Symlink(target.as_bytes().to_vec())
    }

    #[test]
    fn permissions_of_what_is_still_there_count() {
        check(
            &[
                &[
                    ("usr/bin/su", 0o4755, file()),
                    ("usr/bin/gone", 0o4755, file()),
                    ("usr/bin/tamed", 0o4755, file()),
                    ("usr/bin/wall", 0o2755, file()),
                    ("usr/lib/locked", 0o2644, file()),
                    ("srv/not-run", 0o4644, file()),
                    ("tmp", 0o1777, EntryKind::Directory),
                    ("srv/open", 0o777, EntryKind::Directory),
                    ("srv/note", 0o666, file()),
                ],
                &[("usr/bin/gone", 0, EntryKind::Whiteout), ("usr/bin/tamed", 0o755, file())],
            ],
            &[
                ("setuid files", &["/usr/bin/su"]),
                ("setgid files", &["/usr/bin/wall"]),
                ("world-writable", &["/srv/note", "/srv/open"]),
            ],
        );
    }

    #[test]
    fn programs_are_counted_by_the_names_they_are_called_under() {
        check(
            &[&[
                ("bin", 0o777, link("usr/bin")),
                ("usr/bin/busybox", 0o755, file()),
                ("usr/bin/sh", 0o777, link("/bin/busybox")),
                ("usr/bin/nc", 0o777, link("busybox")),
                ("usr/bin/curl", 0o777, link("nowhere")),
                ("usr/bin/python3.11", 0o755, file()),
                ("usr/bin/gcc-12", 0o755, file()),
                ("etc/init.d/nginx", 0o755, file()),
                ("usr/share/doc/node", 0o755, file()),
                ("opt/app/node", 0o644, file()),
            ]],
            &[
                ("shells", &["/usr/bin/sh"]),
                ("compilers", &["/usr/bin/gcc-12"]),
                ("interpreters", &["/usr/bin/python3.11"]),
                ("network tools", &["/usr/bin/nc"]),
            ],
        );
    }

    #[test]
    fn what_init_systems_start_is_a_service() {
        check(
            &[&[
                (
                    "etc/systemd/system/multi-user.target.wants/ssh.service",
                    0o777,
                    link("/lib/systemd/system/ssh.service"),
                ),
                ("usr/lib/systemd/system/idle.service", 0o644, file()),
                ("etc/services.d/web/run", 0o755, file()),
                ("etc/runlevels/default/sshd", 0o777, link("/etc/init.d/sshd")),
                ("srv/run", 0o755, file()),
            ]],
            &[(
                "services",
                &[
                    "/etc/runlevels/default/sshd",
                    "/etc/services.d/web/run",
                    "/etc/systemd/system/multi-user.target.wants/ssh.service",
                ],
            )],
        );
    }

    #[test]
    fn the_lists_are_sorted_because_they_are_searched() {
        for list in [SHELLS, PACKAGE_MANAGERS, COMPILERS, INTERPRETERS, NETWORK_TOOLS, DAEMONS] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
