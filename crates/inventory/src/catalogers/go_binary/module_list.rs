//! The module list of a Go program, as `runtime/debug.BuildInfo` writes it: one record per line, fields parted by tabs.

use crate::fact::{PackageFact, Requirement};
use model::package::PackageType;

/// The modules of one program.
#[derive(Debug, Default)]
pub(super) struct Modules<'a> {
    main: Option<Module<'a>>,
    dependencies: Vec<Module<'a>>,
    linker_flags: Option<&'a str>,
}

#[derive(Debug, Clone, Copy)]
struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

impl<'a> Modules<'a> {
    /// Reads `mod`, `dep`, `=>` and `build` lines; others are not needed.
    pub(super) fn parse(list: &'a str) -> Self {
        let mut modules = Self::default();
        for line in list.lines() {
            let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
            let mut fields = rest.split('\t');
            let module = Module { path: fields.next().unwrap_or(""), version: fields.next().unwrap_or("") };
            match word {
                "mod" => modules.main = Some(module),
                "dep" => modules.dependencies.push(module),
                // What was linked in the stead of the module on the line before.
                "=>" => {
                    if let Some(replaced) = modules.dependencies.last_mut().or(modules.main.as_mut()) {
                        *replaced = module.in_stead_of(*replaced);
                    }
                }
                "build" => {
                    let flags = rest.strip_prefix("-ldflags=");
                    modules.linker_flags = flags.or(modules.linker_flags);
                }
                _ => {}
            }
        }
        modules
    }

    /// The main module first, then what it was built with.
    pub(super) fn packages(&self) -> Vec<PackageFact> {
        let named = |module: &&Module<'_>| !module.path.is_empty();
        let package = |module: &Module<'_>| {
            PackageFact::new(PackageType::Golang, module.path, module.stated_version().unwrap_or(""))
        };
        let mut packages: Vec<_> = self.dependencies.iter().filter(named).map(package).collect();
        if let Some(main) = self.main.as_ref().filter(named) {
            let version = main.stated_version().map(str::to_owned).or_else(|| self.version_set_by_linker(main.path));
            let requires = packages
                .iter()
                .map(|it| Requirement { name: it.name.clone(), version: Some(it.version.clone()) })
                .collect();
            let main = PackageFact {
                requires,
                ..PackageFact::new(PackageType::Golang, main.path, version.unwrap_or_default())
            };
            packages.insert(0, main);
        }
        packages
    }

    /// The version that `-ldflags "-X main.version=1.2.3"` wrote into a variable of the main module.
    ///
    /// The time and revision that `vcs.*` settings state are not used: `v0.0.0-<time>-<revision>` would be older than
    /// every fix, so that every advisory on the program itself would match.
    fn version_set_by_linker(&self, main_path: &str) -> Option<String> {
        let flags = self.linker_flags?.trim_matches('"').replace("\\\"", "\"");
        let mut words = flags.split([' ', '"', '\'']).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let Some(assignment) = word.strip_prefix("-X") else { continue };
            let assignment = match assignment.strip_prefix('=').unwrap_or(assignment) {
                "" => words.next()?,
                attached => attached,
            };
            let Some((variable, value)) = assignment.split_once('=') else { continue };
            let Some((package, variable)) = variable.rsplit_once('.') else { continue };
            let own = package == "main"
                || package.strip_prefix(main_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let says_version = matches!(
                variable.to_ascii_lowercase().as_str(),
                "version" | "ver" | "buildversion" | "appversion" | "gitversion"
            );
            let number = value.strip_prefix('v').unwrap_or(value);
            if own && says_version && is_release(number) {
                return Some(format!("v{number}"));
            }
        }
        None
    }
}

impl<'a> Module<'a> {
    /// This module as the replacement of `replaced`. A directory has no version and no name of its own worth telling:
    /// then the replaced module's name is kept, its version is not what was linked.
    fn in_stead_of(self, replaced: Self) -> Self {
        let directory = self.path.starts_with(['.', '/']) || self.version.is_empty();
        if directory { Self { path: replaced.path, version: "" } } else { self }
    }

    /// The version, unless it is Go's word for "the source as it was".
    fn stated_version(&self) -> Option<&'a str> {
        Some(self.version).filter(|version| !version.is_empty() && *version != "(devel)")
    }
}

/// The standard library as a package; its version is the tool chain's. None when there is no tool chain version; a
/// development version (`devel go1.24-…`) is no release and stays empty.
pub(super) fn standard_library(toolchain: &str) -> Option<PackageFact> {
    if toolchain.is_empty() {
        return None;
    }
    // Experiments (`go1.21.5 X:boringcrypto`), vendors' marks (`go1.21.9 (Red Hat …)`, `go1.21-company`) follow.
    let release = toolchain.strip_prefix("go").unwrap_or("");
    let end = release.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(release.len());
    let release = Some(&release[..end]).filter(|release| release.starts_with(|c: char| c.is_ascii_digit()));
    Some(PackageFact::new(PackageType::Golang, "stdlib", release.unwrap_or("")))
}

/// Whether a text is `1.2`, `1.2.3`, or one of these with a pre-release or build suffix.
fn is_release(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or("");
    let parts: Vec<_> = numbers.split('.').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| !part.is_empty() && part.len() < 10 && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expected: &[&str]) {
        let found = Modules::parse(list).packages();
        let found: Vec<_> = found.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(found, expected, "{list:?}");
    }

    #[test]
    fn replacements_are_what_was_linked() {
        check("dep\ta.b/c\tv1.0.0\th1:x\n=>\td.e/f\tv2.0.0\th1:y\n", &["d.e/f v2.0.0"]);
        check("dep\ta.b/c\tv1.0.0\n=>\t./staging/c\t(devel)\t\n", &["a.b/c "]);
        check("path\ta.b/c\nmod\ta.b/c\tv1.2.3+dirty\t\n", &["a.b/c v1.2.3+dirty"]);
        check("=>\t\t\ndep\nmod", &[]);
    }

    #[test]
    fn the_linker_flags_can_state_the_version() {
        let with = |flags: &str| format!("mod\ta.b/c\t(devel)\t\nbuild\t-ldflags={flags}\n");
        check(&with("\"-s -w -X main.version=1.4.2\""), &["a.b/c v1.4.2"]);
        check(&with("\"-X=a.b/c/internal.Version=v1.4.2-rc.1 -s\""), &["a.b/c v1.4.2-rc.1"]);
        check(&with("\"-X 'a.b/c.buildVersion=1.4'\""), &["a.b/c v1.4"]);
        check(&with("\"-X other.org/x.version=1.4.2\""), &["a.b/c "]);
        check(&with("\"-X main.version=0123abc -X main.commit=1.4.2\""), &["a.b/c "]);
        check(&with("-X"), &["a.b/c "]);
    }

    #[test]
    fn the_standard_library_has_the_release_alone() {
        for (toolchain, expected) in [
            ("go1.21.5", "1.21.5"),
            ("go1.22rc1", "1.22rc1"),
            ("go1.21.5 X:boringcrypto", "1.21.5"),
            ("go1.21.9 (Red Hat 1.21.9-1.el9_4)", "1.21.9"),
            ("go1.21-company", "1.21"),
            ("devel go1.24-0123abc Mon Jan 1", ""),
        ] {
            assert_eq!(standard_library(toolchain).map(|it| it.version).as_deref(), Some(expected), "{toolchain}");
        }
        assert_eq!(standard_library(""), None);
    }
}
