//! `dogwatch advisories`: build an index and ask it.

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::path::Path;

use ::advisories::{BuildOptions, BuildSummary, Change, DiffOptions, How, Index, build, diff};
use anyhow::Context;
use formats::printable::printable;
use model::ecosystem::{Query, queries};
use model::finding::{Score, Ssvc};
use model::purl;
use model::version::{Scheme, compare};

use crate::cli::AdvisoriesCommand;
use crate::console::{COULD_NOT_TELL, Failure, Hint, note, progress, write};

/// Runs one of the advisory commands.
pub(crate) fn run(command: AdvisoriesCommand) -> Result<u8, Failure> {
    match command {
        AdvisoriesCommand::Build { from, out, problems } => built(&from, &out, problems),
        AdvisoriesCommand::Publish(arguments) => super::share::publish_index(&arguments),
        AdvisoriesCommand::Pull(arguments) => super::share::pull_index(&arguments),
        AdvisoriesCommand::Keygen(arguments) => super::share::keygen(&arguments),
        AdvisoriesCommand::Update(arguments) => super::update::run(&arguments),
        AdvisoriesCommand::Status(argument) => super::status::run(argument.index.as_deref()),
        AdvisoriesCommand::Show { id, index } => {
            let index = super::index(index.index.as_deref())?;
            shown(&index, super::private_index(&[], false)?.as_ref(), &id)
        }
        AdvisoriesCommand::Search { purl, index } => {
            let index = super::index(index.index.as_deref())?;
            searched(&index, super::private_index(&[], false)?.as_ref(), &purl)
        }
        AdvisoriesCommand::Diff { old, new } => {
            differences(&opened(&old)?, &opened(&new)?)?;
            Ok(0)
        }
        AdvisoriesCommand::CompareVersions { scheme } => compare_versions(&scheme),
    }
}

fn opened(path: &Path) -> Result<Index, Failure> {
    Index::open(path).map_err(|error| Failure { hint: error.hint(), error: error.into() })
}

/// How many unusable records are named unless all are asked for: enough to see what is wrong with a feed.
const PROBLEMS_SHOWN: usize = 5;

fn built(from: &[std::path::PathBuf], out: &Path, every_problem: bool) -> Result<u8, Failure> {
    let bar = progress("compiling advisories".into());
    let result = build(from, out, &BuildOptions::default());
    bar.finish_and_clear();
    let summary = result.map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    for (path, why) in &summary.skipped {
        note(&format!("passed over `{}`: {why}", path.display()));
    }
    note_problems_up_to(&summary, if every_problem { usize::MAX } else { PROBLEMS_SHOWN });
    write(&summed_up(&summary), None)?;
    Ok(0)
}

/// Names the first records that could not be used.
pub(super) fn note_problems(summary: &BuildSummary) {
    note_problems_up_to(summary, PROBLEMS_SHOWN);
}

fn note_problems_up_to(summary: &BuildSummary, shown: usize) {
    for problem in summary.problems.iter().take(shown) {
        note(&format!("{}: {}: {}", problem.file.display(), problem.record, problem.detail));
    }
    let unshown = summary.problem_count.saturating_sub(summary.problems.len().min(shown) as u64);
    if unshown > 0 {
        note(&format!(
            "{unshown} more records, or parts of them, could not be used; `--problems` of `build` names them"
        ));
    }
}

/// A new index in one line.
pub(super) fn summed_up(summary: &BuildSummary) -> String {
    let megabytes = summary.bytes as f64 / 1e6;
    format!(
        "{} advisories with {} ranges from {} files: {megabytes:.1} MB, {}\n",
        summary.advisories, summary.ranges, summary.files, summary.digest
    )
}

