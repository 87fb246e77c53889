//! Where a client connects, as people who know ActiveMQ write it: `tcp://a:61616`,
//! `ssl://a:61617`, `failover:(tcp://a:61616,tcp://b:61616)?randomize=false`.
//!
//! What is written is either obeyed, without meaning for a client that keeps its records on disk
//! (and said to be so), or refused with the reason; nothing is passed over in silence. It knows
//! neither names nor addresses of the network. Which broker is tried when: `failover.rs`.

mod options;

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

pub use options::FailoverOptions;

/// Brokers of one setting.
const MOST: usize = 16;

/// One broker: transport, host, port, and what was said of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerUri {
    /// `ssl://` or `nio+ssl://`.
    pub is_tls: bool,
    /// A name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
    /// `connectionTimeout`: how long one address may take to connect.
    pub connect: Option<Duration>,
    /// `wireFormat.maxInactivityDuration`: the silence after which it is given up; zero: never.
    pub inactivity: Option<Duration>,
}

/// The brokers of one setting, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Brokers {
    /// At least one.
    pub list: Vec<BrokerUri>,
    /// `None`: one address without `failover:`. Then a broker may not send us elsewhere.
    pub failover: Option<FailoverOptions>,
    /// Options that were given and change nothing here.
    pub idle: Vec<String>,
}

/// Why a text names no brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokersError {
    /// Neither an address nor a list of such.
    #[error("expected tcp://host:port, ssl://host:port or failover:(…,…)")]
    Form,
    /// Another protocol or a way to find brokers.
    #[error("{0}: is not spoken here; there are tcp, nio, ssl, nio+ssl and failover")]
    Scheme(String),
    /// A parenthesis without its partner.
    #[error("a parenthesis is missing")]
    Parenthesis,
    /// An address that is none.
    #[error("{0}: expected host:port")]
    Address(String),
    /// `user:password@`.
    #[error("user and password stand in settings of their own, not in the address")]
    Login,
    /// None, or more than fit.
    #[error("expected 1 to {MOST} brokers, found {0}")]
    Count(usize),
    /// The same host and port again.
    #[error("{0} stands twice")]
    Twice(String),
    /// No such option.
    #[error("there is no option {0}")]
    Unknown(String),
    /// The value does not fit.
    #[error("{key}={value}: expected {expected}")]
    Value {
        /// The option.
        key: String,
        /// What it is set to.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// What the option asks for is not done here.
    #[error("{key}: {why}")]
    Refused {
        /// The option.
        key: String,
        /// Why not, and what to do instead.
        why: &'static str,
    },
}

impl Brokers {
    /// Reads one address or a `failover:` list.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, BrokersError> {
        let mut idle = Vec::new();
        let Some(rest) = text.strip_prefix("failover:") else {
            let one = BrokerUri::parse(text, &mut idle)?;
            return Ok(Self { list: vec![one], failover: None, idle });
        };
        let (items, query) = composite(rest.strip_prefix("//").unwrap_or(rest))?;
        let mut list = Vec::new();
        for item in items {
            let one = BrokerUri::parse(item, &mut idle)?;
            if list.iter().any(|other| one.is_at(other)) {
                return Err(BrokersError::Twice(one.to_string()));
            }
            list.push(one);
        }
        if list.is_empty() || list.len() > MOST {
            return Err(BrokersError::Count(list.len()));
        }
        let failover = Some(options::failover(query, &mut list, &mut idle)?);
        Ok(Self { list, failover, idle })
    }

    /// Some of them are reached by TLS.
    #[must_use]
    pub fn any_tls(&self) -> bool {
        self.list.iter().any(|one| one.is_tls)
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.list.iter().enumerate() {
            write!(f, "{}{one}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl BrokerUri {
    /// Reads one address; its options that change nothing are appended to `idle`.
    fn parse(text: &str, idle: &mut Vec<String>) -> Result<Self, BrokersError> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut one = Self::address(address.trim())?;
        options::connection(query, &mut one, idle)?;
        Ok(one)
    }

    /// Reads what a broker says of another one: its options are those of its own listener.
    pub(crate) fn told(text: &str) -> Option<Self> {
        let address = text.split_once('?').map_or(text, |(address, _)| address);
        Self::address(address.trim()).ok()
    }

    fn address(text: &str) -> Result<Self, BrokersError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| scheme_error(text))?;
        let is_tls = match scheme {
            "tcp" | "nio" => false,
            "ssl" | "nio+ssl" => true,
            _ => return Err(scheme_error(text)),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(BrokersError::Login);
        }
        let (host, port) = host_port(rest).ok_or_else(|| BrokersError::Address(text.to_owned()))?;
        Ok(Self { is_tls, host: host.to_owned(), port, connect: None, inactivity: None })
    }

    /// The same broker, whatever is said of the connection to it.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host) && self.port == other.port
    }

    /// `host:port`, IPv6 in brackets.
    #[must_use]
    pub fn host_port(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for BrokerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "ssl" } else { "tcp" };
        write!(f, "{scheme}://{}", self.host_port())
    }
}

fn scheme_error(text: &str) -> BrokersError {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let word = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+');
    if word && (rest.starts_with("//") || rest.starts_with('(')) {
        return BrokersError::Scheme(scheme.to_owned());
    }
    BrokersError::Form
}

/// The addresses of a list, with or without parentheses, and the options behind it.
fn composite(text: &str) -> Result<(Vec<&str>, &str), BrokersError> {
    let Some(inner) = text.strip_prefix('(') else {
        // Without parentheses the options of a single address are those of the list.
        let (list, query) = text.split_once('?').unwrap_or((text, ""));
        return Ok((list.split(',').collect(), query));
    };
    let (list, behind) = inner.split_once(')').ok_or(BrokersError::Parenthesis)?;
    let query = match behind.strip_prefix('?') {
        Some(query) => query,
        None if behind.is_empty() => "",
        None => return Err(BrokersError::Form),
    };
    let items = if list.trim().is_empty() { Vec::new() } else { list.split(',').collect() };
    Ok((items, query))
}

fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        inner.parse::<Ipv6Addr>().ok()?;
        return Some((inner, port));
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name = !host.is_empty() && host.len() <= 253 && host.chars().all(letter);
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let address = || host.parse::<std::net::Ipv4Addr>().is_ok();
    (name && !host.starts_with(['-', '.']) && (!numeric || address())).then_some((host, port))
}

#[cfg(test)]
mod tests;
