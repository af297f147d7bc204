//! The documents in force: catalog, owner rules, policies, exceptions, thresholds, private advisories; and what they say of an image.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::artifact::{Artifact, ArtifactKind};
use model::base::Bases;
use model::digest::Digest;
use model::finding::{Finding, Severity};
use policy::{Exceptions, PolicySet};
use portfolio::catalog::{Catalog, Context, EntityRef, ImagePatterns};
use portfolio::owners::{OwnerRules, Subject};
use portfolio::risk::{Exposure, Factors, Privilege, Risk, Ssvc, risk};
use portfolio::threshold::Thresholds;
use store::{ImageState, Ownership, Store, WorkloadRow};

use crate::ServerError;
use crate::judge::Judged;
use crate::knowledge::Knowledge;
use crate::workloads::Workload;

/// The documents that can be put in force, by the names they are stored under.
pub(crate) const DOCUMENTS: &[&str] =
    &["catalog", "owner-rules", "policies", "exceptions", "thresholds", "advisories", "bases"];

/// Files with their names, as a document is stored.
pub(crate) type Files = Vec<(String, String)>;

/// A document as it is stored.
pub(crate) fn read_files(body: &str) -> Result<Files, ServerError> {
    serde_json::from_str(body).map_err(|source| ServerError::Stored { what: "document", source })
}

fn borrowed(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// The documents in force, read.
#[derive(Debug)]
pub(crate) struct Documents {
    /// When the newest of them was put in force.
    pub(crate) revision: i64,
    pub(crate) catalog: Catalog,
    /// Which of its components an image is from.
    patterns: ImagePatterns,
    /// Its components by their short names.
    components: HashMap<String, EntityRef>,
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) exceptions: Arc<Exceptions>,
    /// Private advisories: id and record.
    pub(crate) advisories: Files,
    /// The registered base images.
    pub(crate) bases: Bases,
    rules: OwnerRules,
    thresholds: Thresholds,
}

/// Where an image belongs and runs, as far as it matters to a risk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Place {
    pub(crate) context: Context,
    exposure: Option<Exposure>,
    privilege: Option<Privilege>,
}

impl Documents {
    /// Those in force.
    pub(crate) async fn load(store: &Store) -> Result<Self, ServerError> {
        let mut files: BTreeMap<&str, Files> = BTreeMap::new();
        for name in DOCUMENTS {
            if let Some(setting) = store.setting(name, i64::MAX).await? {
                files.insert(name, read_files(&setting.body)?);
            }
        }
        let revision = store.newest_setting().await?;
        Self::read(&files, revision).map_err(|(name, mistakes)| ServerError::Document {
            name,
            count: mistakes.len(),
            first: mistakes.first().cloned().unwrap_or_default(),
        })
    }

