//! Branches of our Vias (rm.md §1.6): `z9hG4bK-rm`, node id (4 hex), transaction number (16 hex),
//! loop hash (8 hex). A request that comes back is known by its hash.
//!
//! The hash covers what hops do not change; a spiral with another target has another hash.

use std::fmt;

use model::id::NodeId;
use sip::message::Message;

use crate::token::{BARE, Keys};

const PREFIX: &str = "z9hG4bK-rm";
const LEN: usize = PREFIX.len() + 4 + 16 + 8;

/// The branch of transaction `number`, to be printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) node: NodeId,
    pub(crate) number: u64,
    pub(crate) hash: u32,
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:04x}{:016x}{:08x}", self.node.0, self.number, self.hash)
    }
}

/// Node, transaction number and loop hash of a branch of the cluster.
fn parts(branch: &str) -> Option<(NodeId, u64, u32)> {
    let digits = branch.strip_prefix(PREFIX)?;
    if branch.len() != LEN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let node = u16::from_str_radix(digits.get(..4)?, 16).ok()?;
    let number = u64::from_str_radix(digits.get(4..20)?, 16).ok()?;
    let hash = u32::from_str_radix(digits.get(20..)?, 16).ok()?;
    Some((NodeId(node), number, hash))
}

/// The loop hash of a branch of the cluster.
pub(crate) fn hash_of(branch: &str) -> Option<u32> {
    parts(branch).map(|(_, _, hash)| hash)
}

/// The transaction number of a branch of this node.
pub(crate) fn number_of(branch: &str, own: NodeId) -> Option<u64> {
    parts(branch).filter(|(node, ..)| *node == own).map(|(_, number, _)| number)
}

/// The loop hash of a request as received. Of its Route entries the topmost counts that is no bare
/// half of a double one: those are alike for every leg of a spiral.
pub(crate) fn loop_hash(keys: &Keys, message: &Message<'_>) -> u32 {
    let uri = message.request().map_or("", |line| line.uri);
    let is_half = |uri: &str| {
        let user = uri.split_once(':').and_then(|(_, rest)| rest.split_once('@'));
        user.is_some_and(|(user, _)| user == BARE)
    };
    let mut routes = message.routes().map(|route| route.uri);
    let route = routes.find(|uri| !is_half(uri)).unwrap_or_default();
    let from = message.from().tag().unwrap_or_default();
    let to = message.to().tag().unwrap_or_default();
    let cseq = message.cseq().to_be_bytes();
    keys.branch_hash(&[
        uri.as_bytes(),
        route.as_bytes(),
        from.as_bytes(),
        to.as_bytes(),
        message.call_id().as_bytes(),
        &cseq,
    ])
}

#[cfg(test)]
mod tests {
    use super::{Branch, hash_of, number_of};
    use model::id::NodeId;

    #[test]
    fn shape_of_the_specification() {
        let branch = Branch { node: NodeId(1), number: 0x2a, hash: 0x9d04_c1e7 };
        let text = branch.to_string();
        assert_eq!(text, "z9hG4bK-rm0001000000000000002a9d04c1e7");
        assert_eq!(hash_of(&text), Some(0x9d04_c1e7));
        assert_eq!(number_of(&text, NodeId(1)), Some(0x2a));
        assert_eq!(number_of(&text, NodeId(2)), None);
        for other in ["z9hG4bK77ef", "z9hG4bK-rm0001", &text[..37], "z9hG4bK-rm+00100000000000000"]
        {
            assert_eq!(hash_of(other), None, "{other}");
        }
    }
}
