//! The short programs that put what a platform needs into the Config Server (ops.md §3): they wait
//! for it, ask for one transaction, take away what is gone, and end. Run twice, or twice at once,
//! they change nothing more.

mod group;
mod maker;
mod plan;
mod prune;
mod server;
mod turns;

use std::path::Path;
use std::time::Duration;

use config::Settings;
use serde_json::Value;
use telemetry::Log;

use crate::cli;
use crate::cmd::apply;
use crate::exit::{Exit, Failure};
use crate::settings;
use maker::{Found, Plan};
use plan::{Impossible, Node};
use server::{Answer, Server};
use turns::Turns;

/// A program that runs, and whom it asks.
struct Run<'r> {
    server: &'r Server<'r>,
    log: &'r Log,
    program: &'static str,
    /// How long others may be quicker (`config_handler.wait`).
    wait: Duration,
}

impl Run<'_> {
    /// A transaction that is done.
    fn tell(&self, answer: &Value) {
        let changed = answer["changed"].to_string();
        let revision = answer["revision"].to_string();
        self.log.emit(50002, None, &[("changed", &changed), ("revision", &revision)]);
        self.log.flush();
        apply::print(answer);
    }
}

/// `ringmaster config-handler`
pub(crate) fn config_handler(args: &cli::Handler) -> Result<(), Failure> {
    let (settings, log) = begin(args.config.as_deref())?;
    let handler = &settings.config_handler;
    let name = match &handler.node {
        Some(name) => name.clone(),
        None => host_name()?,
    };
    let address = address(&settings);
    let rs_app = settings.rs_init.app.as_str();
    let node = Node { settings: handler, rs_app, name: &name, address: address.as_deref() };
    let server = Server::wait(&settings, &log)?;
    let run = Run { server: &server, log: &log, program: "config-handler", wait: handler.wait };
    let found = make(&run, |found| plan::node(&node, found))?;
    if !prune::gone(&node, &found).is_empty() {
        prune(&run, &node)?;
    }
    log.flush();
    Ok(())
}

/// `ringmaster rs-init`
pub(crate) fn rs_init(args: &cli::Handler) -> Result<(), Failure> {
    let (settings, log) = begin(args.config.as_deref())?;
    let server = Server::wait(&settings, &log)?;
    let shared = &settings.config_handler;
    let run = Run { server: &server, log: &log, program: "rs-init", wait: shared.wait };
    make(&run, |found| Ok(plan::reporting(&settings.rs_init, shared, found)))?;
    // at a database server; files RS makes itself (rs.md §3.4)
    rsd::init_database(&settings).map_err(crate::cmd::rs::failure)?;
    for beyond in rsd::limits_beyond(&settings) {
        let (asked, most) = (beyond.asked.to_string(), beyond.most.to_string());
        log.emit(50010, None, &[("limit", beyond.key), ("asked", &asked), ("given", &most)]);
    }
    log.flush();
    Ok(())
}

fn begin(file: Option<&Path>) -> Result<(Settings, Log), Failure> {
    let settings = settings::load_with_gvp(file)?;
    let log = settings::log(&settings.log)?;
    Ok((settings, log))
}

/// One transaction, tried again while others change what it was made from. Gives back what it was
/// made from.
fn make(
    run: &Run<'_>,
    plan: impl Fn(&Found) -> Result<Plan, Impossible>,
) -> Result<Found, Failure> {
    let mut left_alone = Vec::new();
    let mut turns = Turns::new(run.wait);
    loop {
        let (revision, found) = run.server.look()?;
        let plan = plan(&found).map_err(|Impossible(text)| Failure::new(Exit::Settings, text))?;
        for object in plan.left_alone {
            if !left_alone.contains(&object) {
                run.log.emit(50003, None, &[("object", &object)]);
                left_alone.push(object);
            }
        }
        match run.server.transact(revision, run.program, &plan.operations)? {
            Answer::Done(answer) => {
                run.tell(&answer);
                return Ok(found);
            }
            Answer::Overtaken => turns.pause()?,
            Answer::InUse(problem) => return Err(Server::refused(409, &problem)),
        }
    }
}

/// Takes away nodes that are gone, after this one's own objects stand. What others still refer to
/// stays, and is told once.
fn prune(run: &Run<'_>, node: &Node<'_>) -> Result<(), Failure> {
    let mut kept: Vec<String> = Vec::new();
    let mut turns = Turns::new(run.wait);
    loop {
        let (revision, found) = run.server.look()?;
        let mut gone = prune::gone(node, &found);
        gone.retain(|name| !kept.contains(name));
        if gone.is_empty() {
            return Ok(());
        }
        match run.server.transact(revision, run.program, &prune::deletes(&gone))? {
            Answer::Done(answer) => {
                run.tell(&answer);
                return Ok(());
            }
            Answer::Overtaken => turns.pause()?,
            Answer::InUse(problem) => {
                let mut referenced = prune::referenced(&problem);
                referenced.retain(|(name, _)| gone.contains(name));
                if referenced.is_empty() {
                    return Err(Server::refused(409, &problem));
                }
                for (name, why) in referenced {
                    let object = format!("Application {name}");
                    run.log.emit(50004, None, &[("object", &object), ("error", &why)]);
                    kept.push(name);
                }
            }
        }
    }
}

/// Where this node is reached, if that is a place that others can reach.
fn address(settings: &Settings) -> Option<String> {
    let sip = &settings.rm.sip;
    let listen = sip.listen.iter().map(|listen| listen.addr);
    let listen = listen.filter(|addr| !addr.ip().is_unspecified()).map(|addr| addr.to_string());
    sip.advertise.first().map(ToString::to_string).or_else(|| listen.into_iter().next())
}

fn host_name() -> Result<String, Failure> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_owned();
    if name.is_empty() {
        let text = "this host has no name: set config_handler.node";
        return Err(Failure::new(Exit::Settings, text));
    }
    Ok(name)
}
