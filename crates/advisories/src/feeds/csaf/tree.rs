//! A CSAF document's products: which package on which platform an id stands for.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::package::PackageType;
use model::purl;
use serde::Deserialize;

use super::super::draft::is_debugging;
use super::super::nullable;
use super::ecosystem;

/// Deepest chain of "as a component of": package of module of platform are three.
const CHAIN_MAX: usize = 6;

#[derive(Deserialize, Default)]
pub(super) struct RawTree {
    #[serde(default, deserialize_with = "nullable")]
    branches: Vec<Branch>,
    #[serde(default, deserialize_with = "nullable")]
    full_product_names: Vec<Product>,
    #[serde(default, deserialize_with = "nullable")]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default, deserialize_with = "nullable")]
    branches: Vec<Branch>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    product_id: String,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    product_identification_helper: Helper,
}

#[derive(Deserialize, Default)]
struct Helper {
    cpe: Option<String>,
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Product,
    product_reference: String,
    relates_to_product_reference: String,
}

/// A package as a document's products name it.
struct Named {
    name: String,
    /// With its epoch; empty where none is stated.
    version: String,
    module: Option<String>,
}

/// What an id of a document can be.
enum What {
    Platform(String),
    Package(Named),
    /// A module, which only says of which stream its packages are: `ruby:2.5`.
    Module(String),
}

/// A document's products and how they are related.
pub(super) struct Tree {
    products: HashMap<String, What>,
    /// Component and what it is a component of, by id.
    related: HashMap<String, (String, String)>,
    /// Products that are no platform we know and no package.
    pub(super) unknown_platforms: usize,
}

/// A package on a platform.
pub(super) struct Component<'a> {
    pub(super) ecosystem: &'a str,
    pub(super) name: &'a str,
    /// Empty where the document does not say.
    pub(super) version: &'a str,
    pub(super) module: Option<&'a str>,
}

impl Tree {
    pub(super) fn of(raw: RawTree) -> Self {
        let mut flat = raw.full_product_names;
        flatten(raw.branches, &mut flat);
        let mut related = HashMap::new();
        for relationship in raw.relationships {
            let Relationship { full_product_name, product_reference, relates_to_product_reference } = relationship;
            related.insert(full_product_name.product_id, (product_reference, relates_to_product_reference));
        }
        let platforms: HashSet<&str> = related.values().map(|(_, platform)| platform.as_str()).collect();
        let packages: BTreeSet<&str> = related.values().map(|(package, _)| package.as_str()).collect();
        let sources = sources(&flat);
        let mut products = HashMap::new();
        let mut unknown_platforms = 0;
        for product in &flat {
            let what = what(product, &sources);
            unknown_platforms += usize::from(what.is_none() && platforms.contains(product.product_id.as_str()));
            what.into_iter().for_each(|what| _ = products.insert(product.product_id.clone(), what));
        }
        // SUSE leaves some packages out of the tree and has them in relationships only.
        let known: HashSet<&str> = flat.iter().map(|product| product.product_id.as_str()).collect();
        for id in packages.into_iter().filter(|id| !known.contains(id) && !sources.contains(*id)) {
            by_file_name(id).into_iter().for_each(|named| _ = products.insert(id.to_owned(), What::Package(named)));
        }
        Self { products, related, unknown_platforms }
    }

    /// The package and platform of an id; none for whole products, container images, sources and debugging symbols.
    pub(super) fn component(&self, id: &str) -> Option<Component<'_>> {
        let (mut package, mut platform, mut module) = (None, None, None);
        self.walk(id, CHAIN_MAX, &mut |what| match what {
            What::Package(named) => package = package.or(Some(named)),
            What::Platform(ecosystem) => platform = Some(ecosystem),
            What::Module(label) => module = Some(label.as_str()),
        });
        let package: &Named = package?;
        Some(Component {
            ecosystem: platform?,
            name: &package.name,
            version: &package.version,
            module: package.module.as_deref().or(module),
        })
    }

    fn walk<'a>(&'a self, id: &str, depth: usize, visit: &mut dyn FnMut(&'a What)) {
        if let Some(what) = self.products.get(id) {
            visit(what);
        } else if let (Some((component, platform)), true) = (self.related.get(id), depth > 0) {
            self.walk(component, depth - 1, visit);
            self.walk(platform, depth - 1, visit);
        }
    }
}

