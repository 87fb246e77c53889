//! Probes on their way: sent when due, judged when answered, repeated (rm.md §7.2).
//!
//! No probe while one is outstanding; after a miss the next follows at once.

use model::time::Now;
use sip::endpoint::ClientOptions;
use sip::header::Name;
use sip::locate::Target;
use sip::message::Message;
use sip::transport::Flow;

use super::health::{Change, Health, Probed, Selfsaid};
use super::{Member, monitor};
use crate::alarm;
use crate::forward::branch::Branch;
use crate::forward::egress;
use crate::log;
use crate::proxy::{ClientUse, Proxy};
use crate::timer::Timer;

impl Proxy {
    /// A probe is due.
    pub(crate) fn probe(&mut self, now: Now, key: usize) {
        let next = |member: &Member| member.reach.all().nth(member.probe.silent);
        let target = self.pool.get(key).and_then(next);
        let Some(member) = self.pool.get_mut(key) else { return };
        member.probe.next = None;
        if !member.is_probed() || member.probe.out.is_some() {
            return;
        }
        let Some(address) = member.address.clone() else { return };
        let Some(target) = target else { return };
        let forced = member.monitor.transport.map(egress::transport);
        let Target { transport, remote } = target;
        let transport = forced.unwrap_or(transport);
        let index = self.probing_listener(Target { transport, remote });
        let Some(listener) = self.settings.listeners.get(usize::from(index)) else { return };
        let Some(member) = self.pool.get_mut(key) else { return };
        let (host, port) = &listener.via;
        let from = monitor::From { host, port: *port };
        member.probe.name(from, now.wall, &mut self.chance);
        member.probe.began = now.mono;
        member.probe.target = Some(target);
        self.probes = monitor::next(self.probes);
        self.branches += 1;
        let hash = self.settings.keys.branch_hash(&[member.probe.call_id.as_bytes()]);
        let branch = Branch { node: self.settings.node_id, number: self.branches, hash };
        let bytes =
            monitor::options(&address.uri, transport, from, &member.probe, self.probes, branch);
        let options = ClientOptions { timeout: Some(member.monitor.timeout) };
        let flow = Flow { transport, listener: index, remote, conn: None };
        let client = self.endpoint.request(now.mono, flow, &bytes, options);
        member.probe.out = Some(client);
        self.clients.insert(client, ClientUse::Probe(key));
    }

    /// The monitor's listener; a datagram of the other address family leaves from one that carries
    /// calls.
    fn probing_listener(&self, target: Target) -> u8 {
        let Target { transport, remote } = target;
        let monitor = self.settings.monitor_listener;
        let fits = transport.is_stream()
            || self.listener(monitor).is_none_or(|one| one.bound.is_ipv4() == remote.is_ipv4());
        if fits { monitor } else { self.egress(transport, remote).unwrap_or(monitor) }
    }

    /// A probe was answered.
    pub(crate) fn on_probe_answer(&mut self, now: Now, key: usize, message: &Message<'_>) {
        let Some(code) = message.status().filter(|code| *code >= 200) else { return };
        let retry_after = message.header(Name::RetryAfter).is_some();
        if let Some(member) = self.pool.get_mut(key) {
            let took = now.mono.saturating_sub(member.probe.began);
            member.probe.round_trip(took);
            member.probe.silent = 0;
            if let Some(target) = member.probe.target {
                member.reach.answered(target);
            }
        }
        self.probed(now, key, Probed::Answer { code, retry_after });
    }

    /// A probe got no answer.
    pub(crate) fn on_probe_gone(&mut self, now: Now, key: usize, transport: bool) {
        let all = self.options.dns_routing;
        let Some(member) = self.pool.get_mut(key) else { return };
        if let Some(target) = member.probe.target {
            member.reach.failed(now.mono, target);
        }
        member.probe.silent += 1;
        if all && member.probe.silent < member.reach.all().count() {
            // its name has more addresses: only when all are silent it has missed
            if let Some(client) = member.probe.out.take() {
                self.clients.remove(&client);
            }
            self.probe_soon(now, key);
            return;
        }
        member.probe.silent = 0;
        let result = if transport { Probed::Transport } else { Probed::Timeout };
        self.probed(now, key, result);
    }

    fn probed(&mut self, now: Now, key: usize, result: Probed) {
        let Some(member) = self.pool.get_mut(key) else { return };
        if let Some(client) = member.probe.out.take() {
            self.clients.remove(&client);
        }
        let change = member.probed(result);
        self.log_change(now, key, change);
        self.next_probe(now, key);
    }

    /// From the start of one to the start of the next; at once after a miss, unless it is dead.
    fn next_probe(&mut self, now: Now, key: usize) {
        let Some(member) = self.pool.get_mut(key) else { return };
        if !member.is_probed() || member.probe.next.is_some() {
            return;
        }
        let gap = match (member.health, member.misses) {
            (Health::Dead, _) => member.monitor.recovery_interval,
            (_, 0) => monitor::gap(member.monitor.interval, &mut self.chance),
            _ => std::time::Duration::ZERO,
        };
        let at = (member.probe.began + gap).max(now.mono);
        member.probe.next = Some(at);
        self.timers.set(at, Timer::Probe(key));
    }

    /// A try has failed: the probe that is planned leaves at once.
    pub(crate) fn probe_soon(&mut self, now: Now, key: usize) {
        let Some(member) = self.pool.get_mut(key) else { return };
        if !member.is_probed() || member.probe.out.is_some() {
            return;
        }
        member.probe.next = Some(now.mono);
        self.timers.set(now.mono, Timer::Probe(key));
    }

    /// A resource is somewhere else: what was known of it says nothing.
    pub(crate) fn probe_anew(&mut self, now: Now, key: usize) {
        let Some(member) = self.pool.get_mut(key) else { return };
        if let Some(client) = member.probe.out.take() {
            self.clients.remove(&client);
        }
        member.forget_health();
        self.on_health(now, key, Change::None);
        self.probe_soon(now, key);
    }

    /// What an operator wants to know of a change.
    pub(crate) fn log_change(&mut self, now: Now, key: usize, change: Change) {
        self.on_health(now, key, change);
        let Some(member) = self.pool.get(key) else { return };
        let id = match change {
            Change::None => return,
            Change::Dead => log::RESOURCE_DEAD,
            Change::Healthy => log::RESOURCE_HEALTHY,
            Change::Draining => log::DRAINING,
            Change::Quarantined => log::QUARANTINED,
        };
        let mut fields = vec![
            ("resource", member.names.name.clone()),
            ("group", member.names.group.clone()),
            ("legs", member.used().to_string()),
        ];
        if matches!(change, Change::Dead | Change::Quarantined) {
            fields.push(("error", member.last_error.clone().unwrap_or_default()));
        }
        if change == Change::Dead {
            fields.push(("alarm", alarm::Name::ResourceDown.as_str().to_owned()));
        }
        if let Some(until) = member.quarantined_until(now.mono) {
            let left = until.saturating_sub(now.mono);
            fields.push(("for_ms", left.as_millis().to_string()));
        }
        if change == Change::Healthy && member.said == Selfsaid::Draining {
            self.log(id, None, fields.clone());
            return self.log(log::DRAINING, None, fields);
        }
        self.log(id, None, fields);
    }
}
