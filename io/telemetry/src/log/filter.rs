//! Which lines are printed: those up to a level and, as long as somebody wants it, those up to
//! another one (ops.md §8). Knows neither queue nor file; the time is an argument.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use model::time::Millis;

use crate::log_id::Level;

/// Another level for a while, or for a part of the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Instead of the usual one; `None` prints nothing.
    pub level: Option<Level>,
    /// Over then; `None`: when the next one comes.
    pub until: Option<Millis>,
    /// Only lines of these.
    pub only: Only,
}

/// Which lines are meant: those that have all that is named here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Name of the tenant.
    pub tenant: Option<String>,
    /// Name of the profile.
    pub profile: Option<String>,
    /// Session GUID.
    pub session: Option<String>,
    /// SIP Call-ID.
    pub call_id: Option<String>,
    /// A peer by its name or address, with or without port.
    pub peer: Option<String>,
}

/// Whether a peer is at this address, with or without a port, however it is written.
fn is_at(peer: &str, wanted: &str) -> bool {
    let ip = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let own = peer.parse::<SocketAddr>();
    match (wanted.parse::<SocketAddr>(), ip(wanted)) {
        (Ok(wanted), _) => own == Ok(wanted),
        (_, Some(wanted)) => own.ok().map(|own| own.ip()).or_else(|| ip(peer)) == Some(wanted),
        // a host name
        _ => peer.rsplit_once(':').is_some_and(|(host, _)| host == wanted),
    }
}

impl Only {
    /// Nothing is named: all lines are meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    fn has(&self, session: Option<&str>, fields: &[(&str, &str)]) -> bool {
        let any = |wanted: &Option<String>, is: &dyn Fn(&str, &str, &str) -> bool| {
            let Some(wanted) = wanted.as_deref() else { return true };
            fields.iter().any(|(name, value)| is(name, value, wanted))
        };
        let named = |field: &'static str| {
            move |name: &str, value: &str, wanted: &str| name == field && value == wanted
        };
        let of_peer = |name: &str, value: &str, wanted: &str| {
            matches!(name, "peer" | "source") && (value == wanted || is_at(value, wanted))
        };
        let is_session = |wanted: &str| session.is_some_and(|one| one.eq_ignore_ascii_case(wanted));
        any(&self.tenant, &named("tenant"))
            && any(&self.profile, &named("profile"))
            && any(&self.call_id, &named("call_id"))
            && any(&self.peer, &of_peer)
            && self.session.as_deref().is_none_or(is_session)
    }
}

/// The levels in force.
#[derive(Debug)]
pub(super) struct Filter {
    /// The loudest that anybody wants: 0 none, else one more than the level's place.
    loudest: AtomicU8,
    levels: Mutex<Levels>,
}

#[derive(Debug)]
struct Levels {
    usual: Option<Level>,
    raise: Option<Raise>,
}

impl Filter {
    pub(super) fn new(usual: Option<Level>) -> Self {
        let levels = Mutex::new(Levels { usual, raise: None });
        Self { loudest: AtomicU8::new(rank(usual)), levels }
    }

    /// Whether lines of this level may be printed, for anybody. Cheap where they may not.
    pub(super) fn may(&self, level: Level, clock: fn() -> Millis) -> bool {
        rank(Some(level)) <= self.loudest.load(Ordering::Acquire) && {
            let levels = self.current(clock);
            let raised = levels.raise.as_ref().and_then(|raise| raise.level);
            Some(level) <= levels.usual.max(raised)
        }
    }

    /// Whether this line is printed.
    pub(super) fn prints(
        &self,
        level: Level,
        clock: fn() -> Millis,
        session: Option<&str>,
        fields: &[(&str, &str)],
    ) -> bool {
        if rank(Some(level)) > self.loudest.load(Ordering::Acquire) {
            return false;
        }
        let levels = self.current(clock);
        let raise = levels.raise.as_ref().filter(|raise| raise.only.has(session, fields));
        Some(level) <= raise.map_or(levels.usual, |raise| raise.level)
    }

    /// Another usual level; what was wanted for a while is over.
    pub(super) fn set(&self, usual: Option<Level>) {
        self.put(Levels { usual, raise: None });
    }

    /// Another level for a while, in the place of one that was wanted before.
    pub(super) fn raise(&self, raise: Raise) {
        let usual = self.lock().usual;
        self.put(Levels { usual, raise: Some(raise) });
    }

    /// The usual level, and what is wanted for a while.
    pub(super) fn shown(&self, clock: fn() -> Millis) -> (Option<Level>, Option<Raise>) {
        let levels = self.current(clock);
        (levels.usual, levels.raise.clone())
    }

