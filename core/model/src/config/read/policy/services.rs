//! `services.<svc>` of a policy.

use super::{limit, noted};
use crate::config::{Service, ServicePolicy, ServiceSet};
use crate::schema::{Object, Placed};

/// The services that are not allowed, and what else is said of single ones; what is said of
/// `record` is said of the legs that it makes.
pub(super) fn read(
    policy: &Object<'_>,
    codes: &mut Vec<Placed<i64>>,
) -> (ServiceSet, Vec<ServicePolicy>) {
    let (mut forbidden, mut said) = (ServiceSet::default(), Vec::new());
    let Some(services) = policy.get("services").and_then(|field| field.object()) else {
        return (forbidden, said);
    };
    for service in Service::ALL {
        let Some(object) = services.get(service.as_str()).and_then(|field| field.object()) else {
            continue;
        };
        if object.get("allowed").and_then(|field| field.boolean()) == Some(false) {
            forbidden.insert(service.of_legs());
        }
        let most = |key| object.get(key).and_then(|field| limit(&field)).map(|most| most.value);
        let service = service.of_legs();
        let one = ServicePolicy {
            service,
            usage_limit: most("usage_limit"),
            per_session: most("per_session"),
            respcode: noted(object.get("respcode"), codes),
            forbidden_respcode: noted(object.get("forbidden_respcode"), codes),
        };
        object.finish();
        let nothing = ServicePolicy {
            service,
            usage_limit: None,
            per_session: None,
            respcode: None,
            forbidden_respcode: None,
        };
        match said.iter_mut().find(|said| said.service == service) {
            Some(said) => said.also(&one),
            None if one != nothing => said.push(one),
            None => {}
        }
    }
    services.finish();
    (forbidden, said)
}
