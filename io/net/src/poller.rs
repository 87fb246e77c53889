//! Waiting for many sockets at once: level-triggered epoll.
//!
//! Level-triggered, because the engine reads at most its work budget per turn and comes back for
//! the rest. It owns no socket; whoever closes one has taken it out of here by closing it.

use crate::limits::{EVENTS, LONGEST_WAIT};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The caller's name for a socket; comes back with its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What the caller waits for on a socket. Errors and hang-ups are always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, connections or the end of the stream.
    Read,
    /// Room to write as well.
    ReadWrite,
    /// Room to write only: a connect under way, or a peer that is not read for now.
    Write,
}

/// What is so on a socket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The name given at [`Poller::add`].
    pub token: Token,
    /// Something can be read, the end of a stream or an error included.
    pub read: bool,
    /// Something can be written, or a connect has ended either way.
    pub write: bool,
}

/// One epoll instance and its reused event buffer.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    events: Box<[EpollEvent; EVENTS]>,
}

impl Poller {
    /// An empty poller.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: Box::new([EpollEvent::empty(); EVENTS]) })
    }

    /// Starts to watch a socket.
    ///
    /// # Errors
    /// When it is watched already, or the kernel's limit of watches is reached.
    pub fn add(&self, socket: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(socket, EpollEvent::new(flags(interest), token.0))?)
    }

    /// Changes what is waited for.
    ///
    /// # Errors
    /// When the socket is not watched.
    pub fn change(&self, socket: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(socket, &mut EpollEvent::new(flags(interest), token.0))?)
    }

    /// Stops watching a socket that stays open.
    ///
    /// # Errors
    /// When the socket is not watched.
    pub fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(socket)?)
    }

    /// Waits for events, at most `timeout` (rounded up to a millisecond; `None`: the longest wait),
    /// and appends them to `ready`, which is emptied first. A signal ends the wait without events.
    ///
    /// # Errors
    /// What the kernel reports; never `Interrupted`.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let count = match self.epoll.wait(&mut self.events[..], milliseconds(timeout)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        ready.extend(self.events.iter().take(count).map(|event| {
            let flags = event.events();
            let broken = flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
            let read = flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP);
            let write = flags.contains(EpollFlags::EPOLLOUT);
            Ready { token: Token(event.data()), read: read || broken, write: write || broken }
        }));
        Ok(())
    }
}

fn flags(interest: Interest) -> EpollFlags {
    match interest {
        Interest::Read => EpollFlags::EPOLLIN,
        Interest::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        Interest::Write => EpollFlags::EPOLLOUT,
    }
}

/// Rounded up: a timer must be due when the wait for it ends, or the loop would spin.
fn milliseconds(timeout: Option<Duration>) -> EpollTimeout {
    let wait = timeout.map_or(LONGEST_WAIT, |timeout| timeout.min(LONGEST_WAIT));
    let millis = wait.as_nanos().div_ceil(1_000_000);
    u16::try_from(millis).map_or(EpollTimeout::MAX, EpollTimeout::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn reports_the_token_until_the_bytes_are_read() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut poller = Poller::new().unwrap();
        let mut ready = Vec::new();
        poller.add(&reader, Token(7), Interest::Read).unwrap();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
        writer.write_all(b"x").unwrap();
        for _ in 0..2 {
            poller.wait(Some(Duration::from_secs(5)), &mut ready).unwrap();
            assert_eq!(ready, [Ready { token: Token(7), read: true, write: false }]);
        }
        poller.remove(&reader).unwrap();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
    }

    #[test]
    fn waits_are_rounded_up_and_bounded() {
        let cases = [
            (Some(Duration::ZERO), 0_u16),
            (Some(Duration::from_nanos(1)), 1),
            (Some(Duration::from_micros(1500)), 2),
            (Some(Duration::from_secs(10_000)), 60_000),
            (None, 60_000),
        ];
        for (timeout, expected) in cases {
            assert_eq!(milliseconds(timeout), EpollTimeout::from(expected), "{timeout:?}");
        }
    }
}
