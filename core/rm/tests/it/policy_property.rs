//! Whatever is called, joined, transferred, ended and configured anew: no admitted call is beyond a
//! limit of any level, none is refused that fits, and the sets are those of the calls that are up.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::policies::Case;

/// What is counted, with the profiles whose calls count there.
const OBJECTS: [(&str, &[&str]); 9] = [
    ("Environment", &["north-main", "north-extra", "south-main", "other-main"]),
    ("reseller", &["north-main", "north-extra", "south-main"]),
    ("north", &["north-main", "north-extra"]),
    ("south", &["south-main"]),
    ("other", &["other-main"]),
    ("north-main", &["north-main"]),
    ("north-extra", &["north-extra"]),
    ("south-main", &["south-main"]),
    ("other-main", &["other-main"]),
];
/// Places of those over which the reseller lays limits of its own: over the first, then the second.
const CHILDREN: [usize; 2] = [2, 3];
const CALLS: [&str; 4] = ["north-main", "north-extra", "south-main", "other-main"];
/// Services by the user part that asks for them; without one it is that of the profile.
const SERVICES: [(&str, &str); 4] =
    [("", "voicexml"), ("msml", "msml"), ("ccxml", "ccxml"), ("annc", "announcement")];
/// Services that are limited.
const LIMITED: [&str; 3] = ["voicexml", "msml", "gateway"];

/// Limits of one object.
#[derive(Clone, Debug)]
struct Limits {
    /// With two more burst levels.
    sessions: Option<u8>,
    inbound: Option<u8>,
    outbound: Option<u8>,
    /// Of each of [`LIMITED`]: legs, and legs within a session.
    services: [(Option<u8>, Option<u8>); 3],
}

#[derive(Clone, Debug)]
enum Step {
    Call {
        profile: usize,
        service: usize,
        priority: bool,
    },
    /// In the session of the latest call that has ended, which lingers or is forgotten by now.
    Again {
        service: usize,
    },
    /// In the session of the latest call that was admitted.
    Join {
        service: usize,
    },
    Transfer,
    /// To the outside, in a session of its own.
    Dial {
        profile: usize,
    },
    End,
    Wait(u16),
    /// An object has other limits; one behind the last: what is laid over a child.
    Configure {
        object: usize,
        limits: Limits,
    },
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = || prop::option::weighted(0.3, 0_u8..8);
    let few = || (limit(), prop::option::weighted(0.2, 0_u8..3));
    (limit(), limit(), limit(), [few(), few(), few()]).prop_map(
        |(sessions, inbound, outbound, services)| Limits { sessions, inbound, outbound, services },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let call = (0..CALLS.len(), 0..SERVICES.len(), prop::bool::weighted(0.1));
    let call =
        call.prop_map(|(profile, service, priority)| Step::Call { profile, service, priority });
    let again = (0..SERVICES.len()).prop_map(|service| Step::Again { service });
    let join = (0..SERVICES.len()).prop_map(|service| Step::Join { service });
    let dial = (0..CALLS.len()).prop_map(|profile| Step::Dial { profile });
    let wait = (0_u16..3000).prop_map(Step::Wait);
    let configure = (0..OBJECTS.len() + CHILDREN.len(), limits());
    let configure = configure.prop_map(|(object, limits)| Step::Configure { object, limits });
    let step = prop_oneof![
        6 => call,
        2 => Just(Step::End),
        2 => again,
        2 => join,
        2 => Just(Step::Transfer),
        2 => dial,
        1 => wait,
        1 => configure,
    ];
    prop::collection::vec(step, 1..60)
}

fn policy(limits: &Limits) -> Value {
    let services = LIMITED.iter().zip(&limits.services).map(|(name, (legs, inside))| {
        ((*name).to_owned(), json!({"usage_limit": legs, "per_session": inside}))
    });
    let mut policy = json!({"services": Value::Object(services.collect()),
        "inbound_usage_limit": limits.inbound, "outbound_usage_limit": limits.outbound});
    if let Some(first) = limits.sessions {
        policy["usage_limit"] = first.into();
        policy["burst"] = json!({"level2": first + 1, "level3": first + 2});
    }
    policy
}

/// The policies of all objects; the last limits are those that the reseller lays over.
fn policies(all: &[Limits], rate: u8) -> Vec<(String, Value)> {
    let own = OBJECTS.iter().zip(all);
    let mut policies: Vec<(String, Value)> =
        own.map(|((name, _), one)| ((*name).to_owned(), policy(one))).collect();
    let over = &all[OBJECTS.len()..];
    policies[1].1["children"] = json!({"north": policy(&over[0]), "south": policy(&over[1])});
    policies[0].1["rate_limit"] = rate.into();
    policies
}

/// A leg that is up.
#[derive(Clone, Copy, Debug)]
struct Leg {
    session: usize,
    /// Its session came in.
    inbound: bool,
    profile: usize,
    service: &'static str,
}

/// New sessions that may begin: so many a second, and what is saved up of two seconds.
#[derive(Debug)]
struct Bucket {
    rate: u8,
    /// How many are in it, as of then.
    left: f64,
    then: Duration,
}

impl Bucket {
    fn at(&self, now: Duration) -> f64 {
        let more = (now - self.then).as_secs_f64() * f64::from(self.rate);
        (self.left + more).min(2.0 * f64::from(self.rate))
    }

