//! The first moments of a connection: which protocol, and a word to those that are not spoken.
//!
//! Silent until at most eight bytes have come. A bare connect and close is a liveness probe and
//! leaves no trace.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openwire::detect::{ENOUGH, Protocol, detect, refusal};
use openwire::{Broker, BrokerSettings, Stomp};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Shared;
use super::connection::Connection;
use super::limits::{FAREWELL, HANDSHAKE};
use super::socket::Socket;
use super::wire::Wire;

pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let (mut socket, mut first) = (Socket::new(stream), Vec::with_capacity(ENOUGH));
    let login = shared.settings.limits.now().connection.login;
    let recognised = tokio::select! {
        recognised = timeout(login, spoken(&mut socket, &mut first, &shared)) => recognised,
        _ = stop.changed() => return,
    };
    let protocol = match recognised {
        Ok(Ok(Some(protocol))) => protocol,
        Ok(Err(error)) if socket.is_secure() => {
            return turned_away(&shared, peer, &format!("TLS: {error}"));
        }
        Ok(Ok(None) | Err(_)) => return, // the peer went before it said what it wants
        Err(_) => return turned_away(&shared, peer, "nothing was said in time"),
    };
    let what = match protocol {
        Protocol::OpenWire | Protocol::Stomp => {
            let wire = wire(protocol, &shared, &first);
            let transport = wire.transport();
            shared.parts.counters.connected(transport);
            Connection::new(socket, peer, Arc::clone(&shared), wire).run(stop).await;
            return shared.parts.counters.disconnected(transport);
        }
        Protocol::Http => "HTTP",
        Protocol::Amqp => "AMQP",
        Protocol::Mqtt => "MQTT",
        Protocol::Tls => "TLS, for which no certificate is configured",
        Protocol::Unknown => "an unknown protocol",
    };
    turned_away(&shared, peer, what);
    let answer = refusal(protocol, &shared.settings.http);
    // Whoever does not take the answer in time goes without it.
    let _ = timeout(FAREWELL, socket.leave(&answer, Duration::ZERO)).await;
}

/// What is spoken; under TLS, where a certificate is configured, inside it. `None`: the peer
/// closes before.
async fn spoken(
    socket: &mut Socket,
    first: &mut Vec<u8>,
    shared: &Shared,
) -> io::Result<Option<Protocol>> {
    let outside = recognise(socket, first).await?;
    let Some(tls) = shared.settings.tls.as_ref().filter(|_| outside == Some(Protocol::Tls)) else {
        return Ok(outside);
    };
    let newest = Arc::clone(&tls.borrow());
    socket.secure(newest, first)?;
    first.clear();
    // the semaphore is never closed
    let place = shared.handshakes.acquire().await;
    let shaken = timeout(HANDSHAKE, socket.shake()).await;
    drop(place);
    shaken.map_err(|_| io::Error::new(ErrorKind::TimedOut, "no handshake in time"))??;
    let inside = recognise(socket, first).await?;
    // TLS inside TLS is nobody's wish
    Ok(inside.map(|inside| match inside {
        Protocol::Tls => Protocol::Unknown,
        other => other,
    }))
}

/// The receiving end of a protocol that is spoken here, with what has been read of it.
fn wire(protocol: Protocol, shared: &Shared, first: &[u8]) -> Wire {
    let now = shared.parts.clock.mono();
    let mut settings = BrokerSettings::new(&shared.settings.name);
    settings.limits = shared.settings.limits.now().connection;
    let mut wire = match protocol {
        Protocol::Stomp => Wire::Stomp(Box::new(Stomp::new(settings, shared.session(), now))),
        _ => Wire::Openwire(Box::new(Broker::new(settings, now))),
    };
    wire.handle_input(now, first);
    wire
}

/// Reads until it is clear what is spoken; `None` when the peer closes before.
async fn recognise(socket: &mut Socket, first: &mut Vec<u8>) -> io::Result<Option<Protocol>> {
    loop {
        socket.ready(Some(Interest::READABLE)).await?;
        let mut bytes = [0; ENOUGH];
        match socket.try_read(&mut bytes[..ENOUGH - first.len()]) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                first.extend_from_slice(&bytes[..count]);
                if let Some(protocol) = detect(first) {
                    return Ok(Some(protocol));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn turned_away(shared: &Shared, peer: SocketAddr, what: &str) {
    shared.parts.counters.refused_connection();
    let peer = peer.to_string();
    shared.parts.log.emit(32002, None, &[("peer", &peer), ("what", what)]);
}
