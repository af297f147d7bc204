//! Maven's `pom.xml`.
//!
//! A POM alone seldom says everything: versions come from the parent or from imported bills of materials, which are
//! other files. Such a dependency is a package without a version, and a problem says how many there are. Properties
//! and `dependencyManagement` of the same file are used.
//! Source: "POM Reference"; "Introduction to the Dependency Mechanism".
//!
//! **Never:** entities that the document defines are not expanded.

use std::collections::HashMap;

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use quick_xml::Reader;
use quick_xml::events::Event;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pom-xml",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "pom.xml"),
    // Old POMs are written in other encodings, where only names of people differ.
    parse: |file: &File<'_>| file.text().map_or_else(|problem| problem, |text| parse(&text)),
};

/// The deepest element that is followed; a POM's dependencies stand at most 8 deep, plugin settings seldom 15.
const DEPTH_MAX: usize = 64;

/// How often a property may name another, and how long the result may be: `${a}${a}` doubles with every step.
const PROPERTY_STEPS_MAX: usize = 16;
const VALUE_BYTES_MAX: usize = 1024;

/// The coordinates of the project, its parent or a dependency, as written.
#[derive(Default, Clone)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
    scope: String,
}

#[derive(Default)]
struct Pom {
    project: Coordinates,
    parent: Coordinates,
    properties: HashMap<String, String>,
    managed: Vec<Coordinates>,
    dependencies: Vec<Coordinates>,
    /// The dependency being read.
    current: Coordinates,
}

pub(super) fn parse(text: &str) -> Parsed {
    match read(text) {
        Ok(pom) => pom.collect(),
        Err(detail) => Parsed::malformed(detail),
    }
}

fn read(text: &str) -> Result<Pom, String> {
    let mut pom = Pom::default();
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut seen_root = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                path.push(element.local_name().as_ref().to_owned());
                value.clear();
                if path.len() > DEPTH_MAX {
                    return Err(format!("elements are nested more than {DEPTH_MAX} deep"));
                }
                if path.len() == 1 && path[0] != "project" {
                    return Err("its root is not `project`".into());
                }
                seen_root = true;
            }
            Event::End(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                pom.take(&names, value.trim());
                path.pop();
                value.clear();
            }
            Event::Text(part) => push(&mut value, &part),
            Event::CData(part) => push(&mut value, &part),
            Event::GeneralRef(name) => push(&mut value, &resolve_reference(&name)),
            Event::Eof if !path.is_empty() => return Err(format!("it ends inside `{}`", path.join("/"))),
            Event::Eof if !seen_root => return Err("it has no `project`".into()),
            Event::Eof => return Ok(pom),
            _ => {}
        }
    }
}

/// Keeps only what can be a coordinate: descriptions and scripts may be any length.
fn push(value: &mut String, part: &str) {
    if value.len() + part.len() <= VALUE_BYTES_MAX {
        value.push_str(part);
    }
}

/// The five predefined entities and character references; any other stays as written, so it is no exact version.
fn resolve_reference(name: &quick_xml::events::BytesRef<'_>) -> String {
    let predefined = quick_xml::escape::resolve_predefined_entity(name);
    match (name.resolve_char_ref(), predefined) {
        (Ok(Some(c)), _) => c.to_string(),
        (_, Some(text)) => text.to_owned(),
        _ => format!("&{};", name.as_ref() as &str),
    }
}

impl Pom {
    /// Takes the text of the element that ends here.
    fn take(&mut self, path: &[&str], value: &str) {
        // A profile's own dependencies count like the project's: which profile is active is not written here.
        let inner = match path {
            ["project", "profiles", "profile", inner @ ..] | ["project", inner @ ..] => inner,
            _ => return,
        };
        match inner {
            ["parent", field] => self.parent.set(field, value),
            ["properties", name] => drop(self.properties.insert((*name).to_owned(), value.to_owned())),
            ["dependencies", "dependency"] => self.dependencies.push(std::mem::take(&mut self.current)),
            ["dependencyManagement", "dependencies", "dependency"] => {
                self.managed.push(std::mem::take(&mut self.current));
            }
            ["dependencies", "dependency", field] | ["dependencyManagement", "dependencies", "dependency", field] => {
                self.current.set(field, value)
            }
            [field] => self.project.set(field, value),
            _ => {}
        }
    }

    fn collect(self) -> Parsed {
        let managed: HashMap<(String, String), &Coordinates> = self
            .managed
            .iter()
            .map(|managed| ((self.interpolate(&managed.group), self.interpolate(&managed.artifact)), managed))
            .collect();
        let mut packages = Packages::new(PackageType::Maven);
        for dependency in &self.dependencies {
            let group = self.interpolate(&dependency.group);
            let artifact = self.interpolate(&dependency.artifact);
            let name = format!("{group}:{artifact}");
            // A sibling module of the same project names the project's own group and version.
            if group == self.group() && dependency.version.contains("project.version") {
                continue;
            }
            let managed = managed.get(&(group, artifact)).copied();
            let first = |own: &str, managed: Option<&String>| {
                self.interpolate(if own.is_empty() { managed.map_or("", String::as_str) } else { own })
            };
            let scope = first(&dependency.scope, managed.map(|managed| &managed.scope));
            let version = first(&dependency.version, managed.map(|managed| &managed.version));
            let needed_for = if scope == "test" { Use::Development } else { Use::Any };
            let version = exact(&version).unwrap_or_default();
            if version.is_empty() {
                packages.unversioned(&name);
            }
            packages.add(&name, version, needed_for).into_iter().for_each(|id| packages.mark_direct(id));
        }
        packages.finish()
    }

