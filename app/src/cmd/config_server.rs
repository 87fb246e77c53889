//! `ringmaster config-server`: the Config Server as a daemon, or a question to the running one.

use configd::{ConfigServer, Parts, StartError};
use net::Clock;
use telemetry::Log;

use crate::cli;
use crate::daemon::{self, Ask};
use crate::exit::{Exit, Failure};
use crate::{settings, signals};

pub(crate) fn run(args: &cli::ConfigServer) -> Result<(), Failure> {
    let settings = settings::load(args.daemon.config.as_deref(), &[])?;
    if let Some(probe) = args.daemon.probe {
        let server = &settings.config_server;
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        return super::rm::asked_at(&format!("{scheme}://{}", server.listen), probe);
    }
    let log = settings::log(&settings.log)?;
    if args.new_admin_token {
        let made = configd::new_admin_token(&settings, &log, Clock::start());
        log.flush();
        println!("{}", made.map_err(failure)?.display());
        return Ok(());
    }
    let signals = signals::listen()?;
    let parts = Parts { settings, seed: None, log: log.clone(), clock: Clock::start() };
    let server = ConfigServer::start(parts).map_err(failure)?;
    let stopper = server.stopper();
    // Changes under way are finished; there is nothing else that could be.
    let second = daemon::obey(signals, log.clone(), move |ask| match ask {
        Ask::Reload => stopper.reload(),
        Ask::Leave | Ask::End | Ask::Now => stopper.stop(),
    })?;
    show(&server);
    daemon::ready();
    let outcome = end(server, &log);
    second.outcome().and(outcome)
}

/// Prints what listens where, and where the first token lies.
pub(crate) fn show(server: &ConfigServer) {
    let (scheme, address) = (server.scheme(), server.address());
    daemon::listening("config_server", format_args!("{scheme}://{address}"));
    if let Some(file) = server.new_token() {
        println!("admin token  {}", file.display());
    }
}

/// Waits for the end.
pub(crate) fn end(server: ConfigServer, log: &Log) -> Result<(), Failure> {
    let ended = server.wait();
    log.flush();
    if ended.failed {
        let text = "a part of the Config Server broke: please report what the log says";
        return Err(Failure::new(Exit::Internal, text));
    }
    Ok(())
}

pub(crate) fn failure(error: StartError) -> Failure {
    if let StartError::Seed(problems) = &error {
        return Failure::new(Exit::Invalid, settings::lines(problems));
    }
    let exit = match error.exit_code() {
        78 => Exit::Settings,
        3 => Exit::Invalid,
        _ => Exit::Local,
    };
    Failure::new(exit, daemon::chain(&error))
}
