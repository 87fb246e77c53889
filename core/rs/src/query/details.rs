//! The parameters of the lists of calls: C1, C3, C5, C7, C9, C10 (rs.md §5.4).

use model::config::Service;
use model::record::{CallGuid, CallType, ComponentType, EndState};
use model::time::Millis;

use super::datetime::datetime;
use super::filter::{Filter, Number, Progress, Uri};
use super::parameters::Parameters;
use super::refused::Refused;
use crate::limits::{PAGE_SIZE, UNBOUNDED_MS};

/// What a question is read with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The present.
    pub now: Millis,
    /// `rs.reports.page_size_max`.
    pub page_size_max: u32,
}

/// The plan of a list of calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Details {
    /// Which calls, newest start first (then by key, descending).
    pub filter: Filter,
    /// Which page, from 1.
    pub page: u32,
    /// Calls per page.
    pub page_size: u32,
    /// Recognised parameters as they were sent.
    pub parameters: Vec<(String, String)>,
    /// For `meta`: what was done that was not asked for.
    pub warning: Option<&'static str>,
}

const KNOWN: &[&str] = &[
    "started-from",
    "started-to",
    "ended-from",
    "ended-to",
    "app-id",
    "tenant-id",
    "dn",
    "comp-id",
    "remote-uri",
    "local-uri",
    "session-id",
    "gvp-guid",
    "call-type",
    "end-state",
    "service",
    "call-uuid",
    "duration-min",
    "duration-max",
    "page",
    "page-size",
];

/// Reads the query of a list of calls of one kind of component; `live`: those in progress.
///
/// # Errors
/// The first parameter that is wrong, with a code of rs.md §5.13.
pub fn details(
    live: bool,
    component: ComponentType,
    query: &str,
    settings: &Settings,
) -> Result<Details, Refused> {
    let known: Vec<_> = KNOWN
        .iter()
        .copied()
        .filter(|name| *name != "dn" || component == ComponentType::Rm)
        .collect();
    let parameters = Parameters::of(query, &known);
    exclusive(live, component, &parameters)?;
    let mut filter = Filter {
        progress: if live { Progress::Live } else { Progress::Completed },
        component_type: Some(component),
        ..identities(&parameters)?
    };
    times(&parameters, &mut filter)?;
    kinds(&parameters, &mut filter)?;
    let (page, page_size) = page(&parameters, settings.page_size_max)?;
    let mut warning = None;
    if !live && !filter.is_bounded() && !filter.names_a_call() {
        // strictly after, so that a call that began exactly 24 h ago is still in the list
        let since = settings.now.0.saturating_sub(UNBOUNDED_MS + 1);
        filter.started_after = Some(Millis(since));
        warning = Some("no time given: limited to calls started in the last 24 hours");
    }
    Ok(Details { filter, page, page_size, parameters: parameters.into_pairs(), warning })
}

impl Details {
    /// Checks the page against the count of matches, and says how many pages there are.
    ///
    /// # Errors
    /// `page-out-of-range`. The first page always exists.
    pub fn pages(&self, records: u64) -> Result<u64, Refused> {
        let pages = records.div_ceil(u64::from(self.page_size)).max(1);
        if u64::from(self.page) > pages {
            let message = format!("page {} of {pages}", self.page);
            return Err(Refused::parameter("page-out-of-range", message, &["page"]));
        }
        Ok(pages)
    }
}

/// Parameters that exclude or need each other.
fn exclusive(live: bool, component: ComponentType, parameters: &Parameters) -> Result<(), Refused> {
    if live {
        let ended = parameters.present(&["ended-from", "ended-to"]);
        if !ended.is_empty() {
            let message = "a call in progress has no end";
            return Err(Refused::parameter("not-for-live", message, &ended));
        }
    }
    let owners = parameters.present(&["app-id", "tenant-id", "dn"]);
    if owners.len() > 1 {
        let message = "app-id, tenant-id and dn exclude each other";
        return Err(Refused::parameter("exclusive-parameters", message, &owners));
    }
    if parameters.has("gvp-guid") {
        let others: Vec<_> =
            KNOWN.iter().copied().filter(|name| !name.starts_with("page")).collect();
        let others = parameters.present(&others);
        if others.len() > 1 {
            let message = "gvp-guid takes no other filter beside it";
            return Err(Refused::parameter("exclusive-parameters", message, &others));
        }
    }
    if parameters.has("session-id") && component != ComponentType::Rm {
        let components = parameters.read_all("comp-id", true, integer::<u32>)?;
        if components.len() != 1 {
            let message = "session-id needs exactly one comp-id";
            let names = ["session-id", "comp-id"];
            return Err(Refused::parameter("session-needs-component", message, &names));
        }
    }
    Ok(())
}

