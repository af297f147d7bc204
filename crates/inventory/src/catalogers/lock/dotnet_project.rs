//! What .NET projects ask NuGet for: `PackageReference` in project files, `PackageVersion` in `Directory.Packages.props`, and
//! the older `packages.config`.
//!
//! NuGet takes the lowest version that a reference allows, so `1.2.3`, which means "1.2.3 or later", is the version that is
//! used. Ranges, floating versions and properties are not exact. A reference without a version has it in
//! `Directory.Packages.props`. What packages pull in stands in a lock file only; `packages.config` lists all.
//! Source: NuGet documentation, "PackageReference in project files", "Central Package Management", "packages.config".

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "dotnet-project",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

fn wants(head: &FileHead<'_>) -> bool {
    let name = head.file_name();
    let project = [".csproj", ".fsproj", ".vbproj"].iter().any(|extension| name.ends_with(extension));
    (project || matches!(name, "Directory.Packages.props" | "packages.config")) && !super::is_installed(head.path)
}

/// The deepest element that is followed; packages stand 3 deep.
const DEPTH_MAX: usize = 64;

/// One package as an element says it, with what its child elements add.
#[derive(Default)]
struct Reference {
    name: String,
    version: String,
    private: bool,
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::NuGet);
    match read(text, &mut packages) {
        Ok(()) => {
            packages.mark_all_direct();
            packages.finish()
        }
        Err(detail) => Parsed::malformed(detail),
    }
}

fn read(text: &str, packages: &mut Packages) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut roots) = (0usize, 0);
    let mut open: Option<Reference> = None;
    let mut field = String::new();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name().as_ref().to_owned();
                if depth == 0 {
                    roots += 1;
                    if !matches!(name.as_str(), "Project" | "packages") {
                        return Err("its root is neither `Project` nor `packages`".into());
                    }
                }
                let empty = matches!(event, Event::Empty(_));
                if let Some(reference) = reference(&name, element) {
                    if empty {
                        reference.add_to(packages);
                    } else {
                        open = Some(reference);
                    }
                }
                field = name;
                depth += usize::from(!empty);
                if depth > DEPTH_MAX {
                    return Err(format!("elements are nested more than {DEPTH_MAX} deep"));
                }
            }
            Event::Text(part) => match (&mut open, field.as_str()) {
                (Some(reference), "Version") => reference.version.push_str(part.trim()),
                (Some(reference), "PrivateAssets") => reference.private |= part.trim().eq_ignore_ascii_case("all"),
                _ => {}
            },
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                field.clear();
                if is_reference(element.local_name().as_ref()) {
                    open.take().into_iter().for_each(|reference| reference.add_to(packages));
                }
            }
            Event::Eof if depth > 0 => return Err("it ends inside an element".into()),
            Event::Eof if roots == 0 => return Err("it has no `Project`".into()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn is_reference(element: &str) -> bool {
    matches!(element, "PackageReference" | "PackageVersion" | "GlobalPackageReference" | "package")
}

/// The package an element names, if it names one. `Update` changes one that is named elsewhere.
fn reference(name: &str, element: &BytesStart<'_>) -> Option<Reference> {
    let value = |wanted: &str| {
        let attribute = element.attributes().with_checks(false).flatten().find(|it| it.key.as_ref() == wanted)?;
        Some(attribute.value.trim().to_owned())
    };
    if !is_reference(name) {
        return None;
    }
    let all = |text: Option<String>| text.is_some_and(|text| text.eq_ignore_ascii_case("all"));
    Some(Reference {
        name: value("Include").or_else(|| value("id"))?,
        version: value("Version").or_else(|| value("version")).unwrap_or_default(),
        private: all(value("PrivateAssets")) || value("developmentDependency").is_some_and(|it| it == "true"),
    })
}

impl Reference {
    fn add_to(&self, packages: &mut Packages) {
        // `[1.2.3]` is exactly this one.
        let exact = self.version.strip_prefix('[').and_then(|version| version.strip_suffix(']'));
        let version = exact.unwrap_or(&self.version);
        let needed_for = if self.private { Use::Development } else { Use::Any };
        if version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(['*', ',', '$', ';']) {
            packages.add(&self.name, version, needed_for);
        } else if !version.is_empty() {
            packages.unversioned(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(path: &str, text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse(path, text.as_bytes())));
    }

    #[test]
    fn ranges_properties_and_central_versions() {
        check(
            "src/shop.csproj",
            r###"<Project Sdk="x"><ItemGroup>
  <PackageReference Include="A" Version="1.0.0" /><PackageReference Include="B"><Version>[2.0.0]</Version></PackageReference>
  <PackageReference Include="Central" /><PackageReference Include="Range" Version="[1.0,2.0)" />
  <PackageReference Include="Float" Version="1.*" /><PackageReference Include="Property" Version="$(V)" />
  <PackageReference Include="Tool" Version="3.0.0"><PrivateAssets>all</PrivateAssets></PackageReference>
</ItemGroup></Project>"###,
            expect![[r#"
                A 1.0.0 direct
                B 2.0.0 direct
                Tool 3.0.0 direct development
                ! unknown-version: 3 dependencies name no exact version: `Float`, `Property`, `Range`
            "#]],
        );
        check(
            "Directory.Packages.props",
            r###"<Project><ItemGroup><PackageVersion Include="A" Version="1.0.0" /></ItemGroup></Project>"###,
            expect![[r#"
                A 1.0.0 direct
            "#]],
        );
        check(
            "packages.config",
            "<?xml version=\"1.0\"?>\n<packages><package id=\"A\" version=\"1.0.0\" targetFramework=\"net48\" />\
             <package id=\"T\" version=\"2.0.0\" developmentDependency=\"true\" /></packages>",
            expect![[r#"
                A 1.0.0 direct
                T 2.0.0 direct development
            "#]],
        );
    }
}
