//! Git working trees: which files belong to one, and which commit they are of.
//!
//! The `git` program says what is tracked and what is ignored, since nobody else reads all its formats. A stranger's
//! repository must not get it to do more: its configuration can name programs (`core.fsmonitor`, filters, hooks), so **git
//! never sees it**. It is given a git directory made here, with a configuration of ours, and only shown the index and the
//! objects of the real one. Of the real configuration three settings are read as text.
//!
//! What an index claims about itself (files "assumed unchanged") is believed for [`WorkingTree::dirty`]. Files are read
//! from disk, whatever the index says.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::artifact::WorkingTree;
use model::gap::{Gap, GapKind};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::target::GitUrl;
use crate::walk::listing::Listing;

/// The longest text file of a git directory that is read (`HEAD`, `config`, `packed-refs` of a million tags).
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// The longest list of files: a few million.
const LIST_BYTES_MAX: u64 = 512 << 20;

/// How long git may take to list or compare: it may have to hash all files once.
const TIME_MAX: Duration = Duration::from_secs(600);

/// How long fetching may take. Git itself gives up sooner when nothing comes.
const CLONE_TIME_MAX: Duration = Duration::from_secs(3600);

/// How deep working trees may lie in working trees, and how many may.
const DEPTH_MAX: usize = 8;
const TREES_MAX: usize = 1000;

/// Why a working tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `.git`.
    #[error("`{path}` is not the top of a git working tree")]
    NotATree {
        /// The path as given.
        path: PathBuf,
    },
    /// The `git` program cannot be started.
    #[error("the program `git` cannot be started")]
    NoGit(#[source] io::Error),
    /// It failed.
    #[error("`git {what}` failed for `{subject}`: {detail}")]
    Failed {
        /// What it was to do.
        what: &'static str,
        /// The path or address.
        subject: String,
        /// What it said.
        detail: String,
    },
    /// A file around it cannot be read or made.
    #[error("could not prepare to read `{path}`")]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl GitError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotATree { path } => Some(format!("for any directory write `dir:{}`", path.display())),
            Self::NoGit(_) => Some("install git, or scan with `dir:`, which also reads what git ignores".into()),
            _ => None,
        }
    }
}

/// What a working tree consists of.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) listing: Listing,
    pub(crate) state: WorkingTree,
    pub(crate) gaps: Vec<Gap>,
    trees: usize,
}

/// Lists a working tree and those checked out inside it (submodules).
pub(crate) fn contents(root: &Path) -> Result<Contents, GitError> {
    let mut contents = Contents::default();
    contents.state = contents.add(root, b"", 0)?;
    Ok(contents)
}

/// Which of these files, in the working tree at `root` or above it, are not as its commit has them: changed, or never
/// committed. None where there is no working tree.
pub fn uncommitted<'a>(
    root: &Path,
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<Option<Vec<&'a str>>, GitError> {
    let failed = |source| GitError::File { path: root.to_owned(), source };
    let root = root.canonicalize().map_err(failed)?;
    let Some(top) = root.ancestors().find(|directory| directory.join(".git").exists()) else { return Ok(None) };
    let directories = Directories::of(top)?;
    if directories.commit.is_none() {
        return Ok(Some(paths.into_iter().collect()));
    }
    let scratch = directories.stand_in()?;
    let mut uncommitted = Vec::new();
    for path in paths {
        // Git is started at the top.
        let place = root.join(path);
        let from_top = place.strip_prefix(top).unwrap_or(&place);
        let mut command = directories.command(top, &scratch);
        command.args(["ls-files", "-z", "--cached", "--"]).arg(from_top);
        let subject = path.to_owned();
        let known =
            run(&mut command, "ls-files", &subject, scratch.path(), TIME_MAX)?.successful("ls-files", &subject)?;
        let mut command = directories.command(top, &scratch);
        command.args(["diff-index", "--quiet", "--no-ext-diff", "--no-textconv", "HEAD", "--"]).arg(from_top);
        let same = run(&mut command, "diff-index", &subject, scratch.path(), TIME_MAX)?.code == Some(0);
        if known.is_empty() || !same {
            uncommitted.push(path);
        }
    }
    Ok(Some(uncommitted))
}

