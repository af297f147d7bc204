//! Facts about the attack surface: counted by the inventory, absent where not all files were seen.

use condition::{FactType, Value};
use model::surface::{Places, Surface};

use super::{Row, View, maybe};

pub(super) const ROWS: &[Row] = &[
    maybe(
        "image.surface.setuid_files",
        FactType::Int,
        |v| now(v, |s| &s.setuid_files),
        "How many programs run as their owner, whoever starts them. Like all of `image.surface`, known for images and containers.",
    ),
    maybe(
        "image.surface.setuid_paths",
        FactType::Strings,
        |v| surface(v).map_or(Value::Absent, |surface| Value::Strings(&surface.setuid_files.paths)),
        "Their paths, at most 1000.",
    ),
    maybe(
        "image.surface.setgid_files",
        FactType::Int,
        |v| now(v, |s| &s.setgid_files),
        "How many programs run as their group, whoever starts them.",
    ),
    maybe(
        "image.surface.world_writable",
        FactType::Int,
        |v| now(v, |s| &s.world_writable),
        "How many files everyone may change, and directories without the sticky bit in which everyone may replace files.",
    ),
    maybe(
        "image.surface.services",
        FactType::Int,
        |v| now(v, |s| &s.services),
        "How many services an init system found in it would start (systemd, s6, runit, OpenRC, inetd).",
    ),
    maybe(
        "image.surface.daemons",
        FactType::Int,
        |v| now(v, |s| &s.daemons),
        "How many well-known servers it holds (`sshd`, `nginx`, …).",
    ),
    maybe(
        "image.surface.shells",
        FactType::Int,
        |v| now(v, |s| &s.shells),
        "How many names of shells it has; links to one shell count each.",
    ),
    maybe(
        "image.surface.package_managers",
        FactType::Int,
        |v| now(v, |s| &s.package_managers),
        "How many package managers (`apt`, `pip`, …).",
    ),
    maybe(
        "image.surface.compilers",
        FactType::Int,
        |v| now(v, |s| &s.compilers),
        "How many compilers, linkers and debuggers.",
    ),
    maybe(
        "image.surface.interpreters",
        FactType::Int,
        |v| now(v, |s| &s.interpreters),
        "How many interpreters other than shells.",
    ),
    maybe(
        "image.surface.network_tools",
        FactType::Int,
        |v| now(v, |s| &s.network_tools),
        "How many programs that fetch, send, listen or scan (`curl`, `nc`, …).",
    ),
    maybe(
        "image.surface.hidden_files",
        FactType::Int,
        |v| now(v, |s| &s.hidden_files),
        "How many files a later layer replaced or removed: shipped, and reached by nothing.",
    ),
    maybe(
        "image.surface.new_setuid_files",
        FactType::Int,
        |v| new(v, |s| &s.setuid_files),
        "How many setuid programs the artifact compared with did not have at that path. Like all of `new_…`, known with `--compare-to`.",
    ),
    maybe(
        "image.surface.new_setgid_files",
        FactType::Int,
        |v| new(v, |s| &s.setgid_files),
        "The same of setgid programs.",
    ),
    maybe(
        "image.surface.new_world_writable",
        FactType::Int,
        |v| new(v, |s| &s.world_writable),
        "The same of world-writable files and directories.",
    ),
    maybe("image.surface.new_services", FactType::Int, |v| new(v, |s| &s.services), "The same of services."),
    maybe("image.surface.new_daemons", FactType::Int, |v| new(v, |s| &s.daemons), "The same of servers."),
    maybe("image.surface.new_shells", FactType::Int, |v| new(v, |s| &s.shells), "The same of shells."),
    maybe(
        "image.surface.new_package_managers",
        FactType::Int,
        |v| new(v, |s| &s.package_managers),
        "The same of package managers.",
    ),
    maybe("image.surface.new_compilers", FactType::Int, |v| new(v, |s| &s.compilers), "The same of compilers."),
    maybe(
        "image.surface.new_interpreters",
        FactType::Int,
        |v| new(v, |s| &s.interpreters),
        "The same of interpreters.",
    ),
    maybe(
        "image.surface.new_network_tools",
        FactType::Int,
        |v| new(v, |s| &s.network_tools),
        "The same of network tools.",
    ),
    maybe(
        "image.surface.new_hidden_files",
        FactType::Int,
        |v| new(v, |s| &s.hidden_files),
        "The same of hidden files.",
    ),
];

fn surface<'a>(view: &View<'a>) -> Option<&'a Surface> {
    view.whole.subject.inventory.surface.as_ref()
}

fn now<'a>(view: &View<'a>, sort: fn(&Surface) -> &Places) -> Value<'a> {
    count(surface(view), sort)
}

fn new<'a>(view: &View<'a>, sort: fn(&Surface) -> &Places) -> Value<'a> {
    count(view.whole.subject.comparison.and_then(|comparison| comparison.new_surface.as_ref()), sort)
}

fn count<'a>(surface: Option<&Surface>, sort: fn(&Surface) -> &Places) -> Value<'a> {
    surface.map_or(Value::Absent, |surface| Value::Int(i64::try_from(sort(surface).count).unwrap_or(i64::MAX)))
}
