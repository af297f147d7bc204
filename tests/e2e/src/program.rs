//! The program under test, with a cache and data directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// What a run of the program left.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// What it said on stdout.
    pub stdout: String,
    /// What it said on stderr.
    pub stderr: String,
}

impl Ran {
    /// The document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Itself, when it ended with this exit code.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// One user of the program, whose cache, bases and files nobody else sees.
#[derive(Debug)]
pub struct User {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

impl User {
    /// Somebody who never used the program before.
    pub fn new() -> Self {
        Self { home: TempDir::new().expect("a temporary directory"), variables: Vec::new() }
    }

    /// The same user with this in the environment.
    pub fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.push((variable.into(), value.into()));
        self
    }

    /// A file or directory of this user's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file and returns its path as text.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a temporary file");
        path.display().to_string()
    }

    /// Runs the program with the shipped advisories.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs the program with this on stdin.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        self.run_in(arguments, input, &[])
    }

    /// Runs the program with these variables in its environment.
    pub fn run_under(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
        self.run_in(arguments, "", variables)
    }

    /// Runs the program with this on stdin and these variables in its environment.
    pub fn run_in(&self, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Ran {
        use std::io::Write;
        let mut child = self.start(variables, arguments);
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts the program and leaves the rest to the caller.
    pub fn start(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Child {
        self.start_under(&[], variables, arguments)
    }

    /// The same, started by another program with its own arguments first.
    pub fn start_under(&self, wrapper: &[&str], variables: &[(&str, &str)], arguments: &[&str]) -> Child {
        let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([path().as_os_str()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args(arguments).current_dir(self.home.path()).env("NO_COLOR", "1").env("COLUMNS", "120");
        command.env("DOGWATCH_CACHE_DIR", self.path("cache")).env("DOGWATCH_DATA_DIR", self.path("data"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        if arguments.first() != Some(&"advisories") {
            command.env("DOGWATCH_INDEX", index());
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let command = command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// Scans and returns the report, whatever the verdict.
    pub fn scan(&self, target: &str, more: &[&str]) -> Value {
        let mut arguments = vec!["scan", target, "-o", "json"];
        arguments.extend(more);
        let ran = self.run(&arguments);
        assert!(ran.code < 2, "{target}: {}", ran.stderr);
        ran.json()
    }
}

/// The shipped advisories, compiled once by the program under test.
pub fn index() -> &'static Path {
    static INDEX: OnceLock<PathBuf> = OnceLock::new();
    INDEX.get_or_init(|| {
        let index = path().with_file_name("e2e-advisories.index");
        let made = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        if made(&index) > made(path()) {
            return index;
        }
        let from = xtask::root().join("data/advisories");
        let mut command = Command::new(path());
        let output = command.args(["advisories", "build", "--from"]).arg(from).arg("--out").arg(&index).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        index
    })
}

/// The program: the one that `make test` built, or one built now.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("DOGWATCH_BIN") {
            return program.into();
        }
        let built = xtask::test::build_dogwatch();
        built.expect("dogwatch builds")
    })
}
