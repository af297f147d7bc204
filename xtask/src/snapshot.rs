//! `cargo xtask snapshot --from DIR`: cuts the advisory snapshot that ships with the product.
//!
//! From a data pack it takes the files whose licence lets an Apache-2.0 product carry them, and of mixed files only the
//! records of publishers of whom that is true. Share-alike data and data without a licence stay out. What is taken, whose it
//! is and how much it covers is written beside it, so the program can say both.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Most that the snapshot may weigh in the repository.
const SNAPSHOT_BYTES_MAX: u64 = 12 << 20;
/// Smallest output; the snapshot is made once and cloned often.
const ZSTD_LEVEL: i32 = 19;

/// One file of the snapshot.
struct Part {
    file: &'static str,
    content: &'static str,
    /// Of a mixed file, the records whose `database_specific.source` is among these. Empty: all.
    sources: &'static [&'static str],
    origin: &'static str,
    date: &'static str,
    licence: &'static str,
    attribution: &'static str,
    /// Ecosystem, whether it is complete, and what is missing if not.
    coverage: &'static [(&'static str, Option<&'static str>)],
}

const PARTS: &[Part] = &[
    Part {
        file: "osv/debian-12.jsonl.zst",
        content: "fixed versions per CVE for 120 source packages of Debian 12",
        sources: &[],
        origin: "changelogs of packages in bookworm and bookworm-security",
        date: "2026-11-22",
        licence: "facts taken from package changelogs",
        attribution: "Facts from the changelogs of Debian packages, by their maintainers and the Debian security team.",
        coverage: &[("Debian:12", Some("120 source packages only, and only vulnerabilities with a fix"))],
    },
    Part {
        file: "osv/almalinux.jsonl.zst",
        content: "AlmaLinux security advisories",
        sources: &[],
        origin: "AlmaLinux/osv-database 948f47a",
        date: "2026-08-21",
        licence: "MIT",
        attribution: "AlmaLinux OSV database, copyright the AlmaLinux OS Foundation, under the MIT licence.",
        coverage: &[("AlmaLinux", None)],
    },
    Part {
        file: "osv/redhat.jsonl.zst",
        content: "CVE records of the Red Hat CNA that name RPM packages",
        sources: &[],
        origin: "cisagov/vulnrichment b0ed75832",
        date: "2024-10-24",
        licence: "CC0-1.0",
        attribution: "CVE records by Red Hat, through CISA vulnrichment.",
        coverage: &[("Red Hat", Some("248 CVE records of 2022 to 2024 only"))],
    },
    Part {
        file: "osv/wolfi.jsonl.zst",
        content: "Wolfi advisories, last state of each, false positives left out",
        sources: &[],
        origin: "wolfi-dev/advisories 244709c95, the last state under Apache-2.0",
        date: "2025-05-07",
        licence: "Apache-2.0",
        attribution: "Wolfi advisories, copyright Chainguard, Inc. and contributors, under the Apache License 2.0.",
        coverage: &[("Wolfi", None)],
    },
    Part {
        file: "osv/docker-hardened-images.jsonl.zst",
        content: "advisories of Docker Hardened Images",
        sources: &[],
        origin: "docker-hardened-images/advisories 918783b",
        date: "2025-10-31",
        licence: "Apache-2.0",
        attribution: "Docker Hardened Images advisories, copyright Docker, Inc., under the Apache License 2.0.",
        coverage: &[("DHI", None)],
    },
    Part {
        file: "osv/bitnami.jsonl.zst",
        content: "advisories for application components that Bitnami packages",
        sources: &[],
        origin: "bitnami/vulndb 0054d6e3b",
        date: "2026-08-05",
        licence: "Apache-2.0",
        attribution: "Bitnami vulnerability database, copyright Broadcom, Inc., under the Apache License 2.0.",
        coverage: &[("Bitnami", None)],
    },
    Part {
        file: "osv/go.jsonl.zst",
        content: "the Go vulnerability database",
        sources: &[],
        origin: "golang/vulndb a752ea54",
        date: "2026-08-21",
        licence: "CC-BY-4.0",
        attribution: "Go vulnerability database, the Go authors, under CC-BY-4.0; prose and other fields left out.",
        coverage: &[("Go", None)],
    },
    Part {
        file: "osv/crates.io.jsonl.zst",
        content: "RustSec advisories, with informational ones",
        sources: &[],
        origin: "rustsec/advisory-db 7fa931cb9, branch osv",
        date: "2026-08-21",
        licence: "CC0-1.0 AND CC-BY-4.0",
        attribution: "RustSec advisory database; records imported from the GitHub Advisory Database under CC-BY-4.0; prose and other fields left out.",
        coverage: &[("crates.io", None)],
    },
    Part {
        file: "osv/pypi.jsonl.zst",
        content: "the PyPA advisory database",
        sources: &[],
        origin: "pypa/advisory-database through westonsteimel/advisory-database-pypa 57da901a",
        date: "2026-07-23",
        licence: "CC-BY-4.0",
        attribution: "PyPA advisory database, under CC-BY-4.0; prose and other fields left out.",
        coverage: &[("PyPI", None)],
    },
    Part {
        file: "osv/npm.jsonl.zst",
        content: "Retire.js ranges and Node.js security working group advisories",
        sources: &["RetireJS/retire.js", "nodejs/security-wg"],
        origin: "RetireJS/retire.js fd8df0d (2026-08-22), nodejs/security-wg f1288d0 (2026-04-08, data to 2019)",
        date: "2026-08-22",
        licence: "Apache-2.0 AND MIT",
        attribution: "Retire.js, copyright its contributors, under the Apache License 2.0; Node.js security working group, copyright Node.js contributors, under the MIT licence.",
        coverage: &[("npm", Some("browser libraries, and ecosystem advisories up to 2019; most of npm is missing"))],
    },
    Part {
        file: "osv/maven.jsonl.zst",
        content: "package data of CVE numbering authorities for Maven",
        sources: &["CVE records, CNA package data (cisagov/vulnrichment)"],
        origin: "cisagov/vulnrichment b0ed75832",
        date: "2024-10-24",
        licence: "CC0-1.0",
        attribution: "CVE records by their numbering authorities, through CISA vulnrichment.",
        coverage: &[("Maven", Some("some 50 CVE records of 2022 to 2024; most of Maven is missing"))],
    },
    Part {
        file: "osv/nuget.jsonl.zst",
        content: "package data of CVE numbering authorities for NuGet",
        sources: &["CVE records, CNA package data (cisagov/vulnrichment)"],
        origin: "cisagov/vulnrichment b0ed75832",
        date: "2024-10-24",
        licence: "CC0-1.0",
        attribution: "CVE records by their numbering authorities, through CISA vulnrichment.",
        coverage: &[("NuGet", Some("one CVE record; nearly all of NuGet is missing"))],
    },
    Part {
        file: "osv/packagist.jsonl.zst",
        content: "FriendsOfPHP security advisories",
        sources: &["FriendsOfPHP/security-advisories"],
        origin: "FriendsOfPHP/security-advisories 73745a6",
        date: "2026-08-06",
        licence: "Unlicense",
        attribution: "FriendsOfPHP security advisories database.",
        coverage: &[("Packagist", Some("FriendsOfPHP only; advisories that only GitHub publishes are missing"))],
    },
    Part {
        file: "cve/cve-facts.jsonl.zst",
        content: "CVSS scores of CVE records, by scorer",
        sources: &[],
        origin: "cisagov/vulnrichment b0ed75832",
        date: "2024-10-24",
        licence: "CC0-1.0",
        attribution: "CVE records and CISA vulnrichment.",
        coverage: &[],
    },
    Part {
        file: "kev.json.zst",
        content: "CISA's catalogue of known exploited vulnerabilities",
        sources: &[],
        origin: "cisagov/kev-data eacf03e",
        date: "2025-08-25",
        licence: "CC0-1.0",
        attribution: "CISA, Known Exploited Vulnerabilities catalogue.",
        coverage: &[],
    },
    Part {
        file: "kev-later.json.zst",
        content: "CVE ids added to that catalogue later",
        sources: &[],
        origin: "jgamblin/KEV_EPSS cd6f963, bhojwani-lobstr/epss-data 02cc419",
        date: "2026-08-22",
        licence: "Apache-2.0 AND CC0-1.0",
        attribution: "CISA, Known Exploited Vulnerabilities catalogue, as tracked by Jerry Gamblin (KEV_EPSS, Apache License 2.0) and bhojwani-lobstr (epss-data).",
        coverage: &[],
    },
    Part {
        file: "epss.csv.zst",
        content: "EPSS estimates",
        sources: &[],
        origin: "FIRST, through EMBA-support-repos/EPSS-data 346ef2e157",
        date: "2026-08-16",
        licence: "free to use with attribution",
        attribution: "EPSS by FIRST.org: Jay Jacobs, Sasha Romanosky, Benjamin Edwards, Michael Roytman, Idris Adjerid, \"Exploit Prediction Scoring System\". See https://www.first.org/epss.",
        coverage: &[],
    },
];

