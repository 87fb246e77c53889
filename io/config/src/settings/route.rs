//! `rm.sip.routes`: from which listener a destination is reached.
//!
//! The longest network wins; a destination without route is reached from the first listener of
//! its transport and address family.

use model::config::Network;
use model::config::read::network;
use model::schema::Field;

use super::address::{Listen, Transport, sip_listen};

/// Routes that may be given: what a machine with many interfaces needs, and no more.
const MOST: usize = 256;

/// A static route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The destination.
    pub to: Network,
    /// Index of the listener in `rm.sip.listen`.
    pub listener: usize,
}

pub(super) fn read(field: &Field<'_>, listen: &[Listen]) -> Option<Vec<Route>> {
    let items = field.list()?;
    if items.len() > MOST {
        return field.invalid("list of routes", format_args!("more than {MOST} routes"));
    }
    let mut seen: Vec<(Network, Transport)> = Vec::new();
    let mut routes = Vec::new();
    for item in &items {
        let Some(object) = item.object() else { continue };
        let to = object.require("to", "route").and_then(|to| Some((destination(&to)?, to)));
        let from = object.require("from", "route").and_then(|from| listener(&from, listen));
        object.finish();
        let (Some((to, field)), Some((listener, at))) = (to, from) else { continue };
        if to.ip.is_ipv4() != at.addr.is_ipv4() {
            let reason = format_args!("{} has another address family", at.addr);
            return field.invalid("destination", reason);
        }
        if seen.contains(&(to, at.transport)) {
            return field.invalid("destination", "another route of this transport has it");
        }
        seen.push((to, at.transport));
        routes.push(Route { to, listener });
    }
    Some(routes)
}

fn destination(field: &Field<'_>) -> Option<Network> {
    let found = network(field.text()?);
    found.or_else(|| field.invalid("destination", "expected IP or a network such as 192.0.2.0/24"))
}

/// One of the SIP listeners, by its own words.
fn listener(field: &Field<'_>, listen: &[Listen]) -> Option<(usize, Listen)> {
    let from = sip_listen(field)?;
    let index = listen.iter().position(|one| *one == from);
    let Some(index) = index else {
        return field.invalid("listener", "expected one of rm.sip.listen");
    };
    Some((index, from))
}
