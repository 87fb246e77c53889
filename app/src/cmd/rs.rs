//! `ringmaster rs`: the Reporting Server as a daemon, or a question to the running one.

mod erase;
mod import;
mod sql_views;
mod token;
mod user;

use net::Clock;
use rsd::{Rs, RsParts, StartError};
use telemetry::Log;

use crate::cli::{self, Daemon, RsCommand};
use crate::daemon::{self, Ask};
use crate::exit::{Exit, Failure};
use crate::{settings, signals};

pub(crate) fn run(args: &cli::Rs) -> Result<(), Failure> {
    match &args.command {
        Some(RsCommand::Erase(args)) => erase::run(args),
        Some(RsCommand::Import(args)) => import::run(args),
        Some(RsCommand::SqlViews(args)) => sql_views::run(args),
        Some(RsCommand::Token(args)) => token::run(args),
        Some(RsCommand::User(args)) => user::run(args),
        None => serve(&args.daemon),
    }
}

fn serve(args: &Daemon) -> Result<(), Failure> {
    let settings = settings::load(args.config.as_deref(), &[])?;
    if let Some(probe) = args.probe {
        let scheme = if settings.rs.tls.is_some() { "https" } else { "http" };
        return super::rm::asked_at(&format!("{scheme}://{}", settings.rs.http), probe);
    }
    let log = settings::log(&settings.log)?;
    let signals = signals::listen()?;
    let rs = Rs::start(RsParts { settings, fixed: None, log: log.clone(), clock: Clock::start() })
        .map_err(failure)?;
    let stopper = rs.stopper();
    // There is nothing that could be finished first: what waits is on disk.
    let second = daemon::obey(signals, log.clone(), move |ask| match ask {
        Ask::Reload => stopper.reload(),
        Ask::Leave | Ask::End | Ask::Now => stopper.stop(),
    })?;
    show(&rs);
    daemon::ready();
    let outcome = end(rs, &log);
    second.outcome().and(outcome)
}

/// Prints what listens where.
pub(crate) fn show(rs: &Rs) {
    let addresses = rs.addresses();
    if let Some(broker) = addresses.broker {
        daemon::listening("rs.broker", broker);
    }
    daemon::listening("rs.http", addresses.http);
}

/// Waits for the end.
pub(crate) fn end(rs: Rs, log: &Log) -> Result<(), Failure> {
    let ended = rs.wait();
    log.flush();
    if ended.failed {
        let text = "a part of RS broke: please report what the log says";
        return Err(Failure::new(Exit::Internal, text));
    }
    Ok(())
}

pub(crate) fn failure(error: StartError) -> Failure {
    let exit = match error.exit_code() {
        3 => Exit::Invalid,
        78 => Exit::Settings,
        _ => Exit::Local,
    };
    Failure::new(exit, daemon::chain(&error))
}
