//! `ringmaster standalone`: RM, RS and Config Server in one process; `--demo` adds callers and
//! media servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use config::Settings;
use config::settings::{ConfigClient, ServerUrl};
use configd::ConfigServer;
use model::config::Document;
use net::Clock;
use rmd::{Rm, RmParts, Stop};
use rsd::{Rs, RsParts};
use telemetry::Log;

use super::{config_server, rm, rs};
use crate::cli::Standalone;
use crate::daemon::{self, Ask};
use crate::exit::{Exit, Failure};
use crate::memory;
use crate::settings;
use crate::signals;
use crate::simulate::{Dialling, Simulation};

/// Callers and media servers have addresses of their own: on a stream, a source with the address of
/// a media server is that media server, and a phone on this machine must not be taken for one.
const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const MEDIA: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// Media servers of the demo, and how long a call lasts at them and at its caller.
const MEDIA_SERVERS: usize = 2;
const HOLD: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(20));
/// Numbers of the embedded objects; the last one is nobody's, so that refusals show too.
const NUMBERS: [&str; 8] = [
    "18005550100",
    "18005550200",
    "18005550234",
    "19001234567",
    "18005550100",
    "18005550299",
    "19007654321",
    "18005559999",
];

pub(crate) fn run(args: &Standalone) -> Result<(), Failure> {
    let mut flags = Vec::new();
    if let Some(dir) = &args.data_dir {
        flags.push(("RINGMASTER_DATA_DIR", dir.display().to_string()));
    }
    if args.demo && args.config.is_none() {
        flags.extend(free_ports());
    }
    let mut settings = settings::load(args.config.as_deref(), &flags)?;
    if args.demo && settings.config_file.is_some() {
        let text = "--demo dials numbers of its own objects: leave config.file out, or use \
                    `ringmaster simulate` beside a standalone without --demo";
        return Err(Failure::new(Exit::Usage, text));
    }
    let mut simulation = Simulation::new(CALLERS);
    let elsewhere = is_elsewhere(&settings, args.demo)?;
    let documents = documents(args, &settings, &mut simulation)?;
    memory::keep();
    let log = settings::log(&settings.log)?;
    let signals = signals::listen()?;
    let clock = Clock::start();

    let server = match settings.config_file {
        Some(_) => None,
        None if elsewhere => None,
        None => Some(config_server(&settings, documents, args.demo, &log, clock)?),
    };
    if let Some(server) = &server {
        settings.config = own_client(server, settings.config);
    }
    let parts = RsParts { settings: settings.clone(), fixed: None, log: log.clone(), clock };
    let rs = Rs::start(parts).map_err(rs::failure)?;
    let parts = RmParts { settings: settings.clone(), fixed: None, log: log.clone(), clock };
    let rm = Rm::start(parts).map_err(rm::failure)?;
    let (asks, asked) = sync_channel(4);
    let stopper = rm.stopper();
    let second = daemon::obey(signals, log.clone(), move |ask| {
        match ask {
            Ask::Reload => return stopper.reload(),
            Ask::Now => stopper.stop(Stop::Now),
            Ask::Leave | Ask::End => {}
        }
        // Full means that it was asked before.
        let _ = asks.try_send(ask);
    })?;
    rm::show(&rm);
    rs::show(&rs);
    if let Some(server) = &server {
        config_server::show(server);
    }
    rm::wait_until_ready(&rm);
    if args.demo {
        wait_until_current(&rm, server.as_ref());
        dial(args, &rm, &mut simulation)?;
    }
    tell(&rm, &rs, server.is_some(), args.demo);
    let ask = wait(&rm, &asked);
    // Callers hang up while there is somebody to hang up through.
    let simulated = simulation.stop();
    // The demo's callers are gone then: there is nobody to wait for.
    let ask = if args.demo && ask == Ask::Leave { Ask::End } else { ask };
    rm::stop(&settings)(&rm.stopper(), ask);
    let outcome = rm::end(rm, &log);
    rs.stop();
    let outcome = outcome.and(rs::end(rs, &log));
    let outcome = match server {
        Some(server) => {
            server.stop();
            outcome.and(config_server::end(server, &log))
        }
        None => outcome,
    };
    let simulated =
        simulated.map_err(|error| Failure::new(Exit::Internal, error.to_string())).map(drop);
    second.outcome().and(outcome).and(simulated)
}

