//! Which broker is tried next, and after how long.
//!
//! A round is the list once: in its order or a random one, the broker that was lost last. Between
//! rounds in vain there is a wait that grows, with jitter, so that a fleet does not come back in
//! one moment. It never gives up: whoever uses it keeps its records. No clock and no chance of its
//! own; the caller connects.

use crate::brokers::{BrokerUri, Brokers, FailoverOptions};
use std::collections::VecDeque;
use std::time::Duration;

/// Brokers that others have told of, beside those of the setting. Beyond: not taken.
const LEARNED: usize = 16;

/// What a broker's ConnectionControl says of other brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referral {
    /// Go there instead.
    pub to: String,
    /// All brokers of its network, by commas.
    pub connected: String,
    /// Whoever is at none of these shall choose anew.
    pub rebalance: bool,
}

/// Goes through the brokers of one setting.
#[derive(Debug)]
pub struct Failover {
    listed: Vec<BrokerUri>,
    learned: Vec<BrokerUri>,
    options: Option<FailoverOptions>,
    delays: (Duration, Duration),
    /// Before the next round in vain.
    delay: Duration,
    round: VecDeque<BrokerUri>,
    /// A round has begun since a broker took something.
    in_vain: bool,
    /// It was sent elsewhere since then.
    sent_on: bool,
    /// It was sent elsewhere again: brokers that send us to each other must not spin us.
    circling: bool,
    current: Option<BrokerUri>,
}

impl Failover {
    /// `delays`: the first one between rounds and the longest, where the setting has none.
    #[must_use]
    pub fn new(brokers: Brokers, delays: (Duration, Duration)) -> Self {
        let options = brokers.failover;
        let given = options.as_ref();
        let first = given.and_then(|options| options.first_delay).unwrap_or(delays.0);
        let longest = given.and_then(|options| options.longest_delay).unwrap_or(delays.1);
        let delays = (first, longest.max(first));
        Self {
            listed: brokers.list,
            learned: Vec::new(),
            options,
            delays,
            delay: first,
            round: VecDeque::new(),
            in_vain: false,
            sent_on: false,
            circling: false,
            current: None,
        }
    }

    /// The next broker, and how long to wait before it is tried. `chance` gives a number below its
    /// argument.
    pub fn next(&mut self, chance: &mut impl FnMut(u64) -> u64) -> (Duration, BrokerUri) {
        let mut waits = std::mem::take(&mut self.circling);
        if self.round.is_empty() {
            self.round = self.order(chance);
            let again = self.current.is_some() && self.round.front() == self.current.as_ref();
            waits |= self.in_vain || again;
            self.in_vain = true;
        }
        let wait = if waits { self.pause(chance) } else { Duration::ZERO };
        let next = self.round.pop_front().or_else(|| self.listed.first().cloned());
        let next = next.unwrap_or_default();
        self.current = Some(next.clone());
        (wait, next)
    }

    /// The present broker has taken something: what comes next begins anew.
    pub fn settled(&mut self) {
        (self.in_vain, self.sent_on) = (false, false);
        self.delay = self.delays.0;
        self.round.clear();
    }

    /// A broker that the setting prefers to the present one.
    #[must_use]
    pub fn better(&self) -> Option<&BrokerUri> {
        let current = self.current.as_ref()?;
        let mut preferred = self.preferred();
        let first = preferred.next()?;
        let is_preferred = [first].into_iter().chain(preferred).any(|one| one.is_at(current));
        (!is_preferred).then_some(first)
    }

