//! CSAF 2.0 and 2.1: documents of the profile VEX, and security advisories, which have the same statuses.
//!
//! The product tree names products by id; a relationship makes "this package as a component of that product", which is
//! a product with a subcomponent here. Each vulnerability lists product ids by status; flags give the justification,
//! threats the impact, remediations the action.
//! Source: CSAF 2.0, sections 3.2.2 "product tree" and 3.2.3 "vulnerabilities".

use std::collections::{BTreeMap, HashMap};

use model::digest::Digest;
use model::vex::{Vex, VexProduct, VexStatement, VexStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{VexDocument, VexError, filled, item, json, timestamp, unsupported};

/// Deepest chain of "as a component of": package of module of platform are three.
const CHAIN_MAX: usize = 6;

#[derive(Deserialize)]
struct Document<'a> {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default, borrow)]
    vulnerabilities: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head {
    csaf_version: String,
    publisher: Publisher,
    tracking: Tracking,
}

#[derive(Deserialize)]
struct Publisher {
    name: String,
}

#[derive(Deserialize)]
struct Tracking {
    current_release_date: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize, Default)]
struct Tree {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    full_product_names: Vec<Product>,
    #[serde(default)]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    branches: Vec<Branch>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    product_id: String,
    name: Option<String>,
    product_identification_helper: Option<Helper>,
}

#[derive(Deserialize)]
struct Helper {
    purl: Option<String>,
    #[serde(default)]
    purls: Vec<String>,
    cpe: Option<String>,
    #[serde(default)]
    hashes: Vec<Hashes>,
}

#[derive(Deserialize)]
struct Hashes {
    #[serde(default)]
    file_hashes: Vec<FileHash>,
}

#[derive(Deserialize)]
struct FileHash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Product,
    product_reference: String,
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default)]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    threats: Vec<Remark>,
    #[serde(default)]
    remediations: Vec<Remark>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

