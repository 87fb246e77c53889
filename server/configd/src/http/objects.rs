//! `/v1/objects`: objects are listed, read, put and deleted one by one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use model::config::{Document, Kind, Object};
use model::id::{Dbid, Revision};
use model::tree::Value;
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::answer::{self, tagged};
use super::body::{self, Form};
use super::path::Path;
use super::query::{Query, malformed, revision};
use super::transactions::{self, told};
use super::{Shared, glob, limits};
use crate::books::{Entry, State as Objects};
use crate::refusal::Refusal;
use crate::transaction::{Name, Operation, Target, Transaction, When};
use crate::who::{Scope, chain, tenant_key};

/// `GET /v1/objects`.
pub(super) async fn all(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    list(&shared, &asked, &uri, None).await
}

/// `GET /v1/objects/{kind}`.
pub(super) async fn of_kind(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path(kind): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    list(&shared, &asked, &uri, Some(parse(&kind)?)).await
}

/// Which objects are wanted.
struct Filter {
    kind: Option<Kind>,
    tenant: Option<String>,
    subtree: bool,
    labels: Vec<(String, String)>,
    name: Option<String>,
    enabled: Option<bool>,
}

impl Filter {
    fn read(query: &mut Query, kind: Option<Kind>) -> Result<Self, Refusal> {
        let labels = query.all("label");
        let labels =
            labels.iter().map(|text| Query::label("label", text)).collect::<Result<_, _>>();
        Ok(Self {
            kind,
            tenant: query.text("tenant")?,
            subtree: query.flag("subtree")?,
            labels: labels?,
            name: query.text("name")?,
            enabled: query.maybe("enabled")?,
        })
    }

    /// # Errors
    /// `not-found` for a tenant that the scope does not see.
    fn may(&self, state: &Objects, scope: &Scope) -> Result<(), Refusal> {
        let Some(name) = &self.tenant else { return Ok(()) };
        let key = tenant_key(name);
        if state.set.get(&key).is_some() && scope.sees(&state.set, &key) {
            return Ok(());
        }
        Err(Refusal::NotFound(format!("tenant \"{name}\" does not exist")))
    }

    fn takes(&self, state: &Objects, object: &Object) -> bool {
        let key = &object.key;
        let of_tenant = |tenant: &String| {
            let above = chain(&state.set, key);
            above.first() == Some(tenant) || self.subtree && above.contains(tenant)
        };
        self.kind.is_none_or(|kind| key.kind == kind)
            && self.enabled.is_none_or(|enabled| object.enabled == enabled)
            && self.labels.iter().all(|(key, value)| object.labels.get(key) == Some(value))
            && self.name.as_ref().is_none_or(|pattern| glob::matches(pattern, &key.name))
            && self.tenant.as_ref().is_none_or(of_tenant)
    }
}

async fn list(
    shared: &Shared,
    asked: &Asked,
    uri: &Uri,
    kind: Option<Kind>,
) -> Result<Response, Refusal> {
    let mut query = Query::of(uri)?;
    let filter = Filter::read(&mut query, kind)?;
    let limit = query.limit(limits::ITEMS, limits::ITEMS_MOST)?;
    let at = query.revision("at")?;
    let cursor = query.text("cursor")?.map(|text| Cursor::read(&text)).transpose()?;
    query.finish()?;
    let at = cursor.as_ref().map_or(at, |cursor| Some(cursor.revision));
    let state = state(shared, at).await?;
    let (scope, wanted) = (asked.who.scope.clone(), asked.wanted);
    body::off(move || {
        filter.may(&state, &scope)?;
        let after = cursor.map(|cursor| cursor.after);
        Ok(wanted.ok(&page(&state, &scope, &filter, after, limit)))
    })
    .await
}

/// A page of objects in the order of the set.
fn page(
    state: &Objects,
    scope: &Scope,
    filter: &Filter,
    after: Option<(Kind, Dbid)>,
    limit: usize,
) -> Json {
    let mut items = Vec::new();
    let (mut bytes, mut next) = (0, None);
    for object in state.set.objects() {
        let place = (object.key.kind, object.dbid);
        if after.is_some_and(|after| place <= after)
            || !filter.takes(state, object)
            || !scope.sees(&state.set, &object.key)
        {
            continue;
        }
        let Some(entry) = state.entry(object) else { continue };
        if items.len() >= limit || bytes >= limits::PAGE {
            break;
        }
        let text = entry.text();
        bytes += text.len();
        next = Some(place);
        // what was written is read back
        items.push(serde_json::from_str(&text).unwrap_or(Json::Null));
    }
    let more = next.filter(|place| rest(state, scope, filter, *place));
    let next = more.map(|after| Cursor { revision: state.revision, after }.text());
    json!({ "revision": state.revision, "items": items, "next": next })
}

