//! What all daemons of a process share: the lines of a start, and the way from a signal to an end.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Receiver;

use telemetry::Log;

use crate::exit::{Exit, Failure};
use crate::signals::Signal;

/// `listening  rm.sip  udp:127.0.0.1:5060`
pub(crate) fn listening(what: &str, where_: impl Display) {
    println!("listening  {what:<10}  {where_}");
}

/// Tells that everything is up; tests and scripts wait for this line.
pub(crate) fn ready() {
    println!("ready");
}

/// What a daemon is asked for by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// SIGTERM: calls that are up may finish.
    Leave,
    /// SIGINT: flush and end.
    End,
    /// A second signal: at once.
    Now,
    /// SIGHUP: read again what lies in files; the log is opened anew already.
    Reload,
}

/// Which second signal came, if any.
#[derive(Clone, Default)]
pub(crate) struct Second(Arc<AtomicU8>);

impl Second {
    /// The exit code that a second signal asks for.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match self.0.load(Ordering::Relaxed) {
            130 => Err(Failure::new(Exit::Interrupted, "")),
            143 => Err(Failure::new(Exit::Terminated, "")),
            _ => Ok(()),
        }
    }
}

/// Passes signals on until the process ends: the first asks, the second insists.
pub(crate) fn obey(
    signals: Receiver<Signal>,
    log: Log,
    ask: impl Fn(Ask) + Send + 'static,
) -> Result<Second, Failure> {
    let second = Second::default();
    let insisted = second.clone();
    let run = move || {
        let mut asked = false;
        for signal in signals {
            match (signal, asked) {
                (Signal::HangUp, _) => {
                    log.reopen();
                    ask(Ask::Reload);
                }
                (Signal::Interrupt, false) => ask(Ask::End),
                (Signal::Terminate, false) => ask(Ask::Leave),
                (Signal::Interrupt | Signal::Terminate, true) => {
                    let code = if signal == Signal::Interrupt { 130 } else { 143 };
                    insisted.0.store(code, Ordering::Relaxed);
                    ask(Ask::Now);
                }
            }
            asked |= signal != Signal::HangUp;
        }
    };
    std::thread::Builder::new()
        .name("obey".into())
        .spawn(run)
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
    Ok(second)
}

/// The error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
