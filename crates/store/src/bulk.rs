//! Many rows in one statement: both databases read a statement once, and each round trip costs.

use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use crate::error::StoreError;

/// Parameters of one statement. SQLite looks named ones (`$7`) up one by one, so its time grows with their square: measured, 6,000 take
/// ten times as long a row as 400, and fewer gain nothing.
const PARAMETERS_MAX: usize = 400;

type Arguments = <Any as sqlx::Database>::Arguments;

/// Inserts rows. `head` is `INSERT INTO table (columns)`, `tail` what follows the values.
pub(crate) async fn insert<T>(
    connection: &mut AnyConnection,
    head: &str,
    columns: usize,
    tail: &str,
    rows: &[T],
    bind: impl for<'q> Fn(Query<'q, Any, Arguments>, &T) -> Query<'q, Any, Arguments>,
) -> Result<(), StoreError> {
    for chunk in rows.chunks((PARAMETERS_MAX / columns).max(1)) {
        let mut text = format!("{head} VALUES ");
        for row in 0..chunk.len() {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                if column > 0 {
                    text.push_str(", ");
                }
                text.push_str(&format!("${}", row * columns + column + 1));
            }
            text.push(')');
        }
        text.push(' ');
        text.push_str(tail);
        // Only the full statement comes again and again.
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == PARAMETERS_MAX / columns);
        for row in chunk {
            query = bind(query, row);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Asks with many values, some at a time: `text` has `$$` where `($2, $3, …)` goes, and `$1`, … are the `fixed` numbers before them.
/// Statements come in few sizes, the last value repeated, so that they are remembered.
pub(crate) async fn ask<T>(
    connection: &mut AnyConnection,
    text: &str,
    fixed: &[i64],
    values: &[T],
    bind: impl for<'q> Fn(Query<'q, Any, Arguments>, &T) -> Query<'q, Any, Arguments>,
) -> Result<Vec<AnyRow>, StoreError> {
    let mut rows = Vec::new();
    for chunk in values.chunks(ASKED_MAX) {
        let count = chunk.len().next_power_of_two();
        let mut query = sqlx::query(AssertSqlSafe(text.replace("$$", &places(fixed.len() + 1, count))));
        for number in fixed {
            query = query.bind(*number);
        }
        let Some(last) = chunk.last() else { break };
        for value in chunk.iter().chain(std::iter::repeat_n(last, count - chunk.len())) {
            query = bind(query, value);
        }
        rows.append(&mut query.fetch_all(&mut *connection).await?);
    }
    Ok(rows)
}

/// `($FROM, $FROM+1, …)`, for `IN`.
pub(crate) fn places(from: usize, count: usize) -> String {
    let numbers: Vec<String> = (from..from + count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
}

/// How many values are asked for in one `IN`.
pub(crate) const ASKED_MAX: usize = 256;
