//! `/api/v1/integrity`: is every record there, and does every call have its end (rs.md §6)? What is
//! judged here is `core/rs`'s matter; this asks the store for the books and shows the verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use model::record::Stream;
use model::time::Millis;
use rs::Refused;
use rs::integrity::{Gap, Judged, judge, total};
use serde_json::{Value, json};

use super::answer::{self, respond, written};
use super::audit::time;
use super::{Shared, native};
use crate::store::custody::ms;
use crate::store::{Books, StreamBooks};

const DAY_MS: i64 = 86_400_000;
/// Longest span of minutes at once: a day of them is read in a moment.
const SPAN_MS: i64 = 7 * DAY_MS;

/// What is asked for.
struct Question {
    from_ms: i64,
    to_ms: i64,
    producer: Option<String>,
    now_ms: i64,
}

/// Streams with their gaps, minutes out of balance, and figures of each producer.
pub(super) async fn producers(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let question = Question::read(&uri, shared.now())?;
        let books = question.ask(&shared).await?;
        let judged = question.judge(&books);
        let mut names: BTreeSet<&str> =
            books.streams.iter().map(|stream| &*stream.producer).collect();
        names.extend(judged.iter().map(|row| &*row.told.producer));
        names.extend(books.figures.keys().map(|(_, producer)| &**producer));
        names.retain(|name| question.wants(name));
        let items = names.iter().map(|name| producer(name, &question, &books, &judged));
        let items: Vec<Value> = items.collect();
        let sum = total(&books.told, question.from_ms);
        let late_lost = answer::ask(&shared, |store| {
            let meta = store.bins().map(|bins| bins.meta()).transpose()?;
            Ok(meta.map_or(0, |meta| rs::rollup::State::of(&meta).late_lost))
        });
        let late_lost = late_lost.await?;
        written(&json!({
            "items": items,
            "total": {
                "calls_in": sum.calls_in, "records_out": sum.records_out,
                "in_progress_before": sum.in_progress.0, "in_progress_after": sum.in_progress.1,
                "difference": sum.difference,
            },
            "double_end": books.double_end, "late_lost": late_lost,
        }))
    };
    respond(answer.await)
}

/// What each producer told of each minute, and what is stored.
pub(super) async fn minutes(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let question = Question::read(&uri, shared.now())?;
        let books = question.ask(&shared).await?;
        let judged = question.judge(&books);
        let items: Vec<Value> = judged.iter().map(minute).collect();
        written(&json!({ "items": items }))
    };
    respond(answer.await)
}

/// Whether a day is complete, for each producer: what billing may rely on. The digest is over the
/// figures that the answer shows, so that two answers are compared by one line.
pub(super) async fn proof(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let now = shared.now();
        let day = day(&uri)?;
        let (from_ms, now_ms) = (day_start(&day)?, ms(now));
        let question = Question { from_ms, to_ms: from_ms + DAY_MS, producer: None, now_ms };
        let books = question.ask(&shared).await?;
        let judged = question.judge(&books);
        let names: BTreeSet<&str> = judged.iter().map(|row| &*row.told.producer).collect();
        let items: Vec<Value> = names.iter().map(|name| of_day(name, &books, &judged)).collect();
        let all = items.iter().all(|item| item["complete"] == true);
        // a day that is not over may still change
        let over = now_ms >= question.to_ms + rs::integrity::JUDGED_AFTER_MS;
        let counts = json!({"day": day, "items": items});
        written(&json!({
            "day": day, "complete": all && over && !items.is_empty(), "over": over,
            "items": items,
            "digest": blake3::hash(counts.to_string().as_bytes()).to_hex().as_str(),
        }))
    };
    respond(answer.await)
}

