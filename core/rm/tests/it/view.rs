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
