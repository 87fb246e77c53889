//! Stage 13: the facts of one call become its row, whatever their order (rs.md §2.9).
//!
//! The state is the set of the call's facts; the row is a pure function of that set. So any
//! permutation, repetition or split of the facts gives the same row, byte for byte. An update that
//! shows nothing is kept as well: another content of its id, or of the one that covers it, may
//! take that one's place (`id_conflict`, rs.md §2.8). Of updates for which there is no room stays
//! what the rules ask of them (`Dropped`) and their values (`leftover`). The state is stored as
//! `call_fact_state`:
//!
//! ```text
//! u8 version · postcard of CallState
//! ```
//!
//! Version 1 has no leftovers at the end; version 2, which versions of RS before them cannot read,
//! is written only where there are some.

mod leftover;
mod order;
mod told;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::correlate::{self, Lender};
use crate::erase::Numbers;
use crate::fact::{CallFact, Object, ProfileFact, UsageFact};
use crate::key::{self, Day, Key};
use crate::limits::{EPOCHS_PER_CALL, FACTS_PER_CALL};
use crate::row::{CallRow, Named, OutcomeRow, OwnerRow, ProfileName, TenantRow, flag};
use model::record::{CallGuid, ComponentType, Phase, Scope};
use model::time::Millis;
use order::{Early, Rank, Verdict};
use values::Shown;

const VERSION: u8 = 2;
/// Without leftovers at the end.
const VERSION_BEFORE: u8 = 1;
const START: u8 = 0;
const UPDATE: u8 = 1;
const END: u8 = 2;

/// What is known of one call.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CallState {
    call_key: Key,
    /// Sorted by id, so that the same facts are the same bytes.
    facts: Vec<CallFact>,
    dropped: Dropped,
    /// The fact whose trace is in `call_trace`.
    trace: Option<Rank>,
    /// Updates that found no room.
    leftovers: Vec<CallFact>,
}

/// What the rules need of updates that found no room.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Dropped {
    flags: u32,
    started_ms: Option<i64>,
    /// Last sign of life by epoch (rule 3).
    alive: BTreeMap<u64, i64>,
    tenant: Option<(Early, Vec<Object>)>,
    profile: Option<(Early, ProfileFact)>,
    usage: Option<(Early, Vec<UsageFact>)>,
}

/// What a fact changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// What becomes of `call_trace`.
    pub trace: Trace,
    /// An RM call lends another tenant or profile than before: the rows of the other calls of
    /// its GUID are to be made again.
    pub lends: bool,
}

/// What becomes of the trace of a call: that of its highest fact that has one is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trace {
    /// It stays as it is.
    #[default]
    Same,
    /// Another one, as JSON.
    New(String),
    /// Its record gave way to another content of its id, which has none. That of a lower fact, if
    /// there was one, is not known any more.
    Gone,
}

/// A stored state that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by a later version.
    #[error("state of version {0}, this program knows 2")]
    Version(u8),
    /// Not a state.
    #[error("damaged state: {0}")]
    Damaged(String),
}

impl CallState {
    /// The state of a call of which nothing is known yet.
    #[must_use]
    pub fn new(call_key: Key) -> Self {
        Self { call_key, ..Self::default() }
    }

