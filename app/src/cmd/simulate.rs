//! `ringmaster simulate`: media servers and callers, until told to stop or the duration is over.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use net::Clock;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::signals;
use crate::simulate::{Dialling, Figures, Simulation};

pub(crate) fn run(args: &cli::Simulate) -> Result<(), Failure> {
    if args.media == 0 && args.cps <= 0.0 {
        let text = "nothing to simulate: give --media N, --cps R or both";
        return Err(Failure::new(Exit::Usage, text));
    }
    if args.hold_max < args.hold_min {
        return Err(Failure::new(Exit::Usage, "--hold-max is shorter than --hold-min"));
    }
    if args.cps > 0.0 && args.bind.is_ipv4() != args.to.is_ipv4() {
        let text = format!("--bind {} cannot reach --to {}", args.bind, args.to);
        return Err(Failure::new(Exit::Usage, text));
    }
    let signals = signals::listen()?;
    let local = |error: std::io::Error| Failure::new(Exit::Local, error.to_string());
    let mut simulation = Simulation::new(args.bind);
    for number in 0..args.media {
        let Some(port) = args.media_port.checked_add(number) else {
            return Err(Failure::new(Exit::Usage, "--media-port: not enough ports"));
        };
        let at = SocketAddr::new(args.bind, port);
        let bound = simulation
            .media(at, None)
            .map_err(|error| Failure::new(Exit::Local, format!("{at}: {error}")))?;
        println!("listening  media  udp:{bound}");
    }
    if args.cps > 0.0 {
        let dialling = Dialling {
            to: args.to,
            rate: args.cps,
            duration: args.duration,
            hold: (args.hold_min, args.hold_max),
            numbers: args.numbers.clone(),
        };
        simulation.dial(dialling).map_err(local)?;
    }
    println!("ready");
    let clock = Clock::start();
    // Without callers the duration is that of the media servers.
    let over =
        |clock: &Clock| args.cps <= 0.0 && args.duration.is_some_and(|lasts| clock.mono() >= lasts);
    loop {
        match signals.recv_timeout(Duration::from_secs(1)) {
            Err(RecvTimeoutError::Timeout) if !simulation.finished() && !over(&clock) => {
                if args.cps > 0.0 {
                    println!("{}", line(simulation.figures()));
                }
            }
            Ok(signals::Signal::HangUp) => {}
            Ok(_) | Err(_) => break,
        }
    }
    let broken = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    println!("{}", line(&*simulation.stop().map_err(broken)?));
    Ok(())
}

fn line(figures: &Figures) -> String {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    format!(
        "placed {}  answered {}  refused {}  lost {}  ended {}",
        count(&figures.placed),
        count(&figures.answered),
        count(&figures.refused),
        count(&figures.lost),
        count(&figures.ended)
    )
}
