//! Durable memory: one concrete [`Store`] over SQLite or PostgreSQL, with one SQL text.
//!
//! Every change is made inside a [`Write`]: one transaction at a time, in one order, each with a moment of its own. So the
//! moment is also the version: whoever has seen everything up to a moment asks for what is later. Reads need no transaction; they
//! see what was committed.
//!
//! Start at [`Store::open`] and [`Store::write`]; the tables are in `schema.sql`, one file here per family of them.
//! **Never:** no policy, no HTTP; no type of the driver's in what others call.

mod audit;
mod backup;
mod bulk;
mod catalog;
mod changes;
mod dependents;
mod differences;
mod error;
mod filter;
mod findings;
mod histories;
mod images;
mod layers;
mod lists;
mod packages;
mod tokens;
mod uploads;
mod workloads;
mod write;

pub use audit::{AUDIT_FACTS, AuditEntry, chain_digest};
pub use backup::{Cell, Kind, Restore, Snapshot, Table, tables};
pub use catalog::Setting;
pub use changes::{CHANGE_FACTS, StoredChange};
pub use dependents::{DEPENDENT_FACTS, Dependents};
pub use error::StoreError;
pub use filter::{Filter, FilterFact, table};
pub use findings::{FindingRow, FindingUpdate, NowTold, SCORE_FACTS, ScoreRow};
pub use histories::{CLAIM_FACTS, TAG_FACTS, TagRow, VERDICT_FACTS, VerdictRow};
pub use images::{ClaimRow, ImageRow, ImageState, Known, NewImage, Ownership};
pub use layers::{ImageLayer, OwnedLayer};
pub use lists::{
    FINDING_FACTS, IMAGE_FACTS, ImageOrder, ListedFinding, ListedImage, Page, VULNERABILITY_FACTS, VulnerabilityRow,
};
pub use packages::{NewPackage, PackageRow};
pub use tokens::{TOKEN_FACTS, TokenRow};
pub use workloads::{WORKLOAD_FACTS, WorkloadRow};
pub use write::Write;

use sqlx::AnyPool;

use differences::Dialect;

/// Reads at a time: more than two cores can do.
const READERS_MAX: u32 = 7;

/// What is remembered, in one database.
#[derive(Debug, Clone)]
pub struct Store {
    /// For reads.
    pool: AnyPool,
    /// Of one connection: it alone changes the database, so what it has read of it stays true from write to write.
    writer: AnyPool,
    dialect: Dialect,
    /// One write at a time in this process; between processes the database sees to it.
    turn: std::sync::Arc<tokio::sync::Mutex<()>>,
}

impl Store {
    /// Opens the database at a URL (`sqlite:PATH`, `postgres://…`), and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or was written by a newer version of the program.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let (writer, dialect) = differences::connect(url, true, 1).await?;
        let (pool, _) = differences::connect(url, true, READERS_MAX).await?;
        let store = Self { pool, writer, dialect, turn: std::sync::Arc::default() };
        store.migrate().await?;
        Ok(store)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }
}
