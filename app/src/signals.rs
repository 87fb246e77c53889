//! SIGINT, SIGTERM and SIGHUP as values on one channel. SIGXFSZ is taken and passed over: a file
//! that may not grow is then an error of the write, as a full disk is, and ends nothing.

use std::sync::mpsc::{Receiver, sync_channel};

use crate::exit::{Exit, Failure};

/// What the user or the system asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    HangUp,
}

/// Installs the handlers; signals arrive in order, from a thread of their own.
pub(crate) fn listen() -> Result<Receiver<Signal>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| Failure::new(Exit::Local, format!("signals: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (sender, receiver) = sync_channel(8);
    let mut streams = {
        let _guard = runtime.enter();
        let install = |kind| signal(kind).map_err(failed);
        let _passed_over = install(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        (
            install(SignalKind::interrupt())?,
            install(SignalKind::terminate())?,
            install(SignalKind::hangup())?,
        )
    };
    let wait = async move {
        loop {
            let signal = tokio::select! {
                Some(()) = streams.0.recv() => Signal::Interrupt,
                Some(()) = streams.1.recv() => Signal::Terminate,
                Some(()) = streams.2.recv() => Signal::HangUp,
                else => return,
            };
            // The receiver is gone only when the process ends.
            if sender.send(signal).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(wait))
        .map_err(failed)?;
    Ok(receiver)
}
