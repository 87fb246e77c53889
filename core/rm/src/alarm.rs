//! Alarms of the engine, in one list (rm.md §12.1): the log lines that name them, the gauge and
//! `/v1/alarms` all read it.
//!
//! What happens at calls is kept here until its time is over; what is the state of something, such
//! as a dead resource, is looked up there. Must not judge whether anything is wrong: whoever raises
//! an alarm does.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use model::time::{Millis, Now};
use serde::Serialize;

use crate::limits;
use crate::log;
use crate::pool::{Member, Shown};
use crate::proxy::Proxy;

/// One alarm that is raised (`GET /v1/alarms`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Alarm {
    /// Its name, such as `RMResourceDown`.
    pub name: &'static str,
    /// What the object is: `tenant`, `profile`, `group`, `service`, `resource` or `node`; of the
    /// shell also `listener` and `records`.
    pub kind: &'static str,
    /// Name of what it is about; that of a profile with its tenant: `acme/main`.
    pub object: String,
    /// Tells alarms of one object apart.
    #[serde(skip)]
    pub what: &'static str,
    /// Its log line.
    pub log_id: u16,
    /// Raised at.
    pub since: Millis,
    /// How often it has happened since.
    pub count: u64,
    /// The latest cause.
    pub text: String,
}

/// Which alarm; in the order of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// All resources of a group that might take a call are full.
    GroupFull,
    /// A call leads to no profile.
    NoProfile,
    /// More is asked for than the engine can do.
    Overload,
    /// A policy that wants an alarm has refused a call.
    PolicyViolation,
    /// A call found no resource.
    NoResource,
    /// A resource is dead.
    ResourceDown,
}

/// When an alarm is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clears {
    /// The same, and a log line names it again after so long while it stands.
    Told(Duration),
    /// After so long without another cause.
    Without(Duration),
    /// When the state is over that it tells of.
    ByState,
}

impl Name {
    const ALL: [Self; 6] = [
        Self::GroupFull,
        Self::NoProfile,
        Self::Overload,
        Self::PolicyViolation,
        Self::NoResource,
        Self::ResourceDown,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GroupFull => "MCPPortsExceeded",
            Self::NoProfile => "RMMatchingIVRTenantNotFound",
            Self::Overload => "RMOverload",
            Self::PolicyViolation => "RMPolicyViolation",
            Self::NoResource => "RMResourceAllocationFailed",
            Self::ResourceDown => "RMResourceDown",
        }
    }

    const fn clears(self) -> Clears {
        match self {
            Self::NoProfile => Clears::Without(limits::NO_PROFILE_CLEAR),
            Self::Overload => Clears::Without(limits::OVERLOAD_CLEAR),
            Self::PolicyViolation => Clears::Told(limits::POLICY_ALARM),
            Self::NoResource => Clears::Without(limits::NO_RESOURCE_CLEAR),
            Self::GroupFull | Self::ResourceDown => Clears::ByState,
        }
    }
}

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    pub(crate) kind: &'static str,
    /// From the configuration, never from the wire.
    pub(crate) object: String,
    /// Tells objects of one name apart; 0: there are none.
    pub(crate) dbid: u32,
    /// Tells alarms of one object apart.
    pub(crate) what: &'static str,
}

impl About {
    /// The node as a whole, whose name is added where it is shown.
    pub(crate) const NODE: Self = Self::of("node", String::new());

    pub(crate) const fn of(kind: &'static str, object: String) -> Self {
        Self { kind, object, dbid: 0, what: "" }
    }
}

/// Those that were raised, and may be over.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    list: BTreeMap<(Name, About), Raised>,
}

#[derive(Debug)]
struct Raised {
    since: Millis,
    /// Over then; none: see [`Clears::ByState`].
    until: Option<Duration>,
    /// The next log line may name it, if it is one of [`Clears::Told`].
    again: Duration,
    log_id: u16,
    count: u64,
    text: String,
}

