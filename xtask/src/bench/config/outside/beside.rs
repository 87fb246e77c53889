//! What calls notice of it when the whole configuration changes: SIPp beside `ringmaster apply`
//! (ops.md §14.12).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::super::super::http::request;
use super::super::super::proxy::call::{Calls, Via};
use super::super::super::proxy::ringmaster;
use super::super::super::proxy::sipp::{Callers, Media};
use super::super::super::proxy::site::Folder;
use super::super::super::proxy::system::{Tools, need_packages};
use super::server::Server;
use super::{Figure, apply, middle, now, percentile, platform};

const CALLS_PER_SECOND: u32 = 200;
/// Changes of everything, each behind a time without one.
const ROUNDS: u32 = 6;
/// Seconds of that time, and of SIPp's start.
const QUIET: u32 = 5;
/// Seconds that a change can take at the most, with what it leaves to do.
const CHANGING: u32 = 5;

pub(super) fn run(root: &Path, program: &Path) -> Result<Vec<Figure>> {
    need_packages(root)?;
    let tools = Tools { program: program.to_owned(), files: root.join("deploy/bench") };
    let (server, media) = (Server::start(program)?, Media::start(&tools.files, Via::Udp)?);
    apply(program, &server, &ringmaster::platform(&tools, &media, Via::Udp)?)?;
    let objects = format!("server: \"http://127.0.0.1:{}\"", server.port);
    let (rm, http) = ringmaster::start_with(&tools, Folder::new()?, media, &objects)?;
    until(http, 1)?;

    let seconds = ROUNDS * (QUIET + CHANGING) + 10;
    let calls = Calls::short(Via::Udp, CALLS_PER_SECOND, seconds);
    let quiet = f64::from(QUIET);
    let mut callers = Callers::start(&tools.files, rm.sip, calls)?;
    let mut at = callers.wait_for(quiet)?.seconds;
    let (mut known, mut changing) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        callers.wait_for(at + quiet)?;
        let begun = callers.progress().seconds;
        apply(program, &server, &platform::all(round))?;
        let applied = now();
        until(http, u64::from(round) + 2)?;
        known.push(applied.elapsed());
        // what SIPp tells of each second is whole a second later
        at = callers.wait_for(callers.progress().seconds + 1.0)?.seconds;
        changing.push(begun..at);
    }
    let all = callers.finish(Duration::from_secs(60))?;
    let told = callers.times()?;
    let of = |beside: bool| {
        let own = told.iter().filter(|(at, _)| {
            *at >= quiet && changing.iter().any(|span| span.contains(at)) == beside
        });
        spread(own.map(|(_, took)| Duration::from_secs_f64(took / 1000.0)).collect())
    };
    let failed = f64::from(calls.count) - all.succeeded;
    Ok(vec![
        Figure {
            what: "RM has a snapshot in which all has changed, after `apply` has ended",
            goal: "< 200 ms",
            measured: format!("{} ms", middle(&mut known).as_millis()),
            how: "median of 6, by `/ready`, at 200 calls/s beside it",
        },
        Figure {
            what: "answers to INVITE at 200 calls/s beside that, and without",
            goal: "none slower",
            measured: format!("{}; without {}; {failed} calls failed", of(true), of(false)),
            how: "SIPp; on two processors `apply`, three servers, callers and media servers",
        },
    ])
}

/// Waits until RM has this revision.
fn until(http: SocketAddr, revision: u64) -> Result<()> {
    let limit = now() + Duration::from_secs(20);
    let wanted = format!("\"revision\":{revision}");
    while now() < limit {
        if request(http.port(), "GET", "/ready", "").is_ok_and(|answer| answer.contains(&wanted)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("RM does not come to revision {revision}")
}

fn spread(mut times: Vec<Duration>) -> String {
    let longest = times.iter().max().copied().unwrap_or_default();
    let [half, most] = [50, 99].map(|share| percentile(&mut times, share));
    format!("p50 {half:.0} ms, p99 {most:.0}, longest {}", longest.as_millis())
}
