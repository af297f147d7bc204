//! Everything in a database as it was at one moment, and everything put into an empty one.
//!
//! Which tables and columns there are is kept once, in the schema: [`tables`] makes them in memory and asks what was made.
//! **Never:** no file, and no form of one; that is the caller's.

use futures_util::TryStreamExt;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Row, Transaction};

use crate::bulk::insert;
use crate::differences::{Dialect, connect};
use crate::error::StoreError;
use crate::write::{SCHEMAS, begin_versions, climb, found};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, each with what it holds.
    pub columns: Vec<(String, Kind)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Real,
    /// Texts.
    Text,
    /// Bytes.
    Bytes,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The tables of a version of the schema, in the order in which they are made.
pub async fn tables(schema: i64) -> Result<Vec<Table>, StoreError> {
    let known = SCHEMAS.len() as i64;
    if !(1..=known).contains(&schema) {
        return Err(StoreError::Newer { found: schema, known });
    }
    sqlx::any::install_default_drivers();
    let mut memory = AnyConnection::connect("sqlite::memory:").await?;
    for step in &SCHEMAS[..schema as usize] {
        memory.execute(sqlx::raw_sql(Dialect::Sqlite.schema(step))).await?;
    }
    let rows = sqlx::query(
        "SELECT made.name, part.name, part.type FROM sqlite_master AS made JOIN pragma_table_info(made.name) AS part
         WHERE made.type = 'table' ORDER BY made.rowid, part.cid",
    )
    .fetch_all(&mut memory)
    .await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let (name, column, kind): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let kind = match kind.as_str() {
            "BIGINT" => Kind::Integer,
            "DOUBLE PRECISION" => Kind::Real,
            "TEXT" => Kind::Text,
            _ => Kind::Bytes,
        };
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push((column, kind)),
            None => tables.push(Table { name, columns: vec![(column, kind)] }),
        }
    }
    Ok(tables)
}

impl Table {
    fn columns(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A database as it was at one moment, whatever is written meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    tx: Transaction<'static, Any>,
    pool: AnyPool,
    /// The version of its tables.
    pub schema: i64,
    /// The moment of the newest write that is in it, in microseconds since 1970.
    pub at: i64,
    /// Its tables.
    pub tables: Vec<Table>,
}

impl Snapshot {
    /// Of the database at a URL, which is not changed.
    ///
    /// # Errors
    /// When it cannot be reached, holds nothing, or was written by a newer version of the program.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let (pool, dialect) = connect(url, false, 1).await?;
        let mut tx = pool.begin_with(dialect.begin_snapshot()).await?;
        let schema = found(&mut tx, dialect).await?.ok_or(StoreError::Nothing)?;
        let at = sqlx::query("SELECT at FROM clock WHERE only_row = 1").fetch_one(&mut *tx).await?.try_get(0)?;
        Ok(Self { tx, pool, schema, at, tables: tables(schema).await? })
    }

    /// What was in force under a name.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let text = "SELECT body FROM setting WHERE name = $1 AND until_at IS NULL";
        let row = sqlx::query(text).bind(name).fetch_optional(&mut *self.tx).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Gives each row of a table to `take`, until that fails. No more than a few rows are in memory.
    pub async fn rows<E: From<StoreError>>(
        &mut self,
        table: &Table,
        mut take: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = format!("SELECT {} FROM {}", table.columns(), table.name);
        let mut rows = sqlx::query(AssertSqlSafe(text)).fetch(&mut *self.tx);
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            let cells = table.columns.iter().enumerate().map(|(at, (_, kind))| cell(&row, at, *kind));
            take(cells.collect::<Result<_, _>>()?)?;
        }
        Ok(())
    }

    /// Lets go of the database.
    pub async fn close(self) {
        drop(self.tx);
        self.pool.close().await;
    }
}

fn cell(row: &AnyRow, at: usize, kind: Kind) -> Result<Cell, StoreError> {
    let cell = match kind {
        Kind::Integer => row.try_get::<Option<i64>, _>(at)?.map(Cell::Integer),
        Kind::Real => row.try_get::<Option<f64>, _>(at)?.map(Cell::Real),
        Kind::Text => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// An empty database that is being filled. Dropped without [`Restore::commit`], it stays empty.
#[derive(Debug)]
pub struct Restore {
    tx: Transaction<'static, Any>,
    pool: AnyPool,
    dialect: Dialect,
    schema: i64,
}

impl Restore {
    /// Makes the tables of a version in the database at a URL.
    ///
    /// # Errors
    /// When there are tables already, or the version is not known.
    pub async fn begin(url: &str, schema: i64) -> Result<Self, StoreError> {
        let tables = tables(schema).await?;
        let (pool, dialect) = connect(url, true, 1).await?;
        let mut tx = pool.begin_with(dialect.begin()).await?;
        tx.execute(dialect.lock_schema()).await?;
        if found(&mut tx, dialect).await?.is_some() {
            return Err(StoreError::Occupied);
        }
        let none = begin_versions(&mut tx).await?;
        climb(&mut tx, dialect, none, schema).await?;
        for table in tables {
            // The schema puts rows in, too.
            tx.execute(sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name)))).await?;
        }
        Ok(Self { tx, pool, dialect, schema })
    }

    /// Puts rows into a table, which must be one of [`tables`]; each has a cell for each column.
    pub async fn put(&mut self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
        let head = format!("INSERT INTO {} ({})", table.name, table.columns());
        insert(&mut self.tx, &head, table.columns.len(), "", rows, |mut query, row| {
            for (cell, (_, kind)) in row.iter().zip(&table.columns) {
                query = bound(query, cell, *kind);
            }
            query
        })
        .await
    }

    /// Makes it last, with the tables as this version of the program has them.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        climb(&mut self.tx, self.dialect, self.schema, SCHEMAS.len() as i64).await?;
        self.tx.commit().await?;
        self.pool.close().await;
        Ok(())
    }
}

type Arguments = <Any as sqlx::Database>::Arguments;

fn bound<'q>(query: Query<'q, Any, Arguments>, cell: &Cell, kind: Kind) -> Query<'q, Any, Arguments> {
    match (cell, kind) {
        (Cell::Integer(number), _) => query.bind(*number),
        (Cell::Real(number), _) => query.bind(*number),
        (Cell::Text(text), _) => query.bind(text.clone()),
        (Cell::Bytes(bytes), _) => query.bind(bytes.clone()),
        (Cell::Null, Kind::Integer) => query.bind(None::<i64>),
        (Cell::Null, Kind::Real) => query.bind(None::<f64>),
        (Cell::Null, Kind::Text) => query.bind(None::<String>),
        (Cell::Null, Kind::Bytes) => query.bind(None::<Vec<u8>>),
    }
}
