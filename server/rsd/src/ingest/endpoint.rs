//! The first moments of a connection: which protocol, and a word to those that are not spoken.
//!
//! Silent until at most eight bytes have come. A bare connect and close is a liveness probe and
//! leaves no trace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use openwire::detect::{ENOUGH, Protocol, detect, refusal};
use openwire::{Broker, BrokerSettings, Stomp};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Shared;
use super::connection::Connection;
use super::limits::FAREWELL;
use super::wire::Wire;

pub(super) async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut first = Vec::with_capacity(ENOUGH);
    let login = shared.settings.limits.connection.login;
    let recognised = tokio::select! {
        recognised = timeout(login, recognise(&stream, &mut first)) => recognised,
        _ = stop.changed() => return,
    };
    let protocol = match recognised {
        Ok(Ok(Some(protocol))) => protocol,
        Ok(Ok(None) | Err(_)) => return, // the peer went before it said what it wants
        Err(_) => return turned_away(&shared, peer, "nothing was said in time"),
    };
    let what = match protocol {
        Protocol::OpenWire | Protocol::Stomp => {
            let wire = wire(protocol, &shared, &first);
            let transport = wire.transport();
            shared.parts.counters.connected(transport);
            Connection::new(stream, peer, Arc::clone(&shared), wire).run(stop).await;
            return shared.parts.counters.disconnected(transport);
        }
        Protocol::Http => "HTTP",
        Protocol::Amqp => "AMQP",
        Protocol::Mqtt => "MQTT",
        Protocol::Tls => "TLS",
        Protocol::Unknown => "an unknown protocol",
    };
    turned_away(&shared, peer, what);
    let answer = refusal(protocol, &shared.settings.http);
    let farewell = async {
        stream.write_all(&answer).await?;
        leave(&mut stream).await
    };
    // Whoever does not take the answer in time goes without it.
    let _ = timeout(FAREWELL, farewell).await;
}

/// The receiving end of a protocol that is spoken here, with what has been read of it.
fn wire(protocol: Protocol, shared: &Shared, first: &[u8]) -> Wire {
    let now = shared.parts.clock.mono();
    let mut settings = BrokerSettings::new(&shared.settings.name);
    settings.limits = shared.settings.limits.connection;
    let mut wire = match protocol {
        Protocol::Stomp => Wire::Stomp(Box::new(Stomp::new(settings, shared.session(), now))),
        _ => Wire::Openwire(Box::new(Broker::new(settings, now))),
    };
    wire.handle_input(now, first);
    wire
}

/// Reads until it is clear what is spoken; `None` when the peer closes before.
async fn recognise(stream: &TcpStream, first: &mut Vec<u8>) -> io::Result<Option<Protocol>> {
    loop {
        stream.readable().await?;
        let mut bytes = [0; ENOUGH];
        match stream.try_read(&mut bytes[..ENOUGH - first.len()]) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                first.extend_from_slice(&bytes[..count]);
                if let Some(protocol) = detect(first) {
                    return Ok(Some(protocol));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends our direction and runs the peer's dry: closing with unread bytes would take the answer
/// back by a reset.
pub(super) async fn leave(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut bytes = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn turned_away(shared: &Shared, peer: SocketAddr, what: &str) {
    shared.parts.counters.refused_connection();
    let peer = peer.to_string();
    shared.parts.log.emit(32002, None, &[("peer", &peer), ("what", what)]);
}
