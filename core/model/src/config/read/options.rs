//! Options of an application: section → key → text, number or truth value.
//!
//! Values are lenient in form, because an import carries every value as text: `"3"` is 3. A known
//! option that this version acts on is an error when it is wrong; one whose part is not built, and
//! an unknown one, is a warning, never an error (ops.md §1.2).

mod reporting;

use std::time::Duration;

use super::group::cti_action;
use super::policy::scalar;
use super::values::{LEAST_INTERVAL, code_list};
use crate::config::ApplicationType;
use crate::config::limits::{MAX_PRIORITY_NUMBERS, MAX_TEXT};
use crate::config::options::{DnisHeader, Options, Verbose};
use crate::did::{Pattern, PatternError, normalise};
use crate::schema::{Field, Object, Problems, nearest};
use crate::tree::{Key, Node, Value};

/// Reads one option into its cell; what is wrong has then been noted.
type Set = fn(&mut Options, &Field<'_>) -> Option<()>;

/// The same of a section whose keys all mean the same of different things: which keys there are,
/// and what reads one.
struct Named {
    section: &'static str,
    keys: fn() -> Vec<String>,
    set: SetNamed,
}

type SetNamed = fn(&mut Options, &str, &Field<'_>) -> Option<()>;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

const DNIS_HEADERS: [(&str, DnisHeader); 5] = [
    ("Request-Uri", DnisHeader::RequestUri),
    ("To", DnisHeader::To),
    ("History-Info", DnisHeader::HistoryInfo),
    ("P-Called-Party-ID", DnisHeader::PCalledPartyId),
    ("Diversion", DnisHeader::Diversion),
];

/// What RM acts on (rm.md §4.4).
const BUILT: &[(&str, &str, Set)] = &[
    ("rm", "sip-header-for-dnis", |o, f| put(&mut o.dnis_header, f.choice(&DNIS_HEADERS))),
    ("rm", "ignore-ruri-tenant-dbid", |o, f| put(&mut o.ignore_ruri_tenant_dbid, f.boolean())),
    ("rm", "trust-tenant-parameter", |o, f| put(&mut o.trust_tenant_parameter, f.boolean())),
    ("rm", "ignore-gw-lrg-configuration", |o, f| put(&mut o.ignore_gateway_group, f.boolean())),
    ("rm", "allow-direct-outbound", |o, f| put(&mut o.direct_outbound, f.boolean())),
    ("rm", "session-linger", |o, f| {
        put(&mut o.session_linger, f.duration(Duration::ZERO, SECOND * 3600))
    }),
    ("rm", "cti-unavailable-respcode", |o, f| put(&mut o.cti_stops, code_list(f))),
    ("rm", "cti-unavailable-action", |o, f| put(&mut o.cti_stopped, cti_action(f))),
    ("rm", "forward-503", |o, f| put(&mut o.forward_503, f.boolean())),
    ("rm", "max-tries", |o, f| put(&mut o.max_tries, f.whole(1, 5))),
    ("rm", "max-hunt", |o, f| put(&mut o.max_hunt, f.duration(SECOND, SECOND * 180))),
    ("rm", "try-timeout", |o, f| put(&mut o.try_timeout, f.duration(SECOND / 10, SECOND * 32))),
    ("rm", "no-timer-lifetime", |o, f| put(&mut o.no_timer_lifetime, f.duration(SECOND, DAY * 30))),
    ("rm", "orphan-lifetime", |o, f| put(&mut o.orphan_lifetime, f.duration(SECOND, DAY * 30))),
    ("rm", "max-session-expires", |o, f| {
        put(&mut o.max_session_expires, f.whole(LEAST_INTERVAL, 86_400))
    }),
    ("rm", "max-spirals", |o, f| put(&mut o.max_spirals, f.whole(0, 70))),
    ("rm", "profile-not-found-respcode", |o, f| put(&mut o.profile_not_found_respcode, code(f))),
    ("rm", "resource-unavailable-respcode", |o, f| {
        put(&mut o.resource_unavailable_respcode, code(f))
    }),
    ("rm", "resource-no-match-respcode", |o, f| put(&mut o.resource_no_match_respcode, code(f))),
    ("rm", "resource-full-respcode", |o, f| put_some(&mut o.resource_full_respcode, code(f))),
    ("rm", "resource-draining-respcode", |o, f| {
        put_some(&mut o.resource_draining_respcode, code(f))
    }),
    ("rm", "resource-dead-respcode", |o, f| put_some(&mut o.resource_dead_respcode, code(f))),
    ("rm", "resource-disabled-respcode", |o, f| {
        put_some(&mut o.resource_disabled_respcode, code(f))
    }),
    ("rm", "conference-sip-error-respcode", |o, f| put(&mut o.conference_error_respcode, code(f))),
    ("rm", "overload-respcode", |o, f| put(&mut o.overload_respcode, code(f))),
    ("rm", "priority-numbers", |o, f| put(&mut o.priority_numbers, patterns(f))),
    ("rm", "refused-methods", |o, f| put(&mut o.refused_methods, methods(f))),
    ("rm", "sos-number", |o, f| put_some(&mut o.sos_number, number_text(f))),
    ("proxy", "sip.mtusize", |o, f| put(&mut o.mtu, f.whole(576, 65_535))),
    ("proxy", "sip.min_se", |o, f| put(&mut o.min_se, f.whole(LEAST_INTERVAL, 86_400))),
    ("proxy", "sip.timer.t1", |o, f| put_some(&mut o.timers.t1, millis(f, 100, 10_000))),
    ("proxy", "sip.timer.t2", |o, f| put_some(&mut o.timers.t2, millis(f, 500, 60_000))),
    ("proxy", "sip.timer.t4", |o, f| put_some(&mut o.timers.t4, millis(f, 500, 60_000))),
    ("proxy", "sip.timer.c", |o, f| put_some(&mut o.timers.c, millis(f, 1_000, 3_600_000))),
    ("proxy", "sip.transport.setuptimer.tcp", |o, f| {
        put(&mut o.connect_time, millis(f, 100, 60_000))
    }),
    ("proxy", "sip.maxtcpconnections", |o, f| put(&mut o.max_connections, f.whole(1, 65_535))),
    ("proxy", "sip.transport.dnsharouting", |o, f| put(&mut o.dns_routing, f.boolean())),
    ("proxy", "sip.headerutf8verification", |o, f| put(&mut o.header_utf8, f.boolean())),
    ("records", "trace-sample", |o, f| put(&mut o.trace_sample, f.whole(0, u32::MAX))),
    ("records", "update-interval", |o, f| {
        put(&mut o.update_interval, f.duration(Duration::ZERO, DAY))
    }),
    ("log", "verbose", |o, f| put_some(&mut o.verbose, f.choice(&VERBOSE))),
];

const VERBOSE: [(&str, Verbose); 6] = [
    ("all", Verbose::All),
    ("debug", Verbose::Debug),
    ("trace", Verbose::Trace),
    ("interaction", Verbose::Interaction),
    ("standard", Verbose::Standard),
    ("none", Verbose::None),
];

/// Options whose values are numbers to dial: text as it was written, for zeros in front count.
const DIALLED: [&str; 2] = ["priority-numbers", "sos-number"];

/// Known options of parts that are not built, with their defaults; an empty one has none.
const LATER: &[(&str, &str, &str)] = &[
    ("records", "fsync-interval", "10ms"),
    ("records", "spool-max", "1GiB"),
    ("rm", "topology-hiding", "none"),
    ("proxy", "sip.maxmsgsize", "65536"),
    ("cluster", "virtual-ip", ""),
    ("cluster", "join-timeout", "3s"),
];

/// What is a matter of the machine that a daemon runs on: the beginning of an option, and the boot
/// setting that takes its place.
const BOOT: &[(&str, &str, &str)] = &[("proxy", "sip.transport.", "rm.sip.listen")];

/// The options that one type of application knows.
struct Known {
    built: &'static [(&'static str, &'static str, Set)],
    named: &'static [Named],
    /// With their defaults.
    later: &'static [(&'static str, &'static str, &'static str)],
    /// Beginnings of others whose part is not built.
    families: &'static [(&'static str, &'static str)],
    boot: &'static [(&'static str, &'static str, &'static str)],
}

