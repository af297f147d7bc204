//! Facts about the image (or the tree, or the bill of materials) as a whole.

use condition::{FactType, Value};
use model::artifact::{Artifact, ArtifactKind};

use super::{Row, View, fact, maybe, or_absent};

pub(super) const ROWS: &[Row] = &[
    fact(
        "image.name",
        FactType::String,
        |v| Value::String(name(artifact(v))),
        "The first name it is known by, else the target as it was given.",
    ),
    fact(
        "image.kind",
        FactType::String,
        |v| Value::String(kind(artifact(v))),
        "`image`, `container`, `directory`, `host` or `sbom`.",
    ),
    fact(
        "image.user",
        FactType::String,
        |v| Value::String(artifact(v).config.user.as_deref().unwrap_or("")),
        "The user (and group) that processes start as; empty when not stated, which means root.",
    ),
    fact(
        "image.runs_as_root",
        FactType::Bool,
        |v| Value::Bool(runs_as_root(artifact(v))),
        "It is an image and its processes start as root.",
    ),
    fact(
        "image.exposed_ports",
        FactType::Strings,
        |v| Value::Strings(&artifact(v).config.exposed_ports),
        "The ports it declares, `8080/tcp`.",
    ),
    fact(
        "image.labels",
        FactType::Labels,
        |v| Value::Labels(&artifact(v).config.labels),
        "Its labels: `image.labels[\"name\"]`, `\"name\" in image.labels`.",
    ),
    maybe(
        "image.base",
        FactType::String,
        |v| or_absent(artifact(v).base.as_ref(), |base| Value::String(&base.name)),
        "The known image that it is built on.",
    ),
    maybe(
        "image.platform",
        FactType::String,
        |v| or_absent(artifact(v).platform.as_deref(), Value::String),
        "`os/architecture[/variant]`.",
    ),
    fact(
        "image.layer_count",
        FactType::Int,
        |v| Value::Int(i64::try_from(artifact(v).layers.len()).unwrap_or(i64::MAX)),
        "How many layers it has.",
    ),
    maybe(
        "image.age_days",
        FactType::Int,
        age,
        "Whole days since the image says it was made; absent when it does not, or says 1970 as reproducible builds do.",
    ),
];

fn artifact<'a>(view: &View<'a>) -> &'a Artifact {
    view.whole.subject.artifact
}

/// What policies call the artifact: its first name, else the target as the user wrote it.
pub(crate) fn name(artifact: &Artifact) -> &str {
    artifact.names.first().unwrap_or(&artifact.target)
}

fn kind(artifact: &Artifact) -> &'static str {
    match artifact.kind {
        ArtifactKind::Image => "image",
        ArtifactKind::Container => "container",
        ArtifactKind::Directory => "directory",
        ArtifactKind::Host => "host",
        ArtifactKind::Sbom => "sbom",
    }
}

/// OCI image configuration, `User`: `user`, `uid`, `user:group`, …; absent and empty are root.
fn runs_as_root(artifact: &Artifact) -> bool {
    let user = artifact.config.user.as_deref().unwrap_or("");
    let user = user.split(':').next().unwrap_or("").trim();
    matches!(artifact.kind, ArtifactKind::Image | ArtifactKind::Container)
        && (user.is_empty() || user == "root" || user.parse() == Ok(0u32))
}

fn age<'a>(view: &View<'a>) -> Value<'a> {
    let created = artifact(view).config.created.as_deref().filter(|created| !created.starts_with("1970-01-01"));
    or_absent(created.and_then(|created| view.whole.days_since(created)), Value::Int)
}
