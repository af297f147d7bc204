//! Filters: which rows of a list are asked for, in the language of conditions, answered by the database.

use condition::{ConditionError, Fact, FactTable, FactType, Sql, SqlValue};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::lists::images_at;

/// Something that a list may be filtered by: a field of its rows.
#[derive(Debug, Clone, Copy)]
pub struct FilterFact {
    /// Its name, as in the rows.
    pub name: &'static str,
    /// What sort of answer it gives.
    pub kind: FactType,
    /// A row may be without it.
    pub optional: bool,
    /// Where the database has it: as [`Sql::compile`] wants it.
    column: &'static str,
}

impl FilterFact {
    pub(crate) const fn new(kind: FactType, name: &'static str, column: &'static str) -> Self {
        Self { name, kind, optional: false, column }
    }

    pub(crate) const fn text(name: &'static str, column: &'static str) -> Self {
        Self::new(FactType::String, name, column)
    }

    pub(crate) const fn int(name: &'static str, column: &'static str) -> Self {
        Self::new(FactType::Int, name, column)
    }

    pub(crate) const fn double(name: &'static str, column: &'static str) -> Self {
        Self::new(FactType::Double, name, column)
    }

    pub(crate) const fn moment(name: &'static str, column: &'static str) -> Self {
        Self::new(FactType::Moment, name, column)
    }

    pub(crate) const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

/// Which rows of a list are asked for; all, by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(Option<Sql>);

impl Filter {
    /// Reads a filter of a list with these facts; nothing asks for all rows.
    ///
    /// # Errors
    /// When it is no condition over them, or one that a database cannot answer.
    pub fn compile(text: &str, facts: &[FilterFact]) -> Result<Self, ConditionError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let columns: Vec<&str> = facts.iter().map(|fact| fact.column).collect();
        Sql::compile(text, &table(facts), &columns).map(|sql| Self(Some(sql)))
    }
}

/// The facts of a list as conditions know them.
pub fn table(facts: &[FilterFact]) -> FactTable {
    FactTable::new(facts.iter().map(|fact| Fact {
        name: fact.name,
        kind: fact.kind,
        stages: &[],
        optional: fact.optional,
        doc: "",
    }))
}

pub(crate) type Asked = Query<'static, Any, <Any as sqlx::Database>::Arguments>;

/// A query that is put together: its text from `WHERE` on, and all its values, numbered as they are added.
#[derive(Debug, Clone)]
pub(crate) struct Where {
    text: String,
    values: Vec<SqlValue>,
    /// It may never be asked again, so a database need not remember it.
    is_rare: bool,
}

impl Where {
    /// Of rows for which a condition holds; its values are named by number, `$1`, here and in what stands before it.
    pub(crate) fn new(condition: &str, values: impl IntoIterator<Item = SqlValue>) -> Self {
        Self { text: format!("WHERE {condition}"), values: values.into_iter().collect(), is_rare: false }
    }

    /// Only rows for which another condition holds, too; `$$` in it stands for each of its values.
    pub(crate) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = SqlValue>) {
        self.then("AND", []);
        self.then(condition, values);
    }

    /// What follows the conditions, such as `LIMIT $$`.
    pub(crate) fn then(&mut self, text: &str, values: impl IntoIterator<Item = SqlValue>) {
        let mut parts = text.split("$$");
        self.text.push(' ');
        self.text.push_str(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(values) {
            self.values.push(value);
            self.text.push_str(&format!("${}{part}", self.values.len()));
        }
    }

    /// Only what a filter lets through.
    pub(crate) fn filter(&mut self, filter: &Filter) {
        if let Some(sql) = &filter.0 {
            self.is_rare = true;
            self.and(&sql.text, sql.values.iter().cloned());
        }
    }

    /// Only what a scope may see; `seen` makes the condition from the one on an image's `team` or `system`.
    pub(crate) fn scope(&mut self, scope: &str, seen: impl FnOnce(&str) -> String) {
        let (owner, name) = match scope.split_once(':') {
            _ if scope.is_empty() => return,
            Some(("team", name)) if !name.is_empty() => ("team = $$", name),
            Some(("system", name)) if !name.is_empty() => ("system = $$", name),
            // A scope that nobody gives out sees nothing.
            _ => ("$$ = ''", scope),
        };
        self.and(&seen(owner), [name.into()]);
    }

    /// All of it, after `SELECT … FROM …`.
    pub(crate) fn query(self, head: &str) -> Asked {
        let text = format!("{head} {}", self.text);
        let query = sqlx::query(AssertSqlSafe(text)).persistent(!self.is_rare);
        self.values.into_iter().fold(query, |query, value| match value {
            SqlValue::Text(text) => query.bind(text),
            SqlValue::Int(number) => query.bind(number),
            SqlValue::Double(number) => query.bind(number),
        })
    }
}

/// The images, as they were at `$1`, for whose owner a condition holds.
pub(crate) fn images_of(owner: &str, column: &str, is_now: bool) -> String {
    format!("SELECT {column} FROM {} AS seen WHERE {owner}", images_at(is_now))
}

/// The package versions in such images.
pub(crate) fn packages_of(owner: &str, is_now: bool) -> String {
    format!(
        "SELECT package_set_member.package_id FROM package_set_member WHERE package_set_member.set_id IN
           (SELECT image_layer.set_id FROM image_layer WHERE image_layer.image_id IN ({}))",
        images_of(owner, "id", is_now)
    )
}