const RESOURCE_MANAGER: Known = Known {
    built: BUILT,
    named: &[],
    later: LATER,
    families: &[("monitor", "sip."), ("registrar", "sip."), ("subscription", "sip.")],
    boot: BOOT,
};

/// One option that this version acts on, to be laid over those of templates.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    set: How,
    value: Node,
}

#[derive(Clone, Debug)]
enum How {
    Plain(Set),
    /// With the key.
    Named(SetNamed, String),
}

impl How {
    fn read(&self, options: &mut Options, field: &Field<'_>) -> Option<()> {
        match self {
            Self::Plain(set) => set(options, field),
            Self::Named(set, key) => set(options, key, field),
        }
    }
}

impl Written {
    /// Lays it over what stands there; it has been found right when it was read.
    pub(crate) fn lay_over(&self, options: &mut Options) {
        let problems = Problems::default();
        self.set.read(options, &Field::root(&self.value, None, &problems));
    }
}

/// What an application of this type says that this version acts on.
pub(super) fn read(
    sections: &Object<'_>,
    kind: ApplicationType,
    warnings: &Problems,
) -> Vec<Written> {
    let mut all = Vec::new();
    for (section, field) in sections.entries() {
        let Some(keys) = field.object() else { continue };
        for (key, field) in keys.entries().filter(|(_, field)| !field.node().is_null()) {
            if scalar_or_list(&field).is_none() {
                continue;
            }
            match kind {
                ApplicationType::ResourceManager => {
                    all.extend(one(&RESOURCE_MANAGER, (section, key), &field, warnings));
                }
                ApplicationType::ReportingServer => {
                    all.extend(one(&reporting::KNOWN, (section, key), &field, warnings));
                }
                ApplicationType::MediaServer
                | ApplicationType::SipServer
                | ApplicationType::SnmpMaster
                | ApplicationType::ConfigServer => {}
            }
        }
    }
    all
}

