//! The name service: where names lead, and what it says while it is away. It remembers what it has
//! told to whom: a call may go nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sip::locate::{Choice, Failure, Goal, Targets};
use sip::transport::Transport;

/// What it told is believed for so long.
pub const TTL: Duration = Duration::from_secs(3);
/// A hunt that has begun goes on by what was told before it began (rm.md §7.8).
const HUNT: Duration = Duration::from_secs(21);

/// What is to be told.
pub type Answer = Result<Targets, Failure>;

/// When it was told, and where it leads.
type Told = (Duration, Vec<SocketAddr>);

/// The name service.
#[derive(Debug, Default)]
pub struct Names {
    /// It gives no answer.
    pub away: bool,
    leads: BTreeMap<String, Vec<SocketAddr>>,
    /// The name of every address that ever had one.
    named: BTreeMap<SocketAddr, String>,
    /// What a node was told of a name, and when.
    told: BTreeMap<(&'static str, String), Vec<Told>>,
}

impl Names {
    /// A name leads there from now on, in this order; nowhere without an address.
    pub fn set(&mut self, name: &str, addresses: &[SocketAddr]) {
        for at in addresses {
            self.named.insert(*at, name.to_owned());
        }
        self.leads.insert(name.to_owned(), addresses.to_vec());
    }

    /// What it says now.
    pub fn answer(&self, goal: &Goal) -> Answer {
        if self.away {
            return Err(Failure::Unanswered);
        }
        let name = goal.name().map_or("", |name| name.as_str());
        let transport = goal.transport.unwrap_or(Transport::Udp);
        let choice = |(rank, at): (u32, &SocketAddr)| Choice {
            transport,
            rank,
            weight: 0,
            addresses: vec![*at],
        };
        let leads = self.leads.get(name).into_iter().flatten();
        Targets::of((0..).zip(leads).map(choice).collect()).ok_or(Failure::Nothing)
    }

    /// A node has been told.
    pub fn told(&mut self, now: Duration, node: &'static str, goal: &Goal, answer: &Answer) {
        let (Some(name), Ok(targets)) = (goal.name(), answer) else { return };
        let addresses = targets.iter().map(|target| target.remote).collect();
        let all = self.told.entry((node, name.as_str().to_owned())).or_default();
        // of what is older than a hunt only the latest counts
        let old = all.iter().take_while(|(at, _)| *at + HUNT < now).count();
        all.drain(..old.saturating_sub(1));
        all.push((now, addresses));
    }

    /// A node goes to this address with a request. `anew`: by what it was told last, else by what
    /// it was told before its hunt has begun, or during that.
    ///
    /// # Errors
    /// The address has a name, which does not lead there as far as the node was told.
    pub fn permit(&self, node: &'static str, to: SocketAddr, anew: bool) -> Result<(), String> {
        let Some(name) = self.named.get(&to) else { return Ok(()) };
        let told = self.told.get(&(node, name.clone())).map_or(&[][..], Vec::as_slice);
        let before = if anew { told.len().saturating_sub(1) } else { 0 };
        let told = told.get(before..).unwrap_or_default();
        if told.iter().any(|(_, addresses)| addresses.contains(&to)) {
            return Ok(());
        }
        Err(format!("a request goes to {to}, and {name} was told to be {told:?}"))
    }

    /// Whether a host is one of the names.
    #[must_use]
    pub fn has(&self, host: &str) -> bool {
        self.leads.contains_key(host)
    }
}