/// Whether something comes behind a place.
fn rest(state: &Objects, scope: &Scope, filter: &Filter, place: (Kind, Dbid)) -> bool {
    state.set.objects().any(|object| {
        (object.key.kind, object.dbid) > place
            && filter.takes(state, object)
            && scope.sees(&state.set, &object.key)
    })
}

/// Where a list goes on, and at which revision: `42.2.105`.
struct Cursor {
    revision: Revision,
    after: (Kind, Dbid),
}

impl Cursor {
    fn text(&self) -> String {
        let (kind, dbid) = self.after;
        let kind = Kind::ALL.iter().position(|own| *own == kind).unwrap_or_default();
        format!("{}.{kind}.{dbid}", self.revision)
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let read = || {
            let mut parts = text.split('.');
            let revision = revision(parts.next()?.parse().ok()?)?;
            let kind = *Kind::ALL.get(parts.next()?.parse::<usize>().ok()?)?;
            let dbid = Dbid(parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(Self { revision, after: (kind, dbid) })
        };
        read().ok_or_else(|| malformed("cursor: expected the one of the page before"))
    }
}

/// The objects at a revision, now unless told otherwise.
pub(super) async fn state(shared: &Shared, at: Option<Revision>) -> Result<Arc<Objects>, Refusal> {
    match at {
        Some(revision) => shared.books.at(revision).await,
        None => Ok(shared.books.now()),
    }
}

pub(super) fn parse(kind: &str) -> Result<Kind, Refusal> {
    let short: String = kind.chars().take(64).collect();
    Kind::parse(kind).ok_or_else(|| Refusal::NotFound(format!("there is no kind {short:?}")))
}

/// `GET /v1/objects/{kind}/{name}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path((kind, name)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let (tenant, at) = (query.text("tenant")?, query.revision("at")?);
    query.finish()?;
    let target = Target { kind: parse(&kind)?, tenant, name: Name::parse(&name) };
    let entry = state(&shared, at).await?.find(&target, &asked.who.scope)?;
    let revision = entry.meta.revision;
    if answer::has(&headers, revision) {
        return Ok(answer::unchanged(revision));
    }
    Ok(tagged(asked.wanted.ok(&json!(entry)), revision))
}

/// `PUT /v1/objects/{kind}/{name}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path((kind, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let tenant = query.text("tenant")?;
    let change = Change::read(&mut query)?;
    query.finish()?;
    let form = Form::of(&headers)?;
    let bytes = body::read(&headers, body, limits::DOCUMENT, shared.times.body).await?;
    let mut documents = body::documents(form, bytes).await?.into_iter();
    let (Some(mut document), None) = (documents.next(), documents.next()) else {
        return Err(malformed("expected one document"));
    };
    let target = Target { kind: parse(&kind)?, tenant, name: Name::parse(&name) };
    let state = shared.books.now();
    let before = address(&mut document, &target, &state, &asked.who.scope)?;
    let current = before.map(|entry| entry.meta.revision);
    let when = condition(&headers, current, shared.settings.require_if_match)?;
    let dry_run = change.dry_run;
    let operation = Operation::Put { document, when, rename_from: None };
    let transaction = change.transaction(operation);
    let outcome = transactions::transact(&shared, transaction, &asked.who).await?;
    if dry_run {
        return Ok(asked.wanted.ok(&told(&outcome)));
    }
    let put = outcome.puts.first().ok_or_else(|| malformed("expected one document"))?;
    let status = if put.created { StatusCode::CREATED } else { StatusCode::OK };
    let answer = asked.wanted.document(status, &json!(put.entry));
    Ok(tagged(answer, put.entry.meta.revision))
}

/// `DELETE /v1/objects/{kind}/{name}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path((kind, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let (tenant, cascade) = (query.text("tenant")?, query.flag("cascade")?);
    let change = Change::read(&mut query)?;
    query.finish()?;
    let target = Target { kind: parse(&kind)?, tenant, name: Name::parse(&name) };
    let found = shared.books.now().find(&target, &asked.who.scope);
    let current = found.ok().map(|entry| entry.meta.revision);
    let when = condition(&headers, current, shared.settings.require_if_match)?;
    let transaction = change.transaction(Operation::Delete { target, when, cascade });
    let outcome = transactions::transact(&shared, transaction, &asked.who).await?;
    Ok(asked.wanted.ok(&told(&outcome)))
}

/// What every change of an object may say.
struct Change {
    dry_run: bool,
    message: String,
}

impl Change {
    fn read(query: &mut Query) -> Result<Self, Refusal> {
        let dry_run = query.flag("dry_run")?;
        Ok(Self { dry_run, message: transactions::message(query.text("message")?)? })
    }

    fn transaction(self, operation: Operation) -> Transaction {
        let Self { dry_run, message } = self;
        Transaction { message, dry_run, operations: vec![operation], ..Transaction::default() }
    }
}

