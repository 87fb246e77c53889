//! `/api/v1/integrity/proof`: whether a day is complete, for each producer: what billing may rely
//! on.
//!
//! The first time that a day is found complete, a statement of its figures is kept, and stays as it
//! is whatever comes later; with a key it is signed, so that it can be shown to others.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use model::time::Millis;
use rs::Refused;
use rs::integrity::{Gap, JUDGED_AFTER_MS, Judged};
use serde_json::{Value, json};

use super::{DAY_MS, Own};
use crate::api::answer::{self, respond, written};
use crate::api::{Shared, native};
use crate::base64;
use crate::store::custody::ms;
use crate::store::{BooksAsked, Store, StoreError};

/// Producers that are asked for at once.
const PAGE: u32 = 1000;
/// Producers that the answer shows; the statement is of all of them.
const SHOWN: usize = 10_000;

/// Says whether a day is complete; the digest is over the figures of all producers, so that two
/// answers are compared by one line.
pub(in crate::api) async fn proof(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let answer = async {
        let day = day(&uri)?;
        let (from_ms, now_ms) = (day_start(&day)?, ms(shared.now()));
        let rs = shared.parts.settings.name.clone();
        let lost = shared.parts.monitor.lost.all().len();
        let (found, statement) = answer::ask(&shared, move |store| {
            let found = Day { lost, ..Day::look(store, &day, from_ms, now_ms)? };
            if found.is_complete() {
                store.custody().keep_proof(&day, &found.statement(&rs))?;
            }
            Ok((found, store.custody().proof(&day)?))
        })
        .await?;
        let key = shared.parts.settings.proof_key.as_ref();
        let signed = key.zip(statement.as_ref());
        let signature = signed.map(|(key, text)| base64::encode(&key.sign(text.as_bytes())));
        let stands = statement.as_ref().map(|text| found.is_what(text));
        written(&json!({
            "day": found.day, "complete": found.is_complete(), "over": found.over,
            "items": found.items, "producers": found.producers, "digest": found.digest,
            "spool_damage": found.lost, "statement": statement, "stands": stands,
            "signature": signature,
        }))
    };
    respond(answer.await)
}

/// A day as it is now.
struct Day {
    day: String,
    /// It is over, and its last minute is judged.
    over: bool,
    /// Areas of the queue that were lost: nobody knows of which day their records were.
    lost: usize,
    /// Producers of which something is told or stored, and those that are not complete.
    producers: u64,
    incomplete: u64,
    /// `calls_in`, `records_out`, `stored` of all.
    sums: [i64; 3],
    items: Vec<Value>,
    digest: String,
}

impl Day {
    fn look(store: &dyn Store, day: &str, from_ms: i64, now_ms: i64) -> Result<Self, StoreError> {
        let minutes = (from_ms, from_ms + DAY_MS);
        let over = now_ms >= minutes.1 + JUDGED_AFTER_MS;
        let mut all = Self {
            day: day.to_owned(),
            over,
            lost: 0,
            producers: 0,
            incomplete: 0,
            sums: [0; 3],
            items: Vec::new(),
            digest: String::new(),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(day.as_bytes());
        let mut after = String::new();
        loop {
            let names = store.producers(&after, PAGE)?;
            let Some(last) = names.last() else { break };
            after.clone_from(last);
            for name in names {
                let (producer, heard_ms) = (Some(name.clone()), Some(from_ms));
                let asked = BooksAsked { producer, minutes, heard_ms, figures: &[] };
                let own = Own::judge(&name, store.books(&asked)?, minutes, now_ms);
                if !own.judged.is_empty() {
                    let item = all.add(&own);
                    hasher.update(item.to_string().as_bytes());
                    if all.items.len() < SHOWN {
                        all.items.push(item);
                    }
                }
            }
        }
        all.digest = hasher.finalize().to_hex().to_string();
        Ok(all)
    }

    /// One producer's day. A gap counts whenever it began: records of that day may be in it. How
    /// many are missing is what producers' numbers say, so no sum of them decides anything.
    fn add(&mut self, own: &Own) -> Value {
        let gaps = || own.books.streams.iter().flat_map(|stream| &stream.gaps);
        let missing = gaps().map(Gap::records).fold(0, u64::saturating_add);
        let unbalanced = own.judged.iter().filter(|row| row.fault.is_some()).count();
        let complete = gaps().next().is_none() && unbalanced == 0;
        let sum =
            |figure: fn(&Judged) -> i64| own.judged.iter().map(figure).fold(0, i64::saturating_add);
        let figures: [fn(&Judged) -> i64; 3] =
            [|row| row.told.calls_in, |row| row.told.records_out, |row| row.stored];
        let [calls_in, records_out, stored] = figures.map(sum);
        for (all, one) in self.sums.iter_mut().zip([calls_in, records_out, stored]) {
            *all = all.saturating_add(one);
        }
        self.producers += 1;
        self.incomplete += u64::from(!complete);
        json!({
            "producer": own.name, "complete": complete, "calls_in": calls_in,
            "records_out": records_out, "stored": stored, "missing_records": missing,
            "minutes_out_of_balance": unbalanced,
        })
    }

    const fn is_complete(&self) -> bool {
        self.over && self.lost == 0 && self.producers > 0 && self.incomplete == 0
    }

    /// The figures of a day that is complete, as one line of JSON.
    fn statement(&self, rs: &str) -> String {
        let [calls_in, records_out, stored] = self.sums;
        let statement = json!({
            "day": self.day, "complete": true, "rs": rs, "producers": self.producers,
            "calls_in": calls_in, "records_out": records_out, "stored": stored,
            "digest": self.digest,
        });
        statement.to_string()
    }

    /// Whether a statement says what is there now.
    fn is_what(&self, statement: &str) -> bool {
        let kept: Value = serde_json::from_str(statement).unwrap_or_default();
        self.is_complete() && kept["digest"] == *self.digest
    }
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
