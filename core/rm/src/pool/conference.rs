//! Conferences and where they are (rm.md §3.6, §7.7): the first leg creates an instance on its
//! media server, the others follow it there, the last one ends it.
//!
//! Places that an instance has reserved belong to its server's load until its legs take them. What
//! is kept are sets of legs; numbers are their sizes. Must not choose a server.

use std::collections::{BTreeMap, BTreeSet};

use model::config::Service;
use model::id::Dbid;
use model::map::Map;
use model::time::Millis;
use sip::message::Message;
use sip::uri::{Uri, unescape};
use slab::Slab;

use super::{Member, Pool};

/// Longest id of a conference, in characters (rm.md §3.6).
const LONGEST_ID: usize = 128;
/// Longest name of an instance on the wire (rm.md §1.4).
const LONGEST_NAME: usize = 48;

/// Name of an instance on the wire: the day on which its first leg began, and where.
pub(crate) fn name(started: Millis, (host, port): (&str, u16)) -> String {
    let mut name = started.to_string();
    name.truncate("2026-01-05".len());
    let port = format!(":{port}");
    let room = LONGEST_NAME.saturating_sub(name.len() + 1 + port.len());
    let host =
        host.char_indices().nth(room).map_or(host, |(end, _)| host.get(..end).unwrap_or(host));
    name + "-" + host + &port
}

/// Whether this can be the id of a conference.
fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.chars().count())
}

/// What names a conference: the tenant, the service (`conference` or `msml`), the id with case.
pub(crate) type Key = (Dbid, Service, String);

/// A leg that creates or joins a conference, and what it says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) id: String,
    /// `confmaxsize`: the most legs.
    pub(crate) size: Option<u32>,
    /// `confreserve`: places to be kept for it.
    pub(crate) reserve: u32,
}

/// A conference that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) key: Key,
    /// Its media server.
    pub(crate) member: usize,
    pub(crate) resource: Dbid,
    /// As it stands in Record-Route: `YYYY-MM-DD-HOST:PORT` of its first leg.
    pub(crate) confinstid: String,
    /// The most legs, as its first leg has said; `None`: what its server takes.
    pub(crate) size: Option<u32>,
    pub(crate) reserve: u32,
    /// Keys of its legs.
    pub(crate) legs: BTreeSet<usize>,
}

impl Instance {
    /// A conference that this leg creates on a server if it is not there yet.
    pub(crate) fn new(key: Key, member: usize, resource: Dbid, wish: &Wish, id: String) -> Self {
        Self {
            key,
            member,
            resource,
            confinstid: id,
            size: wish.size,
            reserve: wish.reserve,
            legs: BTreeSet::new(),
        }
    }

    /// What a leg keeps of it besides its id, for a restart: name, size, reserved places.
    pub(crate) fn kept(&self) -> String {
        let size = self.size.map_or_else(String::new, |size| size.to_string());
        format!("{};{size};{}", self.confinstid, self.reserve)
    }

    /// Reserved places that no leg has taken.
    pub(crate) fn unused(&self) -> usize {
        usize::try_from(self.reserve).unwrap_or(usize::MAX).saturating_sub(self.legs.len())
    }

    /// Whether one more leg may join, on a server that takes conferences of this size: that counts
    /// for who has said none.
    pub(crate) fn has_room(&self, of_server: Option<u32>) -> bool {
        let most = self.size.or(of_server);
        most.is_none_or(|most| usize::try_from(most).is_ok_and(|most| self.legs.len() < most))
    }
}

impl Wish {
    /// Reads the Request-URI: `conf=ID`, or `msml=ID`; an escaped character is the same as itself
    /// (RFC 3261 §19.1.4). `None`: no id, or one that is too long.
    pub(crate) fn of(service: Service, message: &Message<'_>) -> Option<Self> {
        let uri = &message.request()?.target;
        let (name, id) = uri.user?.split_once('=')?;
        let own = match service {
            Service::Conference => "conf",
            Service::Msml => "msml",
            _ => return None,
        };
        let id = unescape(id);
        let fits = name.eq_ignore_ascii_case(own) && is_id(&id);
        fits.then(|| Self::with(id.into_owned(), uri))
    }