impl Raised {
    fn is_over(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Alarms {
    /// A cause for an alarm, told by this log line; true when the line is to name it: it was not
    /// up, or was named long ago. One more than [`limits::ALARMS`] is named by each of its lines,
    /// and kept by nobody.
    pub(crate) fn raise(
        &mut self,
        now: Now,
        (name, about): (Name, About),
        log_id: u16,
        text: impl Display,
    ) -> bool {
        let key = (name, about);
        if self.list.len() >= limits::ALARMS && !self.list.contains_key(&key) {
            self.list.retain(|_, raised| !raised.is_over(now.mono));
            if self.list.len() >= limits::ALARMS {
                return true;
            }
        }
        let (since, again) = (now.wall, now.mono);
        let fresh = || Raised { since, until: None, again, log_id, count: 0, text: "".into() };
        let raised = self.list.entry(key).or_insert_with(fresh);
        if raised.is_over(now.mono) || name.clears() == Clears::ByState {
            (raised.since, raised.count, raised.again) = (since, 0, again);
        }
        let first = raised.count == 0;
        raised.count += 1;
        let (until, named) = match name.clears() {
            Clears::Without(time) => (Some(now.mono + time), first),
            Clears::Told(time) => (Some(now.mono + time), raised.again <= now.mono),
            Clears::ByState => (None, true),
        };
        if let (Some(until), true) = (until, named) {
            raised.again = until;
        }
        raised.until = until;
        raised.text.clear();
        // writing to a String cannot fail
        let _ = write!(raised.text, "{text}");
        named
    }

    /// What it tells of is over.
    pub(crate) fn is_over(&mut self, name: Name, about: About) {
        self.list.remove(&(name, about));
    }

    /// One that is up stays so: what it tells of goes on.
    pub(crate) fn goes_on(&mut self, now: Now, name: Name) {
        let Some(raised) = self.list.get_mut(&(name, About::NODE)) else { return };
        if let Clears::Without(time) = name.clears()
            && !raised.is_over(now.mono)
        {
            raised.until = Some(now.mono + time);
        }
    }
}

impl Proxy {
    /// A part of the alarms that are raised, in no order; none: there are no more parts. Each is
    /// short, so that a turn stays short (rm.md §1.9): part 0 has those of calls and groups, the
    /// others have resources.
    #[must_use]
    pub fn alarms(&self, now: Now, part: usize) -> Option<Vec<Alarm>> {
        let Some(part) = part.checked_sub(1) else { return Some(self.kept_alarms(now).collect()) };
        let mut members = self.pool.configured().skip(part * limits::ALARMS).peekable();
        members.peek()?;
        let dead = members.take(limits::ALARMS).filter(|(_, one)| is_down(one, now.mono));
        Some(dead.map(|(_, member)| down(member)).collect())
    }

    /// Every alarm by its name, and whether it is raised.
    #[must_use]
    pub fn alarm_states(&self, now: Now) -> Vec<(&'static str, bool)> {
        let mut states: Vec<_> = Name::ALL.map(|name| (name.as_str(), false)).into();
        let dead = self.pool.configured().find(|(_, one)| is_down(one, now.mono));
        let down = dead.map(|_| Name::ResourceDown.as_str());
        for name in self.kept_alarms(now).map(|alarm| alarm.name).chain(down) {
            if let Some((_, raised)) = states.iter_mut().find(|(own, _)| *own == name) {
                *raised = true;
            }
        }
        states
    }

    /// Groups that the configuration has given places, or no longer has, are full no more.
    pub(crate) fn forget_free_groups(&mut self, now: Now) {
        let mut alarms = std::mem::take(&mut self.alarms);
        alarms.list.retain(|(name, about), _| {
            *name != Name::GroupFull || self.is_group_full(now, &about.object)
        });
        self.alarms = alarms;
    }

    fn kept_alarms(&self, now: Now) -> impl Iterator<Item = Alarm> {
        let up = move |((name, about), raised): &(&(Name, About), &Raised)| {
            !raised.is_over(now.mono)
                && (*name != Name::GroupFull || self.is_group_full(now, &about.object))
        };
        let shown = move |((name, about), raised): (&(Name, About), &Raised)| Alarm {
            name: name.as_str(),
            kind: about.kind,
            object: match about.object.as_str() {
                "" => self.settings.name.clone(),
                object => object.to_owned(),
            },
            what: about.what,
            log_id: raised.log_id,
            since: raised.since,
            count: raised.count,
            text: raised.text.clone(),
        };
        self.alarms.list.iter().filter(up).map(shown)
    }

    /// No resource of the group takes a call, and some would if they had a free place.
    fn is_group_full(&self, now: Now, name: &str) -> bool {
        let group = self.snapshot.groups().find(|(_, group)| group.name == name);
        group.is_some_and(|(ix, _)| self.pool.is_full(&self.snapshot, ix, now.mono))
    }
}

fn is_down(member: &Member, now: Duration) -> bool {
    member.shown(now) == Shown::Dead
}

fn down(member: &Member) -> Alarm {
    Alarm {
        name: Name::ResourceDown.as_str(),
        kind: "resource",
        object: member.names.name.clone(),
        what: "",
        log_id: log::RESOURCE_DEAD,
        since: member.since,
        count: 1,
        text: member.last_error.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{About, Alarms, Name};
    use crate::limits;
    use model::time::{Millis, Now};
    use std::time::Duration;

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall: Millis(seconds * 1000) }
    }

    fn acme(what: &'static str) -> (Name, About) {
        let about = About { dbid: 7, what, ..About::of("tenant", "acme".to_owned()) };
        (Name::PolicyViolation, about)
    }

    #[test]
    fn of_policies_once_a_minute_for_each_object_and_kind() {
        let mut alarms = Alarms::default();
        let other = (Name::PolicyViolation, About { dbid: 8, ..acme("usage-limit").1 });
        assert!(alarms.raise(at(1), acme("usage-limit"), 20301, ""));
        assert!(!alarms.raise(at(60), acme("usage-limit"), 20301, ""));
        assert!(alarms.raise(at(2), acme("rate-limit"), 20303, ""));
        assert!(alarms.raise(at(2), other, 20301, ""));
        assert!(alarms.raise(at(61), acme("usage-limit"), 20301, ""));
        // it does not go out between two refusals of which only the first was told
        let raised = alarms.list.get(&acme("usage-limit")).unwrap();
        assert_eq!((raised.since, raised.count), (Millis(1_000), 3));
    }

    #[test]
    fn others_until_so_long_without() {
        let mut alarms = Alarms::default();
        let none = |alarms: &mut Alarms, now, text| {
            alarms.raise(now, (Name::NoProfile, About::NODE), 20201, text)
        };
        assert!(none(&mut alarms, at(0), "4711"));
        assert!(!none(&mut alarms, at(119), "4712") && !none(&mut alarms, at(238), "4713"));
        let raised = alarms.list.values().next().unwrap();
        assert_eq!((raised.since, raised.count, &*raised.text), (Millis(0), 3, "4713"));
        assert!(none(&mut alarms, at(358), "4714"));
        let raised = alarms.list.values().next().unwrap();
        assert_eq!((raised.since, raised.count), (Millis(358_000), 1));
    }

    #[test]
    fn what_goes_on_keeps_its_alarm_and_does_not_raise_it_again() {
        let mut alarms = Alarms::default();
        let raise = |alarms: &mut Alarms, now| {
            alarms.raise(now, (Name::Overload, About::NODE), 20111, "queue-age")
        };
        assert!(raise(&mut alarms, at(0)));
        alarms.goes_on(at(9), Name::Overload);
        assert!(!raise(&mut alarms, at(18)));
        alarms.goes_on(at(28), Name::Overload);
        assert!(raise(&mut alarms, at(29)), "it was over");
    }

    #[test]
    fn never_too_many_and_old_ones_make_room() {
        let mut alarms = Alarms::default();
        let raise = |alarms: &mut Alarms, now, number: u32| {
            let about = About { dbid: number, ..About::of("group", "mcp".to_owned()) };
            alarms.raise(now, (Name::NoResource, about), 20401, "")
        };
        for number in 0..2_000 {
            assert!(raise(&mut alarms, at(0), number));
        }
        assert_eq!(alarms.list.len(), limits::ALARMS);
        assert!(!raise(&mut alarms, at(1), 3), "known ones go on");
        assert!(raise(&mut alarms, at(60), 5_000));
        assert_eq!(alarms.list.len(), 2);
    }
}
