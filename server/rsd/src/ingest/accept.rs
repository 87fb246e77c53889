//! The listener: counts connections, gives each its task, and ends them all.
//!
//! Over a limit a socket is closed at once, without a word: what its peer speaks is not known yet.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::limits::LOOK;
use super::{Shared, endpoint};
use crate::crew::Worker;

/// Pause after a failed accept: out of file descriptors, mostly.
const BREATH: Duration = Duration::from_millis(50);

pub(super) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut tasks: JoinSet<IpAddr> = JoinSet::new();
    let mut addresses = Addresses::default();
    let connection_stop = stop.clone();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let Some(ip) = admit(&mut addresses, peer, &shared) else { continue };
                    let shared = Arc::clone(&shared);
                    let stop = connection_stop.clone();
                    tasks.spawn(async move {
                        serve(stream, peer, shared, stop).await;
                        ip
                    });
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            _ = looks.tick() => {
                shared.memory.look(&shared.parts.roster, shared.parts.clock.mono());
            }
            Some(ended) = tasks.join_next() => {
                let ended = ended.map_err(|error| {
                    shared.parts.crew.lost(Worker::Connection, error);
                });
                addresses.ended(ended.ok());
            }
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) {
    // Answers are small and must not wait for more; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    // A peer whose machine is gone says nothing for ever, and keeps its client id.
    let _ = net::tcp::keep_alive(&stream);
    endpoint::serve(stream, peer, shared, stop).await;
}

fn admit(addresses: &mut Addresses, peer: SocketAddr, shared: &Shared) -> Option<IpAddr> {
    let limits = shared.settings.limits.now();
    let ip = peer.ip();
    let what = if addresses.all >= limits.connections {
        "too many connections"
    } else if addresses.of(ip) >= limits.per_address {
        "too many connections of one address"
    } else {
        addresses.began(ip);
        return Some(ip);
    };
    shared.parts.counters.refused_connection();
    let peer = peer.to_string();
    shared.parts.log.emit(32002, None, &[("peer", &peer), ("what", what)]);
    None
}

/// Open connections by address.
#[derive(Debug, Default)]
struct Addresses {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Addresses {
    fn of(&self, ip: IpAddr) -> usize {
        self.by_address.get(&ip).copied().unwrap_or(0)
    }

    fn began(&mut self, ip: IpAddr) {
        self.all += 1;
        *self.by_address.entry(ip).or_insert(0) += 1;
    }

    /// `None`: the task panicked; its address is not known, so its place there is lost until the
    /// restart, while the total stays right.
    fn ended(&mut self, ip: Option<IpAddr>) {
        self.all = self.all.saturating_sub(1);
        let Some(ip) = ip else { return };
        if let Some(count) = self.by_address.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&ip);
            }
        }
    }
}
