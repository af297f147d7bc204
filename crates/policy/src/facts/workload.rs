//! Facts that are known only once something wants to run the image, or runs it.

use condition::{Fact, FactType, Value};
use model::verdict::Stage;

use super::{Row, View, or_absent};

pub(super) const ROWS: &[Row] = &[
    Row {
        fact: known_at(
            &[Stage::Admission, Stage::Runtime],
            "workload.namespace",
            FactType::String,
            "The Kubernetes namespace.",
        ),
        read: |view| or_absent(view.whole.subject.workload, |workload| Value::String(workload.namespace)),
    },
    Row {
        fact: known_at(
            &[Stage::Admission, Stage::Runtime],
            "workload.privileged",
            FactType::Bool,
            "A container of the workload is privileged.",
        ),
        read: |view| or_absent(view.whole.subject.workload, |workload| Value::Bool(workload.privileged)),
    },
    Row {
        fact: known_at(
            &[Stage::Admission, Stage::Runtime],
            "workload.host_network",
            FactType::Bool,
            "The workload shares the host's network.",
        ),
        read: |view| or_absent(view.whole.subject.workload, |workload| Value::Bool(workload.host_network)),
    },
    Row {
        fact: known_at(
            &[Stage::Runtime],
            "package.in_use",
            FactType::Bool,
            "The package's files were loaded since the workload started.",
        ),
        read: in_use,
    },
];

const fn known_at(stages: &'static [Stage], name: &'static str, kind: FactType, doc: &'static str) -> Fact {
    Fact { name, kind, stages, optional: false, doc }
}

fn in_use<'a>(view: &View<'a>) -> Value<'a> {
    let in_use = view.whole.subject.workload.and_then(|workload| workload.packages_in_use);
    let package = view.package.map(|package| package.id.0 as usize);
    or_absent(in_use.zip(package).and_then(|(in_use, package)| in_use.get(package).copied()), Value::Bool)
}
