//! `/api/v1/integrity`: is every record there, and does every call have its end (rs.md §6)? What is
//! judged here is `core/rs`'s matter; this asks the store for the books and shows the verdicts,
//! producer by producer, so that no answer is larger than its page.

mod proof;

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use model::record::Stream;
use model::time::Millis;
use rs::Refused;
use rs::integrity::{Gap, Judged, MINUTE_MS, Told, judge, total};
use serde_json::{Value, json};

use super::answer::{self, respond, written};
use super::audit::time;
use super::limits::{ITEMS, ITEMS_MOST};
use super::{Shared, cursor, native};
use crate::store::custody::ms;
use crate::store::{Books, BooksAsked, FIGURES, Store, StoreError, StreamBooks};

pub(super) use self::proof::proof;

const DAY_MS: i64 = 86_400_000;
/// Longest span of minutes at once: a day of them is read in a moment.
const SPAN_MS: i64 = 7 * DAY_MS;

/// What is asked for.
struct Question {
    from_ms: i64,
    to_ms: i64,
    /// This one only.
    producer: Option<String>,
    /// Producers after this name.
    after: String,
    limit: u32,
    /// What a cursor is bound to.
    bound: String,
    now_ms: i64,
}

/// One producer's books, judged.
struct Own {
    name: String,
    books: Books,
    judged: Vec<Judged>,
}

/// Streams with their gaps, minutes out of balance, and figures of each producer. The first page
/// has what concerns all of them.
pub(super) async fn producers(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let question = Question::read(&shared, &uri)?;
        let (minutes, now_ms) = ((question.from_ms, question.to_ms), question.now_ms);
        let is_first = question.after.is_empty();
        let found = answer::ask(&shared, move |store| {
            let damaged = store.damaged().into_keys().collect::<Vec<_>>();
            let all = if is_first { Some((of_all(store, minutes)?, damaged)) } else { None };
            let (names, more) = question.names(store)?;
            let own = |name: &String| question.own(store, name, &FIGURES);
            let items = names.iter().map(own).collect::<Result<Vec<_>, _>>()?;
            Ok((items, more.then_some(question.bound), all))
        });
        let (items, more, all) = found.await?;
        let shown: Vec<Value> = items.iter().map(|own| producer(own, now_ms)).collect();
        let next = next(&shared, more, items.last().map(|own| &*own.name));
        let mut answer = json!({ "items": shown, "next": next });
        if let Some(((told, double_end, late_lost), damaged)) = all {
            let sum = total(&told, minutes.0);
            answer["total"] = json!({
                "calls_in": sum.calls_in, "records_out": sum.records_out,
                "in_progress_before": sum.in_progress.0, "in_progress_after": sum.in_progress.1,
                "difference": sum.difference,
            });
            answer["double_end"] = double_end.into();
            answer["late_lost"] = late_lost.into();
            answer["damaged_days"] = json!(damaged);
            answer["spool_damage"] = json!(shared.parts.monitor.lost.all());
        }
        written(&answer)
    };
    respond(answer.await)
}

/// What all producers together told of the minutes; calls with two ends; facts that came too late.
fn of_all(store: &dyn Store, minutes: (i64, i64)) -> Result<(Vec<Told>, u64, u64), StoreError> {
    let told = store.sums((minutes.0 - MINUTE_MS, minutes.1))?;
    let figures = &["double_end"];
    let asked = BooksAsked { producer: None, minutes: (0, 0), heard_ms: None, figures };
    let doubled = store.books(&asked)?.figures.values().sum();
    let meta = store.bins().map(|bins| bins.meta()).transpose()?;
    Ok((told, doubled, meta.map_or(0, |meta| rs::rollup::State::of(&meta).late_lost)))
}

/// What each producer told of each minute, and what is stored. A page ends with a producer: it has
/// `limit` minutes or more, if there are so many.
pub(super) async fn minutes(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let question = Question::read(&shared, &uri)?;
        let found = answer::ask(&shared, move |store| {
            let (names, mut more) = question.names(store)?;
            let most = usize::try_from(question.limit).unwrap_or(usize::MAX);
            let (mut items, mut last) = (Vec::new(), None);
            for name in names {
                if items.len() >= most {
                    more = true;
                    break;
                }
                items.extend(question.own(store, &name, &[])?.judged);
                last = Some(name);
            }
            Ok((items, more.then_some(question.bound), last))
        });
        let (items, more, last) = found.await?;
        let items: Vec<Value> = items.iter().map(minute).collect();
        written(&json!({ "items": items, "next": next(&shared, more, last.as_deref()) }))
    };
    respond(answer.await)
}

/// The cursor behind a name, where more follows.
fn next(shared: &Shared, more: Option<String>, last: Option<&str>) -> Option<String> {
    let (bound, last) = (more?, last?);
    Some(cursor::seal_name(&shared.cursor_key, &bound, last, shared.now()))
}