fn shown(index: &Index, private: Option<&Index>, id: &str) -> Result<u8, Failure> {
    let mut records = index.show(id)?;
    if let Some(private) = private {
        records.extend(private.show(id)?);
    }
    if records.is_empty() {
        let hint = "`dogwatch advisories status` says what the index covers".to_owned();
        return Err(anyhow::anyhow!("the index knows nothing of `{id}`")).hint(Some(hint));
    }
    let mut text = String::new();
    for shown in &records {
        let advisory = &shown.advisory;
        let _ = writeln!(text, "{}  {}", printable(&advisory.id), printable(&advisory.source));
        for (word, ids) in
            [("aliases", &advisory.aliases), ("upstream", &advisory.upstream), ("related", &advisory.related)]
        {
            if !ids.is_empty() {
                let _ = writeln!(text, "  {word:<10} {}", printable(&ids.join(", ")));
            }
        }
        let _ = writeln!(text, "  published  {}, modified {}", advisory.published, advisory.modified);
        if let Some(withdrawn) = &advisory.withdrawn {
            let _ = writeln!(text, "  withdrawn  {withdrawn}; it matches nothing");
        }
        if !advisory.summary.is_empty() {
            let _ = writeln!(text, "  summary    {}", printable(&advisory.summary));
        }
        for severity in &advisory.severities {
            let _ = writeln!(text, "  severity   {} ({})", printable(&severity.value), printable(&severity.scorer));
        }
        for affected in &shown.affected {
            let status = affected.status.as_deref().map(|status| format!("  [{status}]")).unwrap_or_default();
            let _ = writeln!(
                text,
                "  affected   {} {}  {}{}",
                affected.ecosystem,
                printable(&affected.name),
                printable(&affected.range),
                printable(&status)
            );
        }
        for (id, facts) in &shown.vulnerabilities {
            for score in &facts.scores {
                let _ = writeln!(text, "  {id}  {}", score_words(score));
            }
            if let Some(epss) = facts.epss {
                let _ = writeln!(text, "  {id}  EPSS {:.3} (percentile {:.3})", epss.score, epss.percentile);
            }
            for point in facts.epss_history.iter().rev() {
                let (score, percentile) = (point.score, point.percentile);
                let _ = writeln!(text, "  {id}  EPSS {score:.3} (percentile {percentile:.3}) on {}", point.date);
            }
            if let Some(ssvc) = facts.ssvc {
                let _ = writeln!(text, "  {id}  {}", ssvc_words(ssvc));
            }
            if let Some(kev) = &facts.kev {
                let since = kev.date_added.as_deref().map(|day| format!(" since {day}")).unwrap_or_default();
                let _ = writeln!(text, "  {id}  known to be exploited{since}");
            }
        }
        for reference in &advisory.references {
            let _ = writeln!(text, "  see        {}", printable(reference));
        }
    }
    write(&text, None)?;
    Ok(0)
}

fn ssvc_words(ssvc: Ssvc) -> String {
    let automatable = if ssvc.automatable { "yes" } else { "no" };
    let (exploitation, impact) = (ssvc.exploitation.as_str(), ssvc.technical_impact.as_str());
    format!("SSVC exploitation {exploitation}, automatable {automatable}, technical impact {impact}")
}

fn score_words(score: &Score) -> String {
    format!("CVSS {} {:.1} by {} {}", score.version, score.score, score.scorer, score.vector)
}

fn searched(index: &Index, private: Option<&Index>, text: &str) -> Result<u8, Failure> {
    let parsed = purl::parse(text)?;
    let package = parsed.package(text);
    let queries = queries(&package, parsed.distro.as_ref());
    if queries.is_empty() {
        let hint = "OS packages need their distribution: `pkg:deb/debian/openssl@3.0.9-1?distro=debian-12`".to_owned();
        return Err(anyhow::anyhow!("no ecosystem with advisories is known for `{text}`")).hint(Some(hint));
    }
    let mut found = String::new();
    for query in &queries {
        found.push_str(&hits(index, query)?);
        if let Some(private) = private {
            found.push_str(&hits(private, query)?);
        }
    }
    if found.is_empty() {
        note(&format!("no advisory in the index covers `{text}`"));
    }
    write(&found, None)?;
    Ok(0)
}

