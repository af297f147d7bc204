//! Everything in which SQLite and PostgreSQL differ.

use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, AssertSqlSafe, Connection, Executor};

use crate::error::StoreError;

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// How long a connection is waited for. Longer, and a caller should be told that the database is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a pool of at most so many connections, each set as it must be. Only who may create it makes a file where there is none.
pub(crate) async fn connect(url: &str, may_create: bool, connections: u32) -> Result<(AnyPool, Dialect), StoreError> {
    sqlx::any::install_default_drivers();
    let dialect = match url {
        _ if url.starts_with("sqlite:") => Dialect::Sqlite,
        _ if url.starts_with("postgres://") || url.starts_with("postgresql://") => Dialect::Postgres,
        _ => return Err(StoreError::Url(url.to_owned())),
    };
    let url = match dialect {
        // Even who only reads writes beside it: readers are counted in a file.
        Dialect::Sqlite if !url.contains('?') => format!("{url}?mode={}", if may_create { "rwc" } else { "rw" }),
        _ => url.to_owned(),
    };
    let options = AnyConnectOptions::from_str(&url)?;
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    // A file does not go away, so only a server is asked whether it is still there.
    let pool = pool.test_before_acquire(dialect == Dialect::Postgres);
    let pool = pool.after_connect(move |connection, _| {
        Box::pin(async move {
            if dialect == Dialect::Sqlite {
                // Readers do not wait for the writer; what is acknowledged survives a loss of power; a second process waits.
                let set = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 30000; \
                           PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;";
                connection.execute(set).await?;
            }
            Ok(())
        })
    });
    // On a full disk SQLite ends a transaction by itself; the driver then counts one that is open for ever, and begins no other.
    let pool = pool.before_acquire(move |connection, _| {
        Box::pin(async move { Ok(dialect == Dialect::Postgres || !connection.is_in_transaction()) })
    });
    match pool.connect_with(options).await {
        Ok(pool) => Ok((pool, dialect)),
        // SQLITE_CANTOPEN
        Err(sqlx::Error::Database(error)) if !may_create && error.code().as_deref() == Some("14") => {
            Err(StoreError::Nothing)
        }
        Err(error) => Err(error.into()),
    }
}

impl Dialect {
    /// The tables, in words of this database.
    pub(crate) fn schema(self, text: &'static str) -> AssertSqlSafe<String> {
        AssertSqlSafe(match self {
            // SQLite gives a column of an unknown type a numeric nature.
            Self::Sqlite => text.replace("BYTEA", "BLOB"),
            // Texts are sorted and compared by their bytes, as in SQLite and in Rust, whatever the server's language is.
            Self::Postgres => text.replace(" TEXT", " TEXT COLLATE \"C\""),
        })
    }

    /// How a write begins: no other may begin before it ends. In PostgreSQL the row of `clock` does that.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// How a look at everything begins: it sees what was committed when it first looked, however long it takes.
    pub(crate) fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Two processes that start at once must not both make the tables.
    pub(crate) fn lock_schema(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1",
            Self::Postgres => "SELECT 1 FROM (SELECT pg_advisory_xact_lock(6074093)) AS held",
        }
    }

    /// Whether a table is there; `$1` is its name.
    pub(crate) fn has_table(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
            Self::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1"
            }
        }
    }
}