/// Makes a document say what its address says; gives the object that is there.
fn address(
    document: &mut Document,
    target: &Target,
    state: &Objects,
    scope: &Scope,
) -> Result<Option<Entry>, Refusal> {
    let said = |key: &str| document.root.get(key).and_then(|node| node.as_text());
    if let Some(kind) = said("kind").filter(|kind| Kind::parse(kind) != Some(target.kind)) {
        return Err(malformed(format!(
            "the address is of a {}, the body of a {kind}",
            target.kind
        )));
    }
    let own = said("tenant").map(str::to_owned);
    let tenant = match (target.tenant.clone(), own) {
        (Some(address), Some(own)) if address != own && target.kind.is_owned() => {
            let text = format!("the address is of tenant {address:?}, the body of {own:?}");
            return Err(malformed(text));
        }
        (address, own) => address.or(own),
    };
    let target = Target { tenant, ..target.clone() };
    let before = match state.find(&target, scope) {
        Ok(entry) => Some(entry),
        Err(Refusal::NotFound(_)) if matches!(target.name, Name::Text(_)) => None,
        Err(refusal) => return Err(refusal),
    };
    let name = match (&target.name, &before) {
        (_, Some(entry)) => entry.object.key.name.clone(),
        (Name::Text(name), None) => name.clone(),
        // it would have been refused above
        (Name::Dbid(_), None) => String::new(),
    };
    if let Some(own) = said("name").filter(|own| *own != name) {
        return Err(malformed(format!("the address is of {name:?}, the body of {own:?}")));
    }
    document.root.put("kind", Value::Text(target.kind.as_str().to_owned()));
    document.root.put("name", Value::Text(name));
    let tenant = before.as_ref().map(|entry| entry.object.key.tenant.clone()).or(target.tenant);
    if let Some(tenant) = tenant.filter(|_| target.kind.is_owned()) {
        document.root.put("tenant", Value::Text(tenant));
    }
    Ok(before)
}

/// What must hold of an object that is at `current`, by the headers of a request.
fn condition(
    headers: &HeaderMap,
    current: Option<Revision>,
    required: bool,
) -> Result<When, Refusal> {
    let text = |name| {
        headers.get(name).map(|value: &axum::http::HeaderValue| {
            value.to_str().map(str::trim).map_err(|_| malformed("a condition that cannot be read"))
        })
    };
    let (matching, none) = (text(IF_MATCH).transpose()?, text(IF_NONE_MATCH).transpose()?);
    match (matching, none) {
        (None, None) if required => Ok(When::Named),
        (None, None) => Ok(When::Always),
        (None, Some("*")) => Ok(When::Absent),
        (Some("*"), None) => match current {
            Some(current) => Ok(When::At(current)),
            None => Err(Refusal::PreconditionFailed { current: Revision(0) }),
        },
        (Some(tag), None) => {
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let number = number.and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| malformed("If-Match: expected \"REVISION\" or *"));
            Ok(When::At(Revision(number?)))
        }
        (None, Some(_)) => Err(malformed("If-None-Match: expected *")),
        (Some(_), Some(_)) => Err(malformed("If-Match and If-None-Match: expected one of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_a_change() {
        let at = |number| Ok(When::At(Revision(number)));
        let bad = |text: &str| Err(malformed(text));
        let failed = Err(Refusal::PreconditionFailed { current: Revision(0) });
        let expected = "If-Match: expected \"REVISION\" or *";
        for (matching, none, current, required, outcome) in [
            (None, None, Some(41), false, Ok(When::Always)),
            (None, None, Some(41), true, Ok(When::Named)),
            (Some("\"41\""), None, Some(42), true, at(41)),
            (Some("*"), None, Some(42), false, at(42)),
            (Some("*"), None, None, false, failed),
            (Some("41"), None, None, false, bad(expected)),
            (Some("W/\"41\""), None, None, false, bad(expected)),
            (None, Some("*"), Some(42), true, Ok(When::Absent)),
            (None, Some("\"41\""), None, false, bad("If-None-Match: expected *")),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = matching {
                headers.insert(IF_MATCH, value.parse().unwrap());
            }
            if let Some(value) = none {
                headers.insert(IF_NONE_MATCH, value.parse().unwrap());
            }
            let found = condition(&headers, current.map(Revision), required);
            assert_eq!(found, outcome, "{matching:?} {none:?}");
        }
    }

    #[test]
    fn a_cursor_is_that_of_a_page() {
        let cursor = Cursor { revision: Revision(42), after: (Kind::ALL[2], Dbid(105)) };
        assert_eq!(cursor.text(), "42.2.105");
        let read = Cursor::read("42.2.105").unwrap();
        assert_eq!((read.revision, read.after), (cursor.revision, cursor.after));
        for text in ["", "42", "42.9.1", "42.1.1.1", "x.1.1", "-1.1.1"] {
            assert!(Cursor::read(text).is_err(), "{text}");
        }
    }
}
