//! The report of completed RM calls, read through all its pages as a client would.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::http;
use crate::platform::eventually;

/// One `<cdr>`: its own attributes, and those of its children as `child/attribute`.
pub(crate) type Cdr = BTreeMap<String, String>;

/// All completed calls, newest first.
pub(crate) fn completed(rs: SocketAddr) -> Vec<Cdr> {
    let mut all = Vec::new();
    for page in 1.. {
        let path = format!("/ems-rs/HIST/CDRs/RM/details?page={page}&page-size=100");
        let answer = http::get(rs, &path).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        all.extend(cdrs(&answer.body));
        let pages = elements(&answer.body, "pages").next();
        let total = pages.map_or(1, |tag| attributes(tag)["total"].parse::<u32>().unwrap());
        if page >= total {
            return all;
        }
    }
    unreachable!("pages are counted upwards without end")
}

/// Waits until the report has so many calls and nothing is on its way any more; then it must have
/// exactly so many.
pub(crate) fn exactly(rm: SocketAddr, rs: SocketAddr, count: usize) -> Vec<Cdr> {
    eventually("calls in the report", || completed(rs).len(), |found| *found >= count);
    let unsent = || http::metric(rm, "ringmaster_rm_spool_pending");
    eventually("nothing unsent", unsent, |pending| *pending == 0.0);
    applied(rs, count)
}

/// The same after RM has ended, which publishes the rest before it goes.
pub(crate) fn applied(rs: SocketAddr, count: usize) -> Vec<Cdr> {
    eventually("calls in the report", || completed(rs).len(), |found| *found >= count);
    eventually("nothing unapplied", || http::metric(rs, "rsQueueSize"), |size| *size == 0.0);
    let cdrs = completed(rs);
    assert_eq!(cdrs.len(), count, "nothing more has come");
    cdrs
}

/// The one leg of the call with this Call-ID, with its trace and events, when all of it has come.
pub(crate) fn leg(rs: SocketAddr, call_id: &str) -> Value {
    let path = format!("/api/v1/calls?state=completed&call_id={call_id}");
    let calls = || http::json(rs, &path)["items"].as_array().unwrap().clone();
    let calls = eventually(call_id, calls, |calls| !calls.is_empty());
    let guid = calls[0]["guid"].as_str().unwrap();
    let path = format!("/api/v1/calls/{guid}?include=trace,events");
    // its event comes by a connection of its own
    let complete = |call: &Value| {
        let leg = &call["legs"][0];
        let told = leg["events"].as_array().is_some_and(|events| !events.is_empty());
        call["integrity"]["complete"] == true && (told || !violates(leg))
    };
    let call = eventually(call_id, || http::json(rs, &path), complete);
    assert_eq!((calls.len(), call["legs"].as_array().unwrap().len()), (1, 1), "{call:#}");
    call["legs"][0].clone()
}

/// A refusal by a policy has an event.
fn violates(leg: &Value) -> bool {
    let steps = leg["trace"].as_array();
    let refused = |step: &Value| step["stage"] == "authorise" && step["verdict"] == "refused";
    steps.is_some_and(|steps| steps.iter().any(refused))
}

/// The one record of a call that has ended, when it has come.
pub(crate) fn of_call(rs: SocketAddr, call_id: &str) -> Cdr {
    let ended = || {
        let all = completed(rs).into_iter();
        all.filter(|cdr| cdr["call-id"] == call_id).collect::<Vec<_>>()
    };
    let found = eventually(call_id, ended, |found| !found.is_empty());
    assert_eq!(found.len(), 1, "{call_id} in {found:#?}");
    found.into_iter().next().unwrap()
}

/// All legs that the list of calls has, through all of its pages; `more`: further parameters.
pub(crate) fn legs(rs: SocketAddr, more: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/calls?legs=true&limit=1000{more}{cursor}");
        let mut page = http::json(rs, &path);
        all.append(page["items"].as_array_mut().unwrap());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn cdrs(document: &str) -> impl Iterator<Item = Cdr> {
    document.split("<cdr ").skip(1).map(|text| {
        let text = text.split("</cdr>").next().unwrap();
        let mut cdr = attributes(text.split('>').next().unwrap());
        for child in ["component", "application", "tenant", "resource"] {
            // The last of its kind: of the tenants, the leaf.
            if let Some(tag) = elements(text, child).last() {
                let named = attributes(tag).into_iter();
                cdr.extend(named.map(|(name, value)| (format!("{child}/{name}"), value)));
            }
        }
        cdr
    })
}

fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{name} ");
    let starts: Vec<usize> = text.match_indices(&open).map(|(at, _)| at + open.len()).collect();
    starts.into_iter().map(|at| text[at..].split('>').next().unwrap())
}

fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"').unwrap();
        found.insert(name.trim().to_owned(), value.to_owned());
        rest = next;
    }
    found
}
