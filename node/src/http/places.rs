//! Connections of one address: no more than its share of all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::rate::group;

/// How many connections each address has. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    share: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that is taken; free again when it is dropped.
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// Each address may have a quarter of `connections`.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            share: connections.div_ceil(4),
            taken: Arc::default(),
        }
    }

    /// A place for one more connection of `address`, if it has fewer than its share. This machine
    /// itself may have all: a proxy in front of the node speaks for everybody.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let is_own = address.to_canonical().is_loopback();
        let address = group(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= self.share && !is_own {
            return None;
        }
        *count = count.saturating_add(1);
        let places = self.clone();
        Some(Place { places, address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = self.places.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_no_more_than_its_share_and_gives_it_back() {
        let places = Places::new(8);
        let address = |last: u8| IpAddr::from([203, 0, 113, last]);
        let first = places.take(address(1));
        let _second = places.take(address(1));
        assert!(first.is_some());
        assert!(places.take(address(1)).is_none());
        assert!(places.take(address(2)).is_some());

        drop(first);
        assert!(places.take(address(1)).is_some());
    }

    #[test]
    fn this_machine_may_have_all() {
        let places = Places::new(4);
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let loopback: IpAddr = loopback.parse().expect("address");
            let taken: Vec<_> = (0..10).filter_map(|_| places.take(loopback)).collect();
            assert_eq!(taken.len(), 10, "{loopback}");
        }
    }
}
