//! The command line, defined once: help, manual and completion come from here.

pub(crate) mod portfolio;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use model::finding::Severity;
use scan::source::Mirror;

use crate::foreign::{ForeignOutput, ForeignScan};
pub(crate) use crate::output::{Asked, Output, OutputParser};
use crate::talk::TalkArguments;

/// May this image ship, why not, and what helps most?
#[derive(Debug, Parser)]
#[command(name = "dogwatch", version, max_term_width = 100)]
#[command(after_help = "Every flag of `scan` may also be set by a variable (`--fail-on` is DOGWATCH_FAIL_ON) or in a \
                        configuration file (`fail-on: high`); `dogwatch config show` says what is in force.")]
pub(crate) struct Cli {
    /// Where to keep what was found, so that no layer is read twice. May be shared, also by machines [default: in the home
    /// directory].
    #[arg(long, global = true, value_name = "DIR", env = "DOGWATCH_CACHE_DIR")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) talk: TalkArguments,
    /// Take settings from this file in place of the user's own; an empty name takes none.
    #[arg(long, global = true, value_name = "FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Looks into an image, directory or bill of materials and says whether it may ship.
    Scan(Box<ScanArguments>),
    /// Trivy's `image`.
    #[command(hide = true)]
    Image(Box<ScanArguments>),
    /// Trivy's `fs` and `rootfs`: the targets are directories.
    #[command(hide = true, aliases = ["filesystem", "rootfs"])]
    Fs(Box<ScanArguments>),
    /// Trivy's `repo`: the targets are git repositories.
    #[command(hide = true, alias = "repository")]
    Repo(Box<ScanArguments>),
    /// Writes the bill of materials of a target.
    Sbom(SbomArguments),
    /// Makes a patch of the least upgrades that satisfy policy, for a source tree.
    Fix(FixArguments),
    /// Builds and asks the index of vulnerability knowledge.
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),
    /// Checks and tries policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Registers base images, so that packages they bring are told from the application's.
    #[command(subcommand)]
    Bases(BasesCommand),
    /// Remembers every image, what is in it, where it runs and whose it is; judges again when knowledge changes.
    Serve(portfolio::ServeArguments),
    /// Writes all that a server remembers to a file; the server may run meanwhile.
    Backup(portfolio::BackupArguments),
    /// Fills an empty data directory or database from a backup, whichever database that was of.
    Restore(portfolio::BackupArguments),
    /// Asks a server what there is, who owns it and who stands on it.
    #[command(subcommand)]
    Portfolio(portfolio::PortfolioCommand),
    /// Tells a server what an engine on this machine runs, as it happens, and what is in the images.
    Watch(WatchArguments),
    /// Exports and verifies a server's audit log.
    #[command(subcommand)]
    AuditLog(portfolio::AuditLogCommand),
    /// Shows or empties what earlier scans left.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Shows the settings in force.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints what makes a shell complete this command's words.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages.
    Man {
        /// The directory to write them into.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Says where it is and how much it holds.
    Status,
    /// Removes all of it.
    Clear,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints every setting, its value and who set it.
    Show,
}

/// What to watch, and whom to tell.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// The engine.
    #[arg(value_enum)]
    pub(crate) engine: portfolio::WatchedEngine,
    /// What the server calls this place: `prod-eu`, `test`.
    #[arg(long, value_name = "NAME", env = "DOGWATCH_ENVIRONMENT")]
    pub(crate) environment: String,
    /// The server. The token is in the variable DOGWATCH_TOKEN, or in `--token-file`.
    #[arg(long, value_name = "URL", env = "DOGWATCH_SERVER", default_value = "http://127.0.0.1:7979")]
    pub(crate) server: String,
    /// A file that holds the token.
    #[arg(long, value_name = "FILE", env = "DOGWATCH_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
}

/// How to get at what is scanned.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceArguments {
    /// What to take from a multi-platform image, `os/architecture[/variant]`.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Use no network: images must be in an engine on this machine, or local files.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Neither use nor fill the cache.
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Read the target in a process that can do nothing else, or not at all [default for root, where the kernel allows it].
    #[arg(long, conflicts_with = "no_sandbox")]
    pub(crate) sandbox: bool,
    /// Read the target without a sandbox.
    #[arg(long)]
    pub(crate) no_sandbox: bool,
    /// Talk plain HTTP to the registry. Only for localhost this is the default.
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// Trust the certificates in this PEM file when talking to registries.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Look for a registry's images in a mirror first: `docker.io=mirror.example[/PATH]`. May be repeated; those in Docker's
    /// and the containers tools' configuration are known.
    #[arg(long, value_name = "REGISTRY=MIRROR", value_delimiter = ',')]
    pub(crate) registry_mirror: Vec<Mirror>,
    /// Send a registry at most so many requests per second.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
}

