//! `/api/v1/retention`: how long what is kept, and for whom otherwise (rs.md §6, §10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use model::time::Millis;
use rs::Refused;
use rs::retention::{DAYS_MOST, Holder, Terms, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::access::Asker;
use super::answer::{self, Shape, refusal, respond, written};
use super::audit::{line, note};
use super::jobs;
use crate::jobs::Kind;
use crate::retention::{in_force, ms};
use crate::store::exporting::ExportRun;
use crate::store::keeping::{Override, Room};
use crate::store::{Day, ObjectKind, Store, StoreError};

/// Bytes of a body: six short fields.
const BODY: usize = 4096;
/// Overrides at most: they are all held in memory.
const OVERRIDES: usize = 10_000;
/// Files of the purge that are shown, the newest ones.
const EXPORTS: u32 = 100;

/// What is in force, and how much there is.
pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    respond(values(&shared).await)
}

/// What the database has of it.
struct Found {
    terms: Terms,
    overrides: Vec<Override>,
    names: BTreeMap<Holder, String>,
    days: Vec<Day>,
    rooms: Vec<Room>,
    exports: Vec<ExportRun>,
}

async fn values(shared: &Arc<Shared>) -> Result<String, Refused> {
    let desk = Arc::clone(&shared.parts.retention);
    let now_ms = ms(shared.now());
    let (settings, zone) = (desk.settings(), desk.zone.clone());
    let annexes = desk.annexes().unwrap_or_default();
    let said = Arc::clone(&annexes);
    let found = answer::ask(shared, move |store| -> Result<Found, StoreError> {
        let keeping = store.keeping();
        Ok(Found {
            terms: in_force(store, (&settings, &said), &zone)?,
            overrides: keeping.overrides()?,
            names: names(store)?,
            days: keeping.days()?,
            rooms: keeping.rooms()?,
            exports: store.exporting().exports(None, EXPORTS)?,
        })
    });
    let Found { terms, overrides, names, days, rooms, exports } = found.await?;
    let settings = desk.settings();
    let bins = settings.bins;
    let set: BTreeMap<Holder, Override> =
        overrides.into_iter().map(|one| (one.holder, one)).collect();
    let holders: BTreeSet<Holder> = set.keys().chain(annexes.keys()).copied().collect();
    let overrides: Vec<Value> = holders
        .into_iter()
        .map(|of| shown((of, names.get(&of)), set.get(&of), annexes.get(&of)))
        .collect();
    let last = desk.last().map(|(at, report)| {
        let mut last = report.shown();
        if let Some(members) = last.as_object_mut() {
            members.insert("at".to_owned(), json!(time(at)));
        }
        last
    });
    let rooms: Vec<Value> =
        rooms.iter().map(|room| json!({"name": room.name, "bytes": room.bytes})).collect();
    written(&json!({
        "cdr": terms.defaults().cdr, "events": terms.defaults().events,
        "var": terms.defaults().cdr, "sq_failures": settings.failures,
        "ledger": terms.ledger_days(),
        "cdr_before": time(terms.cutoff(terms.defaults().cdr, now_ms)),
        "events_before": time(terms.cutoff(terms.defaults().events, now_ms)),
        "bins": {
            "operations": bins.operations, "var": bins.var, "latencies": bins.latencies,
            "sq": bins.sq,
        },
        "overrides": overrides, "next_run": time(desk.next_ms(now_ms)), "last_run": last,
        "oldest_day": days.first(), "days": days.len(), "bytes": rooms,
        "exports": exports.iter().map(written_down).collect::<Vec<_>>(),
    }))
}

/// A kind of a day as it was written into a file.
fn written_down(run: &ExportRun) -> Value {
    json!({
        "day": run.day, "kind": run.kind, "by": run.by, "state": run.state.as_str(),
        "rows": run.rows, "blake3": run.blake3, "first": run.first, "last": run.last,
        "file": run.file, "started_at": time(run.started_ms), "ended_at": run.ended_ms.map(time),
    })
}

/// What is in force of one object, and who has said it.
fn shown(
    (holder, name): (Holder, Option<&String>),
    set: Option<&Override>,
    annex: Option<&Wanted>,
) -> Value {
    let (scope, id) = words(holder);
    let own = set.map(|one| one.wanted).unwrap_or_default();
    let annex = annex.copied().unwrap_or_default();
    let Wanted { cdr, events, var } = own.over(annex);
    let origin = |own: Option<u32>, annex: Option<u32>| match (own, annex) {
        (Some(_), _) => Some("api"),
        (None, Some(_)) => Some("annex"),
        (None, None) => None,
    };
    json!({
        "scope": scope, "id": id, "name": name, "cdr": cdr, "events": events, "var": var,
        "origin": {
            "cdr": origin(own.cdr, annex.cdr), "events": origin(own.events, annex.events),
            "var": origin(own.var, annex.var),
        },
        "set_at": set.map(|one| time(one.set_ms)),
    })
}

