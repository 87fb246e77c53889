//! What a filter is in SQL over all days.

use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use super::link::{Link, Uid};
use super::objects::with_aliases;
use crate::store::condition::{Condition, Dialect, Value};
use crate::store::{ObjectKind, StoreError};

impl Dialect for Link {
    const LIVE: &'static str = "c.live";
    const COMPLETED: &'static str = "NOT c.live";
    const DIGITS: &'static str = "c.dn ~ '^[0-9]*$'";
    const GREATER: &'static str = "greatest";
    const SAME_SESSION: &'static str = "o.day = c.day AND o.guid = c.guid";

    fn with_aliases(&mut self, kind: ObjectKind, ids: &[u32]) -> Result<Vec<i64>, StoreError> {
        with_aliases(self, kind, ids)
    }

    fn one_of(column: &str, numbers: Vec<i64>) -> Condition {
        Condition::new(format!("{column} = ANY(?)"), vec![Value::Numbers(numbers)])
    }

    fn of_tenants(call: &str, ids: Vec<i64>) -> Condition {
        let sql = format!(
            "EXISTS (SELECT 1 FROM rs_call_tenant t WHERE t.day = {call}.day
               AND t.call_key = {call}.call_key AND t.tenant_id = ANY(?))"
        );
        Condition::new(sql, vec![Value::Numbers(ids)])
    }

    fn between_few(column: &str) -> String {
        format!("{column} BETWEEN ? AND ?")
    }
}

/// ` WHERE …`, or nothing, with its parameters numbered from 1.
pub(super) fn numbered(condition: &Condition) -> String {
    let text = condition.sql();
    let mut pieces = text.split('?');
    let mut sql = pieces.next().unwrap_or_default().to_owned();
    for ((number, value), piece) in (1..).zip(condition.values()).zip(pieces) {
        let kind = match value {
            Value::Number(_) => "bigint",
            Value::Text(_) => "text",
            Value::Key(_) => "uuid",
            Value::Numbers(_) => "bigint[]",
        };
        sql.push_str(&format!("${number}::{kind}{piece}"));
    }
    sql
}

/// The values of its parameters, in order.
pub(super) fn values(condition: &Condition) -> Vec<&(dyn ToSql + Sync)> {
    condition.values().iter().map(|value| -> &(dyn ToSql + Sync) { value }).collect()
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Number(number) => number.to_sql(kind, out),
            // a text that PostgreSQL cannot hold finds nothing there
            Self::Text(text) => text.replace('\0', "\u{FFFD}").to_sql(kind, out),
            Self::Key(key) => Uid(*key).to_sql(kind, out),
            Self::Numbers(numbers) => numbers.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
