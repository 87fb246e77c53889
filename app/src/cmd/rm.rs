//! `ringmaster rm`: the Resource Manager as a daemon, or a question to the running one.

use std::time::Duration;

use config::Settings;
use net::Clock;
use rmd::{Rm, RmParts, StartError, Stop, Stopper};
use telemetry::Log;

use crate::cli::{Daemon, Probe};
use crate::daemon::{self, Ask};
use crate::exit::{Exit, Failure};
use crate::{ask, memory, settings, signals};

pub(crate) fn run(args: &Daemon) -> Result<(), Failure> {
    let settings = settings::load(args.config.as_deref(), &[])?;
    if let Some(probe) = args.probe {
        return asked(settings.rm.http, probe);
    }
    memory::keep();
    let log = settings::log(&settings.log)?;
    let signals = signals::listen()?;
    let clock = Clock::start();
    let parts = RmParts { settings: settings.clone(), fixed: None, log: log.clone(), clock };
    let rm = Rm::start(parts).map_err(failure)?;
    let stopper = rm.stopper();
    let stop = stop(&settings);
    let second = daemon::obey(signals, log.clone(), move |ask| stop(&stopper, ask))?;
    show(&rm);
    wait_until_ready(&rm);
    let outcome = end(rm, &log);
    second.outcome().and(outcome)
}

/// Prints what listens where.
pub(crate) fn show(rm: &Rm) {
    let addresses = rm.addresses();
    for (transport, address) in &addresses.sip {
        daemon::listening("rm.sip", format_args!("{}:{address}", transport.uri_param()));
    }
    daemon::listening("rm.monitor", format_args!("udp:{}", addresses.monitor));
    daemon::listening("rm.http", addresses.http);
}

/// Everything is bound and read back already; what is left takes milliseconds, unless there is no
/// configuration yet. Tells when it is ready.
pub(crate) fn wait_until_ready(rm: &Rm) {
    while !rm.ready() && rm.running() {
        std::thread::sleep(Duration::from_millis(2));
    }
    if rm.ready() {
        daemon::ready();
    }
}

/// What each way of asking means for RM (ops.md §4).
pub(crate) fn stop(settings: &Settings) -> impl Fn(&Stopper, Ask) + Send + use<> {
    let (delay, timeout) = (settings.rm.drain_delay, settings.rm.drain_timeout);
    move |stopper, ask| {
        let stop = match ask {
            Ask::Reload => return stopper.reload(),
            Ask::Leave => Stop::Drain { delay, timeout },
            Ask::End => Stop::Drain { delay: Duration::ZERO, timeout: Duration::ZERO },
            Ask::Now => Stop::Now,
        };
        stopper.stop(stop);
    }
}

/// Waits for the end.
pub(crate) fn end(rm: Rm, log: &Log) -> Result<(), Failure> {
    let ended = rm.wait();
    log.flush();
    if ended.failed {
        return Err(Failure::new(
            Exit::Internal,
            "the engine broke: please report what the log says",
        ));
    }
    if ended.legs_left > 0 {
        println!("{} calls were left up; they are found again at the next start", ended.legs_left);
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

/// Asks the running daemon.
pub(crate) fn asked(http: std::net::SocketAddr, probe: Probe) -> Result<(), Failure> {
    asked_at(&format!("http://{http}"), probe)
}

/// The same at any address.
pub(crate) fn asked_at(daemon: &str, probe: Probe) -> Result<(), Failure> {
    let path = match probe {
        Probe::Live => "/live",
        Probe::Ready => "/ready",
    };
    let url = format!("{daemon}{path}");
    match ask::probe(&url) {
        Some(200) => Ok(()),
        Some(status) => Err(Failure::new(Exit::No, format!("{url}: {status}"))),
        None => Err(Failure::new(Exit::No, format!("{url}: no answer"))),
    }
}
