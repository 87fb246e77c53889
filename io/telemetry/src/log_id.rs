//! Every log id: number, level, module and message, once. Numbers are never reused.
//!
//! Blocks (spec ops.md §8): 10xxx common, 20xxx RM (rm.md §12.1), 30xxx RS (rs.md §12), 40xxx
//! Config Server. A row enters with the code that emits it; `docs/reference/log-ids.md` is compared
//! with this table.

/// How loud a line is, from worst to least (ops.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The process stops or breaks a promise.
    Critical,
    /// Something asked for was not done; a person must act.
    Error,
    /// Works, but a person should look.
    Warn,
    /// Life cycle and state changes.
    Notice,
    /// One line per call at most.
    Info,
    /// Branches taken.
    Debug,
    /// Packets, redacted.
    Trace,
}

impl Level {
    /// All levels, from worst to least.
    pub const ALL: [Self; 7] = [
        Self::Critical,
        Self::Error,
        Self::Warn,
        Self::Notice,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The word of the settings; `off` is none of them.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The four-letter token of a text line (`EROR` and `WARN` are GVP's).
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Critical => "CRIT",
            Self::Error => "EROR",
            Self::Warn => "WARN",
            Self::Notice => "NOTE",
            Self::Info => "INFO",
            Self::Debug => "DBUG",
            Self::Trace => "TRCE",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct LogId {
    /// Five digits.
    pub number: u16,
    /// Fixed level.
    pub level: Level,
    /// Part of the code that speaks.
    pub module: &'static str,
    /// Message; values go into fields.
    pub message: &'static str,
}

/// All ids, in order of number.
pub const LOG_IDS: &[LogId] = &[
    row(10001, Level::Notice, "daemon", "started"),
    row(10002, Level::Notice, "daemon", "stopped"),
    row(10003, Level::Critical, "daemon", "invariant broken"),
    row(10407, Level::Warn, "config", "digest mismatch"),
    row(10501, Level::Warn, "tls", "certificates refused"),
    row(10502, Level::Warn, "tls", "no tls beyond loopback"),
    row(10503, Level::Warn, "tls", "certificate expires soon"),
    row(10504, Level::Warn, "tls", "key file readable by all"),
    row(10505, Level::Notice, "tls", "certificates loaded"),
    row(10506, Level::Warn, "tls", "handshake failed"),
    row(10701, Level::Warn, "log", "log lines suppressed"),
    row(10801, Level::Notice, "http", "admin action"),
    row(20001, Level::Notice, "rm", "started"),
    row(20002, Level::Notice, "rm", "ready"),
    row(20003, Level::Notice, "rm", "stopped"),
    row(20010, Level::Warn, "rm", "node draining"),
    row(20101, Level::Info, "sip", "parse error"),
    row(20102, Level::Warn, "admit", "untrusted source"),
    row(20103, Level::Warn, "admit", "relay refused"),
    row(20104, Level::Warn, "token", "bad token"),
    row(20110, Level::Warn, "admit", "loop"),
    row(20111, Level::Error, "admit", "overload"),
    row(20112, Level::Warn, "transport", "receive buffer small"),
    row(20117, Level::Warn, "forward", "udp only"),
    row(20118, Level::Warn, "resolve", "name not resolved"),
    row(20119, Level::Notice, "resolve", "addresses changed"),
    row(20120, Level::Error, "transport", "listener failed"),
    row(20121, Level::Warn, "transport", "tls handshake failed"),
    row(20122, Level::Error, "transport", "certificates refused"),
    row(20123, Level::Notice, "transport", "certificates loaded"),
    row(20124, Level::Warn, "transport", "key file readable by all"),
    row(20125, Level::Warn, "transport", "fewer connections than configured"),
    row(20201, Level::Warn, "select", "no profile"),
    row(20202, Level::Warn, "select", "tenant mismatch"),
    row(20210, Level::Debug, "rm", "decision"),
    row(20301, Level::Warn, "policy", "usage limit"),
    row(20302, Level::Warn, "policy", "service limit"),
    row(20303, Level::Warn, "policy", "rate limit"),
    row(20304, Level::Warn, "policy", "service forbidden"),
    row(20305, Level::Warn, "policy", "outbound forbidden"),
    row(20306, Level::Warn, "policy", "dialling rule"),
    row(20307, Level::Notice, "policy", "burst level 2 entered"),
    row(20308, Level::Notice, "policy", "burst level 3 entered"),
    row(20401, Level::Error, "pool", "no resource"),
    row(20402, Level::Error, "pool", "resource dead"),
    row(20403, Level::Notice, "pool", "resource healthy"),
    row(20404, Level::Warn, "pool", "quarantined"),
    row(20405, Level::Notice, "pool", "draining"),
    row(20406, Level::Notice, "pool", "admin changed"),
    row(20407, Level::Error, "pool", "group full"),
    row(20408, Level::Error, "pool", "calls lost with resource"),
    row(20501, Level::Critical, "spool", "spool broken"),
    row(20502, Level::Error, "spool", "records dropped"),
    row(20503, Level::Warn, "record", "bye answer late"),
    row(20504, Level::Warn, "session", "bye not sent"),
    row(20510, Level::Error, "publish", "broker lost"),
    row(20511, Level::Notice, "publish", "broker connected"),
    row(20512, Level::Warn, "publish", "broker option without effect"),
    row(20601, Level::Error, "config", "config server lost"),
    row(20602, Level::Notice, "config", "config server connected"),
    row(20603, Level::Error, "config", "config rejected"),
    row(20604, Level::Notice, "config", "config applied"),
    row(20605, Level::Warn, "config", "strange configuration"),
    row(20606, Level::Warn, "config", "config not kept on disk"),
    row(20607, Level::Warn, "config", "older config taken"),
    row(20608, Level::Warn, "config", "kept config passed over"),
    row(20609, Level::Warn, "config", "restart required"),
    row(20610, Level::Warn, "config", "application gone"),
    row(20611, Level::Warn, "config", "no application of this name"),
    row(20704, Level::Notice, "session", "adopted"),
    row(20801, Level::Warn, "http", "auth failed"),
    row(20901, Level::Critical, "rm", "internal error"),
    row(31000, Level::Notice, "rs", "started"),
    row(31001, Level::Notice, "rs", "ready"),
    row(31002, Level::Notice, "rs", "stopped"),
    row(31105, Level::Warn, "rs", "limit clamped"),
    row(31106, Level::Warn, "rs", "network file system"),
    row(31107, Level::Info, "rs", "start-up check"),
    row(31201, Level::Error, "config", "config server lost"),
    row(31202, Level::Notice, "config", "config server connected"),
    row(31203, Level::Error, "config", "config rejected"),
    row(31204, Level::Notice, "config", "config applied"),
    row(31205, Level::Warn, "config", "strange configuration"),
    row(31206, Level::Warn, "config", "config not kept on disk"),
    row(31207, Level::Warn, "config", "older config taken"),
    row(31208, Level::Warn, "config", "kept config passed over"),
    row(31209, Level::Warn, "config", "application gone"),
    row(31210, Level::Warn, "config", "no application of this name"),
    row(31211, Level::Warn, "config", "restart required"),
    row(31301, Level::Notice, "alarm", "cleared"),
    row(31401, Level::Error, "rs", "worker panicked"),
    row(32001, Level::Info, "ingest", "login"),
    row(32002, Level::Warn, "ingest", "refused"),
    row(32003, Level::Notice, "ingest", "unconfirmed sends"),
    row(32101, Level::Warn, "ingest", "held back"),
    row(32102, Level::Notice, "ingest", "resumed"),
    row(33001, Level::Critical, "spool", "damaged frame"),
    row(33002, Level::Critical, "spool", "sync failed"),
    row(33003, Level::Error, "spool", "nearly full"),
    row(33004, Level::Critical, "spool", "full"),
    row(33005, Level::Error, "apply", "queue long"),
    row(33006, Level::Critical, "spool", "disk does not answer"),
    row(33101, Level::Error, "apply", "Failed to store a batch"),
    row(33102, Level::Notice, "apply", "stored again"),
    row(33103, Level::Critical, "apply", "database down"),
    row(33104, Level::Error, "retention", "volume nearly full"),
    row(33105, Level::Critical, "apply", "file of the database damaged"),
    row(33106, Level::Critical, "apply", "the next frame of the ingest queue cannot be read"),
    row(33107, Level::Warn, "checkpoint", "a log is not moved into its file"),
    row(33108, Level::Notice, "database", "password read again"),
    row(33109, Level::Warn, "database", "password file refused"),
    row(34001, Level::Warn, "apply", "dead letter"),
    row(34002, Level::Error, "apply", "id conflict"),
    row(34003, Level::Notice, "retention", "orphan closed"),
    row(34004, Level::Warn, "apply", "many dead letters"),
    row(34005, Level::Error, "integrity", "records missing"),
    row(34006, Level::Error, "integrity", "minutes out of balance"),
    row(34007, Level::Warn, "integrity", "producer silent"),
    row(34008, Level::Warn, "integrity", "clock wrong"),
    row(35001, Level::Notice, "retention", "purged"),
    row(35002, Level::Warn, "retention", "events purged early"),
    row(35003, Level::Warn, "retention", "purge blocked"),
    row(35004, Level::Error, "retention", "retention failed"),
    row(35101, Level::Warn, "rollup", "figures behind"),
    row(35102, Level::Error, "rollup", "levels repaired"),
    row(35103, Level::Error, "rollup", "figures not made"),
    row(35104, Level::Warn, "rollup", "numbers without figures"),
    row(36001, Level::Error, "http", "question failed"),
    row(36002, Level::Warn, "users", "login refused"),
    row(36003, Level::Notice, "users", "users read"),
    row(36004, Level::Warn, "users", "users file refused"),
    row(36005, Level::Warn, "tls", "certificate expires soon"),
    row(36006, Level::Warn, "users", "tenant unknown"),
    row(36007, Level::Warn, "http", "too many searches by number"),
    row(40001, Level::Notice, "audit", "audit"),
    row(40002, Level::Warn, "http", "login failed"),
    row(40003, Level::Info, "config", "seed ignored"),
    row(40004, Level::Notice, "config", "admin token made"),
    row(40101, Level::Error, "store", "store away"),
    row(40102, Level::Notice, "store", "store back"),
    row(40103, Level::Warn, "watch", "watcher overflow"),
    row(40201, Level::Warn, "clients", "client rejected a revision"),
    row(50001, Level::Notice, "handler", "waiting for the Config Server"),
    row(50002, Level::Notice, "handler", "done"),
    row(50003, Level::Warn, "handler", "object left alone"),
    row(50004, Level::Warn, "handler", "node still referenced"),
    row(50010, Level::Warn, "handler", "limit above the volume"),
    row(50021, Level::Warn, "discovery", "name not answered"),
    row(50022, Level::Warn, "discovery", "member left out"),
];

/// The row of a number; an unknown one is a programming error and shows as such in the log.
#[must_use]
pub fn find(number: u16) -> LogId {
    LOG_IDS
        .binary_search_by_key(&number, |id| id.number)
        .ok()
        .and_then(|at| LOG_IDS.get(at).copied())
        .unwrap_or(LogId { number, level: Level::Error, module: "log", message: "unlisted log id" })
}

/// Position in [`LOG_IDS`], for counters.
pub(crate) fn position(number: u16) -> Option<usize> {
    LOG_IDS.binary_search_by_key(&number, |id| id.number).ok()
}

const fn row(number: u16, level: Level, module: &'static str, message: &'static str) -> LogId {
    LogId { number, level, module, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_so_that_find_can_search() {
        assert!(LOG_IDS.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert_eq!(find(20401).message, "no resource");
        assert_eq!(find(20999).message, "unlisted log id");
    }

    #[test]
    fn the_reference_page_lists_exactly_this_table() {
        let page = include_str!("../../../docs/reference/log-ids.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
            .collect();
        let expected: Vec<String> = LOG_IDS
            .iter()
            .map(|id| {
                format!("| {} | {} | {} | {} |", id.number, id.level.token(), id.module, id.message)
            })
            .collect();
        assert_eq!(rows, expected, "docs/reference/log-ids.md and LOG_IDS differ");
    }
}
