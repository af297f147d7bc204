//! Packages of Bottlerocket: the list that its build leaves, since the image has no package manager.
//!
//! Source: Bottlerocket's documentation, "Software inventory"; `application-inventory.json` of its `os` package.

use model::package::PackageType;
use serde::Deserialize;

use super::os_database::{Database, malformed};
use crate::cataloger::{Cataloger, File, FileHead, Scope, TEXT_BYTES_MAX};
use crate::fact::{PackageFact, Parsed};

/// Packages in Bottlerocket's application inventory.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "bottlerocket", version: 1, scope: Scope::Installed, wants, parse };

fn wants(head: &FileHead<'_>) -> bool {
    // Images have it in the first place; the documentation names the second, where earlier hosts wrote it.
    matches!(
        head.path,
        "usr/share/bottlerocket/application-inventory.json" | "var/lib/bottlerocket/inventory/applications.json"
    )
}

#[derive(Deserialize)]
struct Inventory {
    #[serde(rename = "Content")]
    content: Vec<Application>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Application {
    name: String,
    version: String,
    #[serde(default)]
    release: String,
    #[serde(default)]
    epoch: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(TEXT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let inventory: Inventory = match serde_json::from_slice(&bytes) {
        Ok(inventory) => inventory,
        Err(error) => return Parsed::malformed(format_args!("it is not an application inventory: {error}")),
    };
    let mut database = Database::default();
    for application in inventory.content {
        if application.name.is_empty() || application.version.is_empty() {
            database.report(malformed("an entry without a name or a version"));
            continue;
        }
        let Application { name, mut version, release, epoch, architecture } = application;
        if !release.is_empty() {
            version = format!("{version}-{release}");
        }
        if let Some(epoch) = epoch.filter(|epoch| !epoch.is_empty() && epoch != "0") {
            version = format!("{epoch}:{version}");
        }
        database.add(PackageFact { arch: architecture, ..PackageFact::new(PackageType::Rpm, name, version) });
    }
    database.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::MemorySpool;
    use crate::fact::Fact;

    fn parse_text(text: &str) -> Parsed {
        let path = "usr/share/bottlerocket/application-inventory.json";
        parse(&File { path, mode: 0o644, content: &text.as_bytes(), spool: &MemorySpool })
    }

    #[test]
    fn an_entry_is_a_package_with_release_and_epoch() {
        let parsed = parse_text(
            r#"{"Content":[{"Name":"glibc","Publisher":"Bottlerocket","Version":"2.38","Release":"1.1702945384.74417d4a","Epoch":"1","InstalledTime":"2023-12-19T00:23:04Z","ApplicationType":"Unspecified","Architecture":"x86_64","Url":"http://www.gnu.org/software/glibc/","Summary":"The GNU libc libraries"},{"Name":"runc","Version":"1.1.10"},{"Name":"","Version":"1"}]}"#,
        );
        let [Fact::Database(packages)] = &parsed.facts[..] else { panic!("{parsed:?}") };
        let versions: Vec<_> = packages.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(versions, ["glibc 1:2.38-1.1702945384.74417d4a", "runc 1.1.10"]);
        assert_eq!(parsed.problems.len(), 1);
    }

    #[test]
    fn what_is_no_inventory_is_a_problem() {
        for text in ["", "[]", "{\"Content\":[{\"Name\":1}]}", "{}"] {
            assert_eq!(parse_text(text).problems.len(), 1, "{text}");
        }
    }
}
