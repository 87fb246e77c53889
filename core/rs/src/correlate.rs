//! Rule 7 of rs.md §2.9: a media server's call takes tenant and profile from RM's record.
//!
//! What a call borrows is never stored in its state: it is looked up when its row is made, so that
//! it makes no difference which of the two came first. The store asks after every change of an RM
//! call that lends something else ([`crate::Change::lends`]): the rows of the other calls of that
//! GUID are made again; and of every other call with a GUID: which RM calls there are.

use crate::fact::{Object, ProfileFact};
use crate::row::{Named, ProfileName};

/// What an RM call lends to the other calls of its GUID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lender {
    /// Start of the leg: the earliest one lends …
    pub started_ms: i64,
    /// … of equals that of the lowest leg id.
    pub leg: u32,
    /// Its tenant path; empty = none was selected.
    pub tenant: Vec<Object>,
    /// Its profile.
    pub profile: Option<ProfileFact>,
}

impl Lender {
    /// The one that lends, of all RM calls of a GUID.
    pub fn pick(lenders: impl IntoIterator<Item = Self>) -> Option<Self> {
        lenders.into_iter().min_by_key(|lender| (lender.started_ms, lender.leg))
    }
}

/// The path a call has: its own, else the lender's. A name without path is completed from a
/// lender whose tenant has that name.
pub(crate) fn tenant<'f>(own: &'f [Object], lender: Option<&'f Lender>) -> &'f [Object] {
    let lent = lender.map_or(&[][..], |lender| &lender.tenant);
    match (own, lent.last()) {
        ([], _) => lent,
        ([only], Some(leaf)) if only.dbid.is_none() && only.name == leaf.name => lent,
        _ => own,
    }
}

/// The profile a call has, likewise.
pub(crate) fn profile<'f>(
    own: Option<&'f ProfileFact>,
    lender: Option<&'f Lender>,
) -> Option<&'f ProfileFact> {
    let lent = lender.and_then(|lender| lender.profile.as_ref());
    match (own, lent) {
        (None, lent) => lent,
        (Some(own), Some(lent))
            if own.object.dbid.is_none() && own.object.name == lent.object.name =>
        {
            Some(lent)
        }
        (own, _) => own,
    }
}

impl From<&Object> for Named {
    fn from(object: &Object) -> Self {
        Self { dbid: object.dbid, name: object.name.clone() }
    }
}

impl From<&ProfileFact> for ProfileName {
    fn from(profile: &ProfileFact) -> Self {
        let Object { dbid, name } = profile.object.clone();
        Self { dbid, name, service: profile.service }
    }
}
