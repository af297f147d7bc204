use clap::Parser;

use super::table::Flag;
use super::*;
use crate::cli::{Cli, Command as Ours};

fn parse(line: &[&str]) -> Result<Box<ScanArguments>, clap::Error> {
    match Cli::try_parse_from(line)?.command {
        Ours::Scan(scan) | Ours::Image(scan) => Ok(scan),
        Ours::Fs(scan) => Ok(with_prefix("dir", scan)),
        Ours::Repo(scan) => Ok(with_prefix("git", scan)),
        other => panic!("{other:?} is no scan"),
    }
}

fn adopted(line: &str) -> Box<ScanArguments> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut scan = parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
    adopt(&mut scan).unwrap_or_else(|failure| panic!("{line}: {}", failure.error));
    scan
}

/// What a command line writes, as we would write it.
fn outputs(line: &str) -> Result<String, String> {
    let scan = adopted(line);
    let named = crate::output::named(scan.output.clone(), &scan.foreign_output, "table");
    let text = |output: Output| match output.file {
        Some(file) => format!("{}={}", output.format.name, file.display()),
        None => output.format.name.to_owned(),
    };
    let named = named.map_err(|failure| failure.error.to_string())?;
    Ok(named.into_iter().map(text).collect::<Vec<_>>().join(" "))
}

#[test]
fn what_is_so_anyway_is_taken_and_other_values_are_refused() {
    for Flag { name, values, .. } in SO_ANYWAY {
        match values {
            [] => {
                parse(&["dogwatch", "scan", name, "x"]).expect(name);
                parse(&["dogwatch", "scan", "x", &format!("{name}=true")]).expect(name);
                // To turn off what cannot be turned off is not what happens.
                parse(&["dogwatch", "scan", "x", &format!("{name}=false")]).expect_err(name);
            }
            values => {
                values.iter().for_each(|value| drop(parse(&["dogwatch", "scan", "x", name, value]).expect(name)));
                let error = parse(&["dogwatch", "scan", "x", name, "everything"]).expect_err(name);
                assert!(hint(&error).is_some(), "{name}: {error}");
            }
        }
    }
}

#[test]
fn every_flag_that_means_something_else_is_refused_with_its_hint() {
    for Flag { name, here, .. } in HINTS {
        let error = parse(&["dogwatch", "scan", "x", name]).expect_err(name);
        assert_eq!(hint(&error), Some(*here), "{name}");
    }
    let error = parse(&["dogwatch", "scan", "x", "--nonsense"]).expect_err("unknown");
    assert_eq!(hint(&error), None);
}

/// Lines as users of Trivy, Grype and OSV-Scanner write them, with the program's name exchanged.
#[test]
fn others_command_lines_mean_here_what_they_mean_there() {
    for (line, targets) in [
        ("dogwatch image python:3.4-alpine", "python:3.4-alpine"),
        ("dogwatch fs --scanners vuln myproject/", "dir:myproject/"),
        ("dogwatch rootfs /path/to/rootfs", "dir:/path/to/rootfs"),
        ("dogwatch filesystem /path/to/project", "dir:/path/to/project"),
        (
            "dogwatch repo https://github.com/aquasecurity/trivy-ci-test",
            "git:https://github.com/aquasecurity/trivy-ci-test",
        ),
        ("dogwatch repository ./", "git:./"),
        ("dogwatch image --severity HIGH,CRITICAL ruby:2.4.0", "ruby:2.4.0"),
        ("dogwatch image -s HIGH,CRITICAL --ignore-unfixed ruby:2.4.0", "ruby:2.4.0"),
        ("dogwatch image --exit-code 1 --severity CRITICAL ruby:2.4.0", "ruby:2.4.0"),
        ("dogwatch image --skip-db-update --offline-scan --no-progress alpine:3.12", "alpine:3.12"),
        ("dogwatch image --image-src remote alpine:3.7.3", "registry:alpine:3.7.3"),
        ("dogwatch scan alpine:latest --scope squashed --fail-on medium", "alpine:latest"),
        ("dogwatch scan yourrepo/yourimage:tag --from registry", "registry:yourrepo/yourimage:tag"),
        ("dogwatch scan ubuntu:latest --only-fixed --by-cve -q", "ubuntu:latest"),
        ("dogwatch scan --lockfile=/path/to/package-lock.json", "file:/path/to/package-lock.json"),
        ("dogwatch scan -L package-lock.json -L ./requirements.txt", "file:package-lock.json file:./requirements.txt"),
        ("dogwatch scan --sbom=/path/to/your/sbom.json", "sbom:/path/to/your/sbom.json"),
        ("dogwatch fs -r /path/to/your/dir", "dir:/path/to/your/dir"),
    ] {
        assert_eq!(adopted(line).targets.join(" "), targets, "{line}");
    }
    let scan = adopted("dogwatch image -s HIGH,CRITICAL x");
    assert_eq!(scan.severity, [Severity::High, Severity::Critical]);
    assert_eq!(adopted("dogwatch scan x -f high").judge.fail_on, Some(Severity::High));
    assert!(adopt(&mut parse(&["dogwatch", "scan", "x", "-s", "all-layers"]).unwrap()).is_err());
    assert!(adopt(&mut parse(&["dogwatch", "scan", "x", "--from", "singularity"]).unwrap()).is_err());
    assert!(parse(&["dogwatch", "scan"]).is_err(), "nothing to scan");
}