    fn put(&self, levels: Levels) {
        let raised = levels.raise.as_ref().and_then(|raise| raise.level);
        let mut own = self.lock();
        self.loudest.store(rank(levels.usual.max(raised)), Ordering::Release);
        *own = levels;
    }

    /// What is in force now: the time of a raise may have passed.
    fn current(&self, clock: fn() -> Millis) -> std::sync::MutexGuard<'_, Levels> {
        let mut own = self.lock();
        let until = own.raise.as_ref().and_then(|raise| raise.until);
        if until.is_some_and(|until| until <= clock()) {
            own.raise = None;
            self.loudest.store(rank(own.usual), Ordering::Release);
        }
        own
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rank(level: Option<Level>) -> u8 {
    let Some(level) = level else { return 0 };
    let place = Level::ALL.iter().position(|one| *one == level).unwrap_or_default();
    u8::try_from(place + 1).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Filter, Only, Raise};
    use crate::log_id::Level;
    use model::time::Millis;
    use std::cell::Cell;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    fn clock() -> Millis {
        Millis(NOW.get())
    }

    fn acme(level: Level, until: Option<u64>) -> Raise {
        let only = Only { tenant: Some("acme".to_owned()), ..Only::default() };
        Raise { level: Some(level), until: until.map(Millis), only }
    }

    #[test]
    fn a_raise_holds_for_its_time_and_its_lines() {
        let filter = Filter::new(Some(Level::Warn));
        let line = |tenant| filter.prints(Level::Debug, clock, None, &[("tenant", tenant)]);
        assert!(!filter.may(Level::Debug, clock) && !line("acme"));
        filter.raise(acme(Level::Debug, Some(10)));
        assert!(filter.may(Level::Debug, clock) && line("acme") && !line("north"));
        assert!(filter.prints(Level::Warn, clock, None, &[]), "others as before");
        assert!(!filter.may(Level::Trace, clock));
        NOW.set(10);
        assert!(!filter.may(Level::Debug, clock) && !line("acme"));
        assert_eq!(filter.shown(clock), (Some(Level::Warn), None));
    }

    #[test]
    fn the_usual_level_ends_a_raise_and_may_be_nothing() {
        let filter = Filter::new(None);
        assert!(!filter.may(Level::Critical, clock));
        filter.raise(acme(Level::Info, None));
        filter.set(Some(Level::Error));
        assert_eq!(filter.shown(clock), (Some(Level::Error), None));
        filter.raise(Raise { level: None, until: None, only: Only::default() });
        assert!(!filter.prints(Level::Critical, clock, None, &[]), "quiet for a while");
    }

    #[test]
    fn a_peer_is_meant_by_its_address_however_it_is_written() {
        for (peer, wanted, expected) in [
            ("[::1]:5060", "::1", true),
            ("[::1]:5060", "[::1]", true),
            ("[::1]:5060", "0:0::1", true),
            ("[::1]:5060", "[::1]:5060", true),
            ("[::1]:5060", "[0:0::1]:5060", true),
            ("[::1]:5060", "[::1]:5061", false),
            ("[::1]:5060", "::2", false),
            ("::1", "::1", true),
            ("[2001:db8::5]:5060", "2001:DB8::5", true),
            ("[2001:db8::5060]:5", "2001:db8:", false),
            ("10.0.0.2:5090", "10.0.0.2", true),
            ("mcp.example:5070", "mcp.example", true),
            ("mcp.example:5070", "example", false),
        ] {
            let only = Only { peer: Some(wanted.to_owned()), ..Only::default() };
            for name in ["peer", "source"] {
                assert_eq!(only.has(None, &[(name, peer)]), expected, "{peer} {wanted}");
            }
            assert!(!only.has(None, &[("target", peer)]));
        }
    }

    #[test]
    fn lines_of_a_session_a_call_and_a_peer() {
        let fields = [("call_id", "a@b"), ("source", "10.0.0.2:5090"), ("profile", "main")];
        let has = |only: Only| only.has(Some("0193F2A0"), &fields);
        let text = |text: &str| Some(text.to_owned());
        for (only, expected) in [
            (Only { session: text("0193f2a0"), ..Only::default() }, true),
            (Only { session: text("0193"), ..Only::default() }, false),
            (Only { call_id: text("a@b"), ..Only::default() }, true),
            (Only { peer: text("10.0.0.2"), ..Only::default() }, true),
            (Only { peer: text("10.0.0.2:5090"), ..Only::default() }, true),
            (Only { peer: text("10.0.0"), ..Only::default() }, false),
            (Only { profile: text("main"), call_id: text("a@b"), ..Only::default() }, true),
            (Only { profile: text("main"), call_id: text("c@d"), ..Only::default() }, false),
            (Only { tenant: text("acme"), ..Only::default() }, false),
        ] {
            assert_eq!(has(only.clone()), expected, "{only:?}");
        }
    }
}
