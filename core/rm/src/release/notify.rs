//! NOTIFY to the peers that want to know which of their calls were lost with a media server
//! (rm.md §7.10).
//!
//! Out of any dialog and subscription: it tells once, and its answer is of no consequence. It goes
//! as the calls have come, a large one by TCP, and by UDP where TCP is refused (RFC 3261 §18.1.1).

use std::net::{IpAddr, SocketAddr};

use model::id::Guid;
use model::record::Object;
use model::time::{Millis, Now};
use sip::endpoint::ClientOptions;
use sip::locate::Target;
use sip::transport::{Flow, Transport};

use crate::forward::branch::Branch;
use crate::limits::{MTU_RESERVE, NOTIFY_BYTES, NOTIFY_CALLS, RELEASE_LOOKS, UDP_MOST};
use crate::pool::health::Health;
use crate::pool::{Occupant, Walk};
use crate::proxy::{ClientUse, Proxy};
use crate::session::{State, Text};
use crate::settings::{Match, Peer};
use crate::timer::Timer;

/// Bytes of a call in the body besides its texts.
const AROUND: usize = 48;

/// The calls of one dead resource that are still to be looked at, and what was found so far.
#[derive(Debug)]
pub(super) struct Tell {
    /// Key of the resource.
    member: usize,
    walk: Walk,
    found: Vec<Telling>,
}

/// The calls of one peer that were lost, as far as they are to be told.
#[derive(Debug)]
struct Telling {
    /// Its number in the settings.
    peer: usize,
    /// Where one of the calls came from, and how.
    source: Option<Target>,
    calls: Vec<Lost>,
    bytes: usize,
}

#[derive(Debug)]
struct Lost {
    call_id: String,
    session: Guid,
    call_uuid: String,
}

/// A NOTIFY that is under way.
#[derive(Debug)]
pub(crate) struct Notice {
    to: Target,
    body: Vec<u8>,
    /// Where it goes by UDP if its connection is refused.
    plain: Option<SocketAddr>,
}

impl Proxy {
    /// A resource is dead, and its calls are to be told of.
    pub(super) fn begin_tell(&mut self, now: Now, key: usize) {
        if self.releases.tells.iter().any(|one| one.member == key) {
            return;
        }
        let Some(member) = self.pool.get_mut(key) else { return };
        let tell = Tell { member: key, walk: member.begin_walk(), found: Vec::new() };
        self.releases.tells.push_back(tell);
        self.timers.set(now.mono, Timer::Tells);
    }

    /// A resource is not dead, or is gone: its calls are not lost with it.
    pub(super) fn tell_no_more(&mut self, key: usize) {
        let pool = &mut self.pool;
        self.releases.tells.retain(|one| {
            if one.member == key
                && let Some(member) = pool.get_mut(key)
            {
                member.end_walk(one.walk);
            }
            one.member != key
        });
    }

    /// Some more of the calls that are to be told of. How many it has looked at.
    pub(crate) fn on_tell_step(&mut self, now: Now) -> usize {
        let mut looks = 0;
        while looks < RELEASE_LOOKS
            && let Some(mut tell) = self.releases.tells.pop_front()
        {
            looks += 1;
            let member = self.pool.get_mut(tell.member);
            // a new configuration may have said that it lives
            let member = member.filter(|one| one.health == Health::Dead);
            match member.and_then(|one| one.walk_on(tell.walk)) {
                Some(Occupant::Leg(leg)) => {
                    self.tell_lost(now, &mut tell, leg);
                    self.releases.tells.push_front(tell);
                }
                Some(Occupant::Watch(_)) => self.releases.tells.push_front(tell),
                None => self.end_tell(now, tell),
            }
        }
        if !self.releases.tells.is_empty() {
            self.timers.set(now.mono, Timer::Tells);
        }
        looks
    }

    /// All calls of a resource were looked at: what is left leaves.
    fn end_tell(&mut self, now: Now, Tell { member: key, walk, found }: Tell) {
        let Some(member) = self.pool.get_mut(key) else { return };
        member.end_walk(walk);
        if member.health == Health::Dead {
            for telling in found {
                self.tell(now, key, &telling);
            }
        }
    }

    /// A call of a dead resource: told to its peer, if that wants to know. What is enough for one
    /// NOTIFY leaves.
    fn tell_lost(&mut self, now: Now, tell: &mut Tell, key: usize) {
        let Some((session, leg)) = self.table.both(key) else { return };
        let source = leg.texts.get(Text::SourceName);
        let wants = |peer: &Peer| peer.notify_failures && peer.name == source;
        let peer = self.settings.peers.iter().position(wants).filter(|_| leg.state == State::Up);
        let Some(peer) = peer else { return };
        let lost = Lost {
            call_id: leg.texts.get(Text::CallId).to_owned(),
            session: session.guid,
            call_uuid: leg.texts.get(Text::CallUuid).to_owned(),
        };
        let transport = leg.caller_transport;
        let source = leg.texts.get(Text::SourceAddress).parse().ok();
        let source = source.map(|remote| Target { transport, remote });
        let all = &mut tell.found;
        let at = all.iter().position(|one| one.peer == peer).unwrap_or_else(|| {
            all.push(Telling { peer, source: None, calls: Vec::new(), bytes: 0 });
            all.len() - 1
        });
        let Some(own) = all.get_mut(at) else { return };
        own.source = source.or(own.source);
        own.bytes += AROUND + 36 + lost.call_id.len() + lost.call_uuid.len();
        own.calls.push(lost);
        if own.calls.len() >= NOTIFY_CALLS || own.bytes >= NOTIFY_BYTES {
            let full = all.remove(at);
            self.tell(now, tell.member, &full);
        }
    }

