//! What a Resource Manager promises by its 200 to a BYE: the record of the end is on its disk, or
//! the answer was held for as long as it may be (rm.md §9.6).
//!
//! It believes nothing that the product says of its disk: it looks at what a crash at this very
//! moment would leave there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use crate::agent::text::{header, method};
use crate::node::Node;

/// So long the answer to a BYE is held at most.
const HELD: Duration = Duration::from_millis(250);

/// The end of a call as its node has recorded it.
#[derive(Debug)]
struct End {
    /// Of the record.
    id: String,
    at: Duration,
}

/// Ends whose BYEs have no answer yet, by node and Call-ID.
#[derive(Debug, Default)]
pub struct Promises {
    /// The whole disk is read for one answer in so many; 0 is 1. The others are believed.
    pub sparse: u64,
    answers: u64,
    ends: BTreeMap<(&'static str, String), End>,
    /// Answers that were given, by node and top Via: one that is sent again promises nothing new,
    /// though another leg of its call may have ended since.
    given: BTreeSet<(&'static str, String)>,
}

/// What an answer to a BYE has promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The record is safe.
    Safe,
    /// It is not, and nobody was to wait any longer.
    Late,
}

impl Promises {
    /// A node has made a record.
    pub fn made(&mut self, node: &'static str, now: Duration, record: &Json) {
        if record["kind"] != "cdr" || record["phase"] != "end" {
            return;
        }
        if let (Some(id), Some(call)) = (record["id"].as_str(), record["call_id"].as_str()) {
            let end = End { id: id.to_owned(), at: now };
            self.ends.insert((node, call.to_owned()), end);
        }
    }

    /// A node has crashed: what it had not answered it will not answer.
    pub fn crashed(&mut self, node: &'static str) {
        self.ends.retain(|(of, _), _| *of != node);
    }

    /// A node sends this message. Gives back the Call-ID of a call whose BYE it answers with 2xx,
    /// and whether its record is safe; `arrived`: the report has the record of this id.
    ///
    /// # Errors
    /// The record is not safe, and the answer was held for less than it may be.
    pub fn sends(
        &mut self,
        node: &Node,
        now: Duration,
        message: &[u8],
        arrived: impl Fn(&str) -> bool,
    ) -> Result<Option<(String, Kept)>, String> {
        let Ok(text) = std::str::from_utf8(message) else { return Ok(None) };
        if !text.starts_with("SIP/2.0 2") || method(text) != "BYE" {
            return Ok(None);
        }
        if !self.given.insert((node.name, header(text, "Via").to_owned())) {
            return Ok(None);
        }
        let call = header(text, "Call-ID").to_owned();
        let Some(End { id, at }) = self.ends.remove(&(node.name, call.clone())) else {
            return Ok(None);
        };
        let held = now - at;
        self.answers += 1;
        let believed = !self.answers.is_multiple_of(self.sparse.max(1)) && held < HELD;
        if believed || arrived(&id) || node.has_safe(now, &id)? {
            return Ok(Some((call, Kept::Safe)));
        }
        if held < HELD {
            let name = node.name;
            return Err(format!(
                "{name}: 200 to the BYE of {call} after {held:?}, and {id} is lost \
                by a crash now"
            ));
        }
        Ok(Some((call, Kept::Late)))
    }
}
