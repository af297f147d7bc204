//! .NET packages: the dependency file (`.deps.json`) beside a program and beside a shared framework.
//!
//! Source: .NET SDK documentation, "Runtime configuration files" (`deps.json` file format). A program's own projects are not
//! packages. The run time in a self-contained program, and that of a shared framework, are packages that advisories name:
//! `Microsoft.NETCore.App.Runtime.linux-x64`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// Packages of .NET programs.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "dotnet", version: 1, scope: Scope::Installed, wants, parse };

/// Programs with 500 packages have about 1 MiB.
const DEPENDENCIES_BYTES_MAX: u64 = 16 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with(".deps.json")
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(DEPENDENCIES_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match serde_json::from_slice::<Dependencies>(json) {
        Ok(dependencies) => {
            let mut packages = dependencies.packages();
            packages.extend(
                dependencies.framework(file.path).filter(|it| packages.iter().all(|other| other.name != it.name)),
            );
            Parsed::packages(packages)
        }
        Err(error) => Parsed::malformed(format_args!("not a .NET dependency file: {error}")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependencies {
    #[serde(default)]
    runtime_target: Value,
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, Value>>,
    libraries: BTreeMap<String, Value>,
}

impl Dependencies {
    fn packages(&self) -> Vec<PackageFact> {
        let target = self.target();
        let direct: Vec<&str> = target
            .iter()
            .flat_map(|target| target.iter())
            .filter(|(library, _)| self.kind(library) == "project")
            .flat_map(|(_, project)| project["dependencies"].as_object().into_iter().flat_map(|it| it.keys()))
            .map(String::as_str)
            .collect();
        let packages = self.libraries.keys().filter_map(|library| {
            let (name, version) = library.split_once('/')?;
            let about = target.and_then(|target| target.get(library));
            let brought = match self.kind(library) {
                // One without a file in this target was needed for building, or only names others.
                "package" => target.is_none() || about.is_some_and(has_files),
                "runtimepack" => true,
                _ => false,
            };
            let needed = about.and_then(|about| about["dependencies"].as_object()).into_iter().flatten();
            let requires = needed.map(|(name, version)| Requirement {
                name: name.clone(),
                version: version.as_str().map(str::to_owned),
            });
            brought.then(|| PackageFact {
                requires: requires.collect(),
                direct: direct.contains(&name),
                ..PackageFact::new(PackageType::NuGet, name.strip_prefix("runtimepack.").unwrap_or(name), version)
            })
        });
        packages.collect()
    }

    /// The target that the program runs as. A file for several says which; one for building has just one.
    fn target(&self) -> Option<&BTreeMap<String, Value>> {
        let name = self.runtime_target.as_str().or_else(|| self.runtime_target["name"].as_str());
        name.and_then(|name| self.targets.get(name)).or_else(|| self.targets.values().max_by_key(|target| target.len()))
    }

    /// The shared framework that a file at `shared/NAME/VERSION/NAME.deps.json` describes: old ones do not list themselves,
    /// or by another name than advisories do.
    fn framework(&self, path: &str) -> Option<PackageFact> {
        let mut parts = path.strip_suffix(".deps.json")?.rsplit('/');
        let (file, version, name, shared) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let target = self.runtime_target.as_str().or_else(|| self.runtime_target["name"].as_str())?;
        let (_, platform) = target.rsplit_once('/').filter(|(_, platform)| !platform.is_empty())?;
        (file == name && shared == "shared")
            .then(|| PackageFact::new(PackageType::NuGet, format!("{name}.Runtime.{platform}"), version))
    }

    fn kind(&self, library: &str) -> &str {
        self.libraries.get(library).and_then(|library| library["type"].as_str()).unwrap_or_default()
    }
}

fn has_files(about: &Value) -> bool {
    ["runtime", "native", "runtimeTargets", "resources"]
        .iter()
        .any(|assets| about[assets].as_object().is_some_and(|assets| !assets.is_empty()))
}