/// The advisories that cover a version; all for the package when no version is given.
fn hits(index: &Index, query: &Query) -> Result<String, Failure> {
    let mut text = String::new();
    if query.version.is_empty() {
        use model::advisory::Advisories as _;
        for row in index.candidates(&query.ecosystem, &query.name)? {
            let advisory = index.advisory(row.advisory, &query.ecosystem, &query.name)?;
            let _ = writeln!(
                text,
                "{}\t{}\t{}",
                printable(&advisory.id),
                query.ecosystem,
                printable(&assessment::matching::describe(&row))
            );
        }
        return Ok(text);
    }
    for hit in index.search(query)? {
        let ids: Vec<&str> = hit.advisory.aliases.iter().chain(&hit.advisory.upstream).map(String::as_str).collect();
        let doubt = if hit.comparable { "" } else { "\tversions cannot be compared" };
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}{doubt}",
            printable(&hit.advisory.id),
            printable(&ids.join(",")),
            query.ecosystem,
            printable(&hit.affected.range)
        );
    }
    Ok(text)
}

fn differences(old: &Index, new: &Index) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let mut failed = None;
    diff(old, new, DiffOptions::default(), &mut |change| {
        if failed.is_none() {
            failed = writeln!(stdout, "{}", printable(&change_words(&change))).err();
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// One change in one line, fields separated by tabs.
fn change_words(change: &Change) -> String {
    let score = |score: &Option<Score>| score.as_ref().map_or("none".into(), |score| format!("{:.1}", score.score));
    match change {
        Change::Package { ecosystem, name, advisory, source, how } => {
            let how = match how {
                How::Added => "added",
                How::Removed => "removed",
                How::Changed => "changed",
            };
            format!("package  {how}  {ecosystem} {name}  {advisory} ({source})")
        }
        Change::Severity { advisory, source, old, new } => {
            let values = |list: &[model::advisory::StatedSeverity]| {
                list.iter().map(|severity| severity.value.clone()).collect::<Vec<_>>().join(" ")
            };
            format!("severity  {advisory} ({source})  {} -> {}", values(old), values(new))
        }
        Change::Score { cve, old, new } => {
            let by = new
                .as_ref()
                .or(old.as_ref())
                .map(|score| format!("CVSS {} by {}", score.version, score.scorer))
                .unwrap_or_default();
            format!("score  {cve}  {by}  {} -> {}", score(old), score(new))
        }
        Change::Epss { cve, old, new } => {
            let words =
                |epss: &Option<model::finding::Epss>| epss.map_or("none".into(), |epss| format!("{:.3}", epss.score));
            format!("epss  {cve}  {} -> {}", words(old), words(new))
        }
        Change::Ssvc { cve, old, new } => {
            let words = |ssvc: &Option<Ssvc>| ssvc.map_or("none".to_owned(), ssvc_words);
            format!("ssvc  {cve}  {} -> {}", words(old), words(new))
        }
        Change::Kev { cve, old, new } => {
            let word = match (old, new) {
                (None, Some(_)) => "is now known to be exploited",
                (Some(_), None) => "is no longer listed as exploited",
                _ => "has a changed entry",
            };
            format!("kev  {cve}  {word}")
        }
    }
}

fn compare_versions(scheme: &str) -> Result<u8, Failure> {
    let scheme: Scheme = scheme.parse()?;
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let mut code = 0;
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.context("stdin cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        let answer = match line.split_once('\t') {
            Some((a, b)) => compare(scheme, a, b).map_or("invalid", |order| match order {
                std::cmp::Ordering::Less => "-1",
                std::cmp::Ordering::Equal => "0",
                std::cmp::Ordering::Greater => "1",
            }),
            None => {
                note(&format!("`{line}` has no tab between two versions"));
                code = COULD_NOT_TELL;
                "invalid"
            }
        };
        writeln!(stdout, "{answer}")?;
    }
    stdout.flush()?;
    Ok(code)
}
