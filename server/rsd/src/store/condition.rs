//! A filter as a condition over `rs_call c`: text with parameters only, never values. SQLite and
//! PostgreSQL share it; SQL Server has one statement, in which each condition is a value.

use model::record::{CallGuid, ComponentType};
use model::time::Millis;
use rs::query::{Number, Party, Progress, Uri};
use rs::row::flag;
use rs::{Filter, Key};

use super::{ObjectKind, Position, StoreError, Unit};

/// A value of a parameter.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(i64),
    Text(String),
    Key(Key),
    Numbers(Vec<i64>),
}

/// What one of them says otherwise than the other.
pub(super) trait Dialect {
    /// Of a call that is up, and of one that has ended.
    const LIVE: &'static str;
    const COMPLETED: &'static str;
    /// The number that was dialled has digits only.
    const DIGITS: &'static str;
    /// The greater one of two.
    const GREATER: &'static str;
    /// `o` is a leg of the session of `c`, as far as one question looks.
    const SAME_SESSION: &'static str;

    /// Ids, with those that are known to be the same objects.
    fn with_aliases(&mut self, kind: ObjectKind, ids: &[u32]) -> Result<Vec<i64>, StoreError>;

    /// The column is one of these numbers.
    fn one_of(column: &str, numbers: Vec<i64>) -> Condition;

    /// The path of the call has one of these tenants.
    fn of_tenants(call: &str, ids: Vec<i64>) -> Condition;

    /// The column begins with what is between two values, as few do.
    fn between_few(column: &str) -> String;
}