/// What is judged by.
#[derive(Debug, Clone, Args)]
pub(crate) struct JudgeArguments {
    /// The advisory index to judge with [default: the user's, else the snapshot that ships with this program].
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
    /// An OSV file of your own, or a directory of them: asked beside the index. May be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) advisories: Vec<PathBuf>,
    /// Policies to judge by [default: the built-in ones]. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Exceptions from policy: who, why, what, until when. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) exceptions: Vec<PathBuf>,
    /// What others say about findings: a VEX document (OpenVEX, CSAF, CycloneDX) or a directory of them; `oci` takes
    /// those attached to the image in its registry, whose signatures are not checked. May be repeated.
    ///
    /// A finding that is said to be `fixed` or `not_affected` stays in the report, with who says so, and policies do not count it.
    #[arg(long, value_name = "FILE|DIR|oci")]
    pub(crate) vex: Vec<PathBuf>,
    /// Fail for findings of this severity and above, in place of the built-in policies.
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    pub(crate) fail_on: Option<Severity>,
    /// Whose scores to prefer, in order: `NVD`, `CISA-ADP`, … .
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) scorer: Vec<String>,
}

/// What to leave out.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExcludeArguments {
    /// Leave out packages found only in files at these paths: `/opt/tests`, `**/node_modules/**`. The report says what was left
    /// out. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Trivy: the same for directories.
    #[arg(long, hide = true, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) skip_dirs: Vec<String>,
    /// Trivy: the same for files.
    #[arg(long, hide = true, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) skip_files: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// Images that Docker, Podman or containerd has here, else in their registry; or `docker:REF`, `podman:REF`,
    /// `containerd:REF`, `registry:REF`, `docker-archive:FILE`, `oci-dir:DIR`, `oci-archive:FILE`, `dir:PATH`,
    /// `git:PATH|URL`, `sbom:FILE`; or `container:NAME` for a container and what it changed since it was made; or `host:` for this
    /// machine; `registry.example/team/*:v1.*` stands for every image of a registry that matches.
    #[arg(value_name = "TARGET", required_unless_present_any = ["targets_from", "input", "lockfile", "bill_of_materials"])]
    pub(crate) targets: Vec<String>,
    /// Also scan the targets in this file, one a line; `-` reads them from stdin.
    #[arg(long, value_name = "FILE")]
    pub(crate) targets_from: Option<PathBuf>,
    /// How many of several targets to scan at once [default: the number of cores, at most 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: Option<u8>,
    /// Scan at most so many images of a pattern [default: 500].
    #[arg(long, value_name = "N")]
    pub(crate) max_images: Option<usize>,
    /// Scan at most so many tags of each repository of a pattern, the newest versions first.
    #[arg(long, value_name = "N")]
    pub(crate) max_tags: Option<usize>,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    pub(crate) exclude: ExcludeArguments,
    #[command(flatten)]
    pub(crate) judge: JudgeArguments,
    /// What to write; `FORMAT=FILE` writes into a file. May be repeated [default: table].
    ///
    /// `{name}` in a file's name stands for the target's; without it, several targets share a file (JSON: a line each).
    #[arg(short, long, value_name = "FORMAT[=FILE]", value_parser = OutputParser { bills_only: false })]
    pub(crate) output: Vec<Asked>,
    /// The template that `-o template` writes by, in Jinja's syntax; its name says how values are escaped.
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,
    /// Stop after the inventory: no advisories, no verdict.
    #[arg(long)]
    pub(crate) inventory_only: bool,
    /// Also write what the image may run and contain, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) integrity_model: Option<PathBuf>,
    /// Also upload the report to this server, which judges for itself. The token is in the variable DOGWATCH_TOKEN.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Gate only on what is new since an earlier report (JSON) or another target.
    #[arg(long, value_name = "REPORT|TARGET")]
    pub(crate) compare_to: Option<String>,
    /// Say why this vulnerability was found, instead of the report.
    #[arg(long, value_name = "ID")]
    pub(crate) explain: Option<String>,
    /// Say which dependencies bring this package, instead of the report: by name, `name@version` or package URL.
    #[arg(long, value_name = "PACKAGE", conflicts_with = "explain")]
    pub(crate) why: Option<String>,
    /// Show and count only these severities.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', value_parser = severity)]
    pub(crate) severity: Vec<Severity>,
    /// Show and count only what has a published fix.
    #[arg(long, visible_alias = "only-fixed")]
    pub(crate) ignore_unfixed: bool,
    /// The exit code when policy says no; 0 reports without failing.
    #[arg(long, value_name = "CODE")]
    pub(crate) exit_code: Option<u8>,
    /// List everything in the table instead of cutting long lists.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) foreign_output: ForeignOutput,
    #[command(flatten)]
    pub(crate) foreign: ForeignScan,
}

