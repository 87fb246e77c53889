//! What every client of the configuration shows of itself at `/metrics` (ops.md §5).

use crate::names;
use crate::prometheus::{Exposition, Histogram, Kind, LATENCY_SECONDS};
use model::id::Revision;
use model::time::Millis;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where what is in force came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The Config Server.
    Server,
    /// A file of objects, or the program itself.
    File,
    /// The last known good on disk.
    Cache,
}

impl Source {
    const ALL: [Self; 3] = [Self::Server, Self::File, Self::Cache];

    /// Value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::File => "file",
            Self::Cache => "cache",
        }
    }
}

/// Figures of one client; written by its thread, read by whoever asks.
#[derive(Debug)]
pub struct ConfigClient {
    connected: AtomicBool,
    revision: AtomicU64,
    rejected: AtomicU64,
    /// Milliseconds since 1970 of the last contact.
    contact: AtomicU64,
    source: AtomicU8,
    /// The server that is listened to.
    server: Mutex<Option<String>>,
    applied: Histogram,
}

impl ConfigClient {
    /// One that begins now.
    #[must_use]
    pub fn new(now: Millis, source: Source) -> Self {
        let client = Self {
            connected: AtomicBool::new(source == Source::File),
            revision: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            contact: AtomicU64::new(now.0),
            source: AtomicU8::new(0),
            server: Mutex::default(),
            applied: Histogram::new(LATENCY_SECONDS),
        };
        client.came_from(source);
        client
    }

    /// The source is listened to, or not any more.
    pub fn connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// Whether the source is listened to.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// The server that is listened to has this URL, or there is none.
    pub fn serves(&self, server: Option<&str>) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server.map(str::to_owned);
    }

    /// URL of the server that is listened to.
    #[must_use]
    pub fn server(&self) -> Option<String> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A sign of life of the source.
    pub fn contact(&self, now: Millis) {
        self.contact.store(now.0, Ordering::Relaxed);
    }

    /// Since the last sign of life.
    #[must_use]
    pub fn age(&self, now: Millis) -> Duration {
        now.since(Millis(self.contact.load(Ordering::Relaxed)))
    }

    /// Where what is in force came from.
    pub fn came_from(&self, source: Source) {
        let number = Source::ALL.iter().position(|one| *one == source);
        let number = number.and_then(|number| u8::try_from(number).ok());
        self.source.store(number.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Where what is in force came from.
    #[must_use]
    pub fn source(&self) -> Source {
        let number = usize::from(self.source.load(Ordering::Relaxed));
        Source::ALL.get(number).copied().unwrap_or(Source::Server)
    }

    /// This is in force; `took` to check and build.
    pub fn applied(&self, revision: Revision, took: Duration) {
        self.in_force(revision);
        self.applied.observe(took);
    }

    /// This is in force since before the start.
    pub fn in_force(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Relaxed);
        self.rejected.store(0, Ordering::Relaxed);
    }

    /// This is not valid.
    pub fn rejected(&self, revision: Revision) {
        self.rejected.store(revision.0, Ordering::Relaxed);
    }

    /// The families, for `component`.
    pub fn families(&self, out: &mut Exposition, component: &str, now: Millis) {
        let own = [("component", component)];
        let mut gauge = |name, help: &str, value: f64| {
            out.family(name, Kind::Gauge, help);
            out.sample(&own, value);
        };
        let connected = f64::from(u8::from(self.is_connected()));
        gauge(names::CONFIG_CLIENT_CONNECTED, "1: the source is listened to", connected);
        let revision = float(self.revision.load(Ordering::Relaxed));
        gauge(names::CONFIG_CLIENT_REVISION, "configuration in force", revision);
        let rejected = float(self.rejected.load(Ordering::Relaxed));
        let help = "newer configuration that is not valid here; 0: none";
        gauge(names::CONFIG_CLIENT_REJECTED_REVISION, help, rejected);
        let age = self.age(now).as_secs_f64();
        gauge(names::CONFIG_CLIENT_AGE_SECONDS, "since the last sign of life", age);
        let help = "1: what is in force came from here";
        out.family(names::CONFIG_CLIENT_SOURCE, Kind::Gauge, help);
        for source in Source::ALL {
            let value = f64::from(u8::from(source == self.source()));
            out.sample(&[("component", component), ("source", source.as_str())], value);
        }
        let help = "to check and build a configuration";
        out.family(names::CONFIG_CLIENT_APPLY_SECONDS, Kind::Histogram, help);
        out.histogram(&own, &self.applied);
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats; above 2^53 a unit is noise")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::{ConfigClient, Source};
    use crate::prometheus::{Exposition, Format};
    use model::id::Revision;
    use model::time::Millis;
    use std::time::Duration;

    #[test]
    fn figures_of_a_client() {
        let client = ConfigClient::new(Millis(1_000), Source::Cache);
        client.in_force(Revision(41));
        client.rejected(Revision(42));
        let print = || {
            let mut out = Exposition::new(Format::from_accept(None));
            client.families(&mut out, "rm", Millis(3_500));
            out.finish()
        };
        for line in [
            "ringmaster_config_client_connected{component=\"rm\"} 0",
            "ringmaster_config_client_revision{component=\"rm\"} 41",
            "ringmaster_config_client_rejected_revision{component=\"rm\"} 42",
            "ringmaster_config_client_age_seconds{component=\"rm\"} 2.5",
            "ringmaster_config_client_source{component=\"rm\",source=\"cache\"} 1",
            "ringmaster_config_client_source{component=\"rm\",source=\"server\"} 0",
        ] {
            assert!(print().lines().any(|one| one == line), "{line} in {}", print());
        }
        client.connected(true);
        client.contact(Millis(3_500));
        client.came_from(Source::Server);
        client.applied(Revision(43), Duration::from_millis(3));
        for line in [
            "ringmaster_config_client_connected{component=\"rm\"} 1",
            "ringmaster_config_client_rejected_revision{component=\"rm\"} 0",
            "ringmaster_config_client_age_seconds{component=\"rm\"} 0",
            "ringmaster_config_client_source{component=\"rm\",source=\"server\"} 1",
            "ringmaster_config_client_apply_seconds_count{component=\"rm\"} 1",
        ] {
            assert!(print().lines().any(|one| one == line), "{line} in {}", print());
        }
    }
}