    fn group(&self) -> String {
        self.interpolate(if self.project.group.is_empty() { &self.parent.group } else { &self.project.group })
    }

    /// Replaces `${name}` by the properties of this file. What stays is not known here.
    fn interpolate(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..PROPERTY_STEPS_MAX {
            let mut replaced = String::with_capacity(text.len());
            let mut rest = text.as_str();
            let mut any = false;
            while let Some((before, (name, after))) =
                rest.split_once("${").and_then(|(before, after)| Some((before, after.split_once('}')?)))
            {
                replaced.push_str(before);
                match self.property(name) {
                    Some(value) if replaced.len() + value.len() <= VALUE_BYTES_MAX => {
                        replaced.push_str(value);
                        any = true;
                    }
                    _ => replaced.extend(["${", name, "}"]),
                }
                rest = after;
            }
            replaced.push_str(rest);
            text = replaced;
            if !any {
                break;
            }
        }
        text
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str).or_else(|| {
            let field = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom.")).unwrap_or(name);
            let value = match field {
                "groupId" if self.project.group.is_empty() => &self.parent.group,
                "groupId" => &self.project.group,
                "version" if self.project.version.is_empty() => &self.parent.version,
                "version" => &self.project.version,
                "artifactId" => &self.project.artifact,
                "parent.groupId" => &self.parent.group,
                "parent.version" => &self.parent.version,
                _ => return None,
            };
            (!value.is_empty()).then_some(value.as_str())
        })
    }
}

impl Coordinates {
    fn set(&mut self, field: &str, value: &str) {
        let place = match field {
            "groupId" => &mut self.group,
            "artifactId" => &mut self.artifact,
            "version" => &mut self.version,
            "scope" => &mut self.scope,
            _ => return,
        };
        value.clone_into(place);
    }
}

/// The version that Maven will take: a plain one, or a range that holds one version (`[1.2]`).
fn exact(version: &str) -> Option<&str> {
    let version = version.strip_prefix('[').and_then(|range| range.strip_suffix(']')).unwrap_or(version);
    let plain = !version.contains(['[', ']', '(', ')', ',', '$', '&']) && !matches!(version, "LATEST" | "RELEASE");
    (plain && !version.is_empty()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("pom.xml", text.as_bytes())));
    }

    #[test]
    fn properties_parents_and_ranges() {
        check(
            r###"<?xml version="1.0"?>
<!DOCTYPE project [<!ENTITY lol "lol">]>
<project><parent><groupId>org.up</groupId><artifactId>up</artifactId><version>3.1</version></parent>
<artifactId>shop</artifactId>
<properties><v>${w}</v><w>1.${x}</w><x>2</x><loop>${loop}</loop></properties>
<dependencyManagement><dependencies>
  <dependency><groupId>g</groupId><artifactId>managed</artifactId><version>${v}</version><scope>test</scope></dependency>
</dependencies></dependencyManagement>
<dependencies>
  <dependency><groupId>g</groupId><artifactId>plain</artifactId><version> 1.0<!-- why --> </version>
    <exclusions><exclusion><groupId>other</groupId><artifactId>x</artifactId></exclusion></exclusions></dependency>
  <dependency><groupId>g</groupId><artifactId>managed</artifactId></dependency>
  <dependency><groupId>${project.groupId}</groupId><artifactId>sibling</artifactId><version>${project.version}</version></dependency>
  <dependency><groupId>g</groupId><artifactId>up</artifactId><version>${project.parent.version}</version></dependency>
  <dependency><groupId>g</groupId><artifactId>exactly</artifactId><version>[4.0]</version></dependency>
  <dependency><groupId>g</groupId><artifactId>range</artifactId><version>[1.0,2.0)</version></dependency>
  <dependency><groupId>g</groupId><artifactId>loop</artifactId><version>${loop}</version></dependency>
  <dependency><groupId>g</groupId><artifactId>entity</artifactId><version>&lol;</version></dependency>
  <dependency><groupId>g</groupId><artifactId>amp</artifactId><version>1&#46;0</version></dependency>
</dependencies>
<build><plugins><plugin><dependencies><dependency><groupId>p</groupId><artifactId>p</artifactId></dependency></dependencies></plugin></plugins></build>
<profiles><profile><dependencies><dependency><groupId>g</groupId><artifactId>profiled</artifactId><version>1</version></dependency></dependencies></profile></profiles>
</project>"###,
            expect![[r#"
                g:amp 1.0 direct
                g:entity ? direct
                g:exactly 4.0 direct
                g:loop ? direct
                g:managed 1.2 direct development
                g:plain 1.0 direct
                g:profiled 1 direct
                g:range ? direct
                g:up 3.1 direct
                ! unknown-version: 3 dependencies name no exact version: `g:entity`, `g:loop`, `g:range`
            "#]],
        );
    }
}