    /// That of a number which leads to a conference.
    pub(crate) fn of_number(service: Service, id: &str, message: &Message<'_>) -> Option<Self> {
        let uri = &message.request()?.target;
        let fits = service == Service::Conference && is_id(id);
        fits.then(|| Self::with(id.to_owned(), uri))
    }

    /// What a leg has kept of its conference ([`Instance::kept`]), with the name of the instance.
    pub(crate) fn restored(id: &str, kept: &str) -> Option<(Self, String)> {
        let mut parts = kept.split(';');
        let (name, size, reserve) = (parts.next()?, parts.next()?, parts.next()?);
        let wish =
            Self { id: id.to_owned(), size: size.parse().ok(), reserve: reserve.parse().ok()? };
        Some((wish, name.to_owned()))
    }

    fn with(id: String, uri: &Uri<'_>) -> Self {
        let number = |name| uri.param(name).flatten()?.parse().ok();
        Self { id, size: number("confmaxsize"), reserve: number("confreserve").unwrap_or(1).max(1) }
    }

    /// Whether a server has room for a new conference (rm.md §7.7).
    pub(crate) fn fits(&self, member: &Member) -> bool {
        let large = member.conference_size.is_some_and(|most| self.size.unwrap_or(1) > most);
        let all = member.instances.len();
        let many = member
            .conference_count
            .is_some_and(|most| usize::try_from(most).is_ok_and(|most| all >= most));
        let free = member.free_places();
        let tight = free.is_some_and(|free| usize::try_from(self.reserve).is_ok_and(|n| free < n));
        !large && !many && !tight
    }
}

/// All conferences.
#[derive(Debug)]
pub(crate) struct Conferences {
    all: Slab<Instance>,
    by_key: BTreeMap<Key, usize>,
    of_leg: Map<usize, usize>,
}

impl Conferences {
    pub(crate) fn new(seed: u64) -> Self {
        Self { all: Slab::new(), by_key: BTreeMap::new(), of_leg: Map::new(seed) }
    }

    pub(crate) fn find(&self, key: &Key) -> Option<&Instance> {
        self.all.get(*self.by_key.get(key)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// All that live, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Instance)> {
        self.all.iter()
    }

    /// The conference of a leg.
    pub(crate) fn of_leg(&self, leg: usize) -> Option<&Instance> {
        self.all.get(*self.of_leg.get(&leg)?)
    }

    /// A leg has taken its place: into its conference, which it creates where there is none.
    /// Gives back the number of the conference and how many reserved places are unused in it; a leg
    /// on another server than that of the conference is in none.
    pub(crate) fn enter(&mut self, leg: usize, first: Instance) -> Option<(usize, usize)> {
        let member = first.member;
        let number = match self.by_key.get(&first.key) {
            Some(number) => *number,
            None => {
                let key = first.key.clone();
                let number = self.all.insert(first);
                self.by_key.insert(key, number);
                number
            }
        };
        let one = self.all.get_mut(number).filter(|one| one.member == member)?;
        one.legs.insert(leg);
        self.of_leg.insert(leg, number);
        Some((number, one.unused()))
    }

    /// A leg has left: the conference, its server, and the reserved places that are unused now;
    /// none: it has ended.
    pub(crate) fn leave(&mut self, leg: usize) -> Option<(usize, usize, Option<usize>)> {
        let number = self.of_leg.remove(&leg)?;
        let one = self.all.get_mut(number)?;
        one.legs.remove(&leg);
        let (member, unused) = (one.member, one.unused());
        if one.legs.is_empty() {
            let one = self.all.remove(number);
            self.by_key.remove(&one.key);
            return Some((number, member, None));
        }
        Some((number, member, Some(unused)))
    }
}

impl Pool {
    /// A leg that has taken its place belongs to this conference.
    pub(crate) fn enter_conference(&mut self, leg: usize, instance: Instance) {
        let member = instance.member;
        let Some((number, unused)) = self.conferences.enter(leg, instance) else { return };
        if let Some(member) = self.get_mut(member) {
            member.instances.insert(number, unused);
        }
    }