/// Fetches the newest commit of a repository, without history, into a directory that is gone when dropped.
pub(crate) fn clone(url: &GitUrl, near: &Path) -> Result<TempDir, GitError> {
    let failed = |source| GitError::File { path: near.to_owned(), source };
    let directory = tempfile::tempdir_in(near).map_err(failed)?;
    let mut command = Command::new("git");
    // The user's own configuration stays in force: it has the proxies and credentials. What is fetched brings none.
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "submodule.recurse=false"]);
    command.args(["-c", "http.lowSpeedLimit=1024", "-c", "http.lowSpeedTime=60", "clone", "--quiet", "--depth=1"]);
    command.args(["--single-branch", "--no-tags", "--no-recurse-submodules", "--template="]);
    url.reference().iter().for_each(|reference| _ = command.arg(format!("--branch={reference}")));
    command.arg("--").arg(url.address()).arg(directory.path());
    command.env("GIT_ALLOW_PROTOCOL", "https:ssh:file").env("GIT_TERMINAL_PROMPT", "0").env("GIT_LFS_SKIP_SMUDGE", "1");
    if std::env::var_os("GIT_SSH_COMMAND").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    run(&mut command, "clone", url.address(), near, CLONE_TIME_MAX)?.successful("clone", url.address())?;
    Ok(directory)
}

impl Contents {
    /// Adds the files of the tree at `root`, whose paths begin with `prefix` ("" or with a slash at its end).
    fn add(&mut self, root: &Path, prefix: &[u8], depth: usize) -> Result<WorkingTree, GitError> {
        self.trees += 1;
        let directories = Directories::of(root)?;
        let scratch = directories.stand_in()?;
        let git = |arguments: &[&str], what| {
            let mut command = directories.command(root, &scratch);
            run(command.args(arguments), what, &root.display().to_string(), scratch.path(), TIME_MAX)
        };
        let subject = root.display().to_string();
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = git(&arguments, "ls-files")?.successful("ls-files", &subject)?;
        for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
            let path = path.strip_suffix(b"/").unwrap_or(path);
            let whole = [prefix, path].concat();
            let on_disk = root.join(OsStr::from_bytes(path));
            if fs::symlink_metadata(&on_disk).is_ok_and(|metadata| metadata.is_dir()) {
                self.inner(&on_disk, &whole, depth);
            } else {
                self.listing.insert(&whole);
            }
        }
        let dirty = match directories.commit {
            Some(_) => {
                let arguments = ["diff-index", "--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"];
                git(&[arguments.as_slice(), &["HEAD", "--"]].concat(), "diff-index")?.code.and_then(|code| match code {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                })
            }
            None => None,
        };
        let Directories { commit, branch, remote, .. } = directories;
        Ok(WorkingTree { commit, branch, remote, dirty })
    }

    /// A directory where git knows a commit: a submodule, or a repository inside another. Never a reason to fail.
    fn inner(&mut self, root: &Path, path: &[u8], depth: usize) {
        let name = inventory::layer::display(path);
        if depth >= DEPTH_MAX || self.trees >= TREES_MAX {
            self.gaps.push(Gap::new(GapKind::LimitExceeded, name, "too many working trees in working trees"));
        } else if !root.join(".git").exists() {
            self.gaps.push(Gap::new(GapKind::Unreadable, name, "the submodule is not checked out"));
        } else if let Err(error) = self.add(root, &[path, b"/"].concat(), depth + 1) {
            self.gaps.push(Gap::new(GapKind::Unreadable, name, error.to_string()));
        }
    }
}

/// Where a working tree's history is, and what its few text files say.
#[derive(Debug)]
struct Directories {
    /// Of this working tree: `HEAD` and `index`.
    own: PathBuf,
    /// Of all working trees of the repository: `objects`, `refs` and `config`.
    common: PathBuf,
    commit: Option<String>,
    branch: Option<String>,
    remote: Option<String>,
    file_mode: bool,
}