/// The products of all branches. `serde_json` has bounded how deep they nest.
fn flatten(branches: Vec<Branch>, into: &mut Vec<Product>) {
    for Branch { branches, product } in branches {
        into.extend(product);
        flatten(branches, into);
    }
}

/// Source packages whose binaries are in the document too, by SUSE's `upstream` qualifier.
fn sources(products: &[Product]) -> HashSet<String> {
    let purls = products.iter().filter_map(|product| product.product_identification_helper.purl.as_deref());
    let files =
        purls.filter_map(|purl| purl.split_once("upstream=").map(|(_, file)| file.split('&').next().unwrap_or(file)));
    let names: HashSet<&str> = products.iter().map(|product| product.product_id.as_str()).collect();
    let has = |product: &&Product| {
        product.product_identification_helper.purl.as_deref().is_some_and(|purl| purl.contains("upstream="))
    };
    let with_upstream: HashSet<&str> = products.iter().filter(has).map(|product| product.product_id.as_str()).collect();
    let sources: HashSet<String> = files.filter_map(|file| file.strip_suffix(".src.rpm")).map(str::to_owned).collect();
    // A binary that is named as its source has an `upstream` itself.
    sources.into_iter().filter(|name| names.contains(name.as_str()) && !with_upstream.contains(name.as_str())).collect()
}

fn what(product: &Product, sources: &HashSet<String>) -> Option<What> {
    let Helper { cpe, purl } = &product.product_identification_helper;
    if let Some(purl) = purl {
        return of_purl(purl, sources);
    }
    if let Some(ecosystem) = ecosystem(&product.name, cpe.as_deref()) {
        return Some(What::Platform(ecosystem));
    }
    if cpe.as_deref().is_some_and(|cpe| cpe.starts_with("cpe:/")) {
        return None;
    }
    by_file_name(&product.product_id).map(What::Package)
}

fn of_purl(text: &str, sources: &HashSet<String>) -> Option<What> {
    // `pkg:rpm/suse/ntp@?upstream=…`: a version that is there and empty.
    let text = text.replace("@?", "?");
    let text = text.trim_end_matches('@');
    if let Some(module) = text.strip_prefix("pkg:rpmmod/") {
        let (name, rest) = module.rsplit('/').next()?.split_once('@')?;
        let stream = rest.split(['?', ':']).next()?;
        return Some(What::Module(format!("{name}:{stream}")));
    }
    let purl = purl::parse(text).ok().filter(|purl| purl.kind == PackageType::Rpm)?;
    if purl.arch.as_deref() == Some("src") || sources.contains(&purl.name) || is_debugging(&purl.name) {
        return None;
    }
    let module = purl.module.as_deref().map(stream).map(str::to_owned);
    Some(What::Package(Named { name: purl.name, version: purl.version, module }))
}

/// `ruby:2.5` of `ruby:2.5:8090020230627084142:b46abd14`.
fn stream(label: &str) -> &str {
    label.match_indices(':').nth(1).map_or(label, |(at, _)| &label[..at])
}

/// A package by its file's name, `kernel-default-5.14.21-150400.24.100.2.x86_64`, or by its name alone.
fn by_file_name(text: &str) -> Option<Named> {
    const ARCHITECTURES: [&str; 9] =
        [".x86_64", ".aarch64", ".ppc64le", ".s390x", ".noarch", ".i586", ".i686", ".ppc64", ".src"];
    let text = text.strip_suffix(".rpm").unwrap_or(text);
    let arch = ARCHITECTURES.iter().find(|arch| text.ends_with(**arch));
    // `nodejs:18/nodejs`: a package of a module.
    if let Some((module, name)) = text.split_once('/').filter(|(module, _)| module.contains(':')) {
        return Some(Named { module: Some(stream(module).to_owned()), ..by_file_name(name)? });
    }
    if arch == Some(&".src") || text.contains([' ', '/', '@']) {
        return None;
    }
    let bare = arch.map_or(text, |arch| &text[..text.len() - arch.len()]);
    let mut parts = bare.rsplitn(3, '-');
    let (release, version, name) = (parts.next(), parts.next(), parts.next());
    let numbered = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let named = match (name, version, release) {
        (Some(name), Some(version), Some(release)) if numbered(version) && numbered(release) => {
            Named { name: name.to_owned(), version: format!("{version}-{release}"), module: None }
        }
        _ => Named { name: bare.to_owned(), version: String::new(), module: None },
    };
    (!is_debugging(&named.name)).then_some(named)
}