    /// Figures of the engine are whole nanoseconds.
    fn has(&self, now: Duration) -> bool {
        self.at(now) > 1.0 - 1e-6
    }

    fn take(&mut self, now: Duration) {
        (self.left, self.then) = ((self.at(now) - 1.0).max(0.0), now);
    }
}

/// What must be so.
#[derive(Debug)]
struct Model {
    bucket: Bucket,
    up: Vec<Leg>,
    sessions: usize,
    /// Calls that can be ended, in the order in which they are, and whether they have priority.
    order: VecDeque<(Leg, bool)>,
    /// Of the latest admitted call, and of the latest that has ended.
    latest: Option<Leg>,
    ended: Option<Leg>,
}

impl Model {
    fn new(rate: u8, now: Duration) -> Self {
        let bucket = Bucket { rate, left: 2.0 * f64::from(rate), then: now };
        let (up, order) = (Vec::new(), VecDeque::new());
        Self { bucket, up, sessions: 0, order, latest: None, ended: None }
    }

    fn own<'m>(&'m self, profiles: &'m [&str]) -> impl Iterator<Item = &'m Leg> {
        self.up.iter().filter(move |leg| profiles.contains(&CALLS[leg.profile]))
    }

    fn is_up(&self, session: usize) -> bool {
        self.up.iter().any(|leg| leg.session == session)
    }

    fn sessions_of(&self, profiles: &[&str], inbound: bool) -> usize {
        let own = self.own(profiles).filter(|leg| leg.inbound || !inbound);
        own.map(|leg| leg.session).collect::<BTreeSet<_>>().len()
    }

    fn legs_of(&self, profiles: &[&str], service: &str) -> usize {
        self.own(profiles).filter(|leg| leg.service == service).count()
    }

    fn inside(&self, leg: &Leg) -> usize {
        let own = self.up.iter().filter(|one| one.session == leg.session);
        own.filter(|one| one.service == leg.service).count()
    }

    fn end(&mut self) -> bool {
        // calls of the priority peer have another caller, and stay
        let Some((leg, _)) = self.order.pop_front_if(|(_, priority)| !*priority) else {
            return false;
        };
        let is_it = |one: &Leg| (one.session, one.service) == (leg.session, leg.service);
        let at = self.up.iter().position(is_it).expect("it is up");
        self.up.remove(at);
        self.ended = Some(leg);
        true
    }

    /// The words of all refusals that a leg may get now. Without any there is room for it at every
    /// level, and it is admitted; of the limit within a session the nearest counts, for whatever
    /// has priority too.
    fn against(&self, all: &[Limits], leg: &Leg, priority: bool, now: Duration) -> Vec<&str> {
        let is_full =
            |used: usize, limit: Option<u8>| limit.is_some_and(|most| used >= usize::from(most));
        let is_new = !self.is_up(leg.session);
        let service = LIMITED.iter().position(|one| *one == leg.service);
        let judging = judging(all, leg.profile);
        let near = judging.iter().rev();
        let inside = service.and_then(|at| near.clone().find_map(|one| one.2.services[at].1));
        let mut words = Vec::new();
        let mut full = |is: bool, word: &'static str| words.extend(is.then_some(word));
        full(is_full(self.inside(leg), inside), "session-limit");
        if priority {
            return words;
        }
        full(is_new && !self.bucket.has(now), "rate-limit");
        for (_, profiles, limits) in judging {
            let sessions = limits.sessions.map(|most| most + 2);
            full(is_new && is_full(self.sessions_of(profiles, false), sessions), "usage-limit");
            let inbound = is_full(self.sessions_of(profiles, true), limits.inbound);
            full(is_new && leg.inbound && inbound, "usage-limit");
            let legs = self.legs_of(profiles, leg.service);
            full(leg.service == "gateway" && is_full(legs, limits.outbound), "usage-limit");
            full(is_full(legs, service.and_then(|at| limits.services[at].0)), "service-limit");
        }
        words
    }

