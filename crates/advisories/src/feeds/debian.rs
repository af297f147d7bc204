//! Debian's security tracker: `/tracker/data/json`, and the lists of advisories it is made from.
//!
//! The tracker says of each source package and vulnerability how it stands in each release: `resolved` since a version,
//! `open`, or `undetermined`. Open says also whether Debian means to do something: `nodsa_reason`.
//! Source: <https://security-team.debian.org/security_tracker.html>, "Issues not warranting a security advisory" and
//! "Severity levels".

use std::collections::{BTreeMap, BTreeSet};

use model::advisory::Affected;
use serde::Deserialize;

use super::draft::{Drafts, before, every, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, map_or_list, nullable};

/// The tracker's whole state.
pub(super) const TRACKER: Format = Format {
    name: "Debian security tracker",
    marks: |shape| shape.has(Syntax::Json, &["*.*.releases"]),
    read: read_tracker,
};

/// `data/DSA/list`, `data/DLA/list`.
pub(super) const LISTS: Format = Format {
    name: "Debian advisory list",
    marks: |shape| shape.syntax == Syntax::Text && heading(shape.first_line).is_some(),
    read: read_list,
};

/// Fewer source packages than this are an extract; the tracker has some 4,000.
const WHOLE_PACKAGES_MIN: usize = 1000;

/// Releases by name. Unstable has no number and its packages no release to compare in.
const RELEASES: &[(&str, &str)] = &[
    ("potato", "2.2"),
    ("woody", "3.0"),
    ("sarge", "3.1"),
    ("etch", "4.0"),
    ("lenny", "5.0"),
    ("squeeze", "6.0"),
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

/// The ecosystem of a release by its name.
fn ecosystem(codename: &str) -> Option<String> {
    let name = codename.split('-').next().unwrap_or(codename);
    RELEASES.iter().find(|(known, _)| *known == name).map(|(_, number)| format!("Debian:{number}"))
}

#[derive(Deserialize)]
struct Issue {
    /// What has no release is written as an empty list.
    #[serde(deserialize_with = "map_or_list")]
    releases: BTreeMap<String, State>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct State {
    status: String,
    #[serde(deserialize_with = "nullable")]
    fixed_version: String,
    #[serde(deserialize_with = "nullable")]
    urgency: String,
    nodsa: Option<String>,
    #[serde(deserialize_with = "nullable")]
    nodsa_reason: String,
}

fn read_tracker(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let packages: BTreeMap<String, BTreeMap<String, Issue>> = json(text)?;
    let whole = packages.len() >= WHOLE_PACKAGES_MIN;
    let mut drafts = Drafts::new("Debian", "DEBIAN-");
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    for (package, issues) in &packages {
        for (id, issue) in issues {
            for (release, state) in &issue.releases {
                match ecosystem(release) {
                    Some(ecosystem) => stand(drafts.about(id), &ecosystem, package, state),
                    None if release == "sid" => {}
                    None => _ = unknown.insert(release.clone()),
                }
            }
        }
    }
    drafts.hand_over(sink);
    for release in unknown {
        sink(Item::Problem { record: release, detail: "is a release whose number is not known".into() });
    }
    Ok(if whole { Extent::Whole } else { Extent::Some })
}

/// How a vulnerability of a package stands in a release.
fn stand(record: &mut Parsed, ecosystem: &str, package: &str, state: &State) {
    // Two stars mean that the urgency was set by a program, from the NVD's word.
    let urgency = state.urgency.trim_end_matches('*');
    let affected = match state.status.as_str() {
        "resolved" if !state.fixed_version.is_empty() => before(ecosystem, package, &state.fixed_version),
        "resolved" => return,
        "open" => Affected { status: Some(open(urgency, state).to_owned()), ..every(ecosystem, package) },
        status => Affected { status: Some(status.to_owned()), ..every(ecosystem, package) },
    };
    record.affect(Affected { severities: word("Debian", urgency).into_iter().collect(), ..affected });
}

fn open<'a>(urgency: &'a str, state: &'a State) -> &'a str {
    match state.nodsa_reason.as_str() {
        _ if urgency == "end-of-life" => urgency,
        "" if state.nodsa.is_some() => "no-dsa",
        "" => "open",
        reason => reason,
    }
}

/// The day and id in the first line of an entry: `[31 Mar 2023] DSA-5380-1 xorg-server - security update`.
fn heading(line: &str) -> Option<(String, &str, &str)> {
    let (date, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (id, title) = rest.split_once(' ').unwrap_or((rest, ""));
    if !["DSA-", "DLA-", "DTSA-", "ELA-"].iter().any(|prefix| id.starts_with(prefix)) {
        return None;
    }
    let mut parts = date.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|known| *known == month)? + 1;
    let number = |text: &str| text.parse::<u16>().ok();
    Some((format!("{:04}-{month:02}-{:02}T00:00:00Z", number(year)?, number(day)?), id, title))
}

fn read_list(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let mut record: Option<Parsed> = None;
    // Some announcements are about no package: that a key was changed, that support ends.
    let mut hand_over = |done: Option<Parsed>| {
        if let Some(done) = done.filter(|done| !done.advisory.affected.is_empty() || !done.problems.is_empty()) {
            sink(done.finished());
        }
    };
    for line in String::from_utf8_lossy(text).lines() {
        if let Some((published, id, title)) = heading(line.trim_end()) {
            hand_over(record.take());
            let mut new = Parsed::new(id, "Debian");
            new.advisory.summary = super::draft::line(title);
            new.advisory.modified.clone_from(&published);
            new.advisory.published = published;
            record = Some(new);
        } else if let Some(record) = &mut record {
            list_line(line.trim(), record);
        }
    }
    hand_over(record.take());
    Ok(Extent::Some)
}

/// `{CVE-2023-1393 CVE-2023-1394}` or `[bullseye] - xorg-server 2:1.20.11-1+deb11u6`.
fn list_line(line: &str, record: &mut Parsed) {
    if let Some(ids) = line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        record.advisory.upstream.extend(ids.split_whitespace().map(str::to_owned));
        return;
    }
    let Some((release, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] - ")) else { return };
    let mut words = rest.split_whitespace();
    let (Some(package), Some(version)) = (words.next(), words.next()) else { return };
    let Some(ecosystem) = ecosystem(release) else {
        record.problem(format!("release `{release}`, whose number is not known"));
        return;
    };
    let status = |status: &str| Affected { status: Some(status.to_owned()), ..every(&ecosystem, package) };
    match version {
        "<not-affected>" | "<removed>" => {}
        "<unfixed>" | "<end-of-life>" | "<ignored>" | "<postponed>" | "<no-dsa>" | "<undetermined>" => {
            record.affect(status(version.trim_matches(['<', '>'])));
        }
        version => record.affect(before(&ecosystem, package, version)),
    }
}
