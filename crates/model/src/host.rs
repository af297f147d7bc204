//! What a machine is beside its packages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A machine that was scanned while it ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The kernel that runs, as `uname -r` names it; none where the machine does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The package that the running kernel is of, as a purl. A `generic` one where no package manager knows the kernel: in
    /// a container, or where it was built by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_package: Option<String>,
    /// Kernels that are installed, by release. An update counts only once its kernel runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installed_kernels: Vec<String>,
    /// Container engines and runtimes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_runtimes: Vec<ContainerRuntime>,
    /// What of the machine was not looked at, each as a clause.
    pub left_out: Vec<String>,
}

/// A program that runs containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerRuntime {
    /// `dockerd`, `runc`, …
    pub name: String,
    /// Where the program is, without a leading slash.
    pub path: String,
    /// The package it is of, as a purl, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}
