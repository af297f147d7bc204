//! `FROM` lines of a Dockerfile. Source: Dockerfile reference, "FROM", "ARG", "Here-documents", "escape".

use std::ops::Range;

use super::{Changes, Refused, apply, lines};

/// The base images that a Dockerfile names, as they are written (with digest), each once, in order. Stages of its own, `scratch`
/// and names put together from parts are none.
pub fn bases(text: &str) -> Vec<String> {
    let named = named(text);
    let mut found: Vec<String> = Vec::new();
    for place in named.places {
        let image = text[place].trim_matches('"');
        let is_stage = named.stages.iter().any(|stage| stage.eq_ignore_ascii_case(image));
        if !is_stage && image != "scratch" && !image.is_empty() && !found.iter().any(|known| known == image) {
            found.push(image.to_owned());
        }
    }
    found
}

/// The base images that a Dockerfile puts together from parts (`node:${VERSION}`), as they are written.
pub fn composed(text: &str) -> Vec<String> {
    named(text).composed.into_iter().map(str::to_owned).collect()
}

/// The text with one base image replaced by another, in every stage that is built on it.
///
/// `from` is a name with its tag; a digest behind it goes with it, because it is the old image's. With a digest it is only what is
/// pinned to that. A base that is an `ARG`'s
/// default is changed there. One that is only partly an `ARG` (`node:${VERSION}`) is refused.
pub fn replace_base(text: &str, from: &str, to: &str) -> Result<String, Refused> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    if to.is_empty() || to.len() > 1024 || to.starts_with('-') || !to.chars().all(is_plain) {
        return Err(Refused::Unwritable);
    }
    let named = named(text);
    let is_from = |place: &Range<usize>| {
        let written = text[place.clone()].trim_matches('"');
        written == from || without_digest(written) == from
    };
    let changes: Changes = named.places.into_iter().filter(is_from).map(|place| (place, to.to_owned())).collect();
    match (changes.is_empty(), named.composed.is_empty()) {
        (true, false) => Err(Refused::Indirect),
        (true, true) => Err(Refused::NotNamed),
        _ => Ok(apply(text, in_order(changes))),
    }
}

/// What the `FROM` lines of a Dockerfile name.
struct Named<'a> {
    /// Where each image is written: in the line, or in the `ARG` that the line takes it from.
    places: Vec<Range<usize>>,
    /// Its own stages.
    stages: Vec<&'a str>,
    /// The images that are put together from parts.
    composed: Vec<&'a str>,
}

fn named(text: &str) -> Named<'_> {
    let mut arguments: Vec<(&str, Range<usize>)> = Vec::new();
    let mut named = Named { places: Vec::new(), stages: Vec::new(), composed: Vec::new() };
    let mut is_before_from = true;
    for (start, line) in instructions(text) {
        let mut words = words(line);
        let Some(instruction) = words.next().map(|range| line[range].to_ascii_uppercase()) else { continue };
        if instruction == "ARG" && is_before_from {
            for word in words {
                let Some((name, value)) = line[word.clone()].split_once('=') else { continue };
                let value_start = start + word.end - value.len();
                arguments.push((name, value_start..value_start + value.len()));
            }
        } else if instruction == "FROM" {
            is_before_from = false;
            let Some(image) = words.find(|word| !line[word.clone()].starts_with("--")) else { continue };
            if words.next().is_some_and(|word| line[word].eq_ignore_ascii_case("as")) {
                named.stages.extend(words.next().map(|word| &line[word]));
            }
            let image = start + image.start..start + image.end;
            let written = &text[image.clone()];
            let argument = written.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
            let place = match argument {
                Some(name) => arguments.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value.clone()),
                None if written.contains('$') => None,
                None => Some(image),
            };
            match place {
                Some(place) => named.places.push(place),
                None => named.composed.push(written),
            }
        }
    }
    named
}

/// An `ARG` may stand before several stages, and is changed once.
fn in_order(mut changes: Changes) -> Changes {
    changes.sort_by_key(|(range, _)| range.start);
    changes
}

fn without_digest(image: &str) -> &str {
    image.split('@').next().unwrap_or(image)
}

/// The first line of each instruction; lines that continue one and the bodies of here-documents are left out.
fn instructions(text: &str) -> Vec<(usize, &str)> {
    let mut directives = text.lines().take_while(|line| line.starts_with('#'));
    let is_backtick = directives.any(|line| line.replace(' ', "").eq_ignore_ascii_case("#escape=`"));
    let escape = if is_backtick { '`' } else { '\\' };
    let (mut found, mut continues, mut documents) = (Vec::new(), false, Vec::<(bool, &str)>::new());
    for (start, line) in lines(text) {
        if let Some(&(is_indented, end)) = documents.first() {
            if (if is_indented { line.trim_start_matches('\t') } else { line }) == end {
                documents.remove(0);
            }
            continue;
        }
        // Comments and empty lines inside a continued instruction do not end it.
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !continues {
            found.push((start, line));
        }
        continues = line.trim_end().ends_with(escape);
        documents = ends(line);
    }
    found
}

/// The words that end the here-documents which a line begins, and whether tabs may stand before them (`<<-`).
fn ends(line: &str) -> Vec<(bool, &str)> {
    let ends = line.split("<<").skip(1).filter_map(|rest| {
        let plain = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches(['"', '\'']);
        let end = plain.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(plain.len());
        (end > 0).then(|| (rest.starts_with('-'), &plain[..end]))
    });
    ends.collect()
}

fn words(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    line.split_whitespace().map(move |word| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start..start + word.len()
    })
}
