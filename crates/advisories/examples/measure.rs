//! Builds an index of the given feeds twice and prints sizes and times: `cargo run --example measure -- PATH...`

use std::path::PathBuf;
use std::time::Instant;

use dogwatch_advisories::{BuildOptions, Index, build, diff};
use model::advisory::Advisories;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inputs: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let directory = tempfile::tempdir()?;
    let out = directory.path().join("index");
    let start = Instant::now();
    let summary = build(&inputs, &out, &BuildOptions::default())?;
    println!("build {:?}, peak {}", start.elapsed(), peak());
    println!("{} files, skipped {:?}, {} problems", summary.files, summary.skipped, summary.problem_count);
    for problem in summary.problems.iter().take(20) {
        println!("  {} {}: {}", problem.file.display(), problem.record, problem.detail);
    }
    let start = Instant::now();
    let index = Index::open(&out)?;
    println!("open {:?}", start.elapsed());
    let queries: Vec<(String, String)> = index
        .coverages()?
        .iter()
        .flat_map(|c| (0..40).map(|n| (c.ecosystem.clone(), NAMES[n % NAMES.len()].to_owned())))
        .take(2000)
        .collect();
    let index = Index::open(&out)?;
    for round in ["first", "second"] {
        let start = Instant::now();
        let mut rows = 0;
        for (ecosystem, name) in &queries {
            rows += index.candidates(ecosystem, name)?.len();
        }
        println!("{round} look-up of {} packages {:?}, {rows} rows", queries.len(), start.elapsed());
    }
    let start = Instant::now();
    println!("{} records bear CVE-2023-44487, found in {:?}", index.show("CVE-2023-44487")?.len(), start.elapsed());
    let status = index.status()?;
    println!("{} bytes, {} ranges, {:.1} bytes per range", status.bytes, status.ranges, status.bytes_per_range);
    for table in &status.tables {
        println!("  {:>10} {}", table.bytes, table.name);
    }
    for c in &status.coverage {
        println!(
            "  {} {:?} {} {} {}",
            c.ecosystem,
            c.state,
            c.records,
            c.newest,
            c.note.as_deref().unwrap_or_default()
        );
    }
    let start = Instant::now();
    let again = directory.path().join("again");
    build(&inputs, &again, &BuildOptions::default())?;
    let same = std::fs::read(&out)? == std::fs::read(&again)?;
    println!("built again in {:?}: same bytes {same}", start.elapsed());
    let start = Instant::now();
    let mut changes = 0;
    diff(&index, &Index::open(&again)?, Default::default(), &mut |_| changes += 1)?;
    println!("diff {changes} changes in {:?}", start.elapsed());
    Ok(())
}

const NAMES: &[&str] = &[
    "openssl", "curl", "glibc", "zlib", "bash", "expat", "nginx", "lodash", "jquery", "django", "requests", "nodejs",
    "perl", "linux", "vim", "git", "sudo", "systemd", "krb5", "libxml2",
];

/// Peak memory, where the kernel tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("unknown").trim().to_owned()
}
