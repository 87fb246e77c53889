//! The reference model: what really happened to every call, as its parties know it, and what the
//! report must therefore say.
//!
//! It knows nothing of the product's state. What a crash may have cost (a record that was not on
//! disk yet, an attempt that was never written) is allowed for calls that it touched, and for no
//! others.

mod call;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rs::CallRow;
use serde_json::Value as Json;

use crate::agent::{Note, Seen};
use crate::reporting::Reporting;
pub use call::CallTruth;

/// A call that was over for so long is not touched by a crash any more: nothing of it is under way.
const SETTLED: Duration = Duration::from_secs(2);

/// All calls, and all records that were made.
#[derive(Debug, Default)]
pub struct Truth {
    calls: BTreeMap<String, CallTruth>,
    /// Made by a run of a node and not durable yet: number and id.
    made: BTreeMap<&'static str, Vec<(u64, String)>>,
    durable: BTreeSet<String>,
    all: BTreeSet<String>,
    /// Resource Managers that crashed.
    pub crashes: u32,
}

impl Truth {
    /// The calls by Call-ID.
    #[must_use]
    pub const fn calls(&self) -> &BTreeMap<String, CallTruth> {
        &self.calls
    }

    /// How many calls were answered with 2xx at the caller.
    #[must_use]
    pub fn answered(&self) -> usize {
        let answered = |call: &&CallTruth| matches!(call.outcome, Some((200..=299, _)));
        self.calls.values().filter(answered).count()
    }

    /// How many of these have priority, are taken outside, name a dialog, or have come back.
    #[must_use]
    pub fn kinds(&self) -> [usize; 4] {
        let is: [fn(&CallTruth) -> bool; 4] = [
            |call| call.priority,
            CallTruth::is_outside,
            |call| !call.names.is_empty(),
            |call| !call.turned.is_empty(),
        ];
        let answered = |call: &&CallTruth| matches!(call.outcome, Some((200..=299, _)));
        is.map(|is| self.calls.values().filter(answered).filter(|call| is(call)).count())
    }

    /// Records that are known to be on a disk.
    #[must_use]
    pub fn durable(&self) -> usize {
        self.durable.len()
    }

    /// A party has seen or done something.
    pub fn note(&mut self, note: Note) {
        let Note { at, who, call, fact } = note;
        let call = self.calls.entry(call).or_default();
        match fact {
            Seen::Placed(placed) => {
                (call.caller, call.meant) = (who, placed.meant);
                (call.priority, call.names) = (placed.priority, placed.names);
            }
            Seen::Turned => call.turned.push(who),
            Seen::Distrusted => call.distrusted = true,
            Seen::Refused(code) => call.refused.push(code),
            Seen::Offered | Seen::HungUp => {}
            Seen::Final(code, reason) => {
                if code >= 300 {
                    call.over = Some(at);
                }
                call.outcome = Some((code, reason));
            }
            Seen::Unanswered => call.unanswered = true,
            Seen::Taken => call.taken.push(who),
            Seen::HangsUp => call.hung_up = call.hung_up.or(Some(who)),
            Seen::ByeAnswered(code) => {
                if code == 200 {
                    call.over = Some(at);
                    call.ended = true;
                    call.let_go = call.let_go.or(Some(at));
                }
            }
            Seen::Cancels => call.cancelled = true,
            Seen::Vanishes => call.vanished = true,
        }
    }

    /// The 200 to the BYE of this call has left without the record: a crash may cost it.
    pub fn is_late(&mut self, call: String) {
        self.calls.entry(call).or_default().late = true;
    }

    /// A record was made by a node.
    ///
    /// # Errors
    /// Its id is not new.
    pub fn made(&mut self, node: &'static str, no: u64, json: &Json) -> Result<(), String> {
        let id = json["id"].as_str().unwrap_or_default().to_owned();
        if !self.all.insert(id.clone()) {
            return Err(format!("{node} made two records with the id {id}"));
        }
        self.made.entry(node).or_default().push((no, id));
        Ok(())
    }

    /// A node was told that all records up to this one are on disk.
    pub fn is_durable(&mut self, node: &'static str, upto: u64) {
        let made = self.made.entry(node).or_default();
        let (durable, rest) = std::mem::take(made).into_iter().partition(|(no, _)| *no <= upto);
        *made = rest;
        let durable: Vec<(u64, String)> = durable;
        self.durable.extend(durable.into_iter().map(|(_, id)| id));
    }

    /// A node has crashed: what was not durable may be lost, and calls that were not over may have
    /// lost a record.
    pub fn crashed(&mut self, node: &'static str, now: Duration) {
        self.crashes += 1;
        self.made.remove(node);
        for call in self.calls.values_mut() {
            call.touched |= call.over.is_none_or(|over| over + SETTLED > now);
        }
    }

    /// Everything is over and every line to the report stands: it must say the truth now.
    ///
    /// # Errors
    /// What it says otherwise.
    pub fn compare(&self, report: &Reporting) -> Result<(), String> {
        if let Some(fault) = report.fault() {
            return Err(fault.to_owned());
        }
        if let Some(id) = self.durable.iter().find(|id| !report.has(id)) {
            return Err(format!("a record that was on disk never arrived: {id}"));
        }
        if let Some(id) = report.ids().find(|id| !self.all.contains(*id)) {
            return Err(format!("a record that nobody made: {id}"));
        }
        let mut ends = BTreeMap::new();
        for end in report.ends() {
            let seen: &mut Vec<u64> = ends.entry(&end.session).or_default();
            if seen.contains(&end.epoch) || !(seen.is_empty() || end.rebuilt) {
                return Err(format!("two ends of {}", end.session));
            }
            seen.push(end.epoch);
        }
        let rebuilt = report.ends().iter().filter(|end| end.rebuilt);
        let rebuilt: BTreeSet<&str> = rebuilt.map(|end| end.session.as_str()).collect();
        let mut rows: BTreeMap<String, Vec<CallRow>> = BTreeMap::new();
        for row in report.rows() {
            if row.ended_ms.is_none() {
                return Err(format!("a call never ended in the report: {row:?}"));
            }
            rows.entry(row.call_id.clone().unwrap_or_default()).or_default().push(row);
        }
        for (id, call) in &self.calls {
            let rows = rows.get(id).map_or(&[][..], Vec::as_slice);
            call.compare(rows, &rebuilt)
                .map_err(|what| format!("{id}: {what}\n{call:?}\n{rows:?}"))?;
        }
        Ok(())
    }
}
