//! How many visitors come from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All visitors by address; there are no more addresses than connections.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    most: usize,
    here: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One visitor, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    address: IpAddr,
    crowd: Crowd,
}

impl Crowd {
    /// At most so many from one address.
    pub(super) fn new(most: usize) -> Self {
        Self { most, here: Arc::default() }
    }

    /// One more from there, unless there are too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let address = address.to_canonical();
        let mut here = self.lock();
        let count = here.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(here);
        Some(Guest { address, crowd: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut here = self.crowd.lock();
        if let Some(count) = here.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                here.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn each_address_has_its_places_and_gives_them_back() {
        let crowd = Crowd::new(2);
        let [one, mapped, two] =
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let first = crowd.enter(one).unwrap();
        let _second = crowd.enter(mapped).unwrap();
        assert!(crowd.enter(one).is_none());
        assert!(crowd.enter(two).is_some());
        drop(first);
        assert!(crowd.enter(one).is_some());
        assert_eq!(crowd.lock().len(), 1, "who has gone takes no memory");
    }
}
