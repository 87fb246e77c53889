//! One call as its parties know it, and what its rows in the report must therefore say.

use std::collections::BTreeSet;
use std::time::Duration;

use rs::CallRow;

use crate::agent::Meant;
use crate::world::wall;

/// Reasons of refusals that have no record (rm.md §1.10).
const UNRECORDED: [&str; 14] = [
    "overload",
    "node-draining",
    "node-not-ready",
    "malformed",
    "untrusted-source",
    "relay-refused",
    "preloaded-route",
    "hops",
    "loop",
    "merged",
    "bad-extension",
    "method",
    "no-dialog",
    "bad-token",
];

/// How the names of those begin that are no resource of anybody.
const OUTSIDE: &str = "host-";

/// One call as its parties know it.
#[derive(Clone, Debug, Default)]
pub struct CallTruth {
    /// Who has placed it.
    pub caller: &'static str,
    /// What it must become.
    pub meant: Option<Meant>,
    /// No limit may refuse it.
    pub priority: bool,
    /// Call-ID of the dialog that it names; empty: none.
    pub names: String,
    /// The token of its dialog was taken for a forged one.
    pub distrusted: bool,
    /// Codes with which called parties have refused it.
    pub refused: Vec<u16>,
    /// Final answer that the caller got: code, and the reason word of a refusal.
    pub outcome: Option<(u16, String)>,
    /// The caller waited in vain.
    pub unanswered: bool,
    /// Called parties that said 2xx, in order.
    pub taken: Vec<&'static str>,
    /// Called parties that have sent it back: it has passed once more.
    pub turned: Vec<&'static str>,
    /// Who said BYE first.
    pub hung_up: Option<&'static str>,
    /// A party has vanished, or lost its power.
    pub vanished: bool,
    /// The caller gave it up.
    pub cancelled: bool,
    /// A BYE got its 200.
    pub ended: bool,
    /// A Resource Manager has sent that 200 before the record of the end was on its disk: it had
    /// waited for as long as it may.
    pub late: bool,
    /// A Resource Manager crashed while it was not over.
    pub touched: bool,
    /// When it was over.
    pub(super) over: Option<Duration>,
    /// When the first 200 to a BYE came: no row of it may end later.
    pub(super) let_go: Option<Duration>,
}

impl CallTruth {
    /// A host outside has taken it.
    pub(super) fn is_outside(&self) -> bool {
        self.taken.iter().any(|who| who.starts_with(OUTSIDE))
    }