fn names(store: &dyn Store) -> Result<BTreeMap<Holder, String>, StoreError> {
    let mut names = BTreeMap::new();
    for object in store.objects(ObjectKind::Tenant)? {
        names.insert(Holder::Tenant(i64::from(object.id)), object.name);
    }
    for object in store.objects(ObjectKind::Profile)? {
        names.insert(Holder::Profile(i64::from(object.id)), object.name);
    }
    Ok(names)
}

/// An override as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    scope: String,
    id: u32,
    cdr: Option<u32>,
    events: Option<u32>,
    var: Option<u32>,
}

/// Sets the days of a tenant or a profile.
pub(super) async fn set(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    body: HttpBody,
) -> Response {
    let done = async {
        let bad = |text: String| Refused::other(400, "bad-body", text);
        let bytes = to_bytes(body, BODY).await;
        let bytes = bytes.map_err(|_| bad(format!("at most {BODY} bytes")))?;
        let sent: Sent = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let holder = holder(&sent.scope, &sent.id.to_string())?;
        let wanted = Wanted { cdr: sent.cdr, events: sent.events, var: sent.var };
        let given = [sent.cdr, sent.events, sent.var];
        if given.iter().flatten().any(|days| !(1..=DAYS_MOST).contains(days)) {
            return Err(bad(format!("days are 1 to {DAYS_MOST}")));
        }
        if given.iter().all(Option::is_none) {
            return Err(bad("cdr, events or var is needed".to_owned()));
        }
        let object = format!("{}/{}", sent.scope, sent.id);
        let detail = json!({"cdr": sent.cdr, "events": sent.events, "var": sent.var});
        let line = line(&shared, &asker, "retention.set", &object, &detail);
        let one = Override { holder, wanted, set_ms: line.time_ms };
        let room = answer::ask(&shared, move |store| {
            let keeping = store.keeping();
            let known = keeping.overrides()?;
            let new = known.iter().all(|known| known.holder != one.holder);
            if new && known.len() >= OVERRIDES {
                return Ok(false);
            }
            keeping.set_override(&one, &line)?;
            Ok(true)
        });
        if !room.await? {
            let text = format!("at most {OVERRIDES} tenants and profiles");
            return Err(Refused::other(409, "too-many", text));
        }
        shared.parts.retention.changed();
        Ok(())
    };
    told(done.await)
}

/// Takes them away again.
pub(super) async fn drop_one(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path((scope, id)): Path<(String, String)>,
) -> Response {
    let done = async {
        let holder = holder(&scope, &id)?;
        let object = format!("{scope}/{id}");
        let line = line(&shared, &asker, "retention.delete", &object, &json!({}));
        let drop_it = move |store: &dyn Store| store.keeping().drop_override(holder, &line);
        if !answer::ask(&shared, drop_it).await? {
            return Err(Refused::other(404, "no-such-override", "nothing is set here"));
        }
        shared.parts.retention.changed();
        Ok(())
    };
    told(done.await)
}

/// Has the purge run now, or tell what it would do.
pub(super) async fn run(State(shared): State<Arc<Shared>>, asker: Asker, uri: Uri) -> Response {
    let done = async {
        let dry_run = jobs::dry_run(&uri)?;
        if !dry_run {
            note(&shared, &asker, "retention.run", "", &json!({})).await?;
        }
        let known = (Value::Null, ms(shared.now()));
        jobs::begun(&shared, &asker, (Kind::Retention, dry_run, None), known)
    };
    jobs::accepted(done.await)
}

fn told(done: Result<(), Refused>) -> Response {
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

fn holder(scope: &str, id: &str) -> Result<Holder, Refused> {
    let bad = || {
        let text = "tenant or profile, and its DBID";
        Refused::other(400, "bad-scope", text)
    };
    let id: u32 = id.parse().map_err(|_| bad())?;
    match scope {
        "tenant" => Ok(Holder::Tenant(i64::from(id))),
        "profile" => Ok(Holder::Profile(i64::from(id))),
        _ => Err(bad()),
    }
}

const fn words(holder: Holder) -> (&'static str, i64) {
    match holder {
        Holder::Tenant(id) => ("tenant", id),
        Holder::Profile(id) => ("profile", id),
    }
}

fn time(ms: i64) -> Millis {
    Millis(u64::try_from(ms).unwrap_or_default())
}
