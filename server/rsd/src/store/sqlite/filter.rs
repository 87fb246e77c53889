//! What a filter is in SQL over one day's file.

use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Result};

use super::dims::with_aliases;
use crate::store::condition::{Condition, Dialect, Value};
use crate::store::{ObjectKind, StoreError};

/// The main file, which knows the aliases.
impl Dialect for Connection {
    const LIVE: &'static str = "c.live = 1";
    const COMPLETED: &'static str = "c.live = 0";
    const DIGITS: &'static str = "c.dn NOT GLOB '*[^0-9]*'";
    const GREATER: &'static str = "max";
    const SAME_SESSION: &'static str = "o.guid = c.guid";

    fn with_aliases(&mut self, kind: ObjectKind, ids: &[u32]) -> Result<Vec<i64>, StoreError> {
        with_aliases(self, kind, ids)
    }

    fn one_of(column: &str, numbers: Vec<i64>) -> Condition {
        within(&format!("{column} IN ("), numbers, ")")
    }

    fn of_tenants(call: &str, ids: Vec<i64>) -> Condition {
        let paths = "SELECT call_key FROM rs_call_tenant WHERE tenant_id IN (";
        within(&format!("{call}.call_key IN ({paths}"), ids, "))")
    }

    /// A search for a caller has dozens of these, and without a word SQLite takes each for so many
    /// calls that it would rather read all of the time that is asked for.
    fn between_few(column: &str) -> String {
        format!("likelihood({column} >= ?, 0.001) AND likelihood({column} <= ?, 0.001)")
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
            Self::Key(key) => key.to_sql(),
            // numbers are a parameter each
            Self::Numbers(_) => Err(rusqlite::Error::InvalidQuery),
        }
    }
}

fn within(before: &str, numbers: Vec<i64>, behind: &str) -> Condition {
    let marks = vec!["?"; numbers.len()].join(", ");
    let values = numbers.into_iter().map(Value::Number).collect();
    Condition::new(format!("{before}{marks}{behind}"), values)
}
