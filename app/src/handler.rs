//! The short programs that put what a platform needs into the Config Server (ops.md §3): they wait
//! for it, ask for one transaction, and end. Run twice, or twice at once, they change nothing more.

mod group;
mod maker;
mod plan;
mod server;

use std::path::Path;

use config::Settings;
use telemetry::Log;

use crate::cli;
use crate::cmd::apply;
use crate::exit::{Exit, Failure};
use crate::settings;
use maker::{Found, Plan};
use plan::{Impossible, Node};
use server::Server;

/// Tries of one transaction: each failed because somebody else changed something meanwhile.
const TRIES: usize = 10;

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
    make(&server, &log, "config-handler", |found| plan::node(&node, found))
}

/// `ringmaster rs-init`
pub(crate) fn rs_init(args: &cli::Handler) -> Result<(), Failure> {
    let (settings, log) = begin(args.config.as_deref())?;
    let server = Server::wait(&settings, &log)?;
    make(&server, &log, "rs-init", |found| {
        Ok(plan::reporting(&settings.rs_init, &settings.config_handler, found))
    })?;
    // the database is a file of RS, which makes its schema itself (rs.md §3.4)
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

/// One transaction, tried again while others change what it was made from.
fn make(
    server: &Server<'_>,
    log: &Log,
    program: &str,
    plan: impl Fn(&Found) -> Result<Plan, Impossible>,
) -> Result<(), Failure> {
    let mut left_alone = Vec::new();
    for _ in 0..TRIES {
        let (revision, found) = server.look()?;
        let plan = plan(&found).map_err(|Impossible(text)| Failure::new(Exit::Settings, text))?;
        for object in plan.left_alone {
            if !left_alone.contains(&object) {
                log.emit(50003, None, &[("object", &object)]);
                left_alone.push(object);
            }
        }
        let Some(answer) = server.transact(revision, program, &plan.operations)? else { continue };
        let changed = answer["changed"].to_string();
        let revision = answer["revision"].to_string();
        log.emit(50002, None, &[("changed", &changed), ("revision", &revision)]);
        log.flush();
        apply::print(&answer);
        return Ok(());
    }
    let text = format!("{TRIES} times somebody else changed something meanwhile: try again");
    Err(Failure::new(Exit::Conflict, text))
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