fn one(
    known: &Known,
    (section, key): (&Key, &Key),
    field: &Field<'_>,
    warnings: &Problems,
) -> Option<Written> {
    let is = |(s, k): (&str, &str)| s == section.text && k == key.text;
    let begins = |(s, k): (&str, &str)| s == section.text && key.text.starts_with(k);
    let plain = known.built.iter().find(|(s, k, _)| is((s, k))).map(|(.., set)| How::Plain(*set));
    let named = known.named.iter().find(|named| named.section == section.text);
    let named = named.filter(|named| (named.keys)().contains(&key.text));
    let named = named.map(|named| How::Named(named.set, key.text.clone()));
    if let Some(set) = plain.or(named) {
        let node = field.node();
        let dialled = DIALLED.contains(&key.text.as_str());
        let value = if dialled { node.value.clone() } else { typed(&node.value) };
        let value = Node { value, at: node.at };
        set.read(&mut Options::default(), &field.with(&value))?;
        return Some(Written { set, value });
    }
    let later = known.later.iter().find(|(s, k, _)| is((s, k))).map(|(.., default)| *default);
    if later.is_some_and(|default| is_default(field, default)) {
        return None;
    }
    if let Some((.., setting)) = known.boot.iter().find(|(s, k, _)| begins((s, k))) {
        let text = format!("{}: set {setting} where it runs", no_effect(section, key));
        warn(field, key, warnings, "W603", text);
        return None;
    }
    if later.is_some() || known.families.iter().any(|family| begins(*family)) {
        warn(field, key, warnings, "W603", no_effect(section, key));
        return None;
    }
    let built = known.built.iter().map(|(s, k, _)| (*s, *k));
    let all = built.chain(known.later.iter().map(|(s, k, _)| (*s, *k)));
    let mut all: Vec<String> = all.map(|(s, k)| format!("{s}/{k}")).collect();
    for Named { section, keys, .. } in known.named {
        all.extend(keys().into_iter().map(|key| format!("{section}/{key}")));
    }
    let name = format!("{}/{}", section.text, key.text);
    let text = match nearest(&name, all.iter().map(String::as_str)) {
        Some(near) => format!("unknown option \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown option \"{name}\""),
    };
    warn(field, key, warnings, "W602", text);
    None
}

