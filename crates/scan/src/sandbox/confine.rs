//! Gives up, for good, what reading files does not need. Called once by the reading process, before it reads anything.
//!
//! | given up | by |
//! | --- | --- |
//! | files outside the target, all writing outside the spool, all executing | Landlock |
//! | networks, other processes, mounts, everything else that is no reading | seccomp, by a list of what is allowed |
//! | being root, and gaining privileges | another user, one capability, `no_new_privs` |
//! | memory, processor time and file sizes without end | resource limits |
//!
//! A call that is refused fails with `EPERM` and does not kill: a newer C library may try a newer call first and then do
//! with the older one, and a refused call does no harm.
//!
//! Sources: landlock(7), seccomp(2), capabilities(7), credentials(7), setrlimit(2).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::fs::{Gid, Uid};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde::{Deserialize, Serialize};

/// Address space. A layer of 16 million entries, the most that is read, takes some 3 GiB; each thread reserves more than it
/// uses. Beyond, the process ends.
const MEMORY_BYTES_MAX: u64 = 8 << 30;

/// Processor time of all threads. The most that an image may expand to (512 GiB) takes one core less than two hours.
const CPU_SECS_MAX: u64 = 4 * 3600;

/// The largest temporary file: an archive of 32 GiB that is unpacked, and some.
const FILE_BYTES_MAX: u64 = 33 << 30;

/// Threads of all reading processes that root started: each has as many as the machine has cores.
const THREADS_MAX: u64 = 4096;

/// `nobody`, who owns nothing. The same number on all Linux distributions.
pub(super) const NOBODY: u32 = 65534;

/// What a reading process keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Confinement {
    /// Files and directories that may be read, with all below them.
    pub readable: Vec<PathBuf>,
    /// A directory for temporary files.
    pub spool: PathBuf,
    /// Root reads as somebody else, who may read what root may, but own, change and become nothing.
    pub from_root: bool,
}

/// Gives everything up that is not kept. The error says what could not be given up; then nothing must be read.
///
/// Only the calling thread and those it starts are confined, so it must be the only one.
pub fn confine(kept: &Confinement) -> Result<(), String> {
    limit(kept.from_root)?;
    // The directories are looked up while everybody may.
    let ruleset = ruleset(kept).map_err(|error| format!("Landlock: {error}"))?;
    if kept.from_root {
        become_nobody().map_err(|error| format!("becoming another user: {error}"))?;
    }
    // Changing users forgets it.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("prctl: {error}"))?;
    let RestrictionStatus { ruleset, no_new_privs, .. } =
        ruleset.restrict_self().map_err(|error| format!("Landlock: {error}"))?;
    if ruleset == RulesetStatus::NotEnforced || !no_new_privs {
        return Err("this kernel has no Landlock (Linux 5.13 and later have it, unless it is switched off)".into());
    }
    let programs = programs().map_err(|error| format!("seccomp: {error}"))?;
    programs
        .iter()
        .try_for_each(|program| seccompiler::apply_filter(program).map_err(|error| format!("seccomp: {error}")))
}

/// Lowers limits; one that is lower already stays.
fn limit(from_root: bool) -> Result<(), String> {
    // Another user's own processes count, too, so his limit stays.
    let threads = from_root.then_some((Resource::Nproc, THREADS_MAX));
    let limits = [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, CPU_SECS_MAX),
        (Resource::Fsize, FILE_BYTES_MAX),
        // Memory of strangers belongs in no file.
        (Resource::Core, 0),
    ];
    limits.into_iter().chain(threads).try_for_each(|(resource, most)| {
        let before = getrlimit(resource);
        let lower = |value: Option<u64>| Some(value.map_or(most, |value| value.min(most)));
        let limit = Rlimit { current: lower(before.current), maximum: lower(before.maximum) };
        setrlimit(resource, limit).map_err(|error| format!("a limit of {most} ({resource:?}): {error}"))
    })
}

fn ruleset(kept: &Confinement) -> Result<landlock::RulesetCreated, landlock::RulesetError> {
    // What an older kernel does not know it does not restrict; seccomp takes away networks everywhere.
    let abi = ABI::V6;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let spool = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    // The number that tells this start of the machine from others; a file's identity is one only with it.
    let boot_id = Path::new("/proc/sys/kernel/random/boot_id");
    Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(kept.readable.iter().map(PathBuf::as_path).chain([boot_id]), read))?
        .add_rules(path_beneath_rules([&kept.spool], spool))
}

