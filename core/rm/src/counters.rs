//! Plain numbers of the engine; the shell turns them into the metrics of ops.md §5.1.
//!
//! Counters only rise; what is a live set (sessions, legs, load) is read from the sets
//! themselves, never from here. Keys come from configuration or from our own tables, never from
//! the wire.

use std::collections::BTreeMap;

/// All counters. The names are those of the metrics without prefix and `_total`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests received without retransmissions, by stack and method (unknown ones: `other`).
    pub requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Final answers to requests, by code and reason word (`forwarded`, `ok` when passed on).
    pub answers: BTreeMap<(u16, &'static str), u64>,
    /// Legs forwarded, by service and final code.
    pub forwarded: BTreeMap<(&'static str, u16), u64>,
    /// Refused attempts, by tenant (empty when none was selected) and reason word.
    pub rejected: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Sessions above level 1, by tenant and burst level.
    pub burst: BTreeMap<String, BTreeMap<u8, u64>>,
    /// Next resource tried, by group and reason of the failure before.
    pub failovers: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Answers after a try was given up, by group and code.
    pub late_answers: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Tries by group, resource and outcome (`placed`, `4xx`, `5xx`, `timeout`, `transport`).
    pub tries: BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, u64>>>,
    /// Requests for which no group had a resource, by the first group in order.
    pub exhausted: BTreeMap<String, u64>,
    /// Messages dropped, by why (`stray`, `no-dialog`, `bad-token`, `relay-refused` …).
    pub dropped: BTreeMap<&'static str, u64>,
    /// Messages that could not be parsed, by transport.
    pub parse_errors: BTreeMap<&'static str, u64>,
    /// Records made, by kind and phase.
    pub records: BTreeMap<(&'static str, &'static str), u64>,
    /// Questions to the name service.
    pub names_asked: u64,
    /// Those that led nowhere, by why (`nothing`, `unanswered`, `unspoken`).
    pub names_failed: BTreeMap<&'static str, u64>,
    /// Requests sent to the next address of the same name, by why (`timeout`, `transport`).
    pub address_failovers: BTreeMap<&'static str, u64>,
    /// Legs taken over with epoch + 1.
    pub adopted: u64,
    /// Legs rebuilt from a token.
    pub rebuilt: u64,
    /// Legs ended without a word of them since adoption.
    pub interrupted: u64,
    /// Answers to BYE sent before the end record was durable.
    pub bye_answer_late: u64,
    /// Legs begun, adopted or rebuilt here.
    pub ledger_in: u64,
    /// End records made.
    pub ledger_out: u64,
    /// Calls that RM itself ended, by why (`duration`, `operator`).
    pub calls_cut: BTreeMap<&'static str, u64>,
    /// 4xx final answers to INVITE sent upstream, made or forwarded.
    pub invite_4xx_sent: u64,
    /// 5xx final answers to INVITE sent upstream, made or forwarded.
    pub invite_5xx_sent: u64,
}

impl Counters {
    pub(crate) fn answer(&mut self, code: u16, reason: &'static str, invite: bool) {
        *self.answers.entry((code, reason)).or_default() += 1;
        match code {
            400..=499 if invite => self.invite_4xx_sent += 1,
            500..=599 if invite => self.invite_5xx_sent += 1,
            _ => {}
        }
    }

    pub(crate) fn tried(&mut self, group: &str, resource: &str, outcome: &'static str) {
        match self.tries.get_mut(group) {
            Some(resources) => count(resources, resource, outcome),
            None => {
                let first = BTreeMap::from([(outcome, 1)]);
                let resources = BTreeMap::from([(resource.to_owned(), first)]);
                self.tries.insert(group.to_owned(), resources);
            }
        }
    }

    pub(crate) fn dropped(&mut self, why: &'static str) {
        *self.dropped.entry(why).or_default() += 1;
    }
}

/// Adds one under a name that is allocated only when it is new.
pub(crate) fn count<K: Ord>(map: &mut BTreeMap<String, BTreeMap<K, u64>>, name: &str, key: K) {
    match map.get_mut(name) {
        Some(inner) => *inner.entry(key).or_default() += 1,
        None => {
            map.insert(name.to_owned(), BTreeMap::from([(key, 1)]));
        }
    }
}
