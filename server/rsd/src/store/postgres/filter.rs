//! A filter as SQL over all days: text with parameters only, never values.

use model::record::{CallGuid, ComponentType};
use model::time::Millis;
use rs::Filter;
use rs::query::{Number, Party, Progress, Uri};
use rs::row::flag;
use tokio_postgres::types::ToSql;

use super::link::{Link, Uid};
use super::objects::with_aliases;
use crate::store::{ObjectKind, Position, StoreError, Unit};

/// Before the user of a URI that may hold a number.
const SCHEMES: [&str; 3] = ["sip:", "sips:", "tel:"];

/// A value of a parameter.
#[derive(Clone, Debug)]
enum Value {
    Number(i64),
    Text(String),
    Key(Uid),
    Numbers(Vec<i64>),
}

/// A condition over `rs_call c`, with its parameters in order. In the parts each `?` is one of
/// them, until [`Condition::sql`] numbers them.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    /// The condition of a filter.
    pub(super) fn of(
        link: &mut Link,
        filter: &Filter,
        unit: Unit,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        match filter.progress {
            Progress::All => {}
            Progress::Live => all.plain("c.live"),
            Progress::Completed => all.plain("NOT c.live"),
        }
        if let Some(kind) = filter.component_type {
            all.one("c.component_type = ?", i64::from(kind.number()));
        }
        let bounds = [
            ("c.started_ms > ?", filter.started_after),
            ("c.started_ms < ?", filter.started_before),
            ("c.ended_ms > ?", filter.ended_after),
            ("c.ended_ms < ?", filter.ended_before),
        ];
        for (sql, bound) in bounds {
            if let Some(bound) = bound {
                all.one(sql, ms(bound));
            }
        }
        all.ids("c.profile_id", link, ObjectKind::Profile, &filter.profiles)?;
        all.ids("c.component_id", link, ObjectKind::Component, &filter.components)?;
        let mut tenants = |ids: &Vec<u32>| with_aliases(link, ObjectKind::Tenant, ids);
        if !filter.tenants.is_empty() {
            all.of_tenants("c", tenants(&filter.tenants)?);
        }
        let scope = filter.scope.as_ref().map(tenants).transpose()?;
        // an empty scope finds nothing
        scope.iter().for_each(|ids| all.of_tenants("c", ids.clone()));
        all.numbers(&filter.numbers);
        all.uris("c.remote_uri", &filter.remote_uris);
        all.uris("c.local_uri", &filter.local_uris);
        let texts = [
            ("c.session_id = ?", filter.session_id.clone()),
            ("c.guid = ?", filter.guid.as_ref().map(CallGuid::to_string)),
            ("c.call_uuid = ?", filter.call_uuid.clone()),
            ("c.call_id = ?", filter.call_id.clone()),
        ];
        for (sql, text) in texts {
            if let Some(text) = text {
                all.one(sql, text);
            }
        }
        if let Some(status) = filter.sip_status {
            all.one("c.sip_status = ?", i64::from(status));
        }
        if let Some(party) = &filter.party {
            all.party(party);
        }
        let words = |words: Vec<u8>| words.into_iter().map(i64::from).collect::<Vec<_>>();
        let types = words(filter.call_types.iter().map(|word| word.number()).collect());
        let ends = words(filter.end_states.iter().map(|word| word.number()).collect());
        let services = words(filter.services.iter().map(|word| *word as u8).collect());
        for (column, numbers) in
            [("c.call_type", types), ("c.end_state", ends), ("c.service", services)]
        {
            if !numbers.is_empty() {
                all.any(column, numbers);
            }
        }
        all.durations(filter, now);
        if unit == Unit::Guid {
            all.first_leg(scope);
        }
        Ok(all)
    }

    /// Only what comes after this position, newest start first.
    pub(super) fn after(&mut self, position: Option<Position>) {
        if let Some(position) = position {
            self.one("(c.started_ms, c.call_key) < (?, ?)", position.started_ms);
            self.values.push(Value::Key(Uid(position.call_key)));
        }
    }

    /// ` WHERE …`, or nothing, with its parameters numbered from 1.
    pub(super) fn sql(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        let text = format!(" WHERE {}", self.parts.join(" AND "));
        let mut pieces = text.split('?');
        let mut sql = pieces.next().unwrap_or_default().to_owned();
        for ((number, value), piece) in (1..).zip(&self.values).zip(pieces) {
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
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let values = self.values.iter().map(|value| -> &(dyn ToSql + Sync) {
            match value {
                Value::Number(number) => number,
                Value::Text(text) => text,
                Value::Key(key) => key,
                Value::Numbers(numbers) => numbers,
            }
        });
        values.collect()
    }

    fn plain(&mut self, sql: &str) {
        self.parts.push(sql.to_owned());
    }

    fn one(&mut self, sql: &str, value: impl Into<Value>) {
        self.parts.push(sql.to_owned());
        self.values.push(value.into());
    }

    fn any(&mut self, column: &str, numbers: Vec<i64>) {
        self.parts.push(format!("{column} = ANY(?)"));
        self.values.push(Value::Numbers(numbers));
    }

    fn ids(
        &mut self,
        column: &str,
        link: &mut Link,
        kind: ObjectKind,
        ids: &[u32],
    ) -> Result<(), StoreError> {
        if !ids.is_empty() {
            let ids = with_aliases(link, kind, ids)?;
            self.any(column, ids);
        }
        Ok(())
    }

    /// The path of the call has one of these.
    fn of_tenants(&mut self, call: &str, ids: Vec<i64>) {
        self.parts.push(format!(
            "EXISTS (SELECT 1 FROM rs_call_tenant t WHERE t.day = {call}.day
               AND t.call_key = {call}.call_key AND t.tenant_id = ANY(?))"
        ));
        self.values.push(Value::Numbers(ids));
    }

    fn numbers(&mut self, numbers: &[Number]) {
        if numbers.is_empty() {
            return;
        }
        let mut parts = Vec::new();
        for number in numbers {
            match number {
                Number::Exact(number) => {
                    parts.push("c.dn = ?".to_owned());
                    self.values.push(number.clone().into());
                }
                Number::Prefix(prefix) => parts.push(self.prefix("c.dn", prefix)),
                Number::Range { from, to } => {
                    let length = i64::try_from(from.len()).unwrap_or(0);
                    parts.push(
                        "c.dn BETWEEN ? AND ? AND length(c.dn) = ? AND c.dn ~ '^[0-9]*$'"
                            .to_owned(),
                    );
                    self.values.extend([from.clone().into(), to.clone().into(), length.into()]);
                }
            }
        }
        self.parts.push(format!("({})", parts.join(" OR ")));
    }

    fn party(&mut self, party: &Party) {
        let Party { number, prefix } = party;
        let dn = match prefix {
            true => self.prefix("c.dn", number),
            false => {
                self.values.push(number.clone().into());
                "c.dn = ?".to_owned()
            }
        };
        let mut parts = vec![dn];
        for column in ["lower(c.local_uri)", "lower(c.remote_uri)"] {
            for (scheme, plus) in SCHEMES.iter().flat_map(|scheme| [(scheme, ""), (scheme, "+")]) {
                let user = format!("{scheme}{plus}{}", number.to_ascii_lowercase());
                // a user ends with the host, a parameter, a password or the URI
                if *prefix {
                    parts.push(self.prefix(column, &user));
                    continue;
                }
                for end in ["@", ";", ":"] {
                    parts.push(self.prefix(column, &format!("{user}{end}")));
                }
                parts.push(format!("{column} = ?"));
                self.values.push(user.into());
            }
        }
        self.parts.push(format!("({})", parts.join(" OR ")));
    }

    fn uris(&mut self, column: &str, uris: &[Uri]) {
        if uris.is_empty() {
            return;
        }
        let column = format!("lower({column})");
        let mut parts = Vec::new();
        for uri in uris {
            if uri.prefix {
                parts.push(self.prefix(&column, &uri.text));
            } else {
                parts.push(format!("{column} = ?"));
                self.values.push(uri.text.clone().into());
            }
        }
        self.parts.push(format!("({})", parts.join(" OR ")));
    }

    /// Begins with: as a range, which an index can answer.
    fn prefix(&mut self, column: &str, prefix: &str) -> String {
        self.values.push(prefix.to_owned().into());
        // the greatest character ends every text that begins with the prefix
        self.values.push(format!("{prefix}\u{10FFFF}").into());
        format!("{column} BETWEEN ? AND ?")
    }

    fn durations(&mut self, filter: &Filter, now: Millis) {
        let bounds = [(">=", filter.duration_min), ("<=", filter.duration_max)];
        for (relation, bound) in bounds {
            if let Some(bound) = bound {
                let sql =
                    format!("coalesce(c.duration_ms, greatest(? - c.started_ms, 0)) {relation} ?");
                self.one(&sql, ms(now));
                self.values.push(i64::try_from(bound).unwrap_or(i64::MAX).into());
            }
        }
    }

    /// The leg that shows its session, of those in a scope: the first of RM's, else the first of
    /// all.
    fn first_leg(&mut self, scope: Option<Vec<i64>>) {
        let order = |of: &str| {
            let rm = ComponentType::Rm.number();
            format!(
                "({of}.component_type <> {rm}, {of}.started_ms, coalesce({of}.leg, 0),
                   {of}.call_key)"
            )
        };
        let mut others = Self::default();
        others.plain("o.day = c.day AND o.guid = c.guid");
        others.plain(&format!("{} < {}", order("o"), order("c")));
        scope.into_iter().for_each(|ids| others.of_tenants("o", ids));
        let others_sql = others.parts.join(" AND ");
        self.plain(&format!(
            "(c.guid IS NULL OR c.flags & {} = 0
               AND NOT EXISTS (SELECT 1 FROM rs_call o WHERE {others_sql}))",
            flag::LED
        ));
        self.values.extend(others.values);
    }
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value {
    /// A text that PostgreSQL cannot hold finds nothing there.
    fn from(text: String) -> Self {
        Self::Text(text.replace('\0', "\u{FFFD}"))
    }
}
