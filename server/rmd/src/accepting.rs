//! A listener for streams, and how it is: one whose accept fails rests for a moment, else epoll
//! would spin, and says so until it accepts again (rm.md §12.1, `RMListenerFailed`).
//!
//! For both threads that own sockets. Neither clock nor alarms are here: whoever owns it has them.

use crate::limits::ACCEPT_REST;
use net::tcp::{Listener, Stream};
use net::{Interest, Poller, Token};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A listener fails, or is there again.
pub(crate) type News = Result<(), io::Error>;

/// One listener.
#[derive(Debug)]
pub(crate) struct Accepting {
    listener: Listener,
    token: Token,
    resting_until: Option<Duration>,
    /// Its latest accept has failed.
    fails: bool,
    news: Option<News>,
}

/// Nothing can be accepted, and the listener rests.
#[derive(Debug)]
pub(crate) struct Rests;

impl Accepting {
    /// One that the poller watches under this name.
    pub(crate) fn watched(listener: Listener, token: Token, poller: &Poller) -> io::Result<Self> {
        poller.add(&listener, token, Interest::Read)?;
        Ok(Self { listener, token, resting_until: None, fails: false, news: None })
    }

    /// The next waiting connection; `None` when there is none.
    pub(crate) fn accept(
        &mut self,
        now: Duration,
        poller: &Poller,
    ) -> Result<Option<(Stream, SocketAddr)>, Rests> {
        match self.listener.accept() {
            Ok(accepted) => {
                if std::mem::take(&mut self.fails) {
                    self.news = Some(Ok(()));
                }
                Ok(accepted)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.fails, true) {
                    self.news = Some(Err(error));
                }
                if poller.remove(&self.listener).is_ok() {
                    self.resting_until = Some(now + ACCEPT_REST);
                }
                Err(Rests)
            }
        }
    }

    /// It has rested, and is to be asked at once.
    pub(crate) fn wakes(&mut self, now: Duration, poller: &Poller) -> bool {
        let rested = self.resting_until.is_some_and(|until| until <= now);
        if rested && poller.add(&self.listener, self.token, Interest::Read).is_ok() {
            self.resting_until = None;
            return true;
        }
        false
    }

    /// Until when it rests.
    pub(crate) fn resting_until(&self) -> Option<Duration> {
        self.resting_until
    }

    /// What has become of it since the last time.
    pub(crate) fn news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Where it listens.
    pub(crate) fn local(&self) -> SocketAddr {
        self.listener.local()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::AsFd;

    impl Accepting {
        /// It accepts nothing from now on, as if the kernel had closed it.
        pub(crate) fn break_it(&self) {
            let copy = self.listener.as_fd().try_clone_to_owned().unwrap();
            TcpStream::from(copy).shutdown(Shutdown::Both).unwrap();
        }

        /// Another one in its place.
        pub(crate) fn mend_it(&mut self) {
            self.listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 24).unwrap();
        }
    }

    #[test]
    fn who_fails_rests_and_says_so_once_until_it_accepts_again() {
        let poller = Poller::new().unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(address, 24).unwrap();
        let mut one = Accepting::watched(listener, Token(3), &poller).unwrap();
        let now = Duration::from_secs(1);
        assert!(one.accept(now, &poller).unwrap().is_none());
        assert!(one.news().is_none(), "nothing has happened");
        one.break_it();
        assert!(one.accept(now, &poller).is_err());
        assert!(one.news().unwrap().is_err());
        assert_eq!(one.resting_until(), Some(now + ACCEPT_REST));
        let later = now + ACCEPT_REST;
        assert!(!one.wakes(later - Duration::from_millis(1), &poller));
        assert!(one.wakes(later, &poller));
        assert!(one.accept(later, &poller).is_err());
        assert!(one.news().is_none(), "that is known");
        one.mend_it();
        let later = later + ACCEPT_REST;
        assert!(one.wakes(later, &poller));
        assert!(one.accept(later, &poller).unwrap().is_none());
        assert!(one.news().unwrap().is_ok());
        assert!(one.news().is_none());
    }
}
