//! `rm`: the Resource Manager.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use model::id::NodeId;
use model::schema::{Field, Object};
use model::tree::Value;
use openwire::{BrokerUri, Brokers};

use super::address::sip_listen;
use super::address::{HostPort, Listen, Transport, brokers, host_ports, is_host, listen};
use super::hep::{self, Hep};
use super::peer::{self, Peer, PeerMatch};
use super::route::{self, Route};
use super::tls::{self, ClientAuth, Tls};
use super::{application, later, name, path};

const DAY: Duration = Duration::from_secs(86_400);
/// Name servers: each further one is a further wait.
const DNS_SERVERS: usize = 4;

/// `rm`
#[derive(Clone, PartialEq, Debug)]
pub struct Rm {
    /// `rm.name`: the node's identity.
    pub name: String,
    /// `rm.application`, or the name.
    pub application: String,
    /// `rm.node_id`, or derived from the name.
    pub node_id: NodeId,
    /// `rm.sip`
    pub sip: Sip,
    /// `rm.dns.servers`: empty = those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// `rm.monitor.listen`, UDP.
    pub monitor_listen: SocketAddr,
    /// `rm.http`
    pub http: SocketAddr,
    /// `rm.http_tokens_file`
    pub http_tokens_file: Option<PathBuf>,
    /// `rm.hep`
    pub hep: Option<Hep>,
    /// `rm.cluster.key_file`
    pub key_file: Option<PathBuf>,
    /// `rm.reporting.broker`
    pub brokers: Brokers,
    /// `rm.reporting.user`
    pub broker_user: Option<String>,
    /// `rm.reporting.password_file`
    pub broker_password_file: Option<PathBuf>,
    /// `rm.reporting.ca_file`
    pub broker_ca_file: Option<PathBuf>,
    /// `rm.metrics.profiles`: `/metrics` tells of single profiles too.
    pub profile_metrics: bool,
    /// `rm.metrics.max_series`: of one family; what has a lower dbid keeps its own.
    pub max_series: usize,
    /// `rm.drain_delay`
    pub drain_delay: Duration,
    /// `rm.drain_timeout`
    pub drain_timeout: Duration,
}

/// `rm.sip`
#[derive(Clone, PartialEq, Debug)]
pub struct Sip {
    /// `rm.sip.listen`
    pub listen: Vec<Listen>,
    /// `rm.sip.advertise`: empty = the listener's own; else one, or one per listener.
    pub advertise: Vec<HostPort>,
    /// `rm.sip.via`: alike.
    pub via: Vec<HostPort>,
    /// `rm.sip.dscp`, 0–63
    pub dscp: u8,
    /// `rm.sip.tls`
    pub tls: Option<Tls>,
    /// `rm.sip.domains`: further host names that mean this RM, lower case.
    pub domains: Vec<String>,
    /// `rm.sip.routes`: from which listener a destination is reached.
    pub routes: Vec<Route>,
    /// `rm.sip.peers`: empty = loopback is a SIP Server.
    pub peers: Vec<Peer>,
}

