//! The brokers of one line: names to addresses, whom to trust, which one is next. The order and
//! the waits are `openwire::Failover`'s.

use super::link::Over;
use crate::error::StartError;
use crate::limits::{BROKER_CONNECT, BROKER_PROBE, BROKER_RETRY_FIRST, BROKER_RETRY_MOST};
use config::settings::Rm;
use model::chance::Chance;
use net::tls::Trust;
use openwire::{BrokerUri, Brokers, Failover, Referral};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;
use telemetry::Log;

/// What a start would say of `rm.reporting`: why its authorities cannot be used, or which options
/// of the brokers change nothing.
///
/// # Errors
/// The setting, the file and what is wrong with it.
pub fn check_reporting(rm: &Rm) -> Result<Vec<String>, String> {
    if let Some(file) = &rm.broker_ca_file {
        Trust::open(file).map_err(|fault| format!("rm.reporting.ca_file: {fault}"))?;
    }
    let told = |option: &String| format!("rm.reporting.broker: {option}: changes nothing here");
    Ok(rm.brokers.idle.iter().map(told).collect())
}

/// A start looks at the same, and tells what is strange.
pub(crate) fn tell_strange(rm: &Rm, log: &Log) -> Result<(), StartError> {
    for warning in check_reporting(rm).map_err(StartError::Settings)? {
        log.emit(20512, None, &[("warning", &warning)]);
    }
    Ok(())
}

/// Where a line may go.
pub(super) struct Route {
    failover: Failover,
    chance: Chance,
    /// `rm.reporting.ca_file`
    ca_file: Option<PathBuf>,
    /// When it is looked whether a preferred broker is back.
    look: Option<Duration>,
}

impl Route {
    pub(super) fn new(brokers: Brokers, ca_file: Option<PathBuf>, chance: Chance) -> Self {
        let failover = Failover::new(brokers, (BROKER_RETRY_FIRST, BROKER_RETRY_MOST));
        Self { failover, chance, ca_file, look: None }
    }

    /// The next broker, and how long to wait before.
    pub(super) fn next(&mut self) -> (Duration, BrokerUri) {
        let Self { failover, chance, .. } = self;
        failover.next(&mut |below| chance.below(below))
    }

    /// All addresses of a broker, for an address is an attribute: asked for at each visit.
    /// Resolving may block; this thread has nothing else to do.
    pub(super) fn addresses(broker: &BrokerUri) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = (broker.host.as_str(), broker.port).to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Whom to trust; read anew for each connection, so that a changed file counts.
    pub(super) fn trust(&self, broker: &BrokerUri) -> Result<Option<Trust>, Over> {
        if !broker.is_tls {
            return Ok(None);
        }
        let Some(file) = &self.ca_file else {
            return Err(Over::Closed("rm.reporting.ca_file is not set".to_owned()));
        };
        Trust::open(file).map(Some).map_err(|fault| Over::Closed(fault.to_string()))
    }

    /// How long one address may take to connect.
    pub(super) fn patience(broker: &BrokerUri) -> Duration {
        broker.connect.unwrap_or(BROKER_CONNECT)
    }

    /// The broker has let us in.
    pub(super) fn entered(&mut self, now: Duration) {
        self.look_later(now);
    }

    /// The broker has taken a record.
    pub(super) fn settled(&mut self) {
        self.failover.settled();
    }

    /// The broker tells of others. True: leave it.
    pub(super) fn referred(&mut self, referral: &Referral) -> bool {
        self.failover.referred(referral)
    }

    /// When [`Route::returns`] is to be asked.
    pub(super) fn look(&self) -> Option<Duration> {
        self.look
    }

    /// A broker that the setting prefers can be reached again: it is the next one. A broker that
    /// swallows what is sent to it costs its probe.
    pub(super) fn returns(&mut self, now: Duration) -> bool {
        if self.look.is_none_or(|look| now < look) {
            return false;
        }
        self.look_later(now);
        let Some(better) = self.failover.better().cloned() else { return false };
        let reached = |address: &SocketAddr| TcpStream::connect_timeout(address, BROKER_PROBE);
        let found = Self::addresses(&better).unwrap_or_default();
        if !found.iter().any(|address| reached(address).is_ok()) {
            return false;
        }
        self.failover.prefer(better);
        true
    }

    fn look_later(&mut self, now: Duration) {
        let better = self.failover.better();
        self.look = better.map(|_| now + self.failover.longest_delay());
    }
}
