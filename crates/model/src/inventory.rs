//! What is inside an artifact: a fact that never changes for a given digest and cataloger version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distro::Distro;
use crate::gap::Gap;
use crate::package::{Package, PackageId};
use crate::surface::Surface;

/// Everything found inside one artifact, and what could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// The distribution, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distro: Option<Distro>,
    /// The packages; `packages[i].id` is `i`.
    pub packages: Vec<Package>,
    /// What could not be read or parsed.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// What the files offer to an attacker; none where not all files were seen (trees, hosts, bills of materials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Surface>,
}

impl Inventory {
    /// The package with this id.
    ///
    /// # Panics
    /// When the id is another inventory's.
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }
}
