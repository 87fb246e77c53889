//! Who is connected: one connection per client id, and the newcomer of one connection id wins
//! (a failover client comes back before its loss was noticed). A connection whose peer has been
//! silent for long loses its client id to a newcomer: protocols without a connection id cannot say
//! that they come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::memory::Member;

/// All logged-in connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    by_connection: HashMap<String, (u64, Arc<Member>)>,
    /// Client id → connection id.
    by_client: HashMap<String, String>,
}

/// A place in the registry; given back by [`Registry::leave`].
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    connection: String,
    client: Option<String>,
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
            match inner.by_connection.get(&owner) {
                Some((_, old)) if !old.is_silent(now) => return Err(ClientIdTaken),
                Some((_, old)) => old.go(),
                None => {}
            }
            inner.by_connection.remove(&owner);
        }
        inner.last += 1;
        let number = inner.last;
        if let Some((_, old)) = inner.by_connection.insert(connection.to_owned(), (number, member))
        {
            old.go();
        }
        if let Some(client) = client {
            inner.by_client.insert(client.to_owned(), connection.to_owned());
        }
        Ok(Place { number, connection: connection.to_owned(), client: client.map(str::to_owned) })
    }

    /// Gives a place back, unless a newcomer has it.
    pub(super) fn leave(&self, place: &Place) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = inner
            .by_connection
            .get(&place.connection)
            .is_some_and(|(number, _)| *number == place.number);
        if mine {
            inner.by_connection.remove(&place.connection);
            if let Some(client) = &place.client {
                inner.by_client.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::limits::SILENCE;
    use crate::ingest::memory::Memory;

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
        let (registry, memory) = (Registry::default(), Memory::new(1));
        let enter = |connection: &str, client| {
            let member = memory.join(NOW);
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

    #[test]
    fn the_silent_lose_their_client_id() {
        let (registry, memory) = (Registry::default(), Memory::new(1));
        let old = memory.join(NOW);
        let enter = |connection: &str, now| {
            registry.enter(connection, Some("mcp-1"), memory.join(now), now)
        };
        let place = registry.enter("ID:a", Some("mcp-1"), Arc::clone(&old), NOW).unwrap();
        old.heard(NOW + SILENCE / 2);
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
