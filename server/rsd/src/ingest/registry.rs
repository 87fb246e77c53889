//! Who is connected: one connection per client id, and the newcomer of one connection id wins
//! (a failover client comes back before its loss was noticed). A connection whose peer has been
//! silent for long loses its client id to a newcomer: protocols without a connection id cannot say
//! that they come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::roster::Member;

/// All logged-in connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    by_connection: HashMap<String, Login>,
    /// Client id → connection id.
    by_client: HashMap<String, String>,
}

#[derive(Debug)]
struct Login {
    number: u64,
    member: Arc<Member>,
    client: Option<String>,
}

/// A place in the registry; given back by [`Registry::leave`].
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    connection: String,
}

/// Another connection has the client id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientIdTaken;

impl Registry {
    /// Enters a login; an older connection of the same id is told to go, and a silent one of the
    /// same client id.
    pub(super) fn enter(
        &self,
        connection: &str,
        client: Option<&str>,
        member: Arc<Member>,
        now: Duration,
    ) -> Result<Place, ClientIdTaken> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client
            && let Some(owner) = inner.by_client.get(client).filter(|owner| *owner != connection)
        {
            let owner = owner.clone();
            if inner.by_connection.get(&owner).is_some_and(|old| !old.member.is_silent(now)) {
                return Err(ClientIdTaken);
            }
            inner.end(&owner);
        }
        inner.end(connection);
        inner.last += 1;
        let number = inner.last;
        let login = Login { number, member, client: client.map(str::to_owned) };
        inner.by_connection.insert(connection.to_owned(), login);
        if let Some(client) = client {
            inner.by_client.insert(client.to_owned(), connection.to_owned());
        }
        Ok(Place { number, connection: connection.to_owned() })
    }

    /// Gives a place back, unless a newcomer has it.
    pub(super) fn leave(&self, place: &Place) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let login = inner.by_connection.get(&place.connection);
        if login.is_some_and(|login| login.number == place.number) {
            inner.remove(&place.connection);
        }
    }
}

impl Inner {
    /// Tells the login of that connection to go, if there is one.
    fn end(&mut self, connection: &str) {
        if let Some(old) = self.remove(connection) {
            old.member.go();
        }
    }

    /// With its client id, which the next login of the connection may not have.
    fn remove(&mut self, connection: &str) -> Option<Login> {
        let login = self.by_connection.remove(connection)?;
        if let Some(client) = &login.client {
            self.by_client.remove(client);
        }
        Some(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::limits::SILENCE;
    use crate::ingest::roster::tests::joined;

    const NOW: Duration = Duration::from_secs(100);

    fn is_told(member: &Member) -> bool {
        let told = tokio::runtime::Builder::new_current_thread().build().unwrap();
        told.block_on(async {
            let now = std::future::ready(());
            tokio::select! { biased; () = member.told() => true, () = now => false }
        })
    }

    #[test]
    fn one_connection_per_client_id_and_the_newcomer_wins() {
        let (registry, roster) = (Registry::default(), Arc::default());
        let enter = |connection: &str, client| {
            let (member, _seat) = joined(&roster, NOW);
            (Arc::clone(&member), registry.enter(connection, client, member, NOW))
        };
        let (first_member, first) = enter("ID:a", Some("rm-1"));
        assert_eq!(enter("ID:b", Some("rm-1")).1.unwrap_err(), ClientIdTaken);
        enter("ID:b", None).1.unwrap();
        assert!(!is_told(&first_member));

        let second = enter("ID:a", Some("rm-1")).1.unwrap();
        assert!(is_told(&first_member));
        registry.leave(&first.unwrap());
        assert_eq!(enter("ID:c", Some("rm-1")).1.unwrap_err(), ClientIdTaken);
        registry.leave(&second);
        assert!(enter("ID:c", Some("rm-1")).1.is_ok());
    }

    /// A newcomer on a connection id may have another client id, or none: the old one is free.
    #[test]
    fn a_client_id_goes_with_its_login() {
        let (registry, roster) = (Registry::default(), Arc::default());
        let enter = |connection: &str, client| {
            registry.enter(connection, client, joined(&roster, NOW).0, NOW)
        };
        enter("ID:a", Some("rm-1")).unwrap();
        enter("ID:a", Some("rm-2")).unwrap();
        let other = enter("ID:b", Some("rm-1")).unwrap();
        let last = enter("ID:a", None).unwrap();
        registry.leave(&enter("ID:c", Some("rm-2")).unwrap());
        registry.leave(&other);
        registry.leave(&last);
        let inner = registry.inner.lock().unwrap();
        assert_eq!((inner.by_client.len(), inner.by_connection.len()), (0, 0), "{inner:?}");
    }

    #[test]
    fn the_silent_lose_their_client_id() {
        let (registry, roster) = (Registry::default(), Arc::default());
        let (old, _seat) = joined(&roster, NOW);
        let enter = |connection: &str, now| {
            registry.enter(connection, Some("mcp-1"), joined(&roster, now).0, now)
        };
        let place = registry.enter("ID:a", Some("mcp-1"), Arc::clone(&old), NOW).unwrap();
        old.heard(NOW + SILENCE / 2, 1);
        assert_eq!(enter("ID:b", NOW + SILENCE).unwrap_err(), ClientIdTaken);
        let later = NOW + SILENCE * 2;
        let newcomer = enter("ID:b", later).unwrap();
        assert!(is_told(&old));
        registry.leave(&place);
        assert_eq!(enter("ID:c", later).unwrap_err(), ClientIdTaken, "it is the newcomer's");
        registry.leave(&newcomer);
        assert!(enter("ID:c", later).is_ok());
    }
}
