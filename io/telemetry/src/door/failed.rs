//! Handshakes that come to nothing, and who hears of them: once each.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How a handshake ended that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The other side was not understood or not believed, or did not believe us.
    Refused,
    /// The other side left before anything was wrong: a look whether the port is open.
    Left,
    /// It took too long, or its place was needed.
    Late,
}

/// Hears of handshakes that come to nothing: with whom, how, and what was wrong.
#[derive(Clone)]
pub struct Failed(Arc<Hear>);

type Hear = dyn Fn(SocketAddr, Handshake, &str) + Send + Sync;

impl Failed {
    /// Tells `hear`.
    #[must_use]
    pub fn new(hear: impl Fn(SocketAddr, Handshake, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn open(&self, peer: SocketAddr) -> Open {
        Open { failed: Some(self.clone()), peer }
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failed")
    }
}

/// A handshake under way. One that is dropped before its end took too long.
#[derive(Debug)]
pub(super) struct Open {
    failed: Option<Failed>,
    peer: SocketAddr,
}

impl Open {
    pub(super) fn succeed(mut self) {
        self.failed = None;
    }

    pub(super) fn fail(mut self, error: &io::Error) {
        let left = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        let how = match left.contains(&error.kind()) {
            true => Handshake::Left,
            false => Handshake::Refused,
        };
        self.tell(how, &error.to_string());
    }

    fn tell(&mut self, how: Handshake, error: &str) {
        if let Some(failed) = self.failed.take() {
            failed.0(self.peer, how, error);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tell(Handshake::Late, "not in time");
    }
}
