//! What an operator wants of a resource (rm.md §7.1, §7.11): drained, disabled, enabled, or as the
//! configuration has it.
//!
//! It goes before the configuration until it is taken back, also for a resource that the
//! configuration does not name yet; the shell keeps it on disk.

use model::time::Now;

use crate::input::Will;
use crate::limits::WILLS;
use crate::log;
use crate::pool::Member;
use crate::proxy::Proxy;
use crate::timer::Timer;

impl Proxy {
    /// Takes it over. A new name beyond the most that there may be is not taken.
    pub(crate) fn administer(&mut self, now: Now, resource: &str, will: Option<Will>) {
        let wills = &mut self.pool.wills;
        let known = wills.contains_key(resource);
        match will {
            Some(will) if known || wills.len() < WILLS => {
                wills.insert(resource.to_owned(), will);
            }
            Some(_) => return,
            None => {
                wills.remove(resource);
            }
        }
        let Some(ix) = self.snapshot.resource_by_name(resource) else { return };
        let Some(key) = self.pool.key_of(self.snapshot.resource(ix).dbid) else { return };
        let Some(member) = self.pool.get_mut(key) else { return };
        member.admin = will.map_or(member.configured_admin, |will| will.admin);
        member.until = will.and_then(|will| will.until);
        if will.is_none() {
            (member.quarantined, member.failures) = (None, 0);
        }
        let fields = told(member);
        self.log(log::ADMIN_CHANGED, None, fields);
        self.keep_calls(key);
        self.set_deadline(now, key);
        self.watch_all(now);
    }

    /// The deadline of a resource, if it has one.
    pub(crate) fn set_deadline(&mut self, now: Now, key: usize) {
        let Some(until) = self.pool.get(key).and_then(|member| member.until) else { return };
        let left = until.since(now.wall);
        self.timers.set(now.mono + left, Timer::Deadline(key));
    }
}

fn told(member: &Member) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("resource", member.names.name.clone()),
        ("admin", member.admin.as_str().to_owned()),
        ("legs", member.used().to_string()),
        ("by", "operator".to_owned()),
    ];
    if let Some(until) = member.until {
        fields.push(("deadline", until.to_string()));
    }
    fields
}