    /// Holds its rows of the report against it.
    ///
    /// # Errors
    /// What they say otherwise.
    pub(super) fn compare(&self, rows: &[CallRow], rebuilt: &BTreeSet<&str>) -> Result<(), String> {
        if self.distrusted {
            return Err("its token was good, and was refused".to_owned());
        }
        if self.ended && rows.is_empty() {
            return Err("its BYE got a 200, and no row".to_owned());
        }
        self.is_let_go(rows, rebuilt)?;
        if self.touched {
            return Ok(());
        }
        if rows.len() > 1 + self.turned.len() {
            return Err(format!("one call has {} rows", rows.len()));
        }
        if let Some((code, reason)) = &self.outcome {
            self.deserves(*code, reason)?;
        }
        for row in rows {
            self.became(row)?;
        }
        if !self.turned.is_empty() {
            return self.passed_again(rows);
        }
        match (&self.outcome, rows.first()) {
            (Some((code, reason)), None) => {
                let unrecorded = *code >= 300 && UNRECORDED.contains(&reason.as_str());
                if !unrecorded {
                    return Err(format!("answered with {code} {reason}, and no row"));
                }
            }
            (Some((200..=299, _)), Some(row)) => self.answered(row)?,
            // no state is kept for a stranger: once he is known, the same INVITE again is a call
            (Some((_, reason)), Some(_)) if reason == "untrusted-source" => {}
            (Some((code, _)), Some(row)) => {
                if row.sip_status != Some(*code) || row.answered_ms.is_some() {
                    return Err(format!("refused with {code}, the row says otherwise"));
                }
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Each pass is a leg of its own: that of who has sent it back, and that of who has taken it.
    fn passed_again(&self, rows: &[CallRow]) -> Result<(), String> {
        let answered = || rows.iter().filter(|row| row.answered_ms.is_some());
        let of = |who: &[&str]| {
            let is_it =
                |row: &&CallRow| row.resource_name.as_deref().is_some_and(|own| who.contains(&own));
            answered().filter(is_it).count()
        };
        let (taken, turned) = (of(&self.taken), of(&self.turned));
        match self.outcome {
            Some((200..=299, _)) if answered().count() < 2 || taken == 0 || turned == 0 => {
                Err(format!("answered on both ways, by {taken} and {turned}"))
            }
            Some((code @ 300.., _)) => {
                let is_it = |row: &CallRow| row.sip_status == Some(code);
                let right = rows.iter().any(|row| is_it(row) && row.answered_ms.is_none());
                if right { Ok(()) } else { Err(format!("refused with {code}, no row says so")) }
            }
            _ => Ok(()),
        }
    }

    /// Who got a 200 to a BYE owes nothing more: whatever crashed since, the call has ended by
    /// then. Not where several parties have taken it, since each of them is let go by itself, and
    /// not where a straggler has made a run that knew nothing of it believe that it still is.
    fn is_let_go(&self, rows: &[CallRow], rebuilt: &BTreeSet<&str>) -> Result<(), String> {
        let Some(at) = self.let_go.filter(|_| !self.late && self.taken.len() == 1) else {
            return Ok(());
        };
        let end = i64::try_from(wall(at).0).unwrap_or(i64::MAX);
        let known = rows.iter().filter(|row| !rebuilt.contains(row.session_id.as_str()));
        match known.filter_map(|row| row.ended_ms).find(|ended| *ended > end) {
            Some(ended) => Err(format!("let go by {end}, the row ends at {ended}")),
            None => Ok(()),
        }
    }

    /// Whether its answer can have come about: a called party has said it, or its caller is the
    /// reason, or there is one of ours that fits what it was meant to become.
    fn deserves(&self, code: u16, reason: &str) -> Result<(), String> {
        let nobody = self.meant.is_some_and(|meant| meant.services.is_empty());
        let right = match (code, reason) {
            (200..=299, _) => !nobody && !self.taken.is_empty(),
            (487, _) => self.cancelled,
            (_, "") => self.refused.contains(&code),
            // who joins a session that is long over is a caller of a number that nobody has
            (_, "no-profile") => self.meant.is_none_or(|meant| meant.tenant.is_none()),
            (_, "internal" | "cancelled") => false,
            (_, "usage-limit" | "service-limit" | "rate-limit") if self.priority => false,
            (_, word) => !nobody || UNRECORDED.contains(&word),
        };
        if right { Ok(()) } else { Err(format!("nobody has deserved the answer {code} {reason}")) }
    }

    /// Whether a row names the tenant and the service that it was meant to become.
    fn became(&self, row: &CallRow) -> Result<(), String> {
        let Some(Meant { tenant, services }) = self.meant else { return Ok(()) };
        let told = row.tenant.as_ref().and_then(|one| one.name.as_deref());
        if let (Some(told), Some(tenant)) = (told, tenant)
            && told != tenant
        {
            return Err(format!("it was meant for {tenant}, the row says {told}"));
        }
        let numbers = || services.iter().map(|service| service.number());
        match row.service {
            Some(service) if !numbers().any(|number| number == service) => {
                Err(format!("it was meant as {services:?}, the row says {service}"))
            }
            _ => Ok(()),
        }
    }

    fn answered(&self, row: &CallRow) -> Result<(), String> {
        if row.answered_ms.is_none() {
            return Err("it was answered, the row says not".to_owned());
        }
        let server = row.resource_name.as_deref();
        let is_it = |who: &&str| server.map_or_else(|| who.starts_with(OUTSIDE), |own| own == *who);
        if !self.taken.iter().any(is_it) {
            return Err(format!("taken by {:?}, the row says {server:?}", self.taken));
        }
        Ok(())
    }
}
