//! Identities: sessions, legs, nodes, epochs, DBIDs and revisions, with their printed forms.
//!
//! Layouts are those of rm.md §2.2; time and chance are inputs. Nothing here knows what the ids
//! are used for.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chance::Chance;
use crate::time::Millis;

/// A session's identity: 128 bits, UUID version 7 when it is made here.
///
/// Printed and serialised 8-4-4-4-12 in upper-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// A new GUID of this time (RFC 9562 §5.7: 48 bits of milliseconds, the rest random).
    #[must_use]
    pub fn v7(time: Millis, chance: &mut Chance) -> Self {
        let mut bytes = [0; 16];
        chance.fill(&mut bytes);
        let [_, _, t0, t1, t2, t3, t4, t5] = time.0.to_be_bytes();
        let [_, _, _, _, _, _, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15] = bytes;
        let (version, variant) = (0x70 | (b6 & 0x0F), 0x80 | (b8 & 0x3F));
        Self([t0, t1, t2, t3, t4, t5, version, b7, variant, b9, b10, b11, b12, b13, b14, b15])
    }

    /// Reads the 8-4-4-4-12 form in either case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0; 16];
        let mut nibbles = 0;
        for (at, byte) in text.bytes().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return None;
                }
                continue;
            }
            let nibble = u8::try_from(char::from(byte).to_digit(16)?).ok()?;
            let cell = bytes.get_mut(nibbles / 2)?;
            *cell = *cell << 4 | nibble;
            nibbles += 1;
        }
        Some(Self(bytes))
    }

    /// Whether it has the version and variant bits of a UUID version 7.
    #[must_use]
    pub fn is_v7(&self) -> bool {
        self.0[6] >> 4 == 7 && self.0[8] >> 6 == 0b10
    }

    /// When it was made, if it is a version 7.
    #[must_use]
    pub fn time(&self) -> Option<Millis> {
        let [a, b, c, d, e, f, ..] = self.0;
        self.is_v7().then(|| Millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f])))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        let cells = text.iter_mut().enumerate();
        let cells = cells.filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
        let nibbles = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        for ((_, cell), nibble) in cells.zip(nibbles) {
            *cell = if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble };
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a GUID"))
    }
}

/// A leg of a session: node id (10 bits) ‖ boot epoch mod 64 (6) ‖ counter (16).
///
/// Printed and serialised as 8 upper-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LegId(pub u32);

impl LegId {
    /// The id of the `counter`-th leg (from 1) that this node's run makes in a session.
    #[must_use]
    pub fn new(node: NodeId, boot: BootEpoch, counter: u16) -> Self {
        Self((u32::from(node.0) & 0x3FF) << 22 | (boot.0 & 0x3F) << 16 | u32::from(counter))
    }

    /// Reads 8 hex digits in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(text, 16).ok().map(Self))?
    }

    /// The node that made it.
    #[must_use]
    pub fn node(self) -> NodeId {
        NodeId(u16::try_from(self.0 >> 22).unwrap_or_default())
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

impl Serialize for LegId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LegId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a leg id of 8 hex digits"))
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($of:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $of);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A Resource Manager node, 1–1023 (`rm.node_id`).
    NodeId(u16)
}
number! {
    /// The owner epoch of a leg: rises by one when another node adopts it.
    Epoch(u16)
}
number! {
    /// A process run of a node: rises by one at every start.
    BootEpoch(u32)
}
number! {
    /// The number that reports know an object by; 1 is the tenant `Environment`.
    Dbid(u32)
}
number! {
    /// A version of the configuration, stamped into every record.
    Revision(u64)
}

impl NodeId {
    /// The highest node id.
    pub const MAX: u16 = 1023;

    /// The default of `rm.node_id`: the trailing number of the node's name, 1001 if that is 0,
    /// 1 if there is none; `None` if it is above 1023, when the setting must be given.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let digits = digits.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if digits.is_empty() {
            return Some(Self(1));
        }
        match digits.parse() {
            Ok(0) => Some(Self(1001)),
            Ok(id) if id <= Self::MAX => Some(Self(id)),
            _ => None,
        }
    }
}

/// The DBID of an object that was given none: a function of its identity (rm.md §4.1).
///
/// `tenant` is `Environment` for the kinds Tenant and Application.
#[must_use]
pub fn dbid_of(kind: &str, tenant: &str, name: &str) -> Dbid {
    computed(&[kind, tenant, name])
}

/// The DBID of a resource that was given none; see [`dbid_of`].
#[must_use]
pub fn dbid_of_resource(tenant: &str, group: &str, name: &str) -> Dbid {
    computed(&["Resource", tenant, group, name])
}

/// FNV-1a-32 of the parts joined by `/`, in the upper half of the positive 31-bit numbers.
fn computed(parts: &[&str]) -> Dbid {
    let mut hash: u32 = 0x811C_9DC5;
    let mut feed = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            feed(b'/');
        }
        part.bytes().for_each(&mut feed);
    }
    Dbid(hash & 0x3FFF_FFFF | 0x4000_0000)
}

#[cfg(test)]
mod tests;
