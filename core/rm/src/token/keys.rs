//! The cluster key ring: the first key signs, all verify (rm.md §1.4), and what is derived.
//!
//! Must not be printed: `Debug` shows key ids only.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Keys of the cluster with their ids, first one signing.
#[derive(Clone)]
pub struct Keys {
    signing: Key,
    others: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: u8,
    /// Keyed MAC states, cloned per use: the key schedule is paid once.
    route: Hmac<Sha256>,
    branch: Hmac<Sha256>,
}

impl Keys {
    /// The ring from cluster keys in file order; `None` if it is empty, or an id is 0 or doubled.
    #[must_use]
    pub fn new(ring: &[(u8, [u8; 32])]) -> Option<Self> {
        let mut keys: Vec<Key> = Vec::with_capacity(ring.len());
        for (id, secret) in ring {
            if *id == 0 || keys.iter().any(|key| key.id == *id) {
                return None;
            }
            keys.push(Key {
                id: *id,
                route: derived(secret, b"ringmaster/record-route/1"),
                branch: derived(secret, b"ringmaster/branch/1"),
            });
        }
        let mut keys = keys.into_iter();
        Some(Self { signing: keys.next()?, others: keys.collect() })
    }

    /// Reads the text of `rm.cluster.key_file`: `<key id> <64 hex digits>` a line, `#` comments.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut ring = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (id, digits) = line.split_once(char::is_whitespace)?;
            ring.push((id.parse().ok()?, hex32(digits.trim())?));
        }
        Self::new(&ring)
    }

    pub(crate) fn signing_id(&self) -> u8 {
        self.signing.id
    }

    /// MAC of a token's first bytes and its Call-ID; `None` if the key id is unknown.
    pub(crate) fn route_mac(&self, id: u8, body: &[u8], call_id: &str) -> Option<[u8; 16]> {
        let key = core::iter::once(&self.signing).chain(&self.others).find(|key| key.id == id)?;
        let mut mac = key.route.clone();
        mac.update(body);
        mac.update(call_id.as_bytes());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        whole.first_chunk::<16>().copied()
    }

    /// Keyed hash over `parts`, each ended by a zero byte (rm.md §1.6, loop hash).
    pub(crate) fn branch_hash(&self, parts: &[&[u8]]) -> u32 {
        let mut mac = self.signing.branch.clone();
        for part in parts {
            mac.update(part);
            mac.update(&[0]);
        }
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, ..] = whole;
        u32::from_be_bytes([a, b, c, d])
    }
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let ids = core::iter::once(self.signing.id).chain(self.others.iter().map(|key| key.id));
        f.debug_list().entries(ids).finish()
    }
}

/// Comparison whose time does not depend on where the bytes differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && core::hint::black_box(difference) == 0
}

fn derived(secret: &[u8; 32], info: &[u8]) -> Hmac<Sha256> {
    let mut key = [0_u8; 32];
    Hkdf::<Sha256>::new(None, secret)
        .expand(info, &mut key)
        .expect("32 bytes are far below HKDF's limit of 8160");
    Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length")
}

fn hex32(digits: &str) -> Option<[u8; 32]> {
    let mut out = [0_u8; 32];
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        let &[high, low] = pair else { return None };
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(value(high)? << 4 | value(low)?).ok()?;
    }
    Some(out)
}