    fn tell(&mut self, now: Now, member: usize, telling: &Telling) {
        let Some(peer) = self.settings.peers.get(telling.peer) else { return };
        let Some(to) = place(peer, telling.source) else { return };
        let Some(member) = self.pool.get(member) else { return };
        let body = body(&member.names.name, member.since, &telling.calls);
        let most = usize::from(self.options.mtu).saturating_sub(MTU_RESERVE);
        let Target { transport, remote } = to;
        let large = body.len() > most && self.egress(Transport::Tcp, remote).is_some();
        let (to, plain) = match transport {
            Transport::Udp if large => (Target { transport: Transport::Tcp, remote }, Some(remote)),
            Transport::Udp | Transport::Tls => (to, None),
            Transport::Tcp => (to, Some(declared(peer).unwrap_or(usual(remote.ip())))),
        };
        self.notify(now, Notice { to, body, plain });
    }

    fn notify(&mut self, now: Now, notice: Notice) {
        let Target { transport, remote } = notice.to;
        let Some(listener) = self.egress(transport, remote) else { return };
        let flow = Flow { transport, listener, remote, conn: None };
        let Some(mut bytes) = self.notify_head(now, flow, notice.body.len()) else { return };
        bytes.extend_from_slice(&notice.body);
        if transport == Transport::Udp && bytes.len() > UDP_MOST {
            return;
        }
        let client = self.endpoint.request(now.mono, flow, &bytes, ClientOptions::default());
        let key = self.releases.notices.insert(notice);
        self.clients.insert(client, ClientUse::Notice(key));
    }

    fn notify_head(&mut self, now: Now, flow: Flow, length: usize) -> Option<Vec<u8>> {
        self.branches += 1;
        let guid = Guid::v7(now.wall, &mut self.chance);
        let tag = self.chance.next_u64();
        let listener = self.listener(flow.listener)?;
        let (transport, remote) = (flow.transport, flow.remote);
        let by = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        let hash = self.settings.keys.branch_hash(&[&guid.0]);
        let branch = Branch { node: self.settings.node_id, number: self.branches, hash };
        let ((host, port), (via, via_port)) = (&listener.advertise, &listener.via);
        let head = format!(
            "NOTIFY sip:{remote}{by} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {via}:{via_port};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:rm@{host}:{port}>;tag={tag:016x}\r\n\
             To: <sip:{remote}>\r\n\
             Call-ID: {guid}-{via_port}@{via}\r\n\
             CSeq: 1 NOTIFY\r\n\
             Contact: <sip:rm@{host}:{port}{by}>\r\n\
             Event: ringmaster-resource\r\n\
             Subscription-State: active\r\n\
             Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        Some(head.into_bytes())
    }

    /// A NOTIFY was answered, or there is nobody. `refused`: it could not be sent.
    pub(crate) fn on_notice_gone(&mut self, now: Now, key: usize, refused: bool) {
        let Some(notice) = self.releases.notices.try_remove(key) else { return };
        if let Some(remote) = notice.plain.filter(|_| refused) {
            let to = Target { transport: Transport::Udp, remote };
            self.notify(now, Notice { to, plain: None, ..notice });
        }
    }
}

/// Where a peer is told: at the port that is declared, else where its calls come from, by the
/// transport that they come by.
fn place(peer: &Peer, source: Option<Target>) -> Option<Target> {
    let bare = peer.matches.iter().find_map(|one| match one {
        Match::Ip(ip) => Some(usual(*ip)),
        Match::Socket(_) | Match::Net(..) => None,
    });
    let from = source.map(|source| source.remote);
    let remote = declared(peer).or(from).or(bare)?;
    let same = source.filter(|source| source.remote.ip() == remote.ip());
    let transport = same.map_or(Transport::Udp, |source| source.transport);
    Some(Target { transport, remote })
}

/// The one address with a port that it is declared with.
fn declared(peer: &Peer) -> Option<SocketAddr> {
    peer.matches.iter().find_map(|one| match one {
        Match::Socket(address) => Some(*address),
        Match::Ip(_) | Match::Net(..) => None,
    })
}

/// Where SIP is spoken unless somebody says otherwise.
fn usual(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, Transport::Udp.default_port())
}

fn body(resource: &str, since: Millis, calls: &[Lost]) -> Vec<u8> {
    let mut out = Vec::new();
    Object::write(&mut out, |object| {
        object.text("resource", resource);
        object.text("state", "dead");
        object.shown("since", since);
        object.list("calls", calls, |out, call| {
            out.text("call_id", &call.call_id);
            out.shown("session", call.session);
            out.text("call_uuid", &call.call_uuid);
        });
    });
    out
}
