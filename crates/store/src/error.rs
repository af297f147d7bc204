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

    /// Whether there is no room left to write to.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // PostgreSQL: disk full. SQLite: full; a write, and its file of readers, that the system refuses.
                ["53100", "13", "778", "4874"].contains(&code.as_ref())
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
                // PostgreSQL: connection exceptions (08), operator intervention (57P), serialization and deadlock (40), too little of
                // something but disk (53). SQLite: busy, locked.
                ["08", "57P", "40", "532", "533", "534"].iter().any(|class| code.starts_with(class))
                    || code == "5"
                    || code == "6"
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a database says, with its code.
    #[derive(Debug)]
    struct Said(&'static str);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Said {}

    impl sqlx::error::DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    /// Source: PostgreSQL, appendix A, "Error Codes"; SQLite, "Result and Extended Result Codes".
    #[test]
    fn what_a_database_says_is_taken_for_what_it_is() {
        // Full, passing, bad text.
        let cases = [
            ("53100", [true, false, false]),
            ("13", [true, false, false]),
            ("778", [true, false, false]),
            ("53200", [false, true, false]),
            ("53300", [false, true, false]),
            ("57P01", [false, true, false]),
            ("40001", [false, true, false]),
            ("5", [false, true, false]),
            ("22021", [false, false, true]),
            ("23505", [false, false, false]),
            ("1", [false, false, false]),
        ];
        for (code, expected) in cases {
            let error = StoreError::from(sqlx::Error::Database(Box::new(Said(code))));
            assert_eq!([error.is_full(), error.is_passing(), error.is_bad_text()], expected, "{code}");
        }
    }
}
