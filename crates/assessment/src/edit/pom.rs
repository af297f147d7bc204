//! Maven's `pom.xml`: dependencies and managed dependencies, with their version or the property that gives it. Source: Maven's
//! POM reference, "Dependencies", "Dependency Management", "Properties".

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Changes, Refused, Upgrade, outcome};

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let Some((group, artifact)) = upgrade.name.split_once(':') else { return Err(Refused::NotNamed) };
    let code = blanked(&blanked(text, "<!--", "-->"), "<exclusions>", "</exclusions>");
    let (mut changes, mut is_named) = (Changes::new(), false);
    let dependencies: Vec<Dependency> =
        blocks(&code, "dependency").into_iter().map(|block| dependency(&code, block)).collect();
    // Searched for once, however many dependencies share a property.
    let mut properties: BTreeMap<&str, Result<Range<usize>, Refused>> = BTreeMap::new();
    for Dependency { own, version } in &dependencies {
        if *own != (group, artifact) {
            continue;
        }
        is_named = true;
        let Some(version) = version.clone() else { continue };
        let range = match property(&code[version.clone()]) {
            Some(property) => {
                let value = || shared(&code, property, group, &dependencies);
                properties.entry(property).or_insert_with(value).clone()?
            }
            None if code[version.clone()].contains("${") => return Err(Refused::Indirect),
            None => version,
        };
        if code[range.clone()] == *upgrade.from {
            changes.push((range, upgrade.to.to_owned()));
        }
    }
    outcome(changes, is_named)
}

/// Whose version, and where it stands.
struct Dependency<'a> {
    own: (&'a str, &'a str),
    version: Option<Range<usize>>,
}

fn dependency(code: &str, block: Range<usize>) -> Dependency<'_> {
    let place = |name: &str| element(code, block.clone(), name);
    let text = |name: &str| place(name).map_or("", |range| &code[range]);
    Dependency { own: (text("groupId"), text("artifactId")), version: place("version") }
}

/// The property that alone gives a version.
fn property(version: &str) -> Option<&str> {
    version.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
}

/// The place of a property's value, unless artifacts of other groups have their version from it, too: those are released on
/// their own, and nothing says that they have the new version. Of one group they usually are released together.
fn shared(code: &str, name: &str, group: &str, all: &[Dependency<'_>]) -> Result<Range<usize>, Refused> {
    let has_it = |range: &Range<usize>| property(&code[range.clone()]) == Some(name);
    let foreign = all.iter().filter(|other| other.own.0 != group && other.version.as_ref().is_some_and(has_it));
    let others: Vec<String> =
        foreign.take(OTHERS_SHOWN).map(|other| format!("{}:{}", other.own.0, other.own.1)).collect();
    if !others.is_empty() {
        return Err(Refused::Shared { property: name.to_owned(), others: others.join(", ") });
    }
    one(code, name)
}

/// How many artifacts a refusal names.
const OTHERS_SHOWN: usize = 3;

/// The only element of a property's name; profiles may set it again, and then the text does not say which counts.
fn one(code: &str, property: &str) -> Result<Range<usize>, Refused> {
    match blocks(code, property).as_slice() {
        [block] => Ok(trimmed(code, block.clone())),
        _ => Err(Refused::Indirect),
    }
}

/// The content of the first element of this name in a part.
fn element(code: &str, within: Range<usize>, name: &str) -> Option<Range<usize>> {
    let found = blocks(&code[within.clone()], name).into_iter().next()?;
    Some(trimmed(code, within.start + found.start..within.start + found.end))
}

/// The contents of all elements of this name that have no attributes, as Maven's have none.
fn blocks(code: &str, name: &str) -> Vec<Range<usize>> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (mut blocks, mut at) = (Vec::new(), 0);
    while let Some(start) = code[at..].find(&open).map(|found| at + found + open.len()) {
        let Some(end) = code[start..].find(&close).map(|found| start + found) else { break };
        blocks.push(start..end);
        at = end;
    }
    blocks
}

fn trimmed(code: &str, range: Range<usize>) -> Range<usize> {
    let content = &code[range.clone()];
    let start = range.start + content.len() - content.trim_start().len();
    start..start + content.trim().len()
}

/// The same text with what stands between the marks blanked, byte for byte, so that places stay.
fn blanked(text: &str, open: &str, close: &str) -> String {
    let (mut blanked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(open) {
        let end = rest[start..].find(close).map_or(rest.len(), |end| start + end + close.len());
        blanked.push_str(&rest[..start]);
        blanked.extend(std::iter::repeat_n(' ', end - start));
        rest = &rest[end..];
    }
    blanked + rest
}