#[derive(Debug, Args)]
pub(crate) struct FixArguments {
    /// The source tree: `DIR`, `dir:DIR`, or `git:DIR` for what git does not ignore in it. Or an image, with `--dockerfile`.
    #[arg(value_name = "DIR|IMAGE")]
    pub(crate) target: String,
    /// Change the files instead of printing a patch.
    #[arg(long)]
    pub(crate) write: bool,
    /// Change files also where git has uncommitted changes of them.
    #[arg(long, requires = "write")]
    pub(crate) force: bool,
    /// Also replace a base image in the `FROM` lines of all Dockerfiles of the tree; without NEW by the best that is found. May
    /// be repeated.
    #[arg(long, value_name = "OLD[=NEW]")]
    pub(crate) base: Vec<String>,
    /// The same for every base image that the Dockerfiles name, each by the best that is found.
    #[arg(long, conflicts_with = "base")]
    pub(crate) bases: bool,
    /// For an image: the file it is built by, whose `FROM` line moves to the best base that is found.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["base", "bases"])]
    pub(crate) dockerfile: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) advice: AdviceArguments,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    pub(crate) judge: JudgeArguments,
}

/// Which images are looked at in the search for a better base.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdviceArguments {
    /// Also look at this image. May be repeated.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) candidate: Vec<String>,
    /// How many tags of the same repository to look at, the newest first; each is scanned.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) candidates: usize,
    /// Also look at later major versions.
    #[arg(long)]
    pub(crate) major: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SbomArguments {
    /// What to describe; the same as for `scan`.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    pub(crate) exclude: ExcludeArguments,
    /// What to write; `FORMAT=FILE` writes into a file. May be repeated [default: cyclonedx].
    #[arg(short, id = "bill", long = "output", value_name = "FORMAT[=FILE]", value_parser = OutputParser { bills_only: true })]
    pub(crate) output: Vec<Asked>,
    #[command(flatten)]
    pub(crate) foreign_output: ForeignOutput,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdvisoriesCommand {
    /// Compiles feeds into an index: OSV and publishers' own formats (files, directories, zip, tar), CISA KEV, EPSS.
    Build {
        /// What to read; recognised by content. May be repeated.
        #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
        from: Vec<PathBuf>,
        /// The index to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Name every record that could not be used, not only the first few.
        #[arg(long)]
        problems: bool,
    },
    /// Fetches the live feeds and compiles them into the user's index.
    Update(UpdateArguments),
    /// Publishes the user's index, signed, for other machines to pull.
    Publish(PublishArguments),
    /// Takes a published index in place of the user's; after the first time only what changed is fetched.
    Pull(PullArguments),
    /// Makes a pair of keys: `NAME.key` signs what is published, `NAME.pub` is for those who pull.
    Keygen(KeygenArguments),
    /// Says what an index knows, by ecosystem and release, and how current each feed is.
    Status(IndexArgument),
    /// Shows a vulnerability or advisory by any of its ids.
    Show {
        /// `CVE-…`, `GHSA-…`, `DSA-…`, …
        id: String,
        #[command(flatten)]
        index: IndexArgument,
    },
    /// Lists the advisories for a package URL; with a version, only those that cover it.
    Search {
        /// `pkg:npm/lodash@4.17.20`
        purl: String,
        #[command(flatten)]
        index: IndexArgument,
    },
    /// Says what changed between two indexes.
    Diff {
        /// The older index.
        old: PathBuf,
        /// The newer index.
        new: PathBuf,
    },
    /// Orders versions: lines `a<TAB>b` on stdin, `-1`, `0`, `1` or `invalid` on stdout.
    CompareVersions {
        /// apk, deb, rpm, maven, npm, semver, pypi, gem, composer, nuget or golang.
        scheme: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// Fetch from this mirror, which has `https://HOST/PATH` as `URL/HOST/PATH`.
    #[arg(long, value_name = "URL", env = "DOGWATCH_MIRROR")]
    pub(crate) mirror: Option<String>,
    /// Take the feeds from this directory, laid out like a mirror, and use no network.
    #[arg(long, value_name = "DIR", conflicts_with = "mirror")]
    pub(crate) from_dir: Option<PathBuf>,
    /// Fetch only this feed; the others stay as they are. May be repeated.
    #[arg(long = "feed", value_name = "NAME")]
    pub(crate) feeds: Vec<String>,
    /// List the feeds, where they are from and when they were fetched, and fetch nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Take feeds also when they have lost more than a tenth of their records.
    #[arg(long)]
    pub(crate) accept_shrunk: bool,
    /// Keep the OSV files in this directory as your own advisories, in place of those kept before; fetches nothing by itself.
    #[arg(long, value_name = "DIR")]
    pub(crate) private: Option<PathBuf>,
    /// Trust the certificates in this PEM file beside the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// How to talk to the place of a publication.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// Talk plain HTTP to the registry. Only for localhost this is the default.
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// Trust the certificates in this PEM file beside the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Where to: a registry (`REGISTRY/NAME:TAG`) or a directory (`dir:PATH`), which a web server may then serve.
    pub(crate) target: String,
    /// The private key that signs. Several while keys are being changed.
    #[arg(long, required = true, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
    /// The index to publish [default: the user's].
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
    /// After how many days machines that pull say that it is out of date.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) valid_days: u32,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// Where from: a registry (`REGISTRY/NAME:TAG`), a web server (`https://HOST/PATH`) or a directory (`dir:PATH`).
    pub(crate) source: String,
    /// A public key to trust, remembered for the next time. Several while keys are being changed.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// The files' name, without their ending.
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct IndexArgument {
    /// The index to ask [default: the user's, else the snapshot that ships with this program].
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Reads a policy file and reports every mistake with its line.
    Check {
        /// The policy file.
        file: PathBuf,
    },
    /// Says what a policy would have decided about earlier reports.
    Test {
        /// The policy file.
        file: PathBuf,
        /// Reports written by `scan -o json`.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// Exceptions to apply. May be repeated.
        #[arg(long, value_name = "FILE")]
        exceptions: Vec<PathBuf>,
    },
    /// Turns ignore files of Trivy, Grype and OSV-Scanner into exceptions, and says what of them has no equivalent.
    Import {
        /// `.trivyignore`, `.trivyignore.yaml`, `.grype.yaml`, `osv-scanner.toml`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Who accepts the risks; those files do not say.
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// When exceptions end for which the file names no end, such as `2027-03-31`.
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
        /// The exceptions file to write [default: stdout].
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prints the built-in policies, to start one's own from.
    Default,
    /// Prints the facts that conditions may read.
    Facts,
}

/// How advice is written.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum AdviceFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BasesCommand {
    /// Registers an image as a base.
    Add {
        /// What people call it.
        name: String,
        /// The image; the same as for `scan`. With `--server`, one that the server knows: its digest, or its name.
        target: String,
        /// Register it there, for everybody; the token is in DOGWATCH_TOKEN.
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        #[command(flatten)]
        source: SourceArguments,
    },
    /// Compares a base image with other tags of its repository, and with images that you name: which has the fewest violations.
    Advise {
        /// The base image in use.
        target: String,
        /// What to write.
        #[arg(short, long, value_enum, default_value_t)]
        output: AdviceFormat,
        #[command(flatten)]
        advice: AdviceArguments,
        #[command(flatten)]
        source: SourceArguments,
        #[command(flatten)]
        judge: JudgeArguments,
    },
    /// Lists the registered bases.
    List {
        /// Those registered there; the token is in DOGWATCH_TOKEN.
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        /// Trust this authority for the server's certificate (PEM).
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
    },
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=10_000.0).contains(rate));
    rate.ok_or_else(|| "use a number of requests per second, 0.01 to 10000".to_owned())
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "use unknown, negligible, low, medium, high or critical".to_owned())
}