    /// Reads `call_fact_state`.
    ///
    /// # Errors
    /// If the bytes are of a later version or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let read = |bytes: &[u8]| {
            postcard::from_bytes(bytes).map_err(|error| DecodeError::Damaged(error.to_string()))
        };
        match bytes.split_first() {
            Some((&VERSION, rest)) => read(rest),
            Some((&VERSION_BEFORE, rest)) => read(&[rest, &[0]].concat()),
            Some((version, _)) => Err(DecodeError::Version(*version)),
            None => Err(DecodeError::Damaged("empty".into())),
        }
    }

    /// The bytes of `call_fact_state`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let plain = self.leftovers.is_empty();
        let version = if plain { VERSION_BEFORE } else { VERSION };
        let bytes = postcard::to_extend(self, vec![version]);
        debug_assert!(bytes.is_ok(), "a state is plain data: {bytes:?}");
        let mut bytes = bytes.unwrap_or_default();
        if plain {
            // the length of none
            bytes.pop();
        }
        bytes
    }

    /// Takes one fact. One with the id of an earlier fact takes its place: the ledger has then
    /// decided for its content (`id_conflict`, rs.md §2.8).
    pub fn apply(&mut self, fact: &CallFact) -> Change {
        if self.is_erased() {
            return self.take(&fact.clone().erased(), FACTS_PER_CALL);
        }
        self.take(fact, FACTS_PER_CALL)
    }

    /// `most`: how many facts are kept apart.
    fn take(&mut self, fact: &CallFact, most: usize) -> Change {
        let lent = self.lender();
        match self.facts.binary_search_by(|known| known.id.cmp(&fact.id)) {
            Ok(at) => self.facts[at] = fact.clone(),
            Err(at) => self.facts.insert(at, fact.clone()),
        }
        let trace = self.take_trace(fact);
        self.make_room(most);
        debug_assert_eq!(crate::invariant::check(&self.row(None)), Ok(()));
        Change { trace, lends: self.lender() != lent }
    }

    fn take_trace(&mut self, fact: &CallFact) -> Trace {
        let rank = Rank::of(fact);
        let own = self.trace.as_ref().is_some_and(|best| best.is_of(&fact.id));
        match &fact.trace {
            Some(trace) if own || self.trace.as_ref().is_none_or(|best| *best <= rank) => {
                self.trace = Some(rank);
                Trace::New(trace.clone())
            }
            None if own => {
                self.trace = None;
                Trace::Gone
            }
            _ => Trace::Same,
        }
    }

    /// Forgets what the call tells of a person, and will whenever a fact comes (rs.md §8).
    pub fn erase(&mut self) {
        self.leave(CallFact::unsaid);
    }

    /// Of each fact this is left.
    fn leave(&mut self, left: impl Fn(CallFact) -> CallFact) {
        self.dropped.flags |= flag::ERASED;
        self.trace = None;
        for facts in [&mut self.facts, &mut self.leftovers] {
            *facts = std::mem::take(facts).into_iter().map(&left).collect();
        }
    }

    /// Erases the call if a fact of it tells one of these numbers; true: it did.
    pub fn erase_of(&mut self, numbers: &Numbers) -> bool {
        let tells = self.tells(numbers);
        if tells {
            self.leave(|fact| {
                let mut fact = fact.erased();
                fact.wipe(numbers);
                fact
            });
        }
        tells
    }

    /// Whether a fact of it tells one of these numbers.
    #[must_use]
    pub fn tells(&self, numbers: &Numbers) -> bool {
        self.facts.iter().chain(&self.leftovers).any(|fact| fact.tells(numbers))
    }

    /// Whether it was erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.dropped.flags & flag::ERASED != 0
    }

    /// Bytes of its facts ([`CallFact::stored_bytes`]): of ends, and of all else.
    #[must_use]
    pub fn stored_bytes(&self) -> (usize, usize) {
        let (mut ends, mut others) = (0, 0);
        for fact in self.facts.iter().chain(&self.leftovers) {
            *(if fact.end.is_some() { &mut ends } else { &mut others }) += fact.stored_bytes();
        }
        (ends, others)
    }

    /// The fact of one record, unless it found no room.
    #[must_use]
    pub fn fact(&self, id: &str) -> Option<&CallFact> {
        self.facts.iter().find(|fact| fact.id == id)
    }

    /// What this call lends to others of its GUID, if it is RM's (rule 7).
    #[must_use]
    pub fn lender(&self) -> Option<Lender> {
        let any = self.facts.first()?;
        let leg = any.leg.filter(|_| any.component_type == ComponentType::Rm.number())?;
        let (tenant, profile) = (self.tenant(), self.profile());
        let lends = !tenant.is_empty() || profile.is_some();
        lends.then(|| Lender {
            day: day(any.values.guid.as_deref(), true, self.started_ms()),
            started_ms: self.started_ms(),
            leg,
            tenant: tenant.to_vec(),
            profile: profile.cloned(),
        })
    }

    /// The call's row. `lender`: the RM call of the same GUID, for calls of other components.
    #[must_use]
    pub fn row(&self, lender: Option<&Lender>) -> CallRow {
        let verdict = Verdict::of(&self.facts, &self.dropped.alive);
        let order = verdict.order(self.facts.iter());
        let own = Shown::identity(&order);
        let shown = match self.leftovers.is_empty() {
            true => Shown::of(&order),
            false => Shown::of(&verdict.order(self.facts.iter().chain(&self.leftovers))),
        };
        let end = verdict.end();
        let lender = lender.filter(|_| own.component_type != ComponentType::Rm.number());
        let path = correlate::tenant(self.tenant(), lender);
        let profile = correlate::profile(self.profile(), lender);
        let (profile_usage, profile_burst) = self.usage_of(Scope::Profile, None);
        let started_ms = self.started_ms();
        let is_leg = own.component_type == ComponentType::Rm.number() && own.leg.is_some();
        let day = day(shown.guid, is_leg, started_ms);
        // whoever may see it by its tenants may see the leg, too
        let led = lender.is_some_and(|lender| lender.day != day && path == lender.tenant);
        CallRow {
            day,
            call_key: self.call_key,
            started_ms,
            answered_ms: shown.answered_ms,
            ended_ms: end.map(|end| end.ended_ms.max(started_ms)),
            duration_ms: end.map(|end| (end.ended_ms - started_ms).max(0)),
            component_type: own.component_type,
            component: Named::from(own.component),
            session_id: own.session_id.to_owned(),
            guid: shown.guid.map(ToOwned::to_owned),
            leg: own.leg,
            epoch: integer(own.epoch),
            call_type: own.call_type,
            tenant: path.last().map(Named::from),
            profile: profile.map(ProfileName::from),
            service: shown.service,
            dn: shown.dn.cloned(),
            local_uri: own.local_uri.to_owned(),
            remote_uri: own.remote_uri.to_owned(),
            call_id: shown.call_id.cloned(),
            call_uuid: shown.call_uuid.cloned(),
            resource_group: shown.resource.and_then(|resource| resource.group.clone()),
            resource_name: shown.resource.and_then(|resource| resource.name.clone()),
            resource_dbid: shown.resource.and_then(|resource| resource.dbid),
            resource_address: shown.resource.and_then(|resource| resource.address.clone()),
            attempts: shown.resource.and_then(|resource| resource.attempts).map(integer),
            end_state: end.map(|end| end.state),
            sip_status: shown.sip_status,
            reason: end.and_then(|end| end.reason.clone()).or_else(|| shown.reason.cloned()),
            policy: shown.policy.cloned(),
            profile_usage,
            profile_burst,
            asr_used: shown.media.and_then(|media| media.asr),
            tts_used: shown.media.and_then(|media| media.tts),
            media: shown.media.map(|media| media.json.clone()),
            origin: shown.origin.cloned(),
            parent_key: shown.parent.and_then(|parent| key::of_rm_session(&parent.session_id)),
            sq_failed: shown.sq_failed,
            config_rev: shown.config_rev.map(integer),
            flags: self.flags(&verdict) | if led { flag::LED } else { 0 },
            extra: shown.extra(),
            tenants: self.tenants(path),
            owners: owners(&shown),
            outcome: outcome(&shown),
        }
    }

    /// Phases of which a record is still to come or was lost (rs.md §6): the end of a call in
    /// progress, the start of one that was answered. What was refused or given up has only an end.
    #[must_use]
    pub fn missing(&self) -> Vec<Phase> {
        let row = self.row(None);
        let started = self.facts.iter().any(|fact| fact.phase == START);
        let mut missing = Vec::new();
        if !started && (row.answered_ms.is_some() || row.ended_ms.is_none()) {
            missing.push(Phase::Start);
        }
        if row.ended_ms.is_none() {
            missing.push(Phase::End);
        }
        missing
    }

    /// The greatest epoch of a fact, and the last instant at which the call is known to have been.
    #[must_use]
    pub fn last_known(&self) -> (u64, i64) {
        let facts = self.facts.iter().map(|fact| (fact.epoch, fact.time_ms));
        let dropped = self.dropped.alive.iter().map(|(epoch, time)| (*epoch, *time));
        let start = (0, self.started_ms());
        let later = |(e, t): (u64, i64), (epoch, time)| (e.max(epoch), t.max(time));
        facts.chain(dropped).fold(start, later)
    }

    /// Rule 5: the smallest start.
    fn started_ms(&self) -> i64 {
        let started = self.facts.iter().map(|fact| fact.started_ms);
        started.chain(self.dropped.started_ms).min().unwrap_or_default()
    }

    /// Rule 6: of the lowest epoch and phase.
    fn tenant(&self) -> &[Object] {
        let facts = self.facts.iter().filter(|fact| !fact.tenant.is_empty());
        let facts = facts.map(|fact| (Early::of(fact), &*fact.tenant));
        let dropped = self.dropped.tenant.iter().map(|(early, tenant)| (early.clone(), &**tenant));
        facts.chain(dropped).min_by(|(a, _), (b, _)| a.cmp(b)).map_or(&[], |(_, tenant)| tenant)
    }

    fn profile(&self) -> Option<&ProfileFact> {
        let facts = self.facts.iter();
        let facts = facts.filter_map(|fact| Some((Early::of(fact), fact.profile.as_ref()?)));
        let dropped = self.dropped.profile.iter().map(|(early, profile)| (early.clone(), profile));
        facts.chain(dropped).min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, profile)| profile)
    }

    fn usage(&self) -> &[UsageFact] {
        let facts = self.facts.iter().filter(|fact| !fact.usage.is_empty());
        let facts = facts.map(|fact| (Early::of(fact), &*fact.usage));
        let dropped = self.dropped.usage.iter().map(|(early, usage)| (early.clone(), &**usage));
        facts.chain(dropped).min_by(|(a, _), (b, _)| a.cmp(b)).map_or(&[], |(_, usage)| usage)
    }

    /// Usage and burst of the profile, or of one tenant.
    fn usage_of(&self, scope: Scope, object: Option<&Object>) -> (Option<i64>, Option<u8>) {
        let same = |usage: &&UsageFact| match object {
            None => true,
            Some(object) => match (usage.object.dbid, object.dbid) {
                (Some(a), Some(b)) => a == b,
                _ => usage.object.name == object.name,
            },
        };
        let mut usages = self.usage().iter().filter(|usage| usage.scope == scope.number());
        usages.find(same).map_or((None, None), |usage| (usage.usage.map(integer), usage.burst))
    }

    fn tenants(&self, path: &[Object]) -> Vec<TenantRow> {
        (0..)
            .zip(path)
            .map(|(depth, tenant)| {
                let (usage, burst) = self.usage_of(Scope::Tenant, Some(tenant));
                TenantRow { tenant: Named::from(tenant), depth, usage, burst }
            })
            .collect()
    }

    fn flags(&self, verdict: &Verdict<'_>) -> u32 {
        let facts = self.facts.iter().fold(self.dropped.flags, |flags, fact| flags | fact.flags);
        let double = if verdict.is_double() { flag::DOUBLE_END } else { 0 };
        let reopened = if verdict.is_reopened() { flag::REOPENED } else { 0 };
        facts | double | reopened
    }

    /// Drops the lowest updates when there are too many facts.
    fn make_room(&mut self, most: usize) {
        while self.facts.len() > most {
            let updates = self.facts.iter().enumerate().filter(|(_, fact)| fact.phase == UPDATE);
            let all = self.facts.iter().enumerate();
            let lowest = updates.min_by_key(|(_, fact)| Rank::of(fact));
            let lowest = lowest.or_else(|| all.min_by_key(|(_, fact)| Rank::of(fact)));
            let Some((at, _)) = lowest else { return };
            let fact = self.facts.remove(at);
            if fact.phase == UPDATE {
                leftover::add(&mut self.leftovers, fact.clone());
            }
            self.dropped.take(fact);
        }
    }
}