/// Another user without groups, and of all that root may only reading: what may be read, Landlock says.
fn become_nobody() -> rustix::io::Result<()> {
    rustix::thread::set_keep_capabilities(true)?;
    rustix::thread::set_thread_groups(&[])?;
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    let reading = CapabilitySet::DAC_READ_SEARCH;
    let sets = CapabilitySets { effective: reading, permitted: reading, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

/// Calls that are allowed whatever their arguments. Each works on what is open already, on this process' own memory and
/// threads, or is a way to read files.
#[rustfmt::skip] // One sort a line.
const ALLOWED: &[i64] = &[
    // Open files.
    libc::SYS_read, libc::SYS_readv, libc::SYS_pread64, libc::SYS_preadv, libc::SYS_write, libc::SYS_writev, libc::SYS_pwrite64,
    libc::SYS_close, libc::SYS_lseek, libc::SYS_ftruncate, libc::SYS_fsync, libc::SYS_fadvise64,
    libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_shutdown, libc::SYS_ppoll,
    // Paths; which, Landlock says.
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_fstatfs, libc::SYS_statfs,
    libc::SYS_getdents64, libc::SYS_readlinkat, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_getcwd, libc::SYS_unlinkat,
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr,
    // Memory.
    libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk,
    // Threads.
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_gettid,
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_restart_syscall,
    // Signals, as far as they concern this process.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    // Asking.
    libc::SYS_getpid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_uname, libc::SYS_sysinfo,
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getrandom,
];

/// The same under names that only older processors' calls have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_access,
    libc::SYS_poll,
    libc::SYS_unlink,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// Two filters; the stricter answer counts.
fn programs() -> Result<[BpfProgram; 2], Box<dyn std::error::Error>> {
    use SeccompCmpArgLen::{Dword, Qword};
    let is = |argument, size, operator, value| SeccompCondition::new(argument, size, operator, value);
    let rule = |conditions| SeccompRule::new(conditions);
    let always = ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new()));
    let not_executable = || is(2, Dword, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    // Threads of this process, never a process or a namespace.
    let thread = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND) as u64;
    let namespaces = (libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP) as u64;
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.collect();
    rules.insert(libc::SYS_mmap, vec![rule(vec![not_executable()?])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(vec![not_executable()?])?]);
    let is_thread = is(0, Qword, SeccompCmpOp::MaskedEq(thread | namespaces), thread)?;
    rules.insert(libc::SYS_clone, vec![rule(vec![is_thread])?]);
    // Its arguments lie in memory, where no filter sees them: see the other filter.
    rules.insert(libc::SYS_clone3, Vec::new());
    // What `abort` does.
    rules.insert(libc::SYS_tgkill, vec![rule(vec![is(0, Dword, SeccompCmpOp::Eq, own)?])?]);
    // What the standard library asks of files. Others make the kernel signal other processes of the same user (`F_SETOWN`,
    // `F_SETSIG`), which Landlock knows only since Linux 6.12.
    let asked = [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];
    let asked = asked.map(|command| rule(vec![is(1, Dword, SeccompCmpOp::Eq, command as u64)?]));
    rules.insert(libc::SYS_fcntl, asked.into_iter().collect::<Result<_, _>>()?);
    // Asking for a limit of this process, and setting none.
    let asks = vec![is(0, Dword, SeccompCmpOp::Eq, 0)?, is(2, Qword, SeccompCmpOp::Eq, 0)?];
    rules.insert(libc::SYS_prlimit64, vec![rule(asks)?]);
    // The names of threads.
    rules.insert(libc::SYS_prctl, vec![rule(vec![is(0, Dword, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?])?]);
    let arch = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let allowed = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?;
    // A C library that is told that the call does not exist uses `clone`.
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let no_clone3 = SeccompFilter::new(clone3, SeccompAction::Allow, unknown, arch)?;
    // The list comes last: it does not allow to add filters.
    Ok([no_clone3.try_into()?, allowed.try_into()?])
}
