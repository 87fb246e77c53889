//! The parameters of `/api/v1/calls` as a filter of the store (rs.md §6).
//!
//! Unlike `/ems-rs`, an unknown parameter is an error here.

use axum::extract::Query;
use axum::http::Uri;
use model::config::Service;
use model::record::{CallGuid, CallType, EndState};
use model::time::Millis;
use rs::Refused;
use rs::query::{Filter, Number, Party, Progress, datetime};

use super::limits::{ITEMS, ITEMS_MOST};
use crate::configuration::Known;
use crate::store::Lists;
use crate::store::{Object, ObjectKind, StoreError, Unit};

/// A question for a list.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) filter: Filter,
    /// Objects asked for by name or DBID, still to be looked up.
    pub(super) objects: Vec<(ObjectKind, String)>,
    pub(super) unit: Unit,
    pub(super) limit: u32,
    pub(super) cursor: Option<String>,
    /// What a cursor is bound to: all parameters but `cursor` and `limit`.
    pub(super) bound: String,
}

/// Reads a query; `from` absent means the last 24 hours, unless one call is named or only calls in
/// progress are asked for.
pub(super) fn question(uri: &Uri, which: Progress, now: Millis) -> Result<Question, Refused> {
    let mut pairs = pairs(uri.query().unwrap_or_default())?;
    pairs.sort();
    let bound = |(name, _): &&(String, String)| !matches!(name.as_str(), "cursor" | "limit");
    let bound: Vec<String> =
        pairs.iter().filter(bound).map(|(name, value)| format!("{name}={value}")).collect();
    let mut question = Question {
        filter: Filter { progress: which, ..Filter::default() },
        objects: Vec::new(),
        unit: Unit::Guid,
        limit: ITEMS,
        cursor: None,
        bound: format!("{}?{}", uri.path(), bound.join("&")),
    };
    let mut seen: Option<&str> = None;
    for (name, value) in &pairs {
        if seen == Some(name) {
            let message = format!("{name} may occur once");
            return Err(Refused::parameter("duplicate-parameter", message, &[name]));
        }
        seen = Some(name);
        if name == "state" && which == Progress::Live {
            let message = "calls in progress have one state";
            return Err(Refused::parameter("unknown-parameter", message, &[name]));
        }
        question.read(name, value)?;
    }
    let filter = &mut question.filter;
    if filter.started_after.zip(filter.started_before).is_some_and(|(from, to)| from.0 + 1 >= to.0)
    {
        let message = "from is not before to";
        return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
    }
    let open = filter.progress == Progress::Live || filter.names_a_call();
    if !open && filter.started_after.is_none() {
        filter.started_after = Some(Millis(now.0.saturating_sub(rs::limits::UNBOUNDED_MS + 1)));
    }
    Ok(question)
}

/// The parameters of a query, decoded, in their order.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, Refused> {
    let uri = Uri::builder().path_and_query(format!("/?{query}")).build();
    let pairs = uri.ok().and_then(|uri| Query::try_from_uri(&uri).ok());
    let Query(pairs) = pairs.ok_or_else(|| {
        Refused::parameter("bad-uri", "the query cannot be decoded as UTF-8", &[])
    })?;
    Ok(pairs)
}

/// Reads a parameter that is the only one, and is said or not: alone it is true.
pub(super) fn switch(uri: &Uri, only: &str) -> Result<bool, Refused> {
    let mut on = false;
    for (name, value) in pairs(uri.query().unwrap_or_default())? {
        if name != only {
            return Err(unknown_parameter(&name));
        }
        on = match value.as_str() {
            "" | "true" => true,
            "false" => false,
            _ => {
                let text = format!("{only} is true or false");
                return Err(Refused::parameter("bad-enum", text, &[only]));
            }
        };
    }
    Ok(on)
}

/// A parameter that the list does not have.
pub(super) fn unknown_parameter(name: &str) -> Refused {
    let message = format!("{name} is no parameter of this list");
    Refused::parameter("unknown-parameter", message, &[name])
}