    /// What refused a call is as full as it says.
    fn refused(&self, told: &str, leg: &Leg, words: &[&str]) -> Result<(), TestCaseError> {
        let told = format!("{told}, of {words:?}");
        let parts =
            told.split_once(": ").and_then(|(no, policy)| Some((no.split_once(' ')?.1, policy)));
        let Some((word, policy)) = parts else { return Err(TestCaseError::fail(told)) };
        prop_assert!(words.contains(&word), "there is room: {told}");
        let [object, rule, usage, ..] = policy.split(", ").collect::<Vec<_>>()[..] else {
            return Err(TestCaseError::fail(told));
        };
        let name = object.split_once(' ').unwrap().1;
        let (name, rule) = match rule.strip_prefix("children.") {
            Some(rest) => rest.split_once('.').unwrap(),
            None => (name, rule),
        };
        let figures: Vec<usize> = usage.split(" of ").flat_map(str::parse).collect();
        let [used, most] = figures[..] else { return Err(TestCaseError::fail(told)) };
        let (_, profiles) = OBJECTS.iter().find(|(one, _)| *one == name).unwrap();
        let have = match rule {
            "usage_limit" => self.sessions_of(profiles, false),
            "inbound_usage_limit" => self.sessions_of(profiles, true),
            "outbound_usage_limit" => self.legs_of(profiles, "gateway"),
            "rate_limit" => usize::from(self.bucket.rate),
            _ if rule.ends_with("per_session") => self.inside(leg),
            _ => self.legs_of(profiles, leg.service),
        };
        prop_assert!((have, used >= most) == (used, true), "{have} are up: {told}");
        Ok(())
    }
}

/// Who judges a call of a profile, root first, a parent's word behind its child's own.
fn judging(
    all: &[Limits],
    profile: usize,
) -> Vec<(&'static str, &'static [&'static str], &Limits)> {
    let mut judges = Vec::new();
    for (at, (name, profiles)) in OBJECTS.iter().enumerate() {
        if !profiles.contains(&CALLS[profile]) {
            continue;
        }
        judges.push((*name, *profiles, &all[at]));
        if let Some(child) = CHILDREN.iter().position(|child| *child == at) {
            judges.push((*name, *profiles, &all[OBJECTS.len() + child]));
        }
    }
    judges
}

/// What a step asks for: the leg as it would be, whether it has priority, and in the words of
/// [`Case::call`].
fn asked(step: &Step, model: &mut Model) -> Option<(Leg, bool, String)> {
    let live = model.latest.filter(|leg| model.is_up(leg.session));
    let mut fresh = || {
        model.sessions += 1;
        model.sessions
    };
    let (leg, priority, words) = match *step {
        Step::Call { profile, service, priority } => {
            let (user, service) = SERVICES[service];
            let leg = Leg { session: fresh(), inbound: true, profile, service };
            (leg, priority, if priority { format!("{user} priority") } else { user.to_owned() })
        }
        Step::Again { service } => {
            let (user, service) = SERVICES[service];
            (Leg { service, ..model.ended? }, false, format!("{user} again"))
        }
        Step::Join { service } => {
            let (user, service) = SERVICES[service];
            (Leg { service, ..live? }, false, format!("{user} joins"))
        }
        Step::Transfer => {
            (Leg { service: "gateway", ..live? }, false, "transfers to 4711".to_owned())
        }
        Step::Dial { profile } => {
            let leg = Leg { session: fresh(), inbound: false, profile, service: "gateway" };
            (leg, false, "dials 4711".to_owned())
        }
        Step::End | Step::Wait(_) | Step::Configure { .. } => return None,
    };
    Some((leg, priority, format!("{} {}", CALLS[leg.profile], words.trim()).trim().to_owned()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_call_is_admitted_where_there_is_room_and_only_there(
        mut all in prop::collection::vec(limits(), OBJECTS.len() + CHILDREN.len()),
        steps in steps(),
        rate in 1_u8..20,
    ) {
        let mut case = Case::new(&policies(&all, rate));
        let mut model = Model::new(rate, case.world.now.mono);
        for step in steps {
            match &step {
                Step::Wait(ms) => case.world.run(Duration::from_millis((*ms).into())),
                Step::End if model.end() => case.end(1),
                Step::Configure { object, limits } => {
                    all[*object] = limits.clone();
                    case.configure(&policies(&all, rate));
                }
                _ => {}
            }
            if let Some((leg, priority, words)) = asked(&step, &mut model) {
                let now = case.world.now.mono;
                let against = model.against(&all, &leg, priority, now);
                let told = case.call(&words);
                if !told.starts_with("admitted") && !told.starts_with("dialled") {
                    model.refused(&told, &leg, &against)?;
                } else {
                    prop_assert!(against.is_empty(), "{}, beyond {:?}", told, against);
                    if !model.is_up(leg.session) {
                        model.bucket.take(now);
                    }
                    model.up.push(leg);
                    if leg.service != "gateway" {
                        model.order.push_back((leg, priority));
                        model.latest = Some(leg);
                    }
                    model.ended = model.ended.filter(|ended| ended.session != leg.session);
                }
            }
            prop_assert_eq!(case.world.proxy.invariant(), Ok(()));
            let status = case.world.proxy.status();
            let everybody = OBJECTS[0].1;
            let live = (model.sessions_of(everybody, false), model.up.len());
            prop_assert_eq!((status.sessions, status.legs), live);
        }
    }
}
