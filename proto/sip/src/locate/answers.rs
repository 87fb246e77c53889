//! Questions to the name service and what it has said: bounded, whatever it says.

use super::goal::HostName;
use crate::limits;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name, absolute.
    pub name: HostName,
    /// What is asked about it.
    pub kind: Kind,
}

/// Kinds of records that RFC 3263 uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 3403.
    Naptr,
    /// RFC 2782.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// One NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first; records of a higher order than the first that fits do not count.
    pub order: u16,
    /// Lower ones first among those of one order.
    pub preference: u16,
    /// Flags, without case; RFC 3263 knows `s`.
    pub flags: String,
    /// Service, without case, such as `SIP+D2U`.
    pub services: String,
    /// The substitution: must be empty for SIP.
    pub regexp: String,
    /// The name of the SRV records; `None` if it may not be asked for.
    pub replacement: Option<HostName>,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// Where the service listens.
    pub port: u16,
    /// The host; `None`: the root, "the service is decidedly not available at this domain".
    pub target: Option<HostName>,
}

/// What was answered to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// To [`Kind::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Kind::Srv`].
    Srv(Vec<Srv>),
    /// To [`Kind::A`] and [`Kind::Aaaa`], in the order of the answer.
    Addresses(Vec<IpAddr>),
    /// There is no such name, or nothing of this kind.
    Nothing,
    /// No answer, or one that means nothing.
    Failed,
}

/// What is known, question by question.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    known: BTreeMap<Question, Records>,
    /// Everybody is wanted, not somebody.
    wide: bool,
}

impl Answers {
    /// For those who want everybody behind a name.
    pub fn wide() -> Self {
        Self { wide: true, ..Self::default() }
    }

    /// Takes in an answer, cut to the bounds of `limits`: of NAPTR and SRV records those stay that
    /// come first in their order.
    pub fn insert(&mut self, question: Question, mut records: Records) {
        match &mut records {
            Records::Naptr(list) => {
                list.sort_by_key(|one| (one.order, one.preference));
                list.truncate(limits::NAPTR_RECORDS);
            }
            Records::Srv(list) => {
                list.sort_by_key(|one| one.priority);
                list.truncate(if self.wide { limits::MEMBERS } else { limits::SRV_RECORDS });
            }
            Records::Addresses(list) => {
                list.truncate(if self.wide { limits::MEMBERS } else { limits::ADDRESSES });
            }
            Records::Nothing | Records::Failed => {}
        }
        self.known.insert(question, records);
    }

    pub(super) fn get(&self, name: &HostName, kind: Kind) -> Result<&Records, Question> {
        let question = Question { name: name.clone(), kind };
        self.known.get(&question).ok_or(question)
    }
}