/// Writes the snapshot of the data pack `from` into `out`.
pub fn run(from: &Path, out: &Path) -> Result<()> {
    let mut total = 0;
    let mut files = Vec::new();
    let mut table = String::new();
    for part in PARTS {
        let text = part_of(from, part).with_context(|| format!("could not cut `{}`", part.file))?;
        if text.is_empty() {
            bail!("`{}` has no record that may be shipped; has its source been renamed?", part.file);
        }
        let packed = zstd::encode_all(text.as_slice(), ZSTD_LEVEL)?;
        total += packed.len() as u64;
        let path = out.join(part.file);
        fs::create_dir_all(path.parent().context("a part lies in a directory")?)?;
        fs::write(&path, &packed).with_context(|| format!("could not write `{}`", path.display()))?;
        files.push(entry(part));
        writeln!(table, "| `{}` | {} | {} | {} | {} |", part.file, part.content, part.origin, part.date, part.licence)?;
    }
    if total > SNAPSHOT_BYTES_MAX {
        bail!("the snapshot has {total} bytes, more than the {SNAPSHOT_BYTES_MAX} it may have");
    }
    let manifest = serde_json::to_string_pretty(&json!({ "version": 1, "files": files }))?;
    fs::write(out.join("coverage.json"), manifest + "\n")?;
    fs::write(out.join("README.md"), readme(&table))?;
    println!("{} files, {total} bytes", PARTS.len());
    Ok(())
}

