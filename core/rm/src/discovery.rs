//! Media servers that the name service tells (ops.md §3.4): who is asked when, who is there.
//!
//! Between a configuration and the pool: a group that discovers gets its members joined to it, so
//! that every stage knows them as it knows those that are listed. The shell asks; here is decided
//! what an answer means. Must not know calls: whether a member that has gone still has some is
//! told by who sweeps.

mod feed;
mod join;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::config::Discovery as Wanted;
use model::snapshot::{Found, LeftOut, Snapshot};
use sip::locate::{Failure, HostName, Listing, Member};

use crate::limits;
use feed::Feed;

/// The configuration as it is written, and what has been found for it.
#[derive(Debug)]
pub(crate) struct Discovery {
    base: Arc<Snapshot>,
    feeds: Vec<Feed>,
    /// What is joined now.
    found: Vec<Found>,
    /// Who is left out now, so that each is told once.
    left: Vec<LeftOut>,
}

/// A question that became due, and those that nobody has answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) ask: Vec<Listing>,
    /// Names that have begun to fail.
    pub(crate) failing: Vec<String>,
}

impl Discovery {
    pub(crate) fn new(base: Arc<Snapshot>) -> Self {
        Self { base, feeds: Vec::new(), found: Vec::new(), left: Vec::new() }
    }

    /// Takes over a configuration; what was found for a group that stays, stays.
    pub(crate) fn configure(&mut self, now: Duration, base: Arc<Snapshot>) {
        let mut old = std::mem::take(&mut self.feeds);
        for (ix, group) in base.groups() {
            for wanted in &group.discovery {
                let Some(listing) = listing(wanted) else { continue };
                let same = |feed: &Feed| feed.is(group.dbid, &listing);
                let feed = match old.iter().position(same) {
                    Some(at) => old.swap_remove(at),
                    None => Feed::new(group.dbid, listing, now),
                };
                self.feeds.push(feed.configured(ix, wanted.clone()));
            }
        }
        self.base = base;
    }

    /// When something is to be asked, or an answer has failed to come.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.feeds.iter().map(|feed| feed.due).min()
    }

    /// What is to be done now. A question that is open for another group too is not asked twice.
    pub(crate) fn on_due(&mut self, now: Duration) -> Due {
        let mut due = Due::default();
        for at in 0..self.feeds.len() {
            let Some(feed) = self.feeds.get_mut(at).filter(|feed| feed.due <= now) else {
                continue;
            };
            if feed.open {
                due.failing.extend(feed.note(now, Err(Failure::Unanswered)));
                continue;
            }
            let listing = feed.ask(now + limits::NAME_WAIT);
            let asked =
                |(other, feed): (usize, &Feed)| other != at && feed.open && feed.listing == listing;
            if !self.feeds.iter().enumerate().any(asked) {
                due.ask.push(listing);
            }
        }
        due
    }

    /// The name service has spoken; gives back the name if it has begun to fail.
    pub(crate) fn note(
        &mut self,
        now: Duration,
        listing: &Listing,
        found: &Result<Vec<Member>, Failure>,
    ) -> Option<String> {
        let waiting = self.feeds.iter_mut().filter(|feed| feed.open && feed.listing == *listing);
        let told = waiting.map(|feed| feed.note(now, found.as_deref().map_err(|why| *why)));
        told.fold(None, Option::or)
    }

    /// Forgets those that have gone: without calls at once, with calls when their time is over.
    pub(crate) fn sweep(&mut self, now: Duration, has_calls: impl Fn(&str) -> bool) {
        self.feeds.iter_mut().for_each(|feed| feed.sweep(now, &has_calls));
    }

    /// Everybody who is there, in the order of the configuration and their names.
    fn members(&self) -> Vec<Found> {
        self.feeds.iter().flat_map(Feed::members).collect()
    }
}

/// What is asked for; a name that may not be asked for was refused by the configuration.
fn listing(wanted: &Wanted) -> Option<Listing> {
    Some(Listing { name: HostName::parse(&wanted.name)?, port: wanted.port })
}

/// The name of a resource: the first label of its host, else its address, whose colons names may
/// not have.
fn name_of(member: &Member) -> Option<String> {
    let name = match (&member.host, member.addresses.first()) {
        (Some(host), _) => host.as_str().split('.').next()?.to_owned(),
        (None, Some(IpAddr::V4(ip))) => ip.to_string(),
        (None, Some(IpAddr::V6(ip))) => ip.segments().map(|part| format!("{part:x}")).join("-"),
        (None, None) => return None,
    };
    name.starts_with(|first: char| first.is_ascii_alphanumeric()).then_some(name)
}
