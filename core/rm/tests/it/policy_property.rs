//! Whatever is called, ended and configured: no admitted call is beyond a limit of any level, and
//! the sets are those of the calls that are up.

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
const CALLS: [&str; 4] = ["north-main", "north-extra", "south-main", "other-main"];
const SERVICES: [&str; 3] = ["", "msml", "ccxml"];

/// Limits of one object: sessions with two more burst levels, inbound sessions, legs of msml.
type Limits = (Option<u8>, Option<u8>, Option<u8>);

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
    End,
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let call = (0..CALLS.len(), 0..SERVICES.len(), prop::bool::weighted(0.1));
    let call =
        call.prop_map(|(profile, service, priority)| Step::Call { profile, service, priority });
    let again = (0..SERVICES.len()).prop_map(|service| Step::Again { service });
    let wait = (0_u16..3000).prop_map(Step::Wait);
    let step = prop_oneof![6 => call, 2 => Just(Step::End), 2 => again, 1 => wait];
    prop::collection::vec(step, 1..60)
}

fn limits() -> impl Strategy<Value = Vec<Limits>> {
    let limit = || prop::option::weighted(0.4, 0_u8..8);
    prop::collection::vec((limit(), limit(), limit()), OBJECTS.len())
}

fn policy((sessions, inbound, msml): Limits) -> Value {
    let mut policy = json!({"services": {"msml": {"usage_limit": msml}},
        "inbound_usage_limit": inbound});
    if let Some(first) = sessions {
        policy["usage_limit"] = first.into();
        policy["burst"] = json!({"level2": first + 1, "level3": first + 2});
    }
    policy
}

/// A call that is up: its profile and service, and whether limits could refuse it.
type Live = (usize, usize, bool);

/// How many of these calls count for an object: all, those of msml.
fn counted(up: &[Live], profiles: &[&str]) -> (usize, usize) {
    let own = |live: &&Live| profiles.contains(&CALLS[live.0]);
    let all = up.iter().filter(own);
    (all.clone().count(), all.filter(|live| SERVICES[live.1] == "msml").count())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_call_is_beyond_a_limit(
        all in limits(),
        over in limits(),
        steps in steps(),
        rate in 1_u8..9,
    ) {
        let names = OBJECTS.map(|(name, _)| name);
        let mut policies: Vec<(String, Value)> =
            names.iter().zip(&all).map(|(name, one)| ((*name).to_owned(), policy(*one))).collect();
        policies[1].1["children"] = json!({"north": policy(over[2]), "south": policy(over[3])});
        policies[0].1["rate_limit"] = (10 * u32::from(rate)).into();
        let mut case = Case::new(&policies);
        let (mut up, mut ended): (Vec<Live>, Option<usize>) = (Vec::new(), None);
        for step in steps {
            let call = match step {
                Step::Wait(ms) => {
                    case.world.run(std::time::Duration::from_millis(ms.into()));
                    None
                }
                // calls of the priority peer have another caller, and stay
                Step::End => {
                    if up.first().is_some_and(|(.., priority)| !priority) {
                        case.end(1);
                        ended = Some(up.remove(0).0);
                    }
                    None
                }
                Step::Call { profile, service, priority: true } => {
                    Some((profile, service, true, " priority"))
                }
                Step::Call { profile, service, .. } => Some((profile, service, false, "")),
                Step::Again { service } => ended.map(|of| (of, service, false, " again")),
            };
            if let Some((profile, service, priority, last)) = call {
                let call = format!("{} {}{last}", CALLS[profile], SERVICES[service]);
                let admitted = case.call(call.trim()).starts_with("admitted");
                if admitted {
                    up.push((profile, service, priority));
                    ended = ended.filter(|_| last != " again");
                }
                for (at, (name, profiles)) in OBJECTS.iter().enumerate() {
                    let judged = [Some(all[at]), [2, 3].contains(&at).then(|| over[at])];
                    let (sessions, msml) = counted(&up, profiles);
                    let own = profiles.contains(&CALLS[profile]) && admitted && !priority;
                    for (most, inbound, legs) in judged.into_iter().flatten().filter(|_| own) {
                        let within = |used: usize, most: Option<u8>| {
                            most.is_none_or(|most| used <= usize::from(most))
                        };
                        prop_assert!(within(sessions, most.map(|most| most + 2)), "{name}");
                        prop_assert!(within(sessions, inbound), "{name} inbound");
                        let is_msml = SERVICES[service] == "msml";
                        prop_assert!(!is_msml || within(msml, legs), "{name} msml");
                    }
                }
            }
            prop_assert_eq!(case.world.proxy.invariant(), Ok(()));
            prop_assert_eq!(case.world.proxy.status().sessions, up.len());
        }
    }
}