fn entry(part: &Part) -> Value {
    let ecosystems: Vec<Value> = part
        .coverage
        .iter()
        .map(|(ecosystem, missing)| match missing {
            None => json!({ "ecosystem": ecosystem, "state": "complete" }),
            Some(note) => json!({ "ecosystem": ecosystem, "state": "partial", "note": note }),
        })
        .collect();
    json!({
        "file": part.file,
        "content": part.content,
        "origin": part.origin,
        "date": part.date,
        "licence": part.licence,
        "attribution": part.attribution,
        "ecosystems": ecosystems,
    })
}

/// The text of a part: the pack's file, unpacked, and of a mixed file only what may be shipped.
fn part_of(from: &Path, part: &Part) -> Result<Vec<u8>> {
    let stem = part.file.strip_suffix(".zst").unwrap_or(part.file);
    let found = ["", ".zst", ".gz"].iter().map(|end| from.join(format!("{stem}{end}"))).find(|path| path.is_file());
    let path = found.with_context(|| format!("the data pack has no `{stem}`"))?;
    let packed = fs::read(&path)?;
    let text = match path.extension().and_then(|end| end.to_str()) {
        Some("zst") => zstd::decode_all(packed.as_slice())?,
        Some("gz") => {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut text)?;
            text
        }
        _ => packed,
    };
    if part.sources.is_empty() {
        return Ok(text);
    }
    let mut kept = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let record: Value = serde_json::from_slice(line)?;
        let source = record.pointer("/database_specific/source").and_then(Value::as_str);
        if source.is_some_and(|source| part.sources.contains(&source)) {
            kept.extend_from_slice(line);
        }
    }
    Ok(kept)
}

fn readme(table: &str) -> String {
    let mut attributions: Vec<&str> = PARTS.iter().map(|part| part.attribution).collect();
    attributions.dedup();
    let attributions: String = attributions.iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "# Advisory snapshot\n\n\
         Public vulnerability facts, so that the first scan works without a network. They are of the days named below and\n\
         miss much (`coverage.json` says what): the program shows them as PARTIAL and dated, never as \"clean\".\n\
         Written by `cargo xtask snapshot --from DIR`; do not edit by hand.\n\n\
         Only data that may travel with an Apache-2.0 product is here. Left out: everything under a share-alike licence\n\
         (VulnerableCode, victims, Canonical's OSV) or without a clear one (Debian's and Alpine's trackers, RubySec).\n\n\
         | file | content | origin | day | licence |\n| --- | --- | --- | --- | --- |\n{table}\n\
         ## Attribution\n\n{attributions}\n\
         Licence texts: Apache-2.0 in `LICENSE` at the top of this repository, MIT in `LICENSE-MIT.txt` here,\n\
         CC-BY-4.0 at <https://creativecommons.org/licenses/by/4.0/legalcode>, CC0-1.0 at\n\
         <https://creativecommons.org/publicdomain/zero/1.0/legalcode>, Unlicense at <https://unlicense.org>.\n"
    )
}