impl Directories {
    /// Source: gitrepository-layout(5).
    fn of(root: &Path) -> Result<Self, GitError> {
        let not_a_tree = || GitError::NotATree { path: root.to_owned() };
        // Git is started elsewhere, so relative paths would not mean the same to it.
        let root = &root.canonicalize().map_err(|_| not_a_tree())?;
        let dot_git = root.join(".git");
        let own = match text(&dot_git) {
            Some(link) => root.join(link.trim_end().strip_prefix("gitdir: ").ok_or_else(not_a_tree)?),
            None => dot_git,
        };
        if !own.join("HEAD").exists() {
            return Err(not_a_tree());
        }
        let common = text(&own.join("commondir")).map_or_else(|| own.clone(), |path| own.join(path.trim_end()));
        let head = text(&own.join("HEAD")).unwrap_or_default();
        let (commit, branch) = match head.trim().strip_prefix("ref: ") {
            Some(reference) => (resolve(&own, &common, reference), reference.strip_prefix("refs/heads/")),
            None => (Some(head.trim().to_owned()), None),
        };
        let commit = commit.filter(|commit| is_id(commit));
        let branch = branch.map(str::to_owned);
        let config = text(&common.join("config")).unwrap_or_default();
        let remote = setting(&config, "remote \"origin\"", "url").map(|url| without_credentials(&url));
        let file_mode = setting(&config, "core", "filemode").is_none_or(|value| value != "false");
        Ok(Self { own, common, commit, branch, remote, file_mode })
    }

    /// A git directory with a configuration of ours.
    fn stand_in(&self) -> Result<TempDir, GitError> {
        let make = || {
            let directory = tempfile::tempdir()?;
            let path = directory.path();
            let id = self.commit.clone().unwrap_or_else(|| "0".repeat(40));
            let format = if id.len() == 64 { "sha256" } else { "sha1" };
            let (version, extension) = match format {
                "sha256" => (1, "[extensions]\n\tobjectFormat = sha256\n"),
                _ => (0, ""),
            };
            let config = format!(
                "[core]\n\trepositoryFormatVersion = {version}\n\tbare = false\n\tfileMode = {}\n\tfsmonitor = false\n\
                 \tuntrackedCache = false\n\thooksPath = /dev/null\n{extension}",
                self.file_mode
            );
            fs::write(path.join("config"), config)?;
            let head = if self.commit.is_some() { format!("{id}\n") } else { "ref: refs/heads/none\n".into() };
            fs::write(path.join("HEAD"), head)?;
            fs::create_dir_all(path.join("refs"))?;
            fs::create_dir_all(path.join("objects"))?;
            fs::create_dir_all(path.join("info"))?;
            fs::write(path.join("info/exclude"), text(&self.common.join("info/exclude")).unwrap_or_default())?;
            Ok(directory)
        };
        make().map_err(|source| GitError::File { path: self.own.clone(), source })
    }

    /// Git, for this working tree, as if it had been configured by nobody.
    fn command(&self, root: &Path, stand_in: &TempDir) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command.current_dir(root).env("GIT_DIR", stand_in.path()).env("GIT_WORK_TREE", ".");
        command.env("GIT_INDEX_FILE", self.own.join("index")).env("GIT_OBJECT_DIRECTORY", self.common.join("objects"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_ATTR_NOSYSTEM", "1");
        command.env("HOME", stand_in.path()).env("XDG_CONFIG_HOME", stand_in.path());
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "");
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command.arg("--no-pager").arg("--literal-pathspecs");
        command
    }
}

/// A small regular file as text; none when it is anything else, or not there.
fn text(path: &Path) -> Option<String> {
    // Never waiting for a fifo.
    let file =
        File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path).ok()?;
    let mut bytes = Vec::new();
    file.metadata().ok().filter(fs::Metadata::is_file)?;
    file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The commit that a branch is at: a file of its own, or a line of `packed-refs`.
