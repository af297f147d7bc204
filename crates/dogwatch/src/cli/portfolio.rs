//! The arguments of `serve`, `backup`, `restore`, `portfolio` and `audit-log`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Where a server keeps what it remembers.
#[derive(Debug, Args)]
pub(crate) struct KeptArguments {
    /// Where the database and advisory indexes are kept [default: `server` in the user's data directory].
    #[arg(long, value_name = "DIR", env = "DOGWATCH_SERVER_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database, `postgres://USER@HOST/NAME` or `sqlite:FILE` [default: `portfolio.db` in the data directory].
    #[arg(long, value_name = "URL", env = "DOGWATCH_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
}

/// What to back up, or to restore.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The backup.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) kept: KeptArguments,
}

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) kept: KeptArguments,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7979", env = "DOGWATCH_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// The advisory index to judge with; replaced, it is taken up [default: the user's, else the snapshot that ships].
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
    /// Serve TLS with this certificate (PEM, with what leads to its authority); replaced, it is taken up.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Sign the audit log with this Ed25519 key (PEM), see `dogwatch advisories keygen` [default: `audit.key` in the data directory, made at
    /// the first start].
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_key: Option<PathBuf>,
    /// Send traces to this collector (OpenTelemetry, OTLP over HTTP), for example `http://127.0.0.1:4318`.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// How to write the log on stderr.
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    pub(crate) log: LogForm,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Which server, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArguments {
    /// The server: `http://127.0.0.1:7979`. The token is in the variable DOGWATCH_TOKEN, or in `--token-file`.
    #[arg(long, value_name = "URL", env = "DOGWATCH_SERVER", default_value = "http://127.0.0.1:7979")]
    pub(crate) server: String,
    /// A file that holds the token.
    #[arg(long, value_name = "FILE", env = "DOGWATCH_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Trust the certificates in this PEM file.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Asks a server, and tells it.
#[derive(Debug, Subcommand)]
pub(crate) enum PortfolioCommand {
    /// Lists images, with what they were judged and whose they are.
    Images {
        /// Only this team's.
        #[arg(long, value_name = "NAME")]
        team: Option<String>,
        /// Only this system's.
        #[arg(long, value_name = "NAME")]
        system: Option<String>,
        /// Only those that are judged so.
        #[arg(long, value_name = "passed|failed|unknown")]
        outcome: Option<String>,
        /// Only rows for which this condition holds: `name.startsWith("shop/") && risk > 40`.
        #[arg(long, value_name = "EXPR")]
        filter: Option<String>,
        /// As of this day or moment.
        #[arg(long, value_name = "DATE")]
        as_of: Option<String>,
        /// Print JSON, one image a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Says who stands on an image, a layer or a package, or has a vulnerability.
    Dependents {
        /// An image's digest or name, a layer's diff id, a package's name or package URL, or a vulnerability's id.
        what: String,
        /// What it is, where that cannot be told from it.
        #[arg(long, value_enum)]
        of: Option<Of>,
        /// Only rows for which this condition holds: `team == "payments" && running > 0`.
        #[arg(long, value_name = "EXPR")]
        filter: Option<String>,
        /// As of this day or moment.
        #[arg(long, value_name = "DATE")]
        as_of: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Explains the risk score of a vulnerability in an image, factor by factor.
    Explain {
        /// The image's digest or name.
        image: String,
        /// The vulnerability's id.
        vulnerability: String,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Puts a document in force: the catalog, owner rules, policies, exceptions, thresholds or private advisories.
    Put {
        /// Which.
        #[arg(value_enum)]
        document: Document,
        /// Its files, and directories of them. They take the place of those before.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Tells what an environment runs; what is not in the file runs no more.
    Running {
        /// The environment: `prod-eu`, `test`.
        environment: String,
        /// A JSON list of workloads, each with `name`, and `image_digest` or `image_name`.
        file: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Prints the change feed, a CloudEvent a line.
    Changes {
        /// Go on after this change.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// Only changes of this kind: `risk.changed`, …
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Only rows for which this condition holds: `data.vulnerability == "CVE-2021-44228"`.
        #[arg(long, value_name = "EXPR")]
        filter: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Makes a token, and prints its secret.
    Token {
        /// Whose or what for.
        name: String,
        /// What it may do.
        #[arg(long, value_name = "ROLE", default_value = "developer")]
        role: String,
        /// What it is bound to: `team:NAME`, `system:NAME`.
        #[arg(long, value_name = "SCOPE", default_value = "")]
        scope: String,
        /// After how many days it ends.
        #[arg(long, value_name = "N")]
        days: Option<u32>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// What a dependents question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Of {
    /// An image that others are built on.
    Image,
    /// A layer.
    Layer,
    /// A package.
    Package,
    /// A vulnerability.
    Vulnerability,
}

/// A document that can be put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// Backstage entities: systems, components, teams, people.
    Catalog,
    /// Who owns which images, bases and layers.
    OwnerRules,
    /// Policies.
    Policies,
    /// Exceptions from policy.
    Exceptions,
    /// From which score on a change is told as crossing a line.
    Thresholds,
    /// The organisation's own OSV records.
    Advisories,
}

/// Looks after the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditLogCommand {
    /// Prints the audit log, an entry a line, and last a signed checkpoint over all of them.
    Export {
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Says whether an exported log is whole: no entry changed, removed or put in between.
    Verify {
        /// The file, as `export` writes it.
        file: PathBuf,
        /// All of it must be signed by this public key: a PEM file, or the text that `dogwatch serve` shows. May be given several times.
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        /// A checkpoint that was kept elsewhere: the log must continue it. May be given several times.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
    },
}

/// An engine that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WatchedEngine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl From<WatchedEngine> for engines::EngineKind {
    fn from(engine: WatchedEngine) -> Self {
        match engine {
            WatchedEngine::Docker => Self::Docker,
            WatchedEngine::Podman => Self::Podman,
        }
    }
}
