//! A filter as the 27 values of its statement: null is no condition, lists are JSON.

use model::record::CallGuid;
use model::time::Millis;
use rs::Filter;
use rs::query::{Number, Progress, Uri};
use serde_json::{Value, json};
use tiberius::ToSql;

use crate::store::Unit;

/// Values of a statement, in order.
pub(super) struct Values(Vec<Box<dyn ToSql>>);

impl Values {
    /// Those of a filter.
    pub(super) fn of(filter: &Filter, unit: Unit, now: Millis) -> Self {
        let mut all = Self(Vec::new());
        all.push(match filter.progress {
            Progress::All => None,
            Progress::Live => Some(true),
            Progress::Completed => Some(false),
        });
        all.push(filter.component_type.map(|kind| kind.number()));
        let bounds =
            [filter.started_after, filter.started_before, filter.ended_after, filter.ended_before];
        for bound in bounds {
            all.push(bound.map(ms));
        }
        all.push(ids(&filter.profiles));
        all.push(ids(&filter.components));
        all.push(ids(&filter.tenants));
        all.push(list(filter.numbers.iter().map(number)));
        all.push(list(filter.remote_uris.iter().map(uri)));
        all.push(list(filter.local_uris.iter().map(uri)));
        all.push(filter.session_id.clone());
        all.push(filter.guid.as_ref().map(CallGuid::to_string));
        all.push(filter.call_uuid.clone());
        all.push(filter.call_id.clone());
        all.push(filter.sip_status.map(i32::from));
        all.push(filter.party.as_ref().and_then(|party| list([number(&party.dialled())])));
        all.push(filter.party.as_ref().and_then(|party| list(party.users().iter().map(uri))));
        all.push(list(filter.call_types.iter().map(|word| json!(word.number()))));
        all.push(list(filter.end_states.iter().map(|word| json!(word.number()))));
        all.push(list(filter.services.iter().map(|word| json!(*word as u8))));
        all.push(ms(now));
        let bound = |bound: Option<u64>| bound.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        all.push(bound(filter.duration_min));
        all.push(bound(filter.duration_max));
        all.push(unit == Unit::Guid);
        // an empty one finds nothing
        all.push(filter.scope.as_ref().map(|scope| json!(scope).to_string()));
        all
    }

    pub(super) fn push(&mut self, value: impl ToSql + 'static) {
        self.0.push(Box::new(value));
    }

    pub(super) fn all(&self) -> Vec<&dyn ToSql> {
        self.0.iter().map(|value| &**value).collect()
    }
}

/// A JSON array; `None`: it would be empty.
fn list(values: impl IntoIterator<Item = Value>) -> Option<String> {
    let values: Vec<Value> = values.into_iter().collect();
    (!values.is_empty()).then(|| Value::Array(values).to_string())
}

fn ids(ids: &[u32]) -> Option<String> {
    list(ids.iter().map(|id| json!(id)))
}

fn equal(text: &str) -> Value {
    json!({"k": 0, "a": text})
}

fn begins(text: &str) -> Value {
    json!({"k": 1, "a": text})
}

fn number(number: &Number) -> Value {
    match number {
        Number::Exact(number) => equal(number),
        Number::Prefix(prefix) => begins(prefix),
        Number::Range { from, to } => json!({"k": 2, "a": from, "b": to}),
    }
}

fn uri(uri: &Uri) -> Value {
    if uri.prefix { begins(&uri.text) } else { equal(&uri.text) }
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiberius::ColumnData;

    #[test]
    fn a_filter_has_as_many_values_as_its_statement() {
        let values = Values::of(&Filter::default(), Unit::Leg, Millis(5));
        let highest = |sql: &str| {
            let numbers = sql.split("@P").skip(1).map(|rest| {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                rest[..digits].parse::<usize>().unwrap()
            });
            numbers.max().unwrap()
        };
        let count = super::super::statement::ask::COUNT.sql();
        assert_eq!(values.all().len(), highest(count));
        let given = values.all().into_iter().map(ToSql::to_sql);
        let given = given.filter(|value| {
            !matches!(
                value,
                ColumnData::String(None)
                    | ColumnData::I64(None)
                    | ColumnData::I32(None)
                    | ColumnData::U8(None)
                    | ColumnData::Bit(None)
            )
        });
        // nothing is asked but the time and the unit
        let given: Vec<_> = given.collect();
        assert_eq!(given, [ColumnData::I64(Some(5)), ColumnData::Bit(Some(false))]);
    }
}
