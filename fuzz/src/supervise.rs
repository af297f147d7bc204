//! Runs one target in a process of its own, and keeps the input that broke it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::coverage::Coverage;
use crate::mutate::{Random, mutate};
use crate::targets::Target;

/// The longest that one input of at most a megabyte may take. Generous: machines that run tests are busy.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

/// The most memory of one worker; what asks for more fails to allocate, and so aborts.
const MEMORY_BYTES_MAX: u64 = 2 << 30;

/// The most inputs kept because they reached something new.
const KEPT_MAX: usize = 5000;

/// Runs `target` in a child. False when an input broke it; that input is kept.
pub(crate) fn watch(target: &Target, seconds: u64, seed: u64) -> anyhow::Result<bool> {
    let scratch = tempfile::tempdir()?;
    let current = scratch.path().join("current");
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([&target.name, "--seconds", &seconds.to_string(), "--seed", &seed.to_string(), "--worker"])
        .arg(&current);
    command.env("TMPDIR", scratch.path()).stderr(Stdio::piped());
    // SAFETY: `setrlimit` may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: MEMORY_BYTES_MAX, rlim_max: MEMORY_BYTES_MAX };
            if libc::setrlimit(libc::RLIMIT_AS, &limit) == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    let mut child = command.spawn().context("the worker does not start")?;
    let mut stderr = child.stderr.take().context("stderr is piped")?;
    let talk = std::thread::spawn(move || {
        let mut talk = String::new();
        stderr.read_to_string(&mut talk).map(|_| talk).unwrap_or_default()
    });
    let end = Instant::now() + Duration::from_secs(seconds) + 3 * INPUT_TIME_MAX;
    let failure = loop {
        match child.try_wait()? {
            Some(status) if status.success() => break None,
            Some(status) => break Some(status.to_string()),
            None if Instant::now() > end => {
                child.kill()?;
                child.wait()?;
                break Some("it does not end".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let talk = talk.join().unwrap_or_default();
    let Some(failure) = failure else { return Ok(true) };
    let kept = keep(target, &current)?;
    eprintln!(
        "{}: {failure}\n{}\nrun it again with `cargo xtask fuzz {} --reproduce {}`",
        target.name,
        talk.trim(),
        target.name,
        kept.display()
    );
    Ok(false)
}

fn keep(target: &Target, current: &Path) -> anyhow::Result<PathBuf> {
    let mut input = fs::read(current).context("no input was being tried")?;
    let length = input.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
    input.drain(..8.min(input.len()));
    input.truncate(length);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{}-{:08x}", target.name, crc32fast::hash(&input)));
    fs::write(&path, input)?;
    Ok(path)
}

/// The child: tries the seeds, then mutated ones, until the time is over.
pub(crate) fn work(target: &Target, seconds: u64, seed: u64, current: &Path) -> anyhow::Result<()> {
    let mut seeds = target.seeds();
    let mut random = Random::new(seed);
    let mut coverage = Coverage::new();
    let current = File::options().create(true).truncate(false).write(true).open(current)?;
    let started = Instant::now();
    let mut count = 0u64;
    let originals = seeds.clone();
    let mut originals = originals.into_iter();
    while started.elapsed() < Duration::from_secs(seconds) {
        let input = originals.next().unwrap_or_else(|| mutate(&seeds, &mut random));
        current.write_all_at(&(input.len() as u64).to_le_bytes(), 0)?;
        current.write_all_at(&input, 8)?;
        let before = Instant::now();
        (target.run)(&input);
        let took = before.elapsed();
        anyhow::ensure!(took < INPUT_TIME_MAX, "an input of {} bytes took {took:?}", input.len());
        count += 1;
        if coverage.grew() && seeds.len() < KEPT_MAX {
            seeds.push(input);
        }
    }
    println!("{:<24} {count:>9} inputs, {} seeds, {} edges", target.name, seeds.len(), coverage.edges());
    Ok(())
}
