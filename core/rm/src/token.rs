//! The sealed token in the user part of a Record-Route URI (rm.md §1.4): any node routes and
//! records a dialog from it, with an empty memory.
//!
//! 70 bytes, big-endian: version 1, key id 1, GUID 16, leg 4, owner 2, epoch 2, tenant 4,
//! profile 4, resource 4, start 6, revision 4, service 1, flags 1, hash of the From tag 4,
//! MAC 16. On the wire `rm-` and 94 characters of base64url. It must not influence anything
//! unless its MAC is right for the Call-ID beside it.

use model::config::Service;
use model::id::{Dbid, Epoch, Guid, LegId, NodeId};
use model::time::Millis;
use sha2::{Digest, Sha256};

pub mod base64url;
pub mod keys;

pub use keys::Keys;

/// Bytes before the MAC.
const BODY: usize = 54;
/// Bytes of the whole token.
const LEN: usize = 70;
/// Characters of the user part.
const TEXT: usize = 97;
/// Prefix of the user part.
pub const PREFIX: &str = "rm-";
/// User part of a Record-Route entry without a token: the far side of a double one.
pub const BARE: &str = "rm-0";

/// Whether this is a user part as we write it into a Record-Route entry.
#[must_use]
pub fn is_own_user(user: &str) -> bool {
    user == BARE || (user.len() == TEXT && user.starts_with(PREFIX))
}

/// Leg leads to the outside.
pub const OUTBOUND: u8 = 1 << 0;
/// Its session went to a CTI connector.
pub const CTI: u8 = 1 << 1;
/// Leg is the first of its session.
pub const PRIMARY: u8 = 1 << 4;
/// A short entry follows: the other half of a double Record-Route.
pub const DOUBLE: u8 = 1 << 5;
/// Call from a resource to a media service.
pub const INTERNAL: u8 = 1 << 6;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Session.
    pub guid: Guid,
    /// Leg in the session.
    pub leg: LegId,
    /// Owner at insertion.
    pub node: NodeId,
    /// Owner epoch at insertion.
    pub epoch: Epoch,
    /// Tenant.
    pub tenant: Dbid,
    /// Profile; 0 = none.
    pub profile: Dbid,
    /// Resource; 0 = outside target.
    pub resource: Dbid,
    /// Start of the leg.
    pub start: Millis,
    /// Low 32 bits of the configuration revision.
    pub revision: u32,
    /// Service of the leg.
    pub service: Service,
    /// Bits of rm.md §1.4, offset 49.
    pub flags: u8,
    /// First bytes of SHA-256 of the initial From tag.
    pub from_hash: [u8; 4],
}

/// The user part of a token: `rm-` and 94 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed([u8; TEXT]);

impl Sealed {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // base64url is ASCII
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Why a user part is not a token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `rm-` and 94 characters.
    #[error("not a token")]
    Shape,
    /// Version, key id or service nobody knows.
    #[error("unknown version, key or service")]
    Unknown,
    /// Forged, damaged, or of another dialog.
    #[error("wrong mac")]
    Mac,
}

impl Token {
    /// The user part: `rm-` and 94 characters, signed with the first key of the ring.
    #[must_use]
    pub fn seal(&self, keys: &Keys, call_id: &str) -> Sealed {
        let mut bytes = [0_u8; LEN];
        let (body, mac) = bytes.split_at_mut(BODY);
        self.write(keys.signing_id(), body);
        mac.copy_from_slice(&keys.route_mac(keys.signing_id(), body, call_id).unwrap_or_default());
        let mut text = [0; TEXT];
        let (prefix, rest) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        base64url::encode(&bytes, rest);
        Sealed(text)
    }

    /// Reads a user part; every key of the ring verifies.
    ///
    /// # Errors
    /// [`TokenError`]; nothing of such a token may be used.
    pub fn open(user: &str, keys: &Keys, call_id: &str) -> Result<Self, TokenError> {
        let text = user.strip_prefix(PREFIX).ok_or(TokenError::Shape)?;
        let bytes: [u8; LEN] = base64url::decode(text).ok_or(TokenError::Shape)?;
        let (body, mac) = bytes.split_at(BODY);
        let &[version, key, ..] = body else { return Err(TokenError::Shape) };
        if version != 1 {
            return Err(TokenError::Unknown);
        }
        let right = keys.route_mac(key, body, call_id).ok_or(TokenError::Unknown)?;
        if !keys::same(&right, mac) {
            return Err(TokenError::Mac);
        }
        Self::read(body).ok_or(TokenError::Unknown)
    }

    /// Whether a request with this From tag comes from the caller of the leg.
    #[must_use]
    pub fn from_caller(&self, from_tag: &str) -> bool {
        tag_hash(from_tag) == self.from_hash
    }

    fn write(&self, key: u8, body: &mut [u8]) {
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(room) = body.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&[1, key]);
        put(&self.guid.0);
        put(&self.leg.0.to_be_bytes());
        put(&self.node.0.to_be_bytes());
        put(&self.epoch.0.to_be_bytes());
        put(&self.tenant.0.to_be_bytes());
        put(&self.profile.0.to_be_bytes());
        put(&self.resource.0.to_be_bytes());
        let start = self.start.0.to_be_bytes();
        put(start.get(2..).unwrap_or_default());
        put(&self.revision.to_be_bytes());
        put(&[self.service.number(), self.flags]);
        put(&self.from_hash);
    }

    fn read(body: &[u8]) -> Option<Self> {
        let mut cut = Cut { rest: body.get(2..)? };
        Some(Self {
            guid: Guid(cut.take()?),
            leg: LegId(u32::from_be_bytes(cut.take()?)),
            node: NodeId(u16::from_be_bytes(cut.take()?)),
            epoch: Epoch(u16::from_be_bytes(cut.take()?)),
            tenant: Dbid(u32::from_be_bytes(cut.take()?)),
            profile: Dbid(u32::from_be_bytes(cut.take()?)),
            resource: Dbid(u32::from_be_bytes(cut.take()?)),
            start: {
                let [a, b, c, d, e, f] = cut.take()?;
                Millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            },
            revision: u32::from_be_bytes(cut.take()?),
            service: {
                let [number] = cut.take()?;
                Service::from_number(number)?
            },
            flags: {
                let [flags] = cut.take()?;
                flags
            },
            from_hash: cut.take()?,
        })
    }
}

/// First 4 bytes of SHA-256 of a tag.
#[must_use]
pub fn tag_hash(tag: &str) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::digest(tag.as_bytes()).into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

struct Cut<'a> {
    rest: &'a [u8],
}

impl Cut<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests;