    /// How often [`Failover::better`] is worth a look.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        self.delays.1
    }

    /// This one is the next to be tried, ahead of all others.
    pub fn prefer(&mut self, broker: BrokerUri) {
        self.round.retain(|other| !other.is_at(&broker));
        self.round.push_front(broker);
    }

    /// The present broker tells of others. True: leave it, the next one is chosen.
    ///
    /// Only a `failover:` setting is sent elsewhere, and never from TLS to a connection without.
    pub fn referred(&mut self, referral: &Referral) -> bool {
        let (Some(options), Some(current)) = (&self.options, self.current.clone()) else {
            return false;
        };
        let secure = |one: &BrokerUri| one.is_tls || !current.is_tls;
        let (learns, moves) = (options.learns, options.moves);
        let to = BrokerUri::told(&referral.to).filter(|to| moves && secure(to));
        if let Some(to) = to.filter(|to| !to.is_at(&current)) {
            let known = self.known().find(|one| one.is_at(&to)).cloned();
            self.prefer(known.unwrap_or(to));
            return self.leave();
        }
        let told: Vec<_> = referral.connected.split(',').filter_map(BrokerUri::told).collect();
        if !learns || told.is_empty() {
            return false;
        }
        for one in told.iter().filter(|one| secure(one)) {
            let new = !self.known().any(|other| other.is_at(one));
            if new && self.learned.len() < LEARNED {
                self.learned.push(one.clone());
            }
        }
        if !referral.rebalance || told.iter().any(|one| one.is_at(&current)) {
            return false;
        }
        self.in_vain = false;
        self.round.clear();
        self.leave()
    }

    fn leave(&mut self) -> bool {
        self.circling = std::mem::replace(&mut self.sent_on, true);
        true
    }

    fn known(&self) -> impl Iterator<Item = &BrokerUri> {
        self.listed.iter().chain(&self.learned)
    }

    fn preferred(&self) -> impl Iterator<Item = &BrokerUri> {
        let places = self.options.iter().flat_map(|options| &options.preferred);
        places.filter_map(|place| self.listed.get(*place))
    }

    /// One round: what is preferred first, what was lost last.
    fn order(&self, chance: &mut impl FnMut(u64) -> u64) -> VecDeque<BrokerUri> {
        let mut left: Vec<&BrokerUri> = self.known().collect();
        let mut order: Vec<&BrokerUri> = Vec::with_capacity(left.len());
        let random = self.options.as_ref().is_some_and(|options| options.randomize);
        while !left.is_empty() {
            let count = u64::try_from(left.len()).unwrap_or(1);
            let at = if random { usize::try_from(chance(count)).unwrap_or(0) } else { 0 };
            order.push(left.remove(at.min(left.len() - 1)));
        }
        // stable: the order of equals stays
        order.sort_by_key(|one| !self.preferred().any(|preferred| preferred.is_at(one)));
        order.sort_by_key(|one| self.current.as_ref().is_some_and(|lost| lost.is_at(one)));
        order.into_iter().cloned().collect()
    }

    /// Between half and whole of the present delay.
    fn pause(&mut self, chance: &mut impl FnMut(u64) -> u64) -> Duration {
        let half = self.delay / 2;
        let factor = self.options.as_ref().map_or(2.0, |options| options.factor);
        self.delay = self.delay.mul_f64(factor).min(self.delays.1);
        let share = u32::try_from(chance(1001)).unwrap_or(0).min(1000);
        half + half * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

    fn failover(text: &str) -> Failover {
        Failover::new(Brokers::parse(text).unwrap(), DELAYS)
    }

    /// Waits in ms (the longest of the jitter) and ports of the next attempts.
    fn next(failover: &mut Failover, count: usize) -> Vec<(u128, u16)> {
        let mut most = |below: u64| below - 1;
        let one = |_| {
            let (wait, broker) = failover.next(&mut most);
            (wait.as_millis(), broker.port)
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn one_broker_is_waited_for_longer_and_longer() {
        let mut one = failover("tcp://a:1");
        let waits = [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(next(&mut one, 10), waits.map(|wait| (wait, 1)));
        one.settled();
        assert_eq!(next(&mut one, 2), [(100, 1), (200, 1)], "it is lost: not at once again");
        let (wait, _) = failover("tcp://a:1").next(&mut |_| 0);
        assert_eq!(wait, Duration::ZERO);
    }

    #[test]
    fn the_jitter_is_half_of_a_wait() {
        let mut one = failover("tcp://a:1");
        let waits: Vec<_> = (0..3).map(|_| one.next(&mut |_| 0).0.as_millis()).collect();
        assert_eq!(waits, [0, 50, 100]);
    }

    #[test]
    fn a_list_is_gone_through_before_anybody_waits() {
        let mut two = failover("failover:(tcp://a:1,tcp://b:2,tcp://c:3)?randomize=false");
        assert_eq!(next(&mut two, 4), [(0, 1), (0, 2), (0, 3), (100, 1)]);
        two.settled();
        assert_eq!(next(&mut two, 4), [(0, 2), (0, 3), (0, 1), (100, 2)], "the lost one last");
        let mut slow = failover(
            "failover:(tcp://a:1)?initialReconnectDelay=30&maxReconnectDelay=40&\
             useExponentialBackOff=false",
        );
        assert_eq!(next(&mut slow, 4), [(0, 1), (30, 1), (30, 1), (30, 1)]);
    }

    #[test]
    fn a_random_order_holds_each_once() {
        let mut three = failover("failover:(tcp://a:1,tcp://b:2,tcp://c:3)");
        let mut ports: Vec<_> = next(&mut three, 3).into_iter().map(|(_, port)| port).collect();
        assert_eq!(ports, [3, 2, 1]);
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3]);
    }

    #[test]
    fn what_is_preferred_is_first_and_gone_back_to() {
        let list = "failover:(tcp://a:1,tcp://b:2,tcp://c:3)";
        let mut chosen = failover(&format!("{list}?priorityBackup=true&priorityURIs=tcp://b:2"));
        assert_eq!(next(&mut chosen, 1), [(0, 2)]);
        assert_eq!(chosen.better(), None);
        assert_eq!(next(&mut chosen, 1), [(0, 3)]);
        let better = chosen.better().cloned().unwrap();
        assert_eq!(better.port, 2);
        chosen.prefer(better);
        assert_eq!(next(&mut chosen, 2), [(0, 2), (0, 1)]);
        assert_eq!(failover(list).better(), None);
    }

    #[test]
    fn a_broker_sends_us_elsewhere_only_where_that_is_allowed() {
        let to = |to: &str| Referral { to: to.to_owned(), ..Referral::default() };
        let all = |connected: &str, rebalance| Referral {
            connected: connected.to_owned(),
            rebalance,
            ..Referral::default()
        };
        let mut plain = failover("tcp://a:1");
        next(&mut plain, 1);
        assert!(!plain.referred(&to("tcp://b:2")), "it is no failover setting");

        let mut list = failover("failover:(tcp://a:1)?randomize=false");
        next(&mut list, 1);
        assert!(!list.referred(&to("")) && !list.referred(&to("tcp://a:1?x=y")));
        assert!(list.referred(&to("tcp://b:2?maximumConnections=1000")));
        assert_eq!(next(&mut list, 1), [(0, 2)]);
        assert!(!list.referred(&all("tcp://a:1,tcp://b:2,tcp://c:3,junk", true)));
        assert!(list.referred(&all("tcp://a:1,tcp://c:3", true)), "we are at none of them");
        assert_eq!(next(&mut list, 2), [(100, 1), (0, 3)], "c is known by now");
        list.settled();
        assert!(list.referred(&to("tcp://b:2")));
        assert_eq!(next(&mut list, 1), [(0, 2)]);
        assert!(list.referred(&to("tcp://a:1")));
        assert_eq!(next(&mut list, 1), [(100, 1)], "they send us to each other");
        let many: Vec<_> = (10..60).map(|port| format!("tcp://d:{port}")).collect();
        assert!(!list.referred(&all(&many.join(","), false)));
        assert_eq!(list.known().count(), 1 + LEARNED);

        let mut secure = failover("failover:(ssl://a:1)?updateURIsSupported=false");
        next(&mut secure, 1);
        assert!(!secure.referred(&to("tcp://b:2")), "not without TLS");
        assert!(!secure.referred(&all("ssl://b:2", true)));
        assert!(secure.referred(&to("ssl://b:2")));
        let mut stays = failover("failover:(tcp://a:1)?reconnectSupported=false");
        next(&mut stays, 1);
        assert!(!stays.referred(&to("tcp://b:2")));
    }
}