fn no_effect(section: &Key, key: &Key) -> String {
    format!("option \"{}/{}\" has no effect in this version", section.text, key.text)
}

/// Tells of an option at its key.
pub(super) fn warn(
    field: &Field<'_>,
    key: &Key,
    warnings: &Problems,
    code: &'static str,
    text: String,
) {
    let mut problem = field.place().problem(code, text);
    problem.at = key.at;
    warnings.note(problem);
}

fn is_default(field: &Field<'_>, default: &str) -> bool {
    match &field.node().value {
        Value::Seq(items) => items.is_empty() && default == "[]",
        _ => scalar(field).as_deref() == Some(default),
    }
}

fn scalar_or_list(field: &Field<'_>) -> Option<()> {
    match field.node().value {
        Value::Seq(_) => Some(()),
        _ => scalar(field).map(|_| ()),
    }
}

/// Text that is a number or a truth value, as such.
fn typed(value: &Value) -> Value {
    let Value::Text(text) = value else { return value.clone() };
    match text.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse().map_or_else(|_| value.clone(), Value::Int),
    }
}

fn put<T>(cell: &mut T, value: Option<T>) -> Option<()> {
    *cell = value?;
    Some(())
}

fn put_some<T>(cell: &mut Option<T>, value: Option<T>) -> Option<()> {
    *cell = Some(value?);
    Some(())
}

/// A number of milliseconds.
fn millis(field: &Field<'_>, least: u32, most: u32) -> Option<Duration> {
    field.whole(least, most).map(|millis| Duration::from_millis(u64::from(millis)))
}

fn code(field: &Field<'_>) -> Option<u16> {
    field.whole(400, 699)
}

/// Method names in a list, or in one text with commas.
fn methods(field: &Field<'_>) -> Option<Vec<String>> {
    let known =
        ["REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "MESSAGE", "INFO", "UPDATE"];
    let mut methods = Vec::new();
    for text in texts(field)? {
        if !known.contains(&text.as_str()) {
            return field.invalid("list of methods", format_args!("expected {}", known.join(", ")));
        }
        methods.push(text);
    }
    Some(methods)
}

/// Patterns of numbers in a list, or in one text with commas.
fn patterns(field: &Field<'_>) -> Option<Vec<Pattern>> {
    let texts = texts(field)?;
    if texts.len() > MAX_PRIORITY_NUMBERS {
        return field.invalid("list of numbers", "there are more than 1000");
    }
    let read = |text: &String| {
        Pattern::parse(text).map_err(|error| match error {
            PatternError::Length => "the ends of a range differ in length",
            PatternError::Order => "a range starts above its end",
            PatternError::Star => "\"*\" is only allowed at the end",
            PatternError::Form(why) => why,
        })
    };
    match texts.iter().map(read).collect() {
        Ok(patterns) => Some(patterns),
        Err(why) => field.invalid("list of numbers", why),
    }
}

fn texts(field: &Field<'_>) -> Option<Vec<String>> {
    if let Value::Seq(_) = field.node().value {
        let items: Vec<_> = field.list()?.iter().map(written).collect();
        return items.into_iter().collect();
    }
    let text = written(field)?;
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Some(parts.map(str::to_owned).collect())
}

/// Text as it was written; a bare number has lost the zeros in front of it.
fn written(field: &Field<'_>) -> Option<String> {
    match field.node().value {
        Value::Text(_) => field.text_up_to(MAX_TEXT).map(str::to_owned),
        _ => field.wrong_type("text (write it in quotes)"),
    }
}

fn number_text(field: &Field<'_>) -> Option<String> {
    let number = normalise(&written(field)?);
    if number.is_empty() { field.invalid("number", "it is empty") } else { Some(number) }
}

#[cfg(test)]
mod tests;
