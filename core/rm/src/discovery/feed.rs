//! One name of one group: when it is asked for, and who was in its answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::config::{
    Discovery as Wanted, GroupIx, ResourceAddress, ResourceHost, ResourceTransport,
};
use model::id::Dbid;
use model::snapshot::Found;
use sip::locate::{Failure, Listing, Member};
use sip::transport::Transport;

use super::name_of;

/// So many answers in a row without it, and a member has gone.
const MISSED: u8 = 3;

/// What one name has told for one group.
#[derive(Debug)]
pub(super) struct Feed {
    group: Dbid,
    pub(super) listing: Listing,
    /// Where the group stands in the configuration, and what it says.
    configured: Option<(GroupIx, Wanted)>,
    /// It is being asked for.
    pub(super) open: bool,
    /// When it is asked for next; of an open question, when it has failed.
    pub(super) due: Duration,
    /// The last question failed.
    failing: bool,
    members: BTreeMap<String, Seen>,
}

/// One member.
#[derive(Debug)]
struct Seen {
    at: SocketAddr,
    /// Answers in a row without it.
    missed: u8,
    /// Since when it has gone.
    gone: Option<Duration>,
}

impl Feed {
    /// One that is asked for at once.
    pub(super) fn new(group: Dbid, listing: Listing, now: Duration) -> Self {
        Self {
            group,
            listing,
            configured: None,
            open: false,
            due: now,
            failing: false,
            members: BTreeMap::new(),
        }
    }

    pub(super) fn is(&self, group: Dbid, listing: &Listing) -> bool {
        self.group == group && self.listing == *listing
    }

    pub(super) fn configured(self, group: GroupIx, wanted: Wanted) -> Self {
        Self { configured: Some((group, wanted)), ..self }
    }

    /// It is being asked for, and has to be answered by then.
    pub(super) fn ask(&mut self, until: Duration) -> Listing {
        (self.open, self.due) = (true, until);
        self.listing.clone()
    }

    /// An answer, or that there was none; gives back the name if it has begun to fail. An empty
    /// answer is a failure, and a failure says nothing about members.
    pub(super) fn note(
        &mut self,
        now: Duration,
        found: Result<&[Member], Failure>,
    ) -> Option<String> {
        self.open = false;
        self.due = now + self.configured.as_ref().map_or(Duration::ZERO, |(_, own)| own.refresh);
        let failed = found.is_err() || found.is_ok_and(<[Member]>::is_empty);
        let before = std::mem::replace(&mut self.failing, failed);
        if let Ok(found) = found
            && !failed
        {
            self.take_in(now, found);
        }
        (failed && !before).then(|| self.listing.name.as_str().to_owned())
    }

    fn take_in(&mut self, now: Duration, found: &[Member]) {
        let named = self.named(found);
        for (name, seen) in &mut self.members {
            match named.get(name) {
                Some(member) => {
                    (seen.missed, seen.gone) = (0, None);
                    seen.move_to(member);
                }
                None => {
                    seen.missed = seen.missed.saturating_add(1);
                    if seen.missed >= MISSED {
                        seen.gone.get_or_insert(now);
                    }
                }
            }
        }
        for (name, member) in named {
            // one whose addresses nobody could tell comes with the next answer
            let Some(ip) = first(member).filter(|_| !self.members.contains_key(&name)) else {
                continue;
            };
            let at = SocketAddr::new(ip, member.port);
            self.members.insert(name, Seen { at, missed: 0, gone: None });
        }
    }

    /// The members of an answer by their names. Of two hosts that begin with the same label the one
    /// that is known stays: answers come in any order.
    fn named<'m>(&self, found: &'m [Member]) -> BTreeMap<String, &'m Member> {
        let mut named: BTreeMap<String, &Member> = BTreeMap::new();
        for member in found {
            let Some(name) = name_of(member) else { continue };
            let stays = self.members.get(&name).zip(named.get(&name));
            if !stays.is_some_and(|(seen, other)| seen.is_at(other)) {
                named.insert(name, member);
            }
        }
        named
    }

    /// Forgets those that have gone: without calls at once, with calls when their time is over.
    pub(super) fn sweep(&mut self, now: Duration, has_calls: impl Fn(&str) -> bool) {
        let keep = self.configured.as_ref().map_or(Duration::ZERO, |(_, wanted)| wanted.keep_gone);
        self.members.retain(|name, seen| {
            seen.gone.is_none_or(|since| now.saturating_sub(since) < keep && has_calls(name))
        });
    }

    /// Everybody who is there, by name.
    pub(super) fn members(&self) -> impl Iterator<Item = Found> {
        let tcp = self.listing.transport() == Some(Transport::Tcp);
        self.configured.iter().flat_map(move |(group, wanted)| {
            self.members.iter().map(move |(name, seen)| Found {
                group: *group,
                name: name.clone(),
                address: address(seen.at, tcp),
                capacity: wanted.capacity,
                gone: seen.gone.is_some(),
            })
        })
    }
}

impl Seen {
    fn is_at(&self, member: &Member) -> bool {
        self.at.port() == member.port && member.addresses.contains(&self.at.ip())
    }

    /// It stays at its address as long as the name has that: answers come in any order.
    fn move_to(&mut self, member: &Member) {
        let same = Some(self.at.ip()).filter(|ip| member.addresses.contains(ip));
        if let Some(ip) = same.or_else(|| first(member)) {
            self.at = SocketAddr::new(ip, member.port);
        }
    }
}

/// The first address that is one host's.
fn first(member: &Member) -> Option<IpAddr> {
    let one_host = |ip: &&IpAddr| !ip.is_unspecified() && !ip.is_multicast();
    member.addresses.iter().find(one_host).copied()
}

/// Without TCP written it may go either way, by its size (RFC 3261 §18.1.1).
fn address(at: SocketAddr, tcp: bool) -> ResourceAddress {
    let parameter = if tcp { ";transport=tcp" } else { "" };
    ResourceAddress {
        uri: format!("sip:{at}{parameter}"),
        secure: false,
        host: ResourceHost::Ip(at.ip()),
        port: Some(at.port()),
        transport: tcp.then_some(ResourceTransport::Tcp),
    }
}