fn reporting(object: &Object<'_>, settings: &mut Rm) {
    put(&mut settings.brokers, object.get("broker").and_then(|field| brokers(&field)));
    let user = object.get("user");
    settings.broker_user = user.and_then(|f| f.text_up_to(256).map(str::to_owned));
    settings.broker_password_file = object.get("password_file").and_then(|f| path(&f));
    settings.broker_ca_file = object.get("ca_file").and_then(|f| path(&f));
    if settings.brokers.any_tls() && settings.broker_ca_file.is_none() {
        let text = "rm.reporting.broker: TLS needs authorities: set rm.reporting.ca_file";
        object.note("E103", text.to_owned());
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn local_broker() -> Brokers {
    let (host, port) = ("127.0.0.1".to_owned(), 61_616);
    let broker = BrokerUri { host, port, ..BrokerUri::default() };
    Brokers { list: vec![broker], failover: None, idle: Vec::new() }
}

impl Default for Rm {
    fn default() -> Self {
        Self {
            name: "rm-1".to_owned(),
            application: "rm-1".to_owned(),
            node_id: NodeId(1),
            sip: Sip::default(),
            dns_servers: Vec::new(),
            monitor_listen: loopback(5064),
            http: loopback(8300),
            http_tokens_file: None,
            hep: None,
            key_file: None,
            brokers: local_broker(),
            broker_user: None,
            broker_password_file: None,
            broker_ca_file: None,
            profile_metrics: false,
            max_series: 10_000,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(15 * 60),
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        let listen = |transport| Listen { transport, addr: loopback(5060) };
        Self {
            listen: vec![listen(Transport::Udp), listen(Transport::Tcp)],
            advertise: Vec::new(),
            via: Vec::new(),
            dscp: 24,
            tls: None,
            domains: Vec::new(),
            routes: Vec::new(),
            peers: Vec::new(),
        }
    }
}

pub(super) fn read(rm: Object<'_>) -> Option<Rm> {
    let mut settings = Rm::default();
    if let Some(name) = rm.get("name").and_then(|field| name(&field)) {
        settings.application.clone_from(&name);
        settings.name = name;
    }
    put(&mut settings.application, rm.get("application").and_then(|f| application(&f)));
    let node_id = node_id(&rm, &settings.name);
    if let Some(object) = rm.get("sip").and_then(|field| field.object()) {
        settings.sip = sip(object);
    }
    if let Some(object) = rm.get("dns").and_then(|field| field.object()) {
        put(&mut settings.dns_servers, object.get("servers").and_then(|f| dns_servers(&f)));
        object.finish();
    }
    if let Some(object) = rm.get("monitor").and_then(|field| field.object()) {
        put(&mut settings.monitor_listen, object.get("listen").and_then(|f| monitor_listen(&f)));
        object.finish();
    }
    put(&mut settings.http, rm.get("http").and_then(|field| listen(&field)));
    settings.http_tokens_file = rm.get("http_tokens_file").and_then(|field| path(&field));
    if let Some(object) = rm.get("hep").and_then(|field| field.object()) {
        settings.hep = hep::read(&object);
        object.finish();
    }
    if let Some(object) = rm.get("cluster").and_then(|field| field.object()) {
        settings.key_file = object.get("key_file").and_then(|field| path(&field));
        later::refuse(&object, "rm.cluster", &[]);
        object.finish();
    }
    if let Some(object) = rm.get("reporting").and_then(|field| field.object()) {
        reporting(&object, &mut settings);
        object.finish();
    }
    if let Some(object) = rm.get("metrics").and_then(|field| field.object()) {
        let profiles = object.get("profiles").and_then(|field| field.boolean());
        put(&mut settings.profile_metrics, profiles);
        put(&mut settings.max_series, object.get("max_series").and_then(|f| f.whole(1, 1_000_000)));
        later::refuse(&object, "rm.metrics", &[]);
        object.finish();
    }
    let duration = |key, most| rm.get(key).and_then(|f| f.duration(Duration::ZERO, most));
    put(&mut settings.drain_delay, duration("drain_delay", DAY));
    put(&mut settings.drain_timeout, duration("drain_timeout", DAY * 7));
    later::refuse(&rm, "rm", &["sip", "monitor", "cluster", "reporting", "metrics"]);
    rm.finish();
    settings.node_id = node_id?;
    Some(settings)
}

fn put<T>(cell: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *cell = value;
    }
}

fn node_id(rm: &Object<'_>, name: &str) -> Option<NodeId> {
    if let Some(field) = rm.get("node_id") {
        return field.whole(1, NodeId::MAX).map(NodeId);
    }
    let derived = NodeId::of_name(name);
    if derived.is_none() {
        let text = format!("\"rm.node_id\" is required with the name {name}");
        rm.note("E103", format!("{text}: its number is above {}", NodeId::MAX));
    }
    derived
}

fn sip(sip: Object<'_>) -> Sip {
    let mut settings = Sip::default();
    put(&mut settings.listen, sip.get("listen").and_then(|field| listeners(&field)));
    let listeners = settings.listen.len();
    let shown = |key| {
        let field = sip.get(key)?;
        let list = host_ports(&field)?;
        if list.len() != 1 && list.len() != listeners {
            let found = list.len();
            let text = format!("\"rm.sip.{key}\" must be one address or one per listener");
            field.note("E102", format!("{text} ({listeners}), found {found}"));
        }
        Some(list)
    };
    settings.advertise = shown("advertise").unwrap_or_default();
    settings.via = shown("via").unwrap_or_default();
    if settings.advertise.is_empty() && settings.listen.iter().any(|l| l.addr.ip().is_unspecified())
    {
        sip.note("E103", "rm.sip.advertise is required with a wildcard listener");
    }
    put(&mut settings.dscp, sip.get("dscp").and_then(|field| field.whole(0, 63)));
    if let Some(block) = sip.get("tls").and_then(|field| field.object()) {
        settings.tls = tls::read(&block, "rm.sip.tls");
        block.finish();
    } else if settings.listen.iter().any(|listen| listen.transport == Transport::Tls) {
        sip.note("E103", "rm.sip.tls is required with a tls: listener");
    }
    put(&mut settings.domains, sip.get("domains").and_then(|field| domains(&field)));
    let routes = sip.get("routes").and_then(|field| route::read(&field, &settings.listen));
    put(&mut settings.routes, routes);
    put(&mut settings.peers, sip.get("peers").and_then(|field| peers(&field)));
    let by_name = |one: &PeerMatch| matches!(one, PeerMatch::Name(_));
    let named = settings.peers.iter().any(|peer| peer.matches.iter().any(by_name));
    if named && !settings.tls.as_ref().is_some_and(|tls| tls.client_auth != ClientAuth::None) {
        let text = "with a TLS name needs certificates of clients: set";
        sip.note("E103", format!("rm.sip.peers {text} rm.sip.tls.client_auth"));
    }
    later::refuse(&sip, "rm.sip", &["tls"]);
    sip.finish();
    settings
}

fn listeners(field: &Field<'_>) -> Option<Vec<Listen>> {
    let items = match field.node().value {
        Value::Seq(_) => field.list()?,
        _ => vec![field.clone()],
    };
    if items.is_empty() || items.len() > 16 {
        field.note("E106", "\"rm.sip.listen\" must be between 1 and 16 listeners");
        return None;
    }
    items.iter().map(sip_listen).collect()
}

fn monitor_listen(field: &Field<'_>) -> Option<SocketAddr> {
    let items = match field.node().value {
        Value::Seq(_) => field.list()?,
        _ => vec![field.clone()],
    };
    let [one] = items.as_slice() else {
        return field.unavailable_as("rm.monitor.listen with several addresses");
    };
    let listen = sip_listen(one)?;
    if listen.transport.is_stream() {
        return one.unavailable();
    }
    Some(listen.addr)
}

/// `IP` (port 53) or `IP:port`, at most [`DNS_SERVERS`].
fn dns_servers(field: &Field<'_>) -> Option<Vec<SocketAddr>> {
    let server = |item: &Field<'_>| {
        let text = item.text()?;
        let bare = text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        let server = bare.or_else(|| text.parse().ok()).filter(|server| {
            server.port() > 0 && !server.ip().is_unspecified() && !server.ip().is_multicast()
        });
        server.or_else(|| item.invalid("name server", "expected an address such as 10.0.0.53:53"))
    };
    let items = field.list()?;
    if items.len() > DNS_SERVERS {
        field.note(
            "E106",
            format!("\"rm.dns.servers\" must be between 0 and {DNS_SERVERS} servers"),
        );
        return None;
    }
    // each that is wrong is told
    let servers: Vec<Option<SocketAddr>> = items.iter().map(server).collect();
    servers.into_iter().collect()
}

fn domains(field: &Field<'_>) -> Option<Vec<String>> {
    let domain = |item: &Field<'_>| {
        let text = item.text()?;
        if !is_host(text) {
            return item.invalid("domain", "expected a host name");
        }
        Some(text.to_ascii_lowercase())
    };
    field.list()?.iter().map(domain).collect()
}

fn peers(field: &Field<'_>) -> Option<Vec<Peer>> {
    let mut names = BTreeSet::new();
    let mut peers = Vec::new();
    for item in field.list()? {
        let Some(peer) = peer::read(&item) else { continue };
        if !names.insert(peer.name.clone()) {
            item.note(
                "E105",
                format!("\"{}\" is not a valid name: another peer has it", peer.name),
            );
        }
        peers.push(peer);
    }
    Some(peers)
}