    /// Reads them; the mistakes of the first that has some.
    pub(crate) fn read(files: &BTreeMap<&str, Files>, revision: i64) -> Result<Self, (&'static str, Vec<String>)> {
        let of = |name: &str| files.get(name).cloned().unwrap_or_default();
        let shown = |name: &'static str| {
            move |mistakes: Vec<condition::Diagnostic>| (name, mistakes.iter().map(ToString::to_string).collect())
        };
        let catalog = Catalog::load(borrowed(&of("catalog"))).map_err(shown("catalog"))?;
        let (policies, rules, thresholds) = (of("policies"), of("owner-rules"), of("thresholds"));
        let one = |name: &'static str, files: &Files| match files.len() {
            0 | 1 => Ok(files.first().cloned()),
            _ => Err((name, vec![format!("{name} are one file, and {} were sent", files.len())])),
        };
        Ok(Self {
            revision,
            policies: Arc::new(match policies.is_empty() {
                true => PolicySet::built_in(),
                false => PolicySet::load(borrowed(&policies)).map_err(shown("policies"))?,
            }),
            exceptions: Arc::new(Exceptions::load(borrowed(&of("exceptions"))).map_err(shown("exceptions"))?),
            advisories: of("advisories"),
            bases: match one("bases", &of("bases"))? {
                Some((name, text)) => read_bases(&name, &text).map_err(|mistake| ("bases", vec![mistake]))?,
                None => Bases::default(),
            },
            rules: match one("owner-rules", &rules)? {
                Some((name, text)) => OwnerRules::load(&name, &text, &catalog).map_err(shown("owner-rules"))?,
                None => OwnerRules::default(),
            },
            thresholds: match one("thresholds", &thresholds)? {
                Some((name, text)) => Thresholds::load(&name, &text).map_err(shown("thresholds"))?,
                None => Thresholds::default(),
            },
            patterns: catalog.image_patterns(),
            components: catalog.components.keys().map(|component| (component.short(), component.clone())).collect(),
            catalog,
        })
    }

    /// Whose an image is.
    pub(crate) fn owner_of(&self, artifact: &Artifact, name: &str, running: &[(String, Workload)]) -> Ownership {
        let mut images = artifact.names.clone();
        images.extend((!images.iter().any(|known| known == name)).then(|| name.to_owned()));
        let component = images.iter().find_map(|name| self.patterns.component_of(name));
        let context = component.and_then(|component| self.catalog.effective(component)).unwrap_or_default();
        let mut labels = artifact.config.labels.clone();
        labels.extend(artifact.annotations.clone());
        labels.extend(running.iter().flat_map(|(_, workload)| workload.labels.clone()));
        let subject = Subject { images, layer: None, base: None, labels };
        let owner = self.rules.owners_with(&subject, &self.catalog, &self.patterns).into_iter().next();
        Ownership {
            team: owner.as_ref().map(|owner| owner.team.short()).unwrap_or_default(),
            system: context.system.map(|system| system.short()).unwrap_or_default(),
            component: component.map(|component| component.short()).unwrap_or_default(),
            how: owner.and_then(|owner| serde_json::to_string(&owner.how).ok()).unwrap_or_default(),
        }
    }

    /// The team that a rule names for a layer, and where it says so.
    pub(crate) fn owner_of_layer(&self, diff_id: &str, base: Option<&str>) -> Option<Ownership> {
        let subject =
            Subject { layer: Digest::parse(diff_id).ok(), base: base.map(str::to_owned), ..Subject::default() };
        let owner = self.rules.owners_with(&subject, &self.catalog, &self.patterns).into_iter().next()?;
        let how = serde_json::to_string(&owner.how).unwrap_or_default();
        Some(Ownership { team: owner.team.short(), how, ..Ownership::default() })
    }

    /// Whose an image is, where it belongs and runs, and whose the rules say its layers are: all that catalog and owner rules decide.
    pub(crate) fn standing(
        &self,
        artifact: &Artifact,
        name: &str,
        running: &[(String, Workload)],
    ) -> (Ownership, Place, Vec<Option<Ownership>>) {
        let owner = self.owner_of(artifact, name, running);
        let place = self.place(artifact, &owner, running);
        let base = artifact.base.as_ref().map(|base| base.name.as_str());
        let layers =
            artifact.layers.iter().map(|layer| self.owner_of_layer(&layer.diff_id.to_string(), base)).collect();
        (owner, place, layers)
    }

    /// Where an image belongs and runs.
    pub(crate) fn place(&self, artifact: &Artifact, owner: &Ownership, running: &[(String, Workload)]) -> Place {
        let component = self.components.get(&owner.component);
        let mut context = component.and_then(|component| self.catalog.effective(component)).unwrap_or_default();
        let environments: BTreeSet<&String> = running.iter().map(|(environment, _)| environment).collect();
        if !environments.is_empty() {
            context.environments = environments.into_iter().cloned().collect();
        }
        let is_image = matches!(artifact.kind, ArtifactKind::Image | ArtifactKind::Container);
        let internet = running.iter().any(|(_, workload)| workload.internet == Some(true));
        let exposure = match (internet, is_image, artifact.config.exposed_ports.is_empty()) {
            (true, _, _) => Some(Exposure::Internet),
            (_, true, false) => Some(Exposure::Internal),
            // An image can listen without saying so.
            _ => None,
        };
        let user = artifact.config.user.as_deref().unwrap_or("").split(':').next().unwrap_or("");
        let privilege = match running.iter().any(|(_, workload)| workload.privileged) {
            true => Some(Privilege::Privileged),
            false if !is_image => None,
            false if matches!(user, "" | "root" | "0") => Some(Privilege::Root),
            false => Some(Privilege::Ordinary),
        };
        Place { context, exposure, privilege }
    }

    /// The score from which on a change is told as crossing a line, at a place.
    pub(crate) fn threshold(&self, place: &Place) -> Option<f64> {
        self.thresholds.at(&place.context)
    }

    /// An image's state after a judgement.
    pub(crate) fn state(&self, judged: &Judged, place: &Place, owner: Ownership, knowledge: &Knowledge) -> ImageState {
        ImageState {
            outcome: judged.outcome().into(),
            violations: judged.verdict.denials().count() as i64,
            findings: judged.findings.len() as i64,
            critical: judged.of(Severity::Critical),
            high: judged.of(Severity::High),
            risk: judged.findings.iter().map(|(_, finding)| place.weigh(finding).score).fold(0.0, f64::max),
            judged_with: serde_json::json!({
                "advisories": knowledge.advisories_digest(),
                "documents": crate::tell::moment(knowledge.documents),
            })
            .to_string(),
            owner,
        }
    }
}

impl Place {
    /// The risk of a finding here.
    pub(crate) fn weigh(&self, finding: &Finding) -> Risk {
        use model::finding::Exploitation;
        let score = crate::tell::score(finding);
        let factors = Factors {
            severity: finding.severity,
            cvss: (score > 0.0).then_some(score),
            kev: finding.kev.is_some(),
            epss: finding.epss.map(|epss| epss.score),
            ssvc: finding.ssvc.map(|ssvc| match ssvc.exploitation {
                Exploitation::None => Ssvc::None,
                Exploitation::Poc => Ssvc::Poc,
                Exploitation::Active => Ssvc::Active,
            }),
            exposure: self.exposure,
            privilege: self.privilege,
            ..Factors::default()
        };
        risk(&factors.at(&self.context))
    }
}

/// The list of base images, as `dogwatch bases` keeps it.
fn read_bases(name: &str, text: &str) -> Result<Bases, String> {
    let bases: Bases = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
    match bases.bases.iter().find(|base| base.name.is_empty() || base.diff_ids.is_empty()) {
        Some(base) => Err(format!("{name}: the base `{}` has no name or no layers", base.name)),
        None => Ok(bases),
    }
}

/// What workloads were reported as, with their environments.
pub(crate) fn reported(rows: &[WorkloadRow]) -> Vec<(String, Workload)> {
    rows.iter().filter_map(|row| Some((row.environment.clone(), serde_json::from_str(&row.body).ok()?))).collect()
}
