//! Options behind the addresses, by the names of ActiveMQ 5.17: one row each.
//!
//! A row says what an option does here. Options that would let records get lost, or a broker go
//! unverified, are refused with the reason; those of a buffer that this client does not have, or
//! of what it does anyway, are accepted and named as idle.

use super::{BrokerUri, BrokersError};
use std::time::Duration;

/// How a list of brokers is gone through.
#[derive(Debug, Clone, PartialEq)]
pub struct FailoverOptions {
    /// `randomize`: each round in an order of its own; false: in that of the list.
    pub randomize: bool,
    /// `initialReconnectDelay`, before a round after one in vain.
    pub first_delay: Option<Duration>,
    /// `maxReconnectDelay`
    pub longest_delay: Option<Duration>,
    /// `reconnectDelayExponent`, each delay by the one before it; 1 without
    /// `useExponentialBackOff`.
    pub factor: f64,
    /// `priorityBackup` and `priorityURIs`: as long as it is connected to another one, it goes
    /// back to one of these (indexes of the list) as soon as that can be reached.
    pub preferred: Vec<usize>,
    /// `updateURIsSupported`: brokers that a broker tells of are tried too.
    pub learns: bool,
    /// `reconnectSupported`: a broker may send us to another one.
    pub moves: bool,
}

impl Default for FailoverOptions {
    fn default() -> Self {
        Self {
            randomize: true,
            first_delay: None,
            longest_delay: None,
            factor: 2.0,
            preferred: Vec::new(),
            learns: true,
            moves: true,
        }
    }
}

/// What an option does here.
enum Does {
    /// It is obeyed.
    Obeyed,
    /// It changes nothing.
    Idle,
    /// Only this value is what is done.
    Only(&'static str, &'static str),
    /// It is refused.
    Refused(&'static str),
}

const NEVER_GIVES_UP: &str =
    "records wait on disk until a broker takes them, giving up would only leave them there";
const NO_JMS: &str =
    "this is an option of a JMS connection; user and password are settings of their own";
const NAME_COUNTS: &str = "the certificate of a broker is always held against its name";

#[rustfmt::skip]
const OF_A_LIST: &[(&str, Does)] = &[
    ("randomize", Does::Obeyed),
    ("initialReconnectDelay", Does::Obeyed),
    ("maxReconnectDelay", Does::Obeyed),
    ("useExponentialBackOff", Does::Obeyed),
    ("reconnectDelayExponent", Does::Obeyed),
    ("backOffMultiplier", Does::Obeyed),
    ("priorityBackup", Does::Obeyed),
    ("priorityURIs", Does::Obeyed),
    ("updateURIsSupported", Does::Obeyed),
    ("reconnectSupported", Does::Obeyed),
    ("maxReconnectAttempts", Does::Only("-1", NEVER_GIVES_UP)),
    ("startupMaxReconnectAttempts", Does::Only("-1", NEVER_GIVES_UP)),
    ("timeout", Does::Only("-1", NEVER_GIVES_UP)),
    ("updateURIsURL", Does::Refused("the brokers stand in the setting itself")),
    ("backup", Does::Idle),
    ("backupPoolSize", Does::Idle),
    ("trackMessages", Does::Idle),
    ("trackTransactionProducers", Does::Idle),
    ("maxCacheSize", Does::Idle),
    ("warnAfterReconnectAttempts", Does::Idle),
    ("rebalanceUpdateURIs", Does::Idle),
    ("useLocalHost", Does::Idle),
];

#[rustfmt::skip]
const OF_A_CONNECTION: &[(&str, Does)] = &[
    ("connectionTimeout", Does::Obeyed),
    ("wireFormat.maxInactivityDuration", Does::Obeyed),
    ("wireFormat.maxInactivityDurationInitalDelay", Does::Idle),
    ("wireFormat.cacheEnabled", Does::Idle),
    ("wireFormat.cacheSize", Does::Idle),
    ("wireFormat.tightEncodingEnabled", Does::Idle),
    ("wireFormat.sizePrefixDisabled", Does::Idle),
    ("wireFormat.stackTraceEnabled", Does::Idle),
    ("wireFormat.tcpNoDelayEnabled", Does::Idle),
    ("wireFormat.maxFrameSize", Does::Idle),
    ("wireFormat.maxFrameSizeEnabled", Does::Idle),
    ("wireFormat.version", Does::Idle),
    ("keepAlive", Does::Idle),
    ("useInactivityMonitor", Does::Idle),
    ("useKeepAlive", Does::Idle),
    ("tcpNoDelay", Does::Idle),
    ("soTimeout", Does::Idle),
    ("soWriteTimeout", Does::Idle),
    ("soLinger", Does::Idle),
    ("socketBufferSize", Does::Idle),
    ("ioBufferSize", Does::Idle),
    ("daemon", Does::Idle),
    ("trace", Does::Idle),
    ("verifyHostName", Does::Only("true", NAME_COUNTS)),
    ("socket.verifyHostName", Does::Only("true", NAME_COUNTS)),
    ("transport.verifyHostName", Does::Only("true", NAME_COUNTS)),
];

/// Reads the options of one address.
pub(super) fn connection(
    query: &str,
    one: &mut BrokerUri,
    idle: &mut Vec<String>,
) -> Result<(), BrokersError> {
    pairs(query).try_for_each(|pair| of_connection(pair?, one, idle))
}

fn of_connection(
    (key, value): (&str, &str),
    one: &mut BrokerUri,
    idle: &mut Vec<String>,
) -> Result<(), BrokersError> {
    if !is_obeyed(OF_A_CONNECTION, key, value, idle)? {
        return Ok(());
    }
    match key {
        "connectionTimeout" => one.connect = Some(millis(key, value, 1)?),
        _ => one.inactivity = Some(millis(key, value, 0)?),
    }
    Ok(())
}

/// Reads the options of a list; those that begin with `nested.` are of each address that does not
/// say otherwise.
pub(super) fn failover(
    query: &str,
    list: &mut [BrokerUri],
    idle: &mut Vec<String>,
) -> Result<FailoverOptions, BrokersError> {
    let mut options = FailoverOptions::default();
    let mut common = BrokerUri::default();
    let (mut grows, mut prefers, mut named) = (true, false, "");
    for pair in pairs(query) {
        let (key, value) = pair?;
        if let Some(nested) = key.strip_prefix("nested.") {
            of_connection((nested, value), &mut common, idle)?;
        } else if is_obeyed(OF_A_LIST, key, value, idle)? {
            match key {
                "randomize" => options.randomize = flag(key, value)?,
                "initialReconnectDelay" => options.first_delay = Some(millis(key, value, 1)?),
                "maxReconnectDelay" => options.longest_delay = Some(millis(key, value, 1)?),
                "useExponentialBackOff" => grows = flag(key, value)?,
                "priorityBackup" => prefers = flag(key, value)?,
                "priorityURIs" => named = value,
                "updateURIsSupported" => options.learns = flag(key, value)?,
                "reconnectSupported" => options.moves = flag(key, value)?,
                _ => options.factor = factor(key, value)?,
            }
        }
    }
    if !grows {
        options.factor = 1.0;
    }
    for one in list.iter_mut() {
        one.connect = one.connect.or(common.connect);
        one.inactivity = one.inactivity.or(common.inactivity);
    }
    if prefers {
        options.preferred = preferred(named, list)?;
    }
    Ok(options)
}

/// The places of `priorityURIs` in the list; of none, the first.
fn preferred(named: &str, list: &[BrokerUri]) -> Result<Vec<usize>, BrokersError> {
    if named.is_empty() {
        return Ok(vec![0]);
    }
    let place = |text: &str| {
        let one = BrokerUri::address(text.trim())?;
        let found = list.iter().position(|other| one.is_at(other));
        found.ok_or_else(|| wrong("priorityURIs", text, "brokers of the list"))
    };
    named.split(',').map(place).collect()
}

fn pairs(query: &str) -> impl Iterator<Item = Result<(&str, &str), BrokersError>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| {
        part.split_once('=').ok_or_else(|| wrong(part, "", "a value behind an equals sign"))
    })
}