impl Question {
    fn read(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        let filter = &mut self.filter;
        match name {
            // `from` includes its instant, the filter does not.
            "from" => {
                let from = datetime(name, value)?;
                filter.started_after = Some(Millis(from.0.saturating_sub(1)));
            }
            "to" => filter.started_before = Some(datetime(name, value)?),
            "state" => filter.progress = progress(name, value)?,
            "tenant" => self.objects.push((ObjectKind::Tenant, value.to_owned())),
            "profile" => self.objects.push((ObjectKind::Profile, value.to_owned())),
            "component" => {
                self.unit = Unit::Leg;
                self.objects.push((ObjectKind::Component, value.to_owned()));
            }
            "dn" => filter.numbers.push(number(value)),
            "guid" => filter.guid = Some(CallGuid::new(value)),
            "call_uuid" => filter.call_uuid = Some(value.to_owned()),
            "call_id" => filter.call_id = Some(value.to_owned()),
            "number" => filter.party = Some(party(value)),
            "sip_status" => filter.sip_status = Some(status(name, value)?),
            "session_id" => filter.session_id = Some(value.to_owned()),
            "call_type" => filter.call_types.push(word(name, value, CallType::parse)?),
            "service" => filter.services.push(word(name, value, Service::parse)?),
            "end_state" => filter.end_states.push(word(name, value, EndState::parse)?),
            "min_duration" => filter.duration_min = Some(integer(name, value)?),
            "max_duration" => filter.duration_max = Some(integer(name, value)?),
            "legs" => {
                if flag(name, value)? {
                    self.unit = Unit::Leg;
                }
            }
            "limit" => {
                self.limit = u32::try_from(integer(name, value)?).unwrap_or(u32::MAX);
                if self.limit == 0 || self.limit > ITEMS_MOST {
                    let message = format!("limit is 1 to {ITEMS_MOST}");
                    return Err(Refused::parameter("bad-integer", message, &[name]));
                }
            }
            "cursor" => self.cursor = Some(value.to_owned()),
            _ => return Err(unknown_parameter(name)),
        }
        Ok(())
    }

    /// Puts the ids of the objects asked for into the filter: those that have the name now, and
    /// those that records named so. False: nobody has named one of them, and nothing is found.
    pub(super) fn resolve(
        &mut self,
        source: &dyn Lists,
        known: &Known,
    ) -> Result<bool, StoreError> {
        for (kind, wanted) in std::mem::take(&mut self.objects) {
            let objects = source.objects(kind)?;
            let named = |object: &&Object| {
                object.name == wanted || wanted.parse().is_ok_and(|id: u32| id == object.id)
            };
            let mut ids: Vec<u32> = objects.iter().filter(named).map(|object| object.id).collect();
            ids.extend(known.ids(kind, &wanted));
            if ids.is_empty() {
                return Ok(false);
            }
            match kind {
                ObjectKind::Tenant => self.filter.tenants = ids,
                ObjectKind::Profile => self.filter.profiles = ids,
                ObjectKind::Component => self.filter.components = ids,
            }
        }
        Ok(true)
    }
}

fn progress(name: &str, value: &str) -> Result<Progress, Refused> {
    let read = |value: &str| match value {
        "all" => Some(Progress::All),
        "live" => Some(Progress::Live),
        "completed" => Some(Progress::Completed),
        _ => None,
    };
    word(name, value, read)
}

fn number(value: &str) -> Number {
    let value = value.trim().trim_start_matches('+');
    match value.strip_suffix('*') {
        Some(prefix) => Number::Prefix(prefix.to_owned()),
        None => Number::Exact(value.to_owned()),
    }
}

fn party(value: &str) -> Party {
    match number(value) {
        Number::Prefix(number) => Party { number, prefix: true },
        Number::Exact(number) | Number::Range { from: number, .. } => {
            Party { number, prefix: false }
        }
    }
}

fn status(name: &str, value: &str) -> Result<u16, Refused> {
    let status = u16::try_from(integer(name, value)?).ok().filter(|n| (100..700).contains(n));
    let message = format!("{name} is 100 to 699");
    status.ok_or_else(|| Refused::parameter("bad-integer", message, &[name]))
}

fn word<W>(name: &str, value: &str, read: impl Fn(&str) -> Option<W>) -> Result<W, Refused> {
    read(value).ok_or_else(|| {
        Refused::parameter("bad-enum", format!("{name} has no value {value}"), &[name])
    })
}

fn flag(name: &str, value: &str) -> Result<bool, Refused> {
    word(name, value, |value| value.parse().ok())
}

fn integer(name: &str, value: &str) -> Result<u64, Refused> {
    value.parse().map_err(|_| {
        Refused::parameter("bad-integer", format!("{name} is a whole number from 0"), &[name])
    })
}
