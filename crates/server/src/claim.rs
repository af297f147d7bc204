//! An uploaded document: a *claim* about what is inside something. What the claimant concluded from it is kept, and believed by
//! nobody here.

use std::io::Read;

use model::artifact::{Artifact, Origin};
use model::inventory::Inventory;
use model::package::{Package, PackageId};
use model::report::ScanReport;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// The largest document, uncompressed. Reports of the largest images have 30 MB.
pub const CLAIM_BYTES_MAX: u64 = 96 << 20;
/// More packages than any image has; a repository of repositories has some ten thousand.
pub const PACKAGES_MAX: usize = 200_000;
/// Engines refuse images with more than 127 layers.
pub const LAYERS_MAX: usize = 512;
/// The longest name, version or path that is kept. Longer ones are no names.
pub(crate) const TEXT_BYTES_MAX: usize = 4_096;

/// What somebody says is inside something.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Digest of the document as it was uploaded, uncompressed.
    pub digest: String,
    /// What it is about.
    pub artifact: Artifact,
    /// What is inside.
    pub inventory: Inventory,
    /// The program that found it, with its version.
    pub tool: String,
    /// The claimant's verdict and when it was reached, in microseconds since 1970.
    pub verdict: Option<(String, i64)>,
}

/// What is kept of a claim to judge it again without reading anything.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// What it is about.
    pub artifact: Artifact,
    /// What is inside.
    pub inventory: Inventory,
}

impl Claim {
    /// Reads an uploaded body: a scan report of ours, CycloneDX or SPDX; plain, gzip or zstd.
    pub fn read(body: &[u8], encoding: Option<&str>) -> Result<Self, Problem> {
        let bytes = plain(body, encoding)?;
        let digest = hex_digest(&bytes);
        let ours = serde_json::from_slice::<Shape>(&bytes).is_ok_and(|shape| shape.schema_version.is_some());
        let claim = if ours {
            let report: ScanReport = formats::json::read(&bytes)
                .map_err(|error| Problem::bad("the report cannot be read", &crate::problem::causes(&error)))?;
            let verdict = report.verdict.as_ref().map(|verdict| {
                let outcome = serde_json::to_value(verdict.outcome).ok();
                let outcome = outcome.as_ref().and_then(|text| text.as_str()).unwrap_or("unknown").to_owned();
                (outcome, report.judged_at.as_microsecond())
            });
            let tool = format!("{} {}", report.tool.name, report.tool.version);
            Self { digest, artifact: report.artifact, inventory: report.inventory, tool, verdict }
        } else {
            let (artifact, inventory) = formats::sbom::read(&bytes).map_err(|error| {
                let hint = error.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
                Problem::bad("the document cannot be read", &format!("{}{hint}", crate::problem::causes(&error)))
            })?;
            Self { digest, artifact, inventory, tool: "bill of materials".into(), verdict: None }
        };
        claim.check()?;
        Ok(claim)
    }

    /// Refuses what no scan finds.
    fn check(&self) -> Result<(), Problem> {
        let packages = &self.inventory.packages;
        let layers = self.artifact.layers.len();
        let too_long = packages.iter().any(|package| {
            [&package.name, &package.version, &package.purl].iter().any(|text| text.len() > TEXT_BYTES_MAX)
        });
        let detail = if packages.len() > PACKAGES_MAX {
            format!("it lists {} packages, more than the {PACKAGES_MAX} that are taken", packages.len())
        } else if layers > LAYERS_MAX {
            format!("it lists {layers} layers, more than the {LAYERS_MAX} that are taken")
        } else if too_long {
            format!("a name or version is longer than {TEXT_BYTES_MAX} bytes")
        } else if let Some((at, _)) = (0u32..).zip(packages).find(|(at, package)| package.id != PackageId(*at)) {
            format!("package {at} has another number than its place")
        } else if packages.iter().any(|package| package.layer.is_some_and(|layer| layer as usize >= layers)) {
            "a package is in a layer that the artifact has not".into()
        } else {
            return Ok(());
        };
        Err(Problem::bad("the claim contradicts itself or is too large", &detail))
    }

    /// What identifies the thing: its manifest, else its configuration, else what is inside.
    pub fn identity(&self) -> String {
        let artifact = &self.artifact;
        let digest = artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref());
        digest.map_or_else(|| self.inventory_digest(), ToString::to_string)
    }

    /// Digest over what is inside.
    pub fn inventory_digest(&self) -> String {
        let inventory = (&self.inventory, &self.artifact.layers);
        hex_digest(&serde_json::to_vec(&inventory).unwrap_or_default())
    }

    /// The name people know it by.
    pub fn name(&self) -> &str {
        self.artifact.names.first().unwrap_or(&self.artifact.target)
    }
}

/// Tells our own reports from others' documents.
#[derive(Deserialize)]
struct Shape {
    schema_version: Option<u32>,
}

/// What is kept of a claim, again.
pub fn read_kept(bytes: &[u8]) -> Option<Kept> {
    let json = zstd::bulk::decompress(bytes, CLAIM_BYTES_MAX as usize).ok()?;
    serde_json::from_slice(&json).ok()
}

/// A package as matching sees it: without where it was found.
pub fn bare(package: &Package) -> Package {
    Package {
        id: PackageId(0),
        evidence: Vec::new(),
        layer: None,
        origin: Origin::Unknown,
        depends_on: Vec::new(),
        ..package.clone()
    }
}

/// What is matched: the package and its distribution.
#[derive(Debug, Serialize, Deserialize)]
pub struct Matched {
    /// The package.
    pub package: Package,
    /// The distribution, for packages of one.
    pub distro: Option<model::distro::Distro>,
}

/// Undoes the compression, within bounds.
fn plain(body: &[u8], encoding: Option<&str>) -> Result<Vec<u8>, Problem> {
    let reader: Box<dyn Read + '_> = match encoding.unwrap_or("identity") {
        "identity" | "" => Box::new(body),
        "gzip" => Box::new(flate2::read::GzDecoder::new(body)),
        "zstd" => Box::new(zstd::Decoder::new(body).map_err(|error| damaged(&error))?),
        other => {
            let detail = format!("`{other}` is not known here: use `gzip` or `zstd`");
            return Err(Problem::new(415, "the content encoding is not known", &detail));
        }
    };
    let mut bytes = Vec::new();
    reader.take(CLAIM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    if bytes.len() as u64 > CLAIM_BYTES_MAX {
        let detail = format!("uncompressed it has more than {CLAIM_BYTES_MAX} bytes");
        return Err(Problem::new(413, "the document is too large", &detail));
    }
    Ok(bytes)
}

fn damaged(error: &std::io::Error) -> Problem {
    Problem::bad("the document cannot be uncompressed", &error.to_string())
}

/// SHA-256 in hexadecimal.
pub fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
