//! The broker's address: `tcp://host:port`, or several in `failover:(…)`.
//!
//! Syntax only; names are resolved at each connect, because an address is an attribute.

use crate::error::StartError;

/// Brokers in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brokers(Vec<(String, u16)>);

impl Brokers {
    /// Reads `rm.reporting.broker`.
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        let refuse = |what: &str| StartError::Settings(format!("rm.reporting.broker: {what}"));
        let list = match text.trim().strip_prefix("failover:") {
            // Options behind the bracket steer ActiveMQ's own client; ours has one behaviour.
            Some(rest) => rest
                .trim_start_matches("//")
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map(|(list, _options)| list)
                .ok_or_else(|| refuse("expected failover:(tcp://host:port,…)"))?,
            None => text.trim(),
        };
        let mut brokers = Vec::new();
        for uri in list.split(',').map(str::trim) {
            if uri.starts_with("ssl://") {
                return Err(refuse("ssl:// is not available in this version"));
            }
            let place = uri.strip_prefix("tcp://").and_then(|rest| rest.split('?').next());
            let (host, port) = place
                .and_then(|place| place.rsplit_once(':'))
                .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
                .filter(|(host, _)| !host.is_empty())
                .ok_or_else(|| refuse("expected tcp://host:port"))?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            brokers.push((host.to_owned(), port));
        }
        Ok(Self(brokers))
    }

    /// The broker of the n-th attempt: round and round.
    pub(crate) fn nth(&self, attempt: u32) -> Option<(&str, u16)> {
        let count = u32::try_from(self.0.len()).ok()?;
        let at = usize::try_from(attempt.checked_rem(count)?).ok()?;
        self.0.get(at).map(|(host, port)| (host.as_str(), *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_not_one() {
        let one = Brokers::parse("tcp://rs.example:61616").unwrap();
        assert_eq!((one.nth(0), one.nth(5)), (Some(("rs.example", 61616)), one.nth(0)));
        let two = Brokers::parse("failover:(tcp://a:1,tcp://[::1]:2?x=y)?randomize=false").unwrap();
        let tried: Vec<_> = (0..3).map(|n| two.nth(n).unwrap()).collect();
        assert_eq!(tried, [("a", 1), ("::1", 2), ("a", 1)]);
        for text in ["", "rs:61616", "tcp://rs", "tcp://:1", "tcp://a:x", "failover:tcp://a:1"] {
            assert_eq!(Brokers::parse(text).unwrap_err().exit_code(), 78, "{text:?}");
        }
        let text = Brokers::parse("ssl://a:1").unwrap_err().to_string();
        assert!(text.contains("not available in this version"), "{text}");
    }
}