fn resolve(own: &Path, common: &Path, reference: &str) -> Option<String> {
    if !reference.starts_with("refs/") || reference.contains("..") {
        return None;
    }
    let loose = text(&own.join(reference)).or_else(|| text(&common.join(reference)));
    loose.map(|text| text.trim().to_owned()).or_else(|| {
        let packed = text(&common.join("packed-refs"))?;
        let named =
            |line: &str| line.split_once(' ').filter(|(_, name)| *name == reference).map(|(id, _)| id.to_owned());
        packed.lines().find_map(named)
    })
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A setting as git writes it: a section, then `name = value` lines. Quoting, comments and continued lines are left to
/// git: such values are rare here, and a wrong remark does no harm.
fn setting(config: &str, section: &str, name: &str) -> Option<String> {
    let mut here = false;
    let mut found = None;
    for line in config.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            here = header.strip_suffix(']').is_some_and(|header| header.eq_ignore_ascii_case(section));
        } else if let Some((key, value)) = line.split_once('=').filter(|_| here)
            && key.trim().eq_ignore_ascii_case(name)
        {
            found = Some(value.trim().to_owned());
        }
    }
    found.filter(|value| !value.is_empty())
}

/// An address without the name and password that some put into it.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
            format!("{scheme}://{host}{}", &rest[end..])
        }
        None => url.to_owned(),
    }
}

/// What git left.
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ran {
    fn successful(self, what: &'static str, subject: &str) -> Result<Vec<u8>, GitError> {
        match self.code {
            Some(0) => Ok(self.stdout),
            _ => {
                let said = String::from_utf8_lossy(&self.stderr);
                let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
                let detail = line.trim().chars().take(300).collect();
                Err(GitError::Failed { what, subject: subject.to_owned(), detail })
            }
        }
    }
}

/// Runs git to its end, which comes by itself or when it takes too long or says too much.
fn run(
    command: &mut Command,
    what: &'static str,
    subject: &str,
    scratch: &Path,
    time_max: Duration,
) -> Result<Ran, GitError> {
    let failed = |source| GitError::File { path: scratch.to_owned(), source };
    // Files, because nobody has to read them while they are written.
    let (stdout, stderr) =
        (tempfile::tempfile_in(scratch).map_err(failed)?, tempfile::tempfile_in(scratch).map_err(failed)?);
    let (out, err) = (stdout.try_clone().map_err(failed)?, stderr.try_clone().map_err(failed)?);
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().map_err(GitError::NoGit)?;
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    let code = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status.code();
        }
        let length = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        if started.elapsed() > time_max || length(&stdout) + length(&stderr) > LIST_BYTES_MAX {
            // It may have ended just now; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
            let detail = "it took too long, or listed too much".to_owned();
            return Err(GitError::Failed { what, subject: subject.to_owned(), detail });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    Ok(Ran { code, stdout: whole(stdout).map_err(failed)?, stderr: whole(stderr).map_err(failed)? })
}

fn whole(file: File) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len().min(LIST_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_addresses_are_left_out() {
        for (url, expected) in [
            ("https://bob:secret@git.example/a.git", "https://git.example/a.git"),
            ("https://git.example/a@b.git", "https://git.example/a@b.git"),
            ("ssh://git@git.example:22/a", "ssh://git.example:22/a"),
            ("git@git.example:team/a.git", "git@git.example:team/a.git"),
            ("https://token@git.example", "https://git.example"),
        ] {
            assert_eq!(without_credentials(url), expected);
        }
    }

    #[test]
    fn settings_are_found_in_their_section() {
        let config = "[core]\n\tbare = false\n\tfilemode = false\n[remote \"origin\"]\n\turl = https://git.example/a\n\
                      [remote \"other\"]\n\turl = https://git.example/b\n[remote \"origin\"]\n\turl=\n";
        assert_eq!(setting(config, "core", "fileMode").as_deref(), Some("false"));
        assert_eq!(setting(config, "remote \"other\"", "url").as_deref(), Some("https://git.example/b"));
        assert_eq!(setting(config, "core", "url"), None);
        assert_eq!(setting("", "core", "url"), None);
    }
}
