//! What the HTTP API asks of the engine: lists in slices, and how much of each limit is used.

use std::collections::BTreeSet;

use rm::CallFilter;
use rm::view::limits;

use crate::world::{CALLER, World, invite, objects, settings, snapshot};

/// Every session once, however the slices fall, and no slice looks at more than its share.
#[test]
fn slices_of_a_list_are_the_whole_list() {
    let mut documents = objects();
    documents[0]["spec"]["policy"] = serde_json::json!({});
    let mut world = World::with(&documents, settings());
    for n in 0..200 {
        world.udp(CALLER, &invite("18005550100", &format!("c{n}")));
    }
    for limit in [1, 7, 1000] {
        let (mut found, mut after, mut slices) = (Vec::new(), None, 0);
        loop {
            let slice = world.proxy.calls(&CallFilter::default(), after, limit);
            assert!(slice.calls.len() <= limit.min(rm::limits::CALLS_LOOKED_AT));
            found.extend(slice.calls.iter().map(|call| call.session));
            slices += 1;
            match slice.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(found.is_sorted(), "in the order of their GUIDs");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 200);
        assert!(slices >= 200 / rm::limits::CALLS_LOOKED_AT);
    }
    let nobody = CallFilter { tenant: Some("nobody".to_owned()), ..CallFilter::default() };
    let slice = world.proxy.calls(&nobody, None, 1000);
    assert!(slice.calls.is_empty() && slice.next.is_some(), "nothing yet, and there are more");
}

#[test]
fn what_is_used_of_a_limit() {
    let mut world = World::new();
    for call in ["a", "b", "c"] {
        world.up("18005550100", call);
    }
    let snapshot = snapshot(&objects());
    let tenant = snapshot.tenant_by_name("acme").unwrap();
    let profile = snapshot.profile_within(tenant, "IVRAppDefault").unwrap();
    let mut all = limits::of_tenant(&snapshot, tenant);
    all.extend(limits::of_profile(&snapshot, profile));
    let sets: Vec<_> = all.iter().map(|limit| limit.set).collect();
    let used = world.proxy.used(&sets);
    let found: Vec<_> =
        all.iter().zip(used).map(|(one, used)| (one.name.as_str(), one.most(), used)).collect();
    assert_eq!(found, [("acme", Some(150), 3), ("IVRAppDefault", None, 3)]);
    assert_eq!((all[0].limit, all[0].level2, all[0].level3), (Some(100), Some(120), Some(150)));
}

/// One call of a sample, and none of the others, shows why it is where it is.
#[test]
fn a_call_of_the_sample_shows_its_trace_while_it_is_up() {
    for (sample, steps) in [(1, true), (0, false)] {
        let mut settings = settings();
        settings.options.trace_sample = sample;
        let mut world = World::with(&objects(), settings);
        let mut up = world.up("18005550100", "t");
        let guid = world.proxy.calls(&CallFilter::default(), None, 1).calls[0].session;
        let leg = world.proxy.call(guid).unwrap().leg[0].clone();
        assert_eq!(leg.trace.is_empty(), !steps);
        if steps {
            let start = serde_json::to_value(&leg.trace).unwrap();
            assert_eq!(start, world.phase("start")[0]["trace"]);
        }
        assert!(world.hang_up(&mut up, "bye").is_some());
        assert!(world.proxy.call(guid).is_none());
    }
}

#[test]
fn decisions_are_told_where_the_log_prints_them() {
    let mut world = World::new();
    world.up("18005550100", "quiet");
    assert!(!world.has_log(20210));
    world.input(rm::Input::TellDecisions(true));
    world.up("18005550100", "told");
    world.udp(CALLER, &invite("4711", "refused"));
    let told: Vec<_> = world.logs.iter().filter(|(id, _)| *id == 20210).collect();
    let call_ids: Vec<&str> = told.iter().map(|(_, fields)| fields[0].1.as_str()).collect();
    assert_eq!(call_ids, ["told@10.1.1.5", "refused@10.1.1.5"]);
    assert!(told[0].1[1].1.contains("\"verdict\":\"chosen\""), "{told:?}");
    assert!(told[1].1[1].1.contains("\"candidate\":\"number 4711\""), "{told:?}");
}
