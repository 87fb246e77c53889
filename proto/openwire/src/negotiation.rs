//! WireFormatInfo: what each end offers, and what both agree on.
//!
//! Both ends send it first, in version 1 and with a size. Ours says no to tight encoding, the
//! marshal cache, frames without size and stack traces; peers obey (`spec/openwire.md` §3.2), so
//! none of them exists in this crate.

use std::time::Duration;

use crate::limits::VERSION;
use crate::map::{self, Map, Value};
use crate::wire::{Malformed, Reader, Writer, kind};

const MAGIC: &[u8; 8] = b"ActiveMQ";

/// The misspelling is the protocol's.
const DELAY: &str = "MaxInactivityDurationInitalDelay";

/// One end's WireFormatInfo.
#[derive(Debug, Clone, PartialEq)]
pub struct Greeting {
    /// Highest version that the end speaks.
    pub version: i32,
    /// Its properties, in the order of the wire.
    pub properties: Map,
}

/// What holds on the connection once both have greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The wire version, 1 or 9 to 12.
    pub version: i32,
    /// Silence after which the peer is given up; zero: not watched.
    pub inactivity: Duration,
    /// From the greetings on, the time before anybody's silence is watched: a Java client sends
    /// no keep-alive before.
    pub delay: Duration,
    /// Largest frame that the peer takes, in bytes.
    pub peer_max_frame: u64,
    /// The peer's exceptions live in `jakarta.jms` (ActiveMQ 6 and later), not in `javax.jms`.
    pub jakarta: bool,
    /// The peer's name and version of itself.
    pub peer: String,
}

/// Why the two ends cannot talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wire version {0} is not spoken here (1 and 9 to 12 are)")]
pub struct VersionRefused(pub i32);

impl Greeting {
    /// Our own greeting.
    #[must_use]
    pub fn ours(max_frame: usize, inactivity: Duration) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let properties = [
            ("TightEncodingEnabled", Value::Bool(false)),
            ("CacheEnabled", Value::Bool(false)),
            ("SizePrefixDisabled", Value::Bool(false)),
            ("StackTraceEnabled", Value::Bool(false)),
            ("TcpNoDelayEnabled", Value::Bool(true)),
            ("MaxFrameSizeEnabled", Value::Bool(true)),
            ("MaxFrameSize", Value::Long(i64::try_from(max_frame).unwrap_or(i64::MAX))),
            ("MaxInactivityDuration", Value::Long(millis(inactivity))),
            (DELAY, Value::Long(10_000)),
            ("ProviderName", Value::Text("Ringmaster".to_owned())),
            ("ProviderVersion", Value::Text(env!("CARGO_PKG_VERSION").to_owned())),
        ];
        let properties =
            properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { version: VERSION, properties }
    }

    /// Reads a whole frame, from its type byte on.
    ///
    /// # Errors
    /// Another type, another magic, or a broken property map.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame, 1);
        if reader.byte()? != kind::WIRE_FORMAT_INFO || reader.take(MAGIC.len())? != MAGIC {
            return Err(reader.malformed("no WireFormatInfo"));
        }
        let version = reader.int()?;
        let properties = match reader.bytes()? {
            None => Map::new(),
            Some(bytes) => map::read(&mut Reader::new(bytes, 1))?,
        };
        Ok(Self { version, properties })
    }

    /// Appends the whole frame, size included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut properties = Vec::new();
        map::write(&self.properties, &mut Writer::new(&mut properties, 1));
        let mut body = Vec::with_capacity(properties.len() + 18);
        let mut writer = Writer::new(&mut body, 1);
        writer.byte(kind::WIRE_FORMAT_INFO);
        writer.raw(MAGIC);
        writer.int(self.version);
        writer.bytes(Some(&properties));
        let mut writer = Writer::new(out, 1);
        writer.length(body.len());
        writer.raw(&body);
    }

    /// The rules of `spec/openwire.md` §3.2, with `ours` on the other side.
    ///
    /// # Errors
    /// The smaller version is one whose marshallers nobody ships by default (2 to 8).
    pub fn agree(&self, ours: &Self) -> Result<Agreed, VersionRefused> {
        let version = if self.version <= 0 { VERSION } else { self.version.min(VERSION) };
        if (2..9).contains(&version) {
            return Err(VersionRefused(version));
        }
        let provider = self.text("ProviderName");
        let provider_version = self.text("ProviderVersion");
        let major = provider_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let max_frame = self.long("MaxFrameSize").and_then(|size| u64::try_from(size).ok());
        let smaller = |key| self.millis(key).min(ours.millis(key));
        Ok(Agreed {
            version,
            inactivity: smaller("MaxInactivityDuration"),
            delay: smaller(DELAY),
            peer_max_frame: max_frame.filter(|size| *size > 0).unwrap_or(u64::MAX),
            jakarta: provider == "ActiveMQ" && major.is_some_and(|major| major >= 6),
            peer: format!("{provider} {provider_version}").trim().to_owned(),
        })
    }

    fn text(&self, key: &str) -> &str {
        let value = map::get(&self.properties, key).and_then(Value::as_text).unwrap_or_default();
        crate::text::prefix(value, crate::limits::MAX_QUOTED)
    }

    fn millis(&self, key: &str) -> Duration {
        let millis = self.long(key).unwrap_or(0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    fn long(&self, key: &str) -> Option<i64> {
        map::get(&self.properties, key).and_then(Value::as_integer)
    }
}