/// Whether its value is to be read.
fn is_obeyed(
    table: &[(&str, Does)],
    key: &str,
    value: &str,
    idle: &mut Vec<String>,
) -> Result<bool, BrokersError> {
    let refused = |why| BrokersError::Refused { key: key.to_owned(), why };
    match table.iter().find(|(name, _)| *name == key).map(|(_, does)| does) {
        Some(Does::Obeyed) => return Ok(true),
        Some(Does::Idle) => idle.push(key.to_owned()),
        Some(Does::Only(only, _)) if value == *only => {}
        Some(Does::Only(_, why) | Does::Refused(why)) => return Err(refused(why)),
        None if key.starts_with("jms.") => return Err(refused(NO_JMS)),
        None => return Err(BrokersError::Unknown(key.to_owned())),
    }
    Ok(false)
}

fn wrong(key: &str, value: &str, expected: &'static str) -> BrokersError {
    BrokersError::Value { key: key.to_owned(), value: value.to_owned(), expected }
}

fn flag(key: &str, value: &str) -> Result<bool, BrokersError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(key, value, "true or false")),
    }
}

/// An hour at most: whoever waits longer does not fail over.
fn millis(key: &str, value: &str, least: u64) -> Result<Duration, BrokersError> {
    let millis = value.parse().ok().filter(|millis| (least..=3_600_000).contains(millis));
    let expected = if least == 0 { "0 to 3600000 (ms)" } else { "1 to 3600000 (ms)" };
    millis.map(Duration::from_millis).ok_or_else(|| wrong(key, value, expected))
}

fn factor(key: &str, value: &str) -> Result<f64, BrokersError> {
    let factor = value.parse().ok().filter(|factor| (1.0..=10.0).contains(factor));
    factor.ok_or_else(|| wrong(key, value, "1 to 10"))
}
