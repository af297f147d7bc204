//! A container's processes, as the kernel shows them.
//!
//! Source: proc(5). What vanishes while it is looked at is passed over: processes end.

use std::fs;
use std::path::{Path, PathBuf};

use model::gap::{Gap, GapKind};

/// The most processes that are looked at; engines set far lower bounds for a container.
const PROCESSES_MAX: usize = 100_000;

/// The most gaps about them: a container can start as many processes as it likes.
const GAPS_MAX: usize = 50;

/// Whether a process of this machine belongs to the container with this id, as its control groups say. The number that an
/// engine in a virtual machine gives may be another process's here.
pub(super) fn belongs_to(pid: u32, container: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(container))
}

/// Programs that the container's processes run although their files are deleted, or never were files: nobody can look at
/// them in the tree.
pub(super) fn deleted_programs(pid: u32) -> Vec<Gap> {
    let Some(own) = namespace(Path::new("/proc/self")) else { return Vec::new() };
    let Some(containers) = namespace(&PathBuf::from(format!("/proc/{pid}"))).filter(|namespace| *namespace != own)
    else {
        return Vec::new();
    };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = processes.flatten().map(|entry| entry.path()).take(PROCESSES_MAX);
    let inside = processes.filter(|process| namespace(process).as_ref() == Some(&containers));
    let mut programs: Vec<String> = inside.filter_map(|process| deleted_program(&process)).collect();
    programs.sort();
    programs.dedup();
    let gap = |program: String| {
        Gap::new(GapKind::Unreadable, program, "a process runs it, and its file is deleted; it was not looked at")
    };
    programs.into_iter().take(GAPS_MAX).map(gap).collect()
}

/// The process ids' namespace: every container has its own, unless it shares the host's.
fn namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/pid")).ok()
}

fn deleted_program(process: &Path) -> Option<String> {
    let program = fs::read_link(process.join("exe")).ok()?;
    program.to_string_lossy().strip_suffix(" (deleted)").map(str::to_owned)
}