impl Dropped {
    fn take(&mut self, fact: CallFact) {
        let early = Early::of(&fact);
        self.flags |= fact.flags;
        self.started_ms = self.started_ms.into_iter().chain([fact.started_ms]).min();
        if fact.phase != END {
            let seen = self.alive.entry(fact.epoch).or_insert(fact.time_ms);
            *seen = fact.time_ms.max(*seen);
            if self.alive.len() > EPOCHS_PER_CALL {
                self.alive.pop_first();
            }
        }
        if !fact.tenant.is_empty() && self.tenant.as_ref().is_none_or(|(first, _)| early < *first) {
            self.tenant = Some((early.clone(), fact.tenant));
        }
        if !fact.usage.is_empty() && self.usage.as_ref().is_none_or(|(first, _)| early < *first) {
            self.usage = Some((early.clone(), fact.usage));
        }
        if let Some(profile) = fact.profile
            && self.profile.as_ref().is_none_or(|(first, _)| early < *first)
        {
            self.profile = Some((early, profile));
        }
    }
}

/// The day of the call.
fn day(guid: Option<&str>, is_leg: bool, started_ms: i64) -> Day {
    let started_at = Millis(u64::try_from(started_ms).unwrap_or_default());
    key::call_day(guid.map(CallGuid::new).as_ref(), is_leg, started_at)
}

fn owners(shown: &Shown<'_>) -> Vec<OwnerRow> {
    let owners = shown.owners.map_or(&[][..], |owners| owners);
    (1..)
        .zip(owners)
        .map(|(n, owner)| OwnerRow {
            n,
            component: Named::from(&owner.component),
            from_ms: owner.from_ms,
        })
        .collect()
}

fn outcome(shown: &Shown<'_>) -> Option<OutcomeRow> {
    let some = shown.result.is_some() || shown.result_reason.is_some() || shown.notes.is_some();
    some.then(|| OutcomeRow {
        result: shown.result,
        reason: shown.result_reason.cloned(),
        notes: shown.notes.cloned(),
    })
}

/// A count as the databases' 64-bit integer.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