/// What RM kept from its last run names media servers that are gone.
fn wait_until_current(rm: &Rm, server: Option<&ConfigServer>) {
    let newest = server.and_then(ConfigServer::books).map(|books| books.now().revision);
    while newest.is_some_and(|newest| rm.revision() < newest) && rm.running() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until somebody asks for the end, or RM has broken.
fn wait(rm: &Rm, asked: &Receiver<Ask>) -> Ask {
    loop {
        match asked.recv_timeout(Duration::from_millis(200)) {
            Ok(ask) => return ask,
            Err(RecvTimeoutError::Timeout) if rm.running() => {}
            Err(_) => return Ask::Now,
        }
    }
}

/// The Config Server, which an empty directory begins with the embedded objects; those of the demo
/// name the media servers of this run.
fn config_server(
    settings: &Settings,
    documents: Vec<Document>,
    demo: bool,
    log: &Log,
    clock: Clock,
) -> Result<ConfigServer, Failure> {
    let parts = configd::Parts {
        settings: settings.clone(),
        seed: Some(documents.clone()),
        log: log.clone(),
        clock,
    };
    let server = ConfigServer::start(parts).map_err(config_server::failure)?;
    if demo {
        server.apply(documents, "demo").map_err(config_server::failure)?;
    }
    Ok(server)
}

/// Whether `config.server` names a Config Server that is not the one of this process; its objects
/// are none that a demo could dial.
fn is_elsewhere(settings: &Settings, demo: bool) -> Result<bool, Failure> {
    let listen = settings.config_server.listen;
    let is_own = |server: &ServerUrl| {
        let host = server.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
        let any = listen.ip().is_unspecified();
        // an address of this machine can be bound
        let here = |ip: IpAddr| ip == listen.ip() || any && UdpSocket::bind((ip, 0)).is_ok();
        let named = host == "localhost" && (any || listen.ip().is_loopback());
        host.parse().map_or(named, here)
            && server.url().port_or_known_default() == Some(listen.port())
    };
    let servers = &settings.config.servers;
    let elsewhere = *servers != ConfigClient::default().servers && !servers.iter().any(is_own);
    if elsewhere && demo {
        let text = "--demo dials numbers of its own objects: leave config.server out, or use \
                    `ringmaster simulate` beside a standalone without --demo";
        return Err(Failure::new(Exit::Usage, text));
    }
    Ok(elsewhere)
}

/// How RM and RS reach the Config Server of their own process.
fn own_client(server: &ConfigServer, given: ConfigClient) -> ConfigClient {
    let address = server.address();
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let url = format!("{}://{}", server.scheme(), SocketAddr::new(ip, address.port()));
    let token_file = given.token_file.or_else(|| server.new_token().map(Path::to_owned));
    ConfigClient { servers: ServerUrl::parse(&url).into_iter().collect(), token_file, ..given }
}

/// What an empty Config Server begins with: the embedded objects, with the demo's media servers.
fn documents(
    args: &Standalone,
    settings: &Settings,
    simulation: &mut Simulation,
) -> Result<Vec<Document>, Failure> {
    if settings.config_file.is_some() {
        return Ok(Vec::new());
    }
    let mut media = Vec::new();
    if args.demo {
        for _ in 0..MEDIA_SERVERS {
            media.push(simulation.media(SocketAddr::new(MEDIA, 0), Some(HOLD)).map_err(local)?);
        }
    }
    Ok(config::embedded_objects(&media))
}

fn dial(args: &Standalone, rm: &Rm, simulation: &mut Simulation) -> Result<(), Failure> {
    let Some(to) = sip(rm) else { return Ok(()) };
    let numbers = NUMBERS.map(str::to_owned).to_vec();
    let dialling = Dialling { to, rate: args.cps, duration: None, hold: HOLD, numbers };
    simulation.dial(dialling).map_err(local)
}

/// Where to look.
fn tell(rm: &Rm, rs: &Rs, own_server: bool, demo: bool) {
    if own_server && !demo {
        println!(
            "\nconfig.file is not set: the objects are those of the Config Server, \
             which begins with embedded ones that have no media servers"
        );
    }
    let program = std::env::args().next().unwrap_or_else(|| "ringmaster".to_owned());
    println!("\ndashboard      http://{}/", rs.addresses().http);
    if let (Some(sip), true) = (sip(rm), demo) {
        println!("place a call   sip:18005550100@{sip}, with any SIP phone on this machine");
    }
    println!("list calls     {program} calls --rm http://{}", rm.addresses().http);
    println!("media servers  {program} resources --rm http://{}\n", rm.addresses().http);
}

fn sip(rm: &Rm) -> Option<SocketAddr> {
    let udp = rm.addresses().sip.iter().find(|(transport, _)| !transport.is_stream());
    udp.map(|(_, address)| *address)
}

/// The usual ports where they are free, others where they are not.
fn free_ports() -> Vec<(&'static str, String)> {
    let [sip, monitor, rm_http, broker, rs_http, config] =
        [5060, 5064, 8300, 61616, 8080, 8888].map(free);
    let listen = format!("[\"udp:127.0.0.1:{sip}\", \"tcp:127.0.0.1:{sip}\"]");
    vec![
        ("RINGMASTER_RM__SIP__LISTEN", listen),
        ("RINGMASTER_RM__MONITOR__LISTEN", format!("udp:127.0.0.1:{monitor}")),
        ("RINGMASTER_RM__HTTP", format!("127.0.0.1:{rm_http}")),
        ("RINGMASTER_RM__REPORTING__BROKER", format!("tcp://127.0.0.1:{broker}")),
        ("RINGMASTER_RS__BROKER", format!("127.0.0.1:{broker}")),
        ("RINGMASTER_RS__HTTP", format!("127.0.0.1:{rs_http}")),
        ("RINGMASTER_CONFIG_SERVER__LISTEN", format!("127.0.0.1:{config}")),
    ]
}

/// This port when nobody has it, for UDP and TCP; else one that the system gives.
fn free(usual: u16) -> u16 {
    let both = |port: u16| {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        let port = tcp.local_addr().ok()?.port();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    };
    both(usual).or_else(|| (0..16).find_map(|_| both(0))).unwrap_or(usual)
}

fn local(error: std::io::Error) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}