fn identities(parameters: &Parameters) -> Result<Filter, Refused> {
    Ok(Filter {
        profiles: parameters.read_all("app-id", true, integer)?,
        tenants: parameters.read_all("tenant-id", true, integer)?,
        components: parameters.read_all("comp-id", true, integer)?,
        numbers: parameters.read_all("dn", true, number)?,
        remote_uris: parameters.read_all("remote-uri", false, uri)?,
        local_uris: parameters.read_all("local-uri", false, uri)?,
        session_id: parameters.read_one("session-id", text)?,
        guid: parameters.read_one("gvp-guid", text)?.map(|guid| CallGuid::new(&guid)),
        call_uuid: parameters.read_one("call-uuid", text)?,
        ..Filter::default()
    })
}

fn times(parameters: &Parameters, filter: &mut Filter) -> Result<(), Refused> {
    let before = |from: &str, to: &str| -> Result<_, Refused> {
        let after = parameters.read_one(from, datetime)?;
        let before = parameters.read_one(to, datetime)?;
        if after.zip(before).is_some_and(|(after, before)| after >= before) {
            let message = format!("{from} is not before {to}");
            return Err(Refused::parameter("from-not-before-to", message, &[from, to]));
        }
        Ok((after, before))
    };
    (filter.started_after, filter.started_before) = before("started-from", "started-to")?;
    (filter.ended_after, filter.ended_before) = before("ended-from", "ended-to")?;
    Ok(())
}

fn kinds(parameters: &Parameters, filter: &mut Filter) -> Result<(), Refused> {
    filter.call_types = parameters.read_all("call-type", true, word(CallType::parse))?;
    filter.end_states = parameters.read_all("end-state", true, word(EndState::parse))?;
    filter.services = parameters.read_all("service", true, word(Service::parse))?;
    filter.duration_min = parameters.read_one("duration-min", integer)?;
    filter.duration_max = parameters.read_one("duration-max", integer)?;
    Ok(())
}

fn page(parameters: &Parameters, size_max: u32) -> Result<(u32, u32), Refused> {
    let page = parameters.read_one("page", integer)?.unwrap_or(1);
    let size = parameters.read_one("page-size", integer)?.unwrap_or(PAGE_SIZE.min(size_max));
    if page == 0 {
        return Err(Refused::parameter("bad-integer", "pages begin with 1", &["page"]));
    }
    if size == 0 || size > size_max {
        let message = format!("page-size is 1 to {size_max}");
        return Err(Refused::parameter("bad-integer", message, &["page-size"]));
    }
    Ok((page, size))
}

fn integer<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, Refused> {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten().ok_or_else(|| {
        Refused::parameter("bad-integer", format!("{name} is a whole number from 0"), &[name])
    })
}

fn word<W>(parse: impl Fn(&str) -> Option<W>) -> impl Fn(&str, &str) -> Result<W, Refused> {
    move |name, value| {
        parse(value).ok_or_else(|| {
            let message = format!("{name} has no value {value}");
            Refused::parameter("bad-enum", message, &[name])
        })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all readers of a value")]
fn text(_name: &str, value: &str) -> Result<String, Refused> {
    Ok(value.to_owned())
}

/// `18005550100`, `1800*` or `18005550100-18005550199`; a leading `+`, which may have been
/// decoded as a blank, is no part of the normal form.
fn number(name: &str, value: &str) -> Result<Number, Refused> {
    let bad = |message: &str| Err(Refused::parameter("bad-dn", message, &[name]));
    let value = value.trim();
    let value = value.strip_prefix('+').unwrap_or(value);
    if let Some(prefix) = value.strip_suffix('*') {
        return match prefix.contains(['*', '-']) {
            true => bad("an asterisk stands at the end of a prefix"),
            false => Ok(Number::Prefix(prefix.to_owned())),
        };
    }
    if value.is_empty() || value.contains('*') {
        return bad("a number, a prefix with * or a range with -");
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match value.split_once('-') {
        None => Ok(Number::Exact(value.to_owned())),
        Some((from, to)) if !digits(from) || !digits(to) => bad("a range is of digits"),
        Some((from, to)) if from.len() != to.len() => {
            bad("both ends of a range have the same number of digits")
        }
        Some((from, to)) if from > to => bad("a range goes up"),
        Some((from, to)) => Ok(Number::Range { from: from.to_owned(), to: to.to_owned() }),
    }
}

fn uri(name: &str, value: &str) -> Result<Uri, Refused> {
    let (text, prefix) = match value.strip_suffix('*') {
        Some(text) => (text, true),
        None => (value, false),
    };
    if value.is_empty() || text.contains('*') {
        let message = format!("{name} is a URI, or its beginning and an asterisk");
        return Err(Refused::parameter("bad-uri-pattern", message, &[name]));
    }
    Ok(Uri { text: text.to_ascii_lowercase(), prefix })
}
