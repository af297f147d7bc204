//! What can go wrong with a database.

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that is known here.
    #[error("`{0}` names no database: use `sqlite:PATH` or `postgres://USER@HOST/NAME`")]
    Url(String),
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema {found}, and this program knows {known}: use the program that wrote it, or a newer one"
    )]
    Newer {
        /// The database's schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// There is nothing to back up.
    #[error("there is no portfolio in this database")]
    Nothing,
    /// What is restored would mix with what is there.
    #[error("there is a portfolio in this database already, and nothing was restored")]
    Occupied,
    /// The database did not do it.
    #[error("the database said no")]
    Database(#[from] sqlx::Error),
    /// A stored text is not what was written.
    #[error("a stored {what} cannot be read")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    /// Whether a text holds what the database keeps in none (PostgreSQL: a NUL).
    pub fn is_bad_text(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                matches!(error.code().unwrap_or_default().as_ref(), "22021" | "22P05")
            }
            _ => false,
        }
    }

    /// Whether trying again can help: the database is away, busy, or shutting down.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_)) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // PostgreSQL: connection exceptions (08), operator intervention (57P), serialization and deadlock (40). SQLite: busy, locked.
                ["08", "57P", "40"].iter().any(|class| code.starts_with(class)) || code == "5" || code == "6"
            }
            _ => false,
        }
    }
}