    /// A leg has left its place, and its conference if it was in one.
    pub(super) fn leave_conference(&mut self, leg: usize) {
        let Some((number, member, unused)) = self.conferences.leave(leg) else { return };
        let Some(member) = self.get_mut(member) else { return };
        match unused {
            Some(unused) => member.instances.insert(number, unused),
            None => member.instances.remove(&number),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Conferences, Instance, Wish, name};
    use model::config::Service;
    use model::id::Dbid;
    use model::time::Millis;

    fn wish(service: Service, uri: &str) -> Option<(String, Option<u32>, u32)> {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        Wish::of(service, &message).map(|Wish { id, size, reserve }| (id, size, reserve))
    }

    #[test]
    fn what_a_request_says_of_its_conference() {
        let named = |id: &str, size, reserve| Some((id.to_owned(), size, reserve));
        let conference = Service::Conference;
        for (service, uri, expected) in [
            (conference, "sip:conf=team7@h", named("team7", None, 1)),
            (
                conference,
                "sip:Conf=Team7@h;confmaxsize=20;confreserve=5",
                named("Team7", Some(20), 5),
            ),
            (conference, "sip:conf=t@h;confmaxsize=x;confreserve=0", named("t", None, 1)),
            (conference, "sip:conf=%54eam%207@h", named("Team 7", None, 1)),
            (Service::Msml, "sip:msml=7@h", named("7", None, 1)),
            (Service::Msml, "sip:msml@h", None),
            (Service::Voicexml, "sip:conf=team7@h", None),
        ] {
            assert_eq!(wish(service, uri), expected, "{uri}");
        }
        let of = |id: String| wish(conference, &format!("sip:conf={id}@h")).is_some();
        assert!(of("x".repeat(128)) && of("%41".repeat(128)));
        assert!(!of("x".repeat(129)) && !of("%41".repeat(129)));
    }

    #[test]
    fn the_name_of_an_instance_is_a_day_and_a_place_within_48_characters() {
        let day = Millis(1_767_607_200_000);
        assert_eq!(name(day, ("10.0.0.5", 5060)), "2026-01-05-10.0.0.5:5060");
        let long = name(day, (&"x".repeat(80), 5060));
        assert_eq!((long.len(), long.ends_with("xx:5060")), (48, true), "{long}");
    }

    #[test]
    fn reserved_places_go_to_legs_and_the_last_leg_ends_it() {
        let kept = Wish { id: "t".to_owned(), size: Some(3), reserve: 2 };
        let mut all = Conferences::new(1);
        let key = (Dbid(1), Service::Conference, "t".to_owned());
        let first = || Instance::new(key.clone(), 7, Dbid(9), &kept, "2026-01-05-h:1".to_owned());
        let again = Wish::restored("t", &first().kept());
        assert_eq!(again, Some((kept.clone(), "2026-01-05-h:1".to_owned())));
        assert_eq!(all.enter(1, first()), Some((0, 1)));
        assert_eq!(all.enter(2, first()), Some((0, 0)));
        assert_eq!(all.enter(3, first()), Some((0, 0)));
        assert_eq!(all.enter(4, Instance { member: 8, ..first() }), None, "it is somewhere else");
        assert!(!all.find(&key).unwrap().has_room(None));
        assert!(!all.find(&key).unwrap().has_room(Some(4)), "its own size counts");
        assert_eq!(all.leave(3), Some((0, 7, Some(0))));
        assert_eq!(all.leave(1), Some((0, 7, Some(1))), "its place stays the conference's");
        assert_eq!(all.leave(1), None);
        assert_eq!(all.leave(2), Some((0, 7, None)));
        assert!(all.find(&key).is_none() && all.of_leg(2).is_none());
    }
}
