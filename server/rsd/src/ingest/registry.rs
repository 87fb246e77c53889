//! Who is connected: one connection per client id, and the newcomer of one connection id wins
//! (a failover client comes back before its loss was noticed).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// All logged-in connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    by_connection: HashMap<String, (u64, Arc<Notify>)>,
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
    /// Enters a login; an older connection of the same id is told to go.
    pub(super) fn enter(
        &self,
        connection: &str,
        client: Option<&str>,
        go: Arc<Notify>,
    ) -> Result<Place, ClientIdTaken> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client
            && inner.by_client.get(client).is_some_and(|owner| owner != connection)
        {
            return Err(ClientIdTaken);
        }
        inner.last += 1;
        let number = inner.last;
        if let Some((_, old)) = inner.by_connection.insert(connection.to_owned(), (number, go)) {
            old.notify_one();
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

    #[test]
    fn one_connection_per_client_id_and_the_newcomer_wins() {
        let registry = Registry::default();
        let go = || Arc::new(Notify::new());
        let first_go = go();
        let first = registry.enter("ID:a", Some("rm-1"), Arc::clone(&first_go)).unwrap();
        assert_eq!(registry.enter("ID:b", Some("rm-1"), go()).unwrap_err(), ClientIdTaken);
        registry.enter("ID:b", None, go()).unwrap();

        let second = registry.enter("ID:a", Some("rm-1"), go()).unwrap();
        let told = tokio::runtime::Builder::new_current_thread().build().unwrap();
        told.block_on(first_go.notified());
        registry.leave(&first);
        assert_eq!(registry.enter("ID:c", Some("rm-1"), go()).unwrap_err(), ClientIdTaken);
        registry.leave(&second);
        assert!(registry.enter("ID:c", Some("rm-1"), go()).is_ok());
    }
}