/// Parts that all hold, with their parameters in order: each `?` is one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    /// One part and its values.
    pub(super) fn new(sql: String, values: Vec<Value>) -> Self {
        Self { parts: vec![sql], values }
    }

    /// The condition of a filter. `db` knows the aliases of ids.
    pub(super) fn of<D: Dialect>(
        db: &mut D,
        filter: &Filter,
        unit: Unit,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        match filter.progress {
            Progress::All => {}
            Progress::Live => all.plain(D::LIVE),
            Progress::Completed => all.plain(D::COMPLETED),
        }
        all.times(filter);
        let scope = all.objects(db, filter)?;
        all.numbers::<D>(&filter.numbers);
        all.uris::<D>("c.remote_uri", &filter.remote_uris);
        all.uris::<D>("c.local_uri", &filter.local_uris);
        all.names(filter);
        if let Some(party) = &filter.party {
            all.party::<D>(party);
        }
        all.words::<D>(filter);
        all.durations::<D>(filter, now);
        if unit == Unit::Guid {
            all.first_leg::<D>(scope);
        }
        Ok(all)
    }

    /// Only what comes after this position, newest start first.
    pub(super) fn after(&mut self, position: Option<Position>) {
        if let Some(Position { started_ms, call_key }) = position {
            self.parts.push("(c.started_ms, c.call_key) < (?, ?)".to_owned());
            self.values.extend([Value::Number(started_ms), Value::Key(call_key)]);
        }
    }

    /// ` WHERE …`, or nothing.
    pub(super) fn sql(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.parts.join(" AND "))
    }

    /// The values of its parameters, in order.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    fn plain(&mut self, sql: &str) {
        self.parts.push(sql.to_owned());
    }

    fn one(&mut self, sql: &str, value: impl Into<Value>) {
        self.plain(sql);
        self.values.push(value.into());
    }

    fn and(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.values.extend(other.values);
    }

    /// Any of some parts, whose values are there already.
    fn any(&mut self, parts: &[String]) {
        if !parts.is_empty() {
            self.parts.push(format!("({})", parts.join(" OR ")));
        }
    }

    fn times(&mut self, filter: &Filter) {
        let bounds = [
            ("c.started_ms > ?", filter.started_after),
            ("c.started_ms < ?", filter.started_before),
            ("c.ended_ms > ?", filter.ended_after),
            ("c.ended_ms < ?", filter.ended_before),
        ];
        for (sql, bound) in bounds {
            if let Some(bound) = bound {
                self.one(sql, ms(bound));
            }
        }
    }

    /// The tenants of the scope, if there is one, with their aliases.
    fn objects<D: Dialect>(
        &mut self,
        db: &mut D,
        filter: &Filter,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        if let Some(kind) = filter.component_type {
            self.one("c.component_type = ?", i64::from(kind.number()));
        }
        for (column, kind, ids) in [
            ("c.profile_id", ObjectKind::Profile, &filter.profiles),
            ("c.component_id", ObjectKind::Component, &filter.components),
        ] {
            if !ids.is_empty() {
                self.and(D::one_of(column, db.with_aliases(kind, ids)?));
            }
        }
        let mut tenants = |ids: &Vec<u32>| db.with_aliases(ObjectKind::Tenant, ids);
        if !filter.tenants.is_empty() {
            self.and(D::of_tenants("c", tenants(&filter.tenants)?));
        }
        let scope = filter.scope.as_ref().map(tenants).transpose()?;
        // an empty scope finds nothing
        scope.iter().for_each(|ids| self.and(D::of_tenants("c", ids.clone())));
        Ok(scope)
    }

    fn names(&mut self, filter: &Filter) {
        let texts = [
            ("c.session_id = ?", filter.session_id.clone()),
            ("c.guid = ?", filter.guid.as_ref().map(CallGuid::to_string)),
            ("c.call_uuid = ?", filter.call_uuid.clone()),
            ("c.call_id = ?", filter.call_id.clone()),
        ];
        for (sql, text) in texts {
            if let Some(text) = text {
                self.one(sql, text);
            }
        }
        if let Some(status) = filter.sip_status {
            self.one("c.sip_status = ?", i64::from(status));
        }
    }

    fn words<D: Dialect>(&mut self, filter: &Filter) {
        let words = |words: Vec<u8>| words.into_iter().map(i64::from).collect::<Vec<_>>();
        let types = words(filter.call_types.iter().map(|word| word.number()).collect());
        let ends = words(filter.end_states.iter().map(|word| word.number()).collect());
        let services = words(filter.services.iter().map(|word| *word as u8).collect());
        for (column, numbers) in
            [("c.call_type", types), ("c.end_state", ends), ("c.service", services)]
        {
            if !numbers.is_empty() {
                self.and(D::one_of(column, numbers));
            }
        }
    }

    fn numbers<D: Dialect>(&mut self, numbers: &[Number]) {
        let parts: Vec<_> = numbers.iter().map(|number| self.number::<D>(number)).collect();
        self.any(&parts);
    }

    fn number<D: Dialect>(&mut self, number: &Number) -> String {
        match number {
            Number::Exact(number) => {
                self.values.push(number.clone().into());
                "c.dn = ?".to_owned()
            }
            Number::Prefix(prefix) => {
                self.range(prefix);
                "c.dn BETWEEN ? AND ?".to_owned()
            }
            Number::Range { from, to } => {
                let length = i64::try_from(from.len()).unwrap_or(0);
                self.values.extend([from.clone().into(), to.clone().into(), length.into()]);
                format!("c.dn BETWEEN ? AND ? AND length(c.dn) = ? AND {}", D::DIGITS)
            }
        }
    }

    fn party<D: Dialect>(&mut self, party: &Party) {
        let mut parts = vec![match party.prefix {
            true => self.begins::<D>("c.dn", &party.number),
            false => self.number::<D>(&party.dialled()),
        }];
        let users = party.users();
        for column in ["lower(c.local_uri)", "lower(c.remote_uri)"] {
            parts.extend(users.iter().map(|user| self.uri::<D>(column, user)));
        }
        self.any(&parts);
    }

    fn uris<D: Dialect>(&mut self, column: &str, uris: &[Uri]) {
        let column = format!("lower({column})");
        let parts: Vec<_> = uris.iter().map(|uri| self.uri::<D>(&column, uri)).collect();
        self.any(&parts);
    }

    fn uri<D: Dialect>(&mut self, column: &str, uri: &Uri) -> String {
        if uri.prefix {
            return self.begins::<D>(column, &uri.text);
        }
        self.values.push(uri.text.clone().into());
        format!("{column} = ?")
    }

    /// Begins with, as few do.
    fn begins<D: Dialect>(&mut self, column: &str, prefix: &str) -> String {
        self.range(prefix);
        D::between_few(column)
    }

    /// Begins with: as a range, which an index can answer.
    fn range(&mut self, prefix: &str) {
        // the greatest character ends every text that begins with the prefix
        self.values.extend([prefix.to_owned().into(), format!("{prefix}\u{10FFFF}").into()]);
    }

    fn durations<D: Dialect>(&mut self, filter: &Filter, now: Millis) {
        let until_now = format!("{}(? - c.started_ms, 0)", D::GREATER);
        let bounds = [(">=", filter.duration_min), ("<=", filter.duration_max)];
        for (relation, bound) in bounds {
            if let Some(bound) = bound {
                self.plain(&format!("coalesce(c.duration_ms, {until_now}) {relation} ?"));
                let bound = i64::try_from(bound).unwrap_or(i64::MAX);
                self.values.extend([ms(now).into(), bound.into()]);
            }
        }
    }

    /// The leg that shows its session, of those in a scope: the first of RM's, else the first of
    /// all.
    fn first_leg<D: Dialect>(&mut self, scope: Option<Vec<i64>>) {
        let order = |of: &str| {
            let rm = ComponentType::Rm.number();
            format!(
                "({of}.component_type <> {rm}, {of}.started_ms, coalesce({of}.leg, 0),
                   {of}.call_key)"
            )
        };
        let mut others = Self::default();
        others.plain(D::SAME_SESSION);
        others.plain(&format!("{} < {}", order("o"), order("c")));
        scope.into_iter().for_each(|ids| others.and(D::of_tenants("o", ids)));
        self.plain(&format!(
            "(c.guid IS NULL OR c.flags & {} = 0
               AND NOT EXISTS (SELECT 1 FROM rs_call o{}))",
            flag::LED,
            others.sql()
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
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
