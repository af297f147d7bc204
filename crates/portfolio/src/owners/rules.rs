//! The file of owner rules, in the manner of CODEOWNERS.

use std::collections::HashMap;

use condition::{Diagnostic, Place, glob, nearest};
use model::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Subject;
use crate::catalog::{Catalog, DEFAULT_NAMESPACE, EntityRef, TeamRef, repository};

/// The largest file that is read: tens of thousands of rules.
const FILE_BYTES_MAX: usize = 4 << 20;
/// So many mistakes are shown; each costs a walk through the file, and nobody reads more.
const MISTAKES_MAX: usize = 200;
/// What a pattern may be for.
const KINDS: &[&str] = &["image", "tag", "base", "layer"];

/// Owner rules; the last one that fits wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerRules {
    /// The file's name.
    pub file: String,
    /// The rules in the order of the file.
    pub rules: Vec<OwnerRule>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnerRule {
    /// The line, counted from 1.
    pub line: usize,
    /// What it is for.
    pub pattern: Pattern,
    /// The teams; with none, what fits is nobody's.
    pub owners: Vec<TeamRef>,
}

/// What a line is for. `*` stands for any characters, `/` included, and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Images by their name without tag and digest.
    Image(String),
    /// Images by their name with its tag.
    Tag(String),
    /// A base image, and the layers it brings, by its registered name.
    Base(String),
    /// One layer.
    Layer(Digest),
}

impl Pattern {
    fn fits(&self, subject: &Subject) -> bool {
        match self {
            Self::Image(pattern) => subject.images.iter().any(|name| glob::fits(pattern, repository(name))),
            Self::Tag(pattern) => subject.images.iter().any(|name| {
                let tagged = name.split('@').next().unwrap_or(name);
                repository(tagged) != tagged && glob::fits(pattern, tagged)
            }),
            Self::Base(pattern) => subject.base.iter().any(|name| glob::fits(pattern, name)),
            Self::Layer(layer) => subject.layer.as_ref() == Some(layer),
        }
    }
}

/// A word of a line: its text and where it begins, in characters counted from 1.
type Word<'t> = (usize, &'t str);

/// What is wrong with a word: code, message, remedy.
type Mistake = (&'static str, String, String);

impl OwnerRules {
    /// Reads a file of rules. Every team must be one of the catalog's. All mistakes are returned.
    pub fn load(name: &str, text: &str, catalog: &Catalog) -> Result<Self, Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        let mut add = |line: usize, (column, word): Word<'_>, (code, message, remedy): Mistake| {
            if mistakes.len() < MISTAKES_MAX {
                let place = Place::new(name, text, line, column, word.chars().count());
                let remedy = Some(remedy).filter(|remedy| !remedy.is_empty());
                mistakes.push(Diagnostic { code, message, place, remedy });
            }
        };
        if text.len() > FILE_BYTES_MAX {
            let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
            add(1, (1, ""), ("too-large", message, "a pattern with `*` stands for many lines".into()));
            return Err(mistakes);
        }
        let teams = Teams::new(catalog);
        let mut rules = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let words = words(content);
            let Some((first, rest)) = words.split_first() else { continue };
            let (kind, at, owners) = match (KINDS.contains(&first.1), rest.split_first()) {
                (true, Some((pattern, owners))) => (first.1, *pattern, owners),
                (true, None) => {
                    let remedy =
                        format!("write `{} PATTERN TEAM`; an image of that name is `image {}`", first.1, first.1);
                    add(line, *first, ("missing-pattern", format!("`{}` is followed by a pattern", first.1), remedy));
                    continue;
                }
                (false, _) => ("image", *first, rest),
            };
            let pattern = pattern(kind, at.1).map_err(|mistake| add(line, at, mistake));
            let mut found = Vec::new();
            for word in owners {
                match teams.find(word.1) {
                    Ok(team) => found.push(team),
                    Err(mistake) => add(line, *word, mistyped_kind(first.1).unwrap_or(mistake)),
                }
            }
            rules.extend(pattern.ok().map(|pattern| OwnerRule { line, pattern, owners: found }));
        }
        if mistakes.is_empty() { Ok(Self { file: name.to_owned(), rules }) } else { Err(mistakes) }
    }

    /// The rule that decides about a subject.
    pub fn rule_for(&self, subject: &Subject) -> Option<&OwnerRule> {
        self.rules.iter().rev().find(|rule| rule.pattern.fits(subject))
    }
}

/// The words of a line up to its comment.
fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut column = 1;
    for piece in line.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if word.starts_with('#') {
            break;
        }
        if !word.is_empty() {
            words.push((column, word));
        }
        column += piece.chars().count();
    }
    words
}

fn pattern(kind: &str, text: &str) -> Result<Pattern, Mistake> {
    let owned = text.to_owned();
    Ok(match kind {
        "tag" if repository(text) == text && !text.contains('*') => {
            let message = format!("`{text}` says no tag");
            return Err(("wrong-pattern", message, format!("write `tag {text}:1.*`, or `image {text}` for every tag")));
        }
        "tag" => Pattern::Tag(owned),
        "base" => Pattern::Base(owned),
        "layer" => match Digest::parse(text) {
            Ok(digest) => Pattern::Layer(digest),
            Err(error) => {
                let remedy = "write the layer's diff id, as `dogwatch scan` shows it";
                return Err(("wrong-pattern", error.to_string(), remedy.into()));
            }
        },
        _ if repository(text) != text => {
            let message = format!("`{text}` names a tag or digest, and an image's rule is for all of them");
            return Err(("wrong-pattern", message, format!("write `tag {text}`, or leave the tag out")));
        }
        _ => Pattern::Image(owned),
    })
}

/// What to say of an unknown team when the line begins with what looks like a mistyped kind.
fn mistyped_kind(first: &str) -> Option<Mistake> {
    let near = nearest(first, KINDS.iter().copied()).filter(|near| *near != first)?;
    let message = format!("`{first}` is taken for the name of an image, and what follows for its owners");
    Some(("unknown-kind", message, format!("did you mean `{near}`?")))
}

/// The teams of the catalog.
struct Teams<'c> {
    catalog: &'c Catalog,
    by_name: HashMap<&'c str, &'c TeamRef>,
}

impl<'c> Teams<'c> {
    fn new(catalog: &'c Catalog) -> Self {
        Self { catalog, by_name: catalog.teams.keys().map(|team| (team.name(), team)).collect() }
    }

    fn find(&self, text: &str) -> Result<TeamRef, Mistake> {
        let reference = EntityRef::parse(text, Some("group"), DEFAULT_NAMESPACE).map_err(|error| {
            let remedy = "write `team-a` or `group:default/team-a`".to_owned();
            ("wrong-reference", error.to_string(), remedy)
        })?;
        if reference.kind() != "group" {
            let message = format!("owners are teams, and `{text}` is a {}", reference.kind());
            return Err(("wrong-reference", message, "name a team that they are in".into()));
        }
        if self.catalog.teams.contains_key(&reference) {
            return Ok(reference);
        }
        let same = self.by_name.get(reference.name()).copied();
        let near = same.or_else(|| self.by_name.get(nearest(reference.name(), self.by_name.keys().copied())?).copied());
        let remedy = match near {
            Some(near) => format!("did you mean `{}`?", near.short()),
            None => "declare it in the catalog as a Group".to_owned(),
        };
        Err(("unknown-team", format!("the catalog has no team `{}`", reference.short()), remedy))
    }
}
