//! Facts about one package.

use condition::{FactType, Value};
use model::artifact::Origin;
use model::package::Package;

use super::{Row, View, fact, maybe, or_absent};

pub(super) const ROWS: &[Row] = &[
    fact(
        "package.type",
        FactType::String,
        |v| of(v, |p| Value::String(p.kind.as_str())),
        "The package-URL type: `deb`, `npm`, `maven`, …",
    ),
    fact(
        "package.name",
        FactType::String,
        |v| of(v, |p| Value::String(&p.name)),
        "The name as its ecosystem writes it.",
    ),
    fact(
        "package.version",
        FactType::String,
        |v| of(v, |p| Value::String(&p.version)),
        "The version as its ecosystem writes it; empty when nothing says.",
    ),
    fact("package.purl", FactType::String, |v| of(v, |p| Value::String(&p.purl)), "The package URL."),
    fact(
        "package.licenses",
        FactType::Strings,
        |v| of(v, |p| Value::Strings(&p.licenses)),
        "License expressions or names, as stated; empty when none is.",
    ),
    fact(
        "package.origin",
        FactType::String,
        |v| of(v, |p| Value::String(origin(p))),
        "`base`, `application`, or `unknown` when no base image was recognised.",
    ),
    maybe(
        "package.layer",
        FactType::Int,
        |v| of(v, |p| or_absent(p.layer, |layer| Value::Int(layer.into()))),
        "The layer that introduced it, counted from 0 at the bottom.",
    ),
    fact(
        "package.direct",
        FactType::Bool,
        |v| of(v, |p| Value::Bool(p.direct)),
        "A lock file or manifest says that the project names it itself.",
    ),
    fact(
        "package.development",
        FactType::Bool,
        |v| of(v, |p| Value::Bool(p.development)),
        "A lock file says it is for development or tests only.",
    ),
];

fn of<'a>(view: &View<'a>, read: fn(&'a Package) -> Value<'a>) -> Value<'a> {
    view.package.map_or(Value::Absent, read)
}

fn origin(package: &Package) -> &'static str {
    match package.origin {
        Origin::Base => "base",
        Origin::Application => "application",
        Origin::Unknown => "unknown",
    }
}