#[derive(Deserialize)]
struct Flag {
    label: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

/// A threat or a remediation.
#[derive(Deserialize)]
struct Remark {
    category: String,
    details: Option<String>,
    #[serde(default)]
    product_ids: Vec<String>,
}

/// The lists of product ids that say something, in the order in which they count: the last one wins.
const STATUSES: &[(&str, VexStatus)] = &[
    ("fixed", VexStatus::Fixed),
    ("first_fixed", VexStatus::Fixed),
    ("known_not_affected", VexStatus::NotAffected),
    ("under_investigation", VexStatus::UnderInvestigation),
    ("first_affected", VexStatus::Affected),
    ("last_affected", VexStatus::Affected),
    ("known_affected", VexStatus::Affected),
];

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<VexDocument, VexError> {
    let document: Document<'_> = json(bytes)?;
    let head = document.document;
    if !head.csaf_version.starts_with("2.") {
        return Err(unsupported("CSAF", Some(&head.csaf_version)));
    }
    let mut read = VexDocument::default();
    if head.tracking.status.as_deref() == Some("draft") {
        read.problems.push("it is a draft, and not used".to_owned());
        return Ok(read);
    }
    let products = Products::of(document.product_tree);
    for (number, raw) in document.vulnerabilities.into_iter().enumerate() {
        match item(raw) {
            Ok(vulnerability) => statements(name, &head, &products, vulnerability, number + 1, &mut read),
            Err(problem) => read.problems.push(format!("vulnerability {} {problem}", number + 1)),
        }
    }
    Ok(read)
}

/// One statement for each product of a status.
fn statements(
    name: &str,
    head: &Head,
    products: &Products,
    vulnerability: Vulnerability,
    number: usize,
    read: &mut VexDocument,
) {
    let ids = vulnerability.cve.into_iter().chain(vulnerability.ids.into_iter().map(|id| id.text));
    let vulnerabilities: Vec<String> = ids.filter(|id| !id.trim().is_empty()).collect();
    if vulnerabilities.is_empty() {
        read.problems.push(format!("vulnerability {number} has no id"));
        return;
    }
    let flags = by_product(vulnerability.flags.into_iter().map(|flag| (flag.product_ids, flag.label)));
    let details = |remark: Remark| Some((remark.product_ids, filled(remark.details)?));
    let threats = vulnerability.threats.into_iter().filter(|threat| threat.category == "impact");
    let threats = by_product(threats.filter_map(details));
    let remediations = by_product(vulnerability.remediations.into_iter().filter_map(details));
    let mut unknown = 0;
    for (list, status) in STATUSES {
        for id in vulnerability.product_status.get(*list).into_iter().flatten() {
            let Some(product) = products.product(id) else {
                unknown += 1;
                continue;
            };
            let of = |said: &HashMap<String, String>| said.get(id).cloned();
            let (justification, statement) = match status {
                VexStatus::NotAffected => (of(&flags), of(&threats)),
                VexStatus::Affected => (None, of(&remediations)),
                VexStatus::Fixed | VexStatus::UnderInvestigation => (None, None),
            };
            let said = Vex {
                status: *status,
                justification,
                statement,
                author: head.publisher.name.clone(),
                timestamp: timestamp(head.tracking.current_release_date.as_deref()),
                document: name.to_owned(),
            };
            let (vulnerabilities, products) = (vulnerabilities.clone(), vec![product]);
            read.statements.push(VexStatement { vulnerabilities, products, said });
        }
    }
    if unknown > 0 {
        read.problems
            .push(format!("vulnerability {number} lists {unknown} products that the document does not define"));
    }
}

/// What is said of each product; the first word stays.
fn by_product(said: impl Iterator<Item = (Vec<String>, String)>) -> HashMap<String, String> {
    let mut by_product = HashMap::new();
    for (ids, text) in said {
        for id in ids {
            by_product.entry(id).or_insert_with(|| text.clone());
        }
    }
    by_product
}

/// A document's products by their ids.
struct Products {
    named: HashMap<String, VexProduct>,
    /// Component and what it is a component of.
    related: HashMap<String, (String, String)>,
}

impl Products {
    fn of(tree: Tree) -> Self {
        let mut products = Self { named: HashMap::new(), related: HashMap::new() };
        tree.branches.into_iter().for_each(|branch| products.branch(branch));
        tree.full_product_names.into_iter().for_each(|product| products.name(product));
        for relationship in tree.relationships {
            let parts = (relationship.product_reference, relationship.relates_to_product_reference);
            products.related.insert(relationship.full_product_name.product_id.clone(), parts);
        }
        products
    }

    /// The depth is bounded by the JSON reader's own.
    fn branch(&mut self, branch: Branch) {
        branch.product.into_iter().for_each(|product| self.name(product));
        branch.branches.into_iter().for_each(|branch| self.branch(branch));
    }

    fn name(&mut self, product: Product) {
        let mut named = VexProduct { names: product.name.into_iter().collect(), ..VexProduct::default() };
        if let Some(helper) = product.product_identification_helper {
            named.names.extend(helper.purl.into_iter().chain(helper.purls).chain(helper.cpe));
            let hashes = helper.hashes.into_iter().flat_map(|hashes| hashes.file_hashes);
            let sha256 = hashes.filter(|hash| hash.algorithm.eq_ignore_ascii_case("sha256"));
            named.digests = sha256
                .filter_map(|hash| Digest::parse(&format!("sha256:{}", hash.value.to_ascii_lowercase())).ok())
                .collect();
        }
        self.named.insert(product.product_id, named);
    }

    /// The product of an id: what it is a component of, with the component as its part.
    fn product(&self, id: &str) -> Option<VexProduct> {
        let (mut id, mut part) = (id, None);
        for _ in 0..CHAIN_MAX {
            let Some((component, whole)) = self.related.get(id) else { break };
            // Of a package of a module of a platform the package is what is meant.
            part = part.or(Some(self.innermost(component)?));
            id = whole;
        }
        let mut product = self.named.get(id)?.clone();
        product.subcomponents.extend(part);
        Some(product)
    }

    fn innermost(&self, id: &str) -> Option<VexProduct> {
        let mut id = id;
        for _ in 0..CHAIN_MAX {
            match self.related.get(id) {
                Some((component, _)) => id = component,
                None => return self.named.get(id).cloned(),
            }
        }
        None
    }
}
