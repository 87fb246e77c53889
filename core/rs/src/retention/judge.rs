//! Which record comes too late, and which names a day that cannot be (rs.md §2.8, §10).

use model::record::{Record, Refusal};
use model::time::Millis;

use super::{Terms, What};
use crate::fact::{CallFact, Fact, Object, Told};
use crate::key;

/// Ids of the ends that RS itself gives to orphans: they end a call however long ago it fell
/// silent (rs.md §4.9). From anybody else it is an id like any other.
pub const TIMED_OUT: &str = "/cdr.timeout/";
/// How far into the future a day may lie.
const AHEAD_MS: u64 = 86_400_000;

impl Terms {
    /// Why a record is not stored: its time is over, or its day lies outside those that are kept.
    /// `None`: it is. `own`: an RS has written it.
    #[must_use]
    pub fn judge(
        &self,
        (record, own): (&Record, bool),
        fact: &Fact,
        received: Millis,
    ) -> Option<Refusal> {
        let refusal =
            |code, field: &str, text: String| Some(Refusal { code, field: field.to_owned(), text });
        let [first, latest] = key::span(record);
        if latest.0 > received.0.saturating_add(AHEAD_MS) {
            return refusal("bad_time", "guid", format!("{latest} is after tomorrow"));
        }
        let received_ms = ms(received);
        let days = self.days_of(fact);
        let (field, at) = match &fact.told {
            Told::Call(call) => match &call.end {
                Some(end) => ("ended_at", end.ended_ms),
                None => ("time", call.time_ms),
            },
            Told::Event(_) | Told::Quality | Told::Later => ("time", ms(record.time)),
        };
        let is_call = matches!(fact.told, Told::Call(_));
        let of_ours = own && is_call && record.id.contains(TIMED_OUT);
        if !of_ours && at < self.cutoff(days, received_ms) {
            let text = format!("more than the {days} days that such facts are kept");
            return refusal("expired_partition", field, text);
        }
        let day = key::day(first);
        let end_ms = key::start_ms(key::after(day));
        let is_gone = end_ms <= self.cutoff(self.ledger_days(), received_ms);
        if is_gone && self.oldest_live.is_none_or(|oldest| day < oldest) {
            let text = format!("day {day} is no longer kept");
            return refusal("expired_partition", "guid", text);
        }
        None
    }

    /// Takes away the text of an event that is not stored; true: there was one.
    pub fn hush(&self, fact: &mut Fact) -> bool {
        match &mut fact.told {
            Told::Event(event) => self.hush.quiet(event),
            Told::Call(_) | Told::Quality | Told::Later => false,
        }
    }

    /// Days in force for what a record names; one that names neither tenant nor profile may hang
    /// on a call of any.
    fn days_of(&self, fact: &Fact) -> u32 {
        let Told::Call(call) = &fact.told else { return self.longest() };
        if call.tenant.is_empty() && call.profile.is_none() {
            return self.longest();
        }
        let CallFact { tenant, profile, .. } = &**call;
        let profile = profile.as_ref().and_then(|profile| self.id(true, &profile.object));
        let wanted = |id: &i64, is_profile: bool| {
            let holder = if is_profile { super::Holder::Profile } else { super::Holder::Tenant };
            self.overrides.get(&holder(*id)).and_then(|wanted| wanted.of(What::Cdr))
        };
        let own = profile.and_then(|id| wanted(&id, true));
        let path = tenant.iter().rev().filter_map(|tenant| self.id(false, tenant));
        let above = || path.clone().find_map(|id| wanted(&id, false));
        let leaf = tenant.last().and_then(|leaf| self.id(false, leaf));
        let leaf = leaf.filter(|id| self.tenants.contains_key(id));
        own.or_else(above).unwrap_or_else(|| match leaf {
            // ancestors that the record does not name
            Some(leaf) => self.days(What::Cdr, Some(leaf), None),
            // whose it is, or what stands above, may not be known yet
            None => self.longest(),
        })
    }

    /// The id of an object with an override.
    fn id(&self, is_profile: bool, object: &Object) -> Option<i64> {
        let by_name = |name: &String| self.names.get(&(is_profile, name.clone())).copied();
        object.dbid.map(i64::from).or_else(|| object.name.as_ref().and_then(by_name))
    }
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