impl Question {
    /// The last day unless told otherwise.
    fn read(shared: &Shared, uri: &Uri) -> Result<Self, Refused> {
        let now_ms = ms(shared.now());
        let (mut from, mut to, mut producer) = (None, None, None);
        let (mut limit, mut at) = (ITEMS, None);
        let mut filter = Vec::new();
        for (name, value) in native::pairs(uri.query().unwrap_or_default())? {
            match name.as_str() {
                "from" => from = Some(time(&name, &value)?),
                "to" => to = Some(time(&name, &value)?),
                "producer" => producer = Some(value.clone()),
                "limit" => {
                    let number = value.parse().ok().filter(|n| (1..=ITEMS_MOST).contains(n));
                    let message = || format!("limit is 1 to {ITEMS_MOST}");
                    limit = number
                        .ok_or_else(|| Refused::parameter("bad-integer", message(), &["limit"]))?;
                    continue;
                }
                "cursor" => {
                    at = Some(value);
                    continue;
                }
                _ => return Err(native::unknown_parameter(&name)),
            }
            filter.push(format!("{name}={value}"));
        }
        filter.sort();
        let bound = format!("{}?{}", uri.path(), filter.join("&"));
        let open = |at: String| cursor::open_name(&shared.cursor_key, &bound, &at, shared.now());
        let after = at.map(open).transpose()?.unwrap_or_default();
        let to_ms = to.unwrap_or(now_ms);
        let from_ms = from.unwrap_or_else(|| to_ms.saturating_sub(DAY_MS));
        if from_ms >= to_ms {
            let message = "from is not before to";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        if to_ms - from_ms > SPAN_MS {
            let message = "at most seven days at once";
            return Err(Refused::parameter("span-too-long", message, &["from", "to"]));
        }
        let from_ms = from_ms - from_ms.rem_euclid(MINUTE_MS);
        Ok(Self { from_ms, to_ms, producer, after, limit, bound, now_ms })
    }

    /// The producers of this page, and whether more follow.
    fn names(&self, store: &dyn Store) -> Result<(Vec<String>, bool), StoreError> {
        if let Some(name) = &self.producer {
            return Ok((vec![name.clone()], false));
        }
        let mut names = store.producers(&self.after, self.limit + 1)?;
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = names.len() > most;
        names.truncate(most);
        Ok((names, more))
    }

    fn own(
        &self,
        store: &dyn Store,
        name: &str,
        figures: &'static [&'static str],
    ) -> Result<Own, StoreError> {
        let minutes = (self.from_ms, self.to_ms);
        let heard_ms = Some(self.from_ms);
        let producer = Some(name.to_owned());
        let books = store.books(&BooksAsked { producer, minutes, heard_ms, figures })?;
        Ok(Own::judge(name, books, minutes, self.now_ms))
    }
}

impl Own {
    fn judge(name: &str, books: Books, (from_ms, _): (i64, i64), now_ms: i64) -> Self {
        let (told, stored) = (&books.told, &books.stored);
        let mut judged = judge(told, stored, &books.first, from_ms, now_ms);
        judged.sort_by_key(|row| (row.told.minute_ms, row.told.boot));
        Self { name: name.to_owned(), books, judged }
    }
}

fn producer(own: &Own, now_ms: i64) -> Value {
    let Own { name, books, judged } = own;
    let streams: Vec<Value> = books.streams.iter().map(|books| stream(books, now_ms)).collect();
    let faults = judged.iter().filter(|row| row.fault.is_some());
    let faults: Vec<Value> = faults.map(minute).collect();
    let figure = |figure: &str| {
        books.figures.get(&(figure.to_owned(), name.clone())).copied().unwrap_or_default()
    };
    json!({
        "producer": name, "streams": streams, "minutes": faults,
        "unsequenced": figure("unsequenced"), "duplicates": figure("duplicate"),
        "id_conflicts": figure("id_conflict"), "misrouted": figure("misrouted"),
        "stored": figure("stored"),
    })
}

fn stream(books: &StreamBooks, now_ms: i64) -> Value {
    let open = books.gaps.iter().filter(|gap| gap.is_open(now_ms));
    let gaps: Vec<Value> = open
        .map(|Gap { from, to, since_ms }| json!({"from": from, "to": to, "since": at(*since_ms)}))
        .collect();
    json!({
        "stream": Stream::from_number(books.stream), "boot": books.boot,
        "max_seq": books.max_seq, "announced_seq": books.announced_seq, "gaps": gaps,
        "duplicates": books.duplicates, "first_at": at(books.seen_ms.0),
        "last_at": at(books.seen_ms.1),
    })
}

fn minute(row: &Judged) -> Value {
    let told = &row.told;
    json!({
        "producer": told.producer, "boot": told.boot, "minute": at(told.minute_ms),
        "calls_in": told.calls_in, "records_out": told.records_out,
        "adopted_in": told.adopted_in, "handed_out": told.handed_out,
        "rejected": told.rejected, "in_progress": told.in_progress, "stored": row.stored,
        "difference": row.difference, "fault": row.fault.map(rs::integrity::Fault::as_str),
    })
}

fn at(ms: i64) -> Millis {
    Millis(u64::try_from(ms).unwrap_or_default())
}