impl Question {
    /// The last day unless told otherwise.
    fn read(uri: &Uri, now: Millis) -> Result<Self, Refused> {
        let now_ms = ms(now);
        let (mut from, mut to, mut producer) = (None, None, None);
        for (name, value) in native::pairs(uri.query().unwrap_or_default())? {
            match name.as_str() {
                "from" => from = Some(time(&name, &value)?),
                "to" => to = Some(time(&name, &value)?),
                "producer" => producer = Some(value),
                _ => return Err(native::unknown_parameter(&name)),
            }
        }
        let to_ms = to.unwrap_or(now_ms);
        let from_ms = from.unwrap_or_else(|| to_ms.saturating_sub(DAY_MS));
        let minute = from_ms - from_ms.rem_euclid(rs::integrity::MINUTE_MS);
        if from_ms >= to_ms {
            let message = "from is not before to";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        if to_ms - from_ms > SPAN_MS {
            let message = "at most seven days at once";
            return Err(Refused::parameter("span-too-long", message, &["from", "to"]));
        }
        Ok(Self { from_ms: minute, to_ms, producer, now_ms })
    }

    async fn ask(&self, shared: &Arc<Shared>) -> Result<Books, Refused> {
        let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or_default());
        let (from, to) = (time(self.from_ms), time(self.to_ms));
        answer::ask(shared, move |store| store.books(from, to)).await
    }

    fn judge(&self, books: &Books) -> Vec<Judged> {
        let (told, stored) = (&books.told, &books.stored);
        let mut judged = judge(told, stored, &books.first, self.from_ms, self.now_ms);
        judged.retain(|row| self.wants(&row.told.producer));
        judged.sort_by(|a, b| {
            let key = |row: &Judged| (row.told.minute_ms, row.told.producer.clone(), row.told.boot);
            key(a).cmp(&key(b))
        });
        judged
    }

    fn wants(&self, producer: &str) -> bool {
        self.producer.as_deref().is_none_or(|wanted| wanted == producer)
    }
}

fn producer(name: &str, question: &Question, books: &Books, judged: &[Judged]) -> Value {
    let streams = books.streams.iter().filter(|stream| stream.producer == name);
    let streams: Vec<Value> = streams.map(|books| stream(books, question.now_ms)).collect();
    let faults = judged.iter().filter(|row| row.told.producer == name && row.fault.is_some());
    let faults: Vec<Value> = faults.map(minute).collect();
    let figure = |figure: &str| {
        books.figures.get(&(figure.to_owned(), name.to_owned())).copied().unwrap_or_default()
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

/// One producer's day. A gap counts whenever it began: records of that day may be in it.
fn of_day(name: &str, books: &Books, judged: &[Judged]) -> Value {
    let rows = || judged.iter().filter(|row| row.told.producer == name);
    let streams = || books.streams.iter().filter(|stream| stream.producer == name);
    let missing: u64 = streams().flat_map(|stream| &stream.gaps).map(Gap::records).sum();
    let unbalanced = rows().filter(|row| row.fault.is_some()).count();
    let sum = |figure: fn(&Judged) -> i64| rows().map(figure).sum::<i64>();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for books in streams() {
        let stream = Stream::from_number(books.stream).map_or("", Stream::as_str);
        last.insert(format!("{}/{stream}", books.boot), books.max_seq);
    }
    json!({
        "producer": name, "complete": missing == 0 && unbalanced == 0,
        "calls_in": sum(|row| row.told.calls_in), "records_out": sum(|row| row.told.records_out),
        "stored": sum(|row| row.stored), "missing_records": missing,
        "minutes_out_of_balance": unbalanced, "last_seq": last,
    })
}

fn at(ms: i64) -> Millis {
    Millis(u64::try_from(ms).unwrap_or_default())
}

/// `day=2026-11-22`.
fn day(uri: &Uri) -> Result<String, Refused> {
    let mut day = None;
    for (name, value) in native::pairs(uri.query().unwrap_or_default())? {
        if name != "day" {
            return Err(native::unknown_parameter(&name));
        }
        day = Some(value);
    }
    day.ok_or_else(|| bad_day("day names the UTC day, such as 2026-11-22"))
}

fn day_start(day: &str) -> Result<i64, Refused> {
    let start = Millis::parse(&format!("{day}T00:00:00Z"));
    start.map(ms).ok_or_else(|| bad_day("a day is written 2026-11-22"))
}

fn bad_day(message: &str) -> Refused {
    Refused::parameter("bad-datetime", message, &["day"])
}
