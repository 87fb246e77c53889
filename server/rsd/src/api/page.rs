//! Lists by time with a cursor: dead letters and the audit log (rs.md §6).

use axum::http::Uri;
use rs::Refused;
use serde_json::{Value, json};

use super::limits::{ITEMS, ITEMS_MOST};
use super::{Shared, answer, cursor, native};
use crate::store::Position;
use crate::store::custody::Place;

/// Which part of a list is asked for.
pub(super) struct Paging {
    pub(super) after: Option<Place>,
    pub(super) limit: usize,
    /// What the cursor is bound to.
    bound: String,
}

impl Paging {
    /// Reads `limit` and `cursor`; gives the other parameters, each of which may occur once.
    pub(super) fn read(
        shared: &Shared,
        uri: &Uri,
    ) -> Result<(Self, Vec<(String, String)>), Refused> {
        let mut pairs = native::pairs(uri.query().unwrap_or_default())?;
        pairs.sort();
        if let Some([(name, _), _]) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            let message = format!("{name} may occur once");
            return Err(Refused::parameter("duplicate-parameter", message, &[name]));
        }
        let own = |(name, _): &(String, String)| matches!(name.as_str(), "limit" | "cursor");
        let (own, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(own);
        let value = |name: &str| own.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        let filter: Vec<String> =
            rest.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let bound = format!("{}?{}", uri.path(), filter.join("&"));
        let limit = match value("limit") {
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=ITEMS_MOST).contains(limit));
                let message = || format!("limit is 1 to {ITEMS_MOST}");
                limit.ok_or_else(|| Refused::parameter("bad-integer", message(), &["limit"]))?
            }
            None => ITEMS,
        };
        let after = match value("cursor") {
            Some(text) => {
                let position = cursor::open(&shared.cursor_key, &bound, text, shared.now())?;
                let [.., a, b, c, d, e, f, g, h] = position.call_key;
                let no = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
                Some(Place { time_ms: position.started_ms, no })
            }
            None => None,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok((Self { after, limit, bound }, rest))
    }
}

/// The document of a page; `found` has one more than asked for, if there is one.
pub(super) fn page<T>(
    shared: &Shared,
    paging: &Paging,
    mut found: Vec<T>,
    place: impl Fn(&T) -> Place,
    shown: impl Fn(T) -> Value,
) -> Result<String, Refused> {
    let more = found.len() > paging.limit;
    found.truncate(paging.limit);
    let next = found.last().filter(|_| more).map(|last| {
        let Place { time_ms, no } = place(last);
        let mut call_key = [0; 16];
        call_key[8..].copy_from_slice(&no.to_be_bytes());
        let position = Position { started_ms: time_ms, call_key };
        cursor::seal(&shared.cursor_key, &paging.bound, position, shared.now())
    });
    let items: Vec<Value> = found.into_iter().map(shown).collect();
    answer::written(&json!({ "items": items, "next": next }))
}