#[test]
fn format_and_file_may_stand_apart() {
    let check = |line: &str, expected: &str| assert_eq!(outputs(line).as_deref(), Ok(expected), "{line}");
    check("dogwatch image -f json -o results.json golang:1.12-alpine", "json=results.json");
    check("dogwatch image --format sarif --output report.sarif golang:1.12-alpine", "sarif=report.sarif");
    check("dogwatch image --format cosign-vuln --output vuln.json alpine:3.10", "cosign-vuln=vuln.json");
    check("dogwatch image --format spdx-json --output result.spdx.json alpine:3.16", "spdx=result.spdx.json");
    check("dogwatch scan x -o json --file results.json", "json=results.json");
    check("dogwatch scan x --file report.txt", "table=report.txt");
    check("dogwatch scan x -o json=a.json -o sarif=b.sarif", "json=a.json sarif=b.sarif");
    check("dogwatch fs --format markdown --output-file osv.md .", "github-summary=osv.md");
    check("dogwatch image --format table -o json=a.json x", "table json=a.json");
    let refused = |line: &str| outputs(line).unwrap_err();
    assert!(refused("dogwatch image -o results.json x").contains("names a file and no format"));
    assert!(refused("dogwatch scan x -o json -o table --file a").contains("not clear what goes into `a`"));
    assert!(refused("dogwatch image --format json -o a.json --file b.json x").contains("not clear"));
}

/// The guide's tables; `UPDATE_EXPECT=1 cargo test -p dogwatch` writes them again.
#[test]
fn the_guide_lists_every_flag_and_format() {
    const MARKS: [&str; 2] = ["<!-- made from crates/dogwatch/src/foreign/table.rs -->\n", "<!-- end -->\n"];
    let mut text = String::from("\n| accepted, with nothing to do | because |\n| --- | --- |\n");
    for Flag { name, values, here } in SO_ANYWAY {
        let value = if values.is_empty() { String::new() } else { format!(" {}", values.join(",")) };
        text += &format!("| `{name}{value}` | {here} |\n");
    }
    text += "\n| refused | because, or instead |\n| --- | --- |\n";
    for Flag { name, here, .. } in HINTS {
        text += &format!("| `{name}` | {here} |\n");
    }
    for (format, here) in FORMATS {
        text += &format!("| `-o {format}` | {here} |\n");
    }
    text += "\n| format there | here |\n| --- | --- |\n";
    for format in formats::format::ALL {
        for alias in format.aliases {
            text += &format!("| `{alias}` | `{}` |\n", format.name);
        }
    }
    text.push('\n');
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/from-trivy-and-grype.md");
    let whole = std::fs::read_to_string(&guide).expect("the guide");
    let (before, rest) = whole.split_once(MARKS[0]).expect("the first mark");
    let (_, after) = rest.split_once(MARKS[1]).expect("the second mark");
    let expected = [before, MARKS[0], &text, MARKS[1], after].concat();
    expect_test::expect_file![guide].assert_eq(&expected);
}
