//! Reads files with one cataloger, as the layer reader would.

use std::io::Read;

use dogwatch_inventory::cataloger::{Cataloger, File, FileHead};
use dogwatch_inventory::catalogers;
use dogwatch_inventory::content::{MemorySpool, ReadAt};
use dogwatch_inventory::fact::{Fact, PackageFact, Parsed};

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    if !name.ends_with(".gz") {
        return bytes;
    }
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut inflated).expect("fixtures are whole");
    inflated
}

/// Reads `content` as the file at `path`; nothing when the cataloger does not want it.
pub(crate) fn read(name: &str, path: &str, content: &dyn ReadAt) -> Parsed {
    let cataloger: &Cataloger = catalogers::ALL.iter().find(|it| it.name == name).expect("the cataloger is registered");
    let mut head = [0; 64];
    let filled = content.read_at(0, &mut head).expect("memory can be read");
    let head = FileHead { path, mode: 0o755, size: content.size(), head: &head[..filled] };
    if !(cataloger.wants)(&head) {
        return Parsed::default();
    }
    (cataloger.parse)(&File { path, mode: 0o755, content, spool: &MemorySpool })
}

pub(crate) fn packages(parsed: &Parsed) -> impl Iterator<Item = &PackageFact> {
    parsed.facts.iter().filter_map(|fact| if let Fact::Package(package) = fact { Some(package) } else { None })
}

pub(crate) fn render(parsed: &Parsed) -> String {
    let mut text = String::new();
    for it in packages(parsed) {
        text += &format!("{} {} {}", it.kind, it.name, it.version);
        if let Some(inside) = &it.inside {
            text += &format!(" in {inside}");
        }
        if !it.licenses.is_empty() {
            text += &format!(" {:?}", it.licenses);
        }
        if !it.requires.is_empty() {
            let names: Vec<_> = it.requires.iter().map(|it| it.name.as_str()).collect();
            text += &format!(" needs {}", names.join(" "));
        }
        text += "\n";
    }
    for it in &parsed.problems {
        text += &format!("{}: {} in {:?}\n", it.kind.as_str(), it.detail, it.inside);
    }
    text
}
