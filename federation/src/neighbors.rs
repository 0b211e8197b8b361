//! Which peers of the routing table come from one neighborhood, 24 bits of IPv4 or 48 of IPv6:
//! whoever has many addresses side by side shall not have all of the table.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use libp2p::PeerId;

use crate::address;

/// Where the peers of the routing table were connected from.
#[derive(Debug, Default)]
pub(crate) struct Neighbors(HashMap<PeerId, IpAddr>);

impl Neighbors {
    /// Whether a part of the table, in which `others` are, has its share of peers from around `ip`.
    pub(crate) fn is_full(&self, others: impl Iterator<Item = PeerId>, ip: IpAddr) -> bool {
        let around = address::neighborhood(ip);
        let neighbors = others.filter(|other| self.0.get(other) == Some(&around));
        neighbors.count() >= SHARE
    }

    /// A peer is in the table.
    pub(crate) fn put(&mut self, peer: PeerId, ip: IpAddr) {
        self.0.insert(peer, address::neighborhood(ip));
    }

    /// A peer is in the table no more.
    pub(crate) fn remove(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    /// Whether those that have left the table by themselves should be forgotten.
    pub(crate) fn is_long(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Forgets all but those that are in the table.
    pub(crate) fn keep(&mut self, table: &HashSet<PeerId>) {
        self.0.retain(|peer, _| table.contains(peer));
    }
}

/// Peers of one neighborhood in one part of the table.
const SHARE: usize = 2;
/// Peers that are remembered: the table has fewer.
const MOST: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn neighborhood_has_two_places_in_a_part_of_the_table() {
        let mut neighbors = Neighbors::default();
        let [first, second, far] = [(); 3].map(|()| PeerId::random());
        neighbors.put(first, ip("203.0.113.1"));
        neighbors.put(far, ip("203.0.114.1"));
        let table = [first, second, far];
        let is_full = |neighbors: &Neighbors, text| neighbors.is_full(table.into_iter(), ip(text));
        assert!(!is_full(&neighbors, "203.0.113.200"));

        neighbors.put(second, ip("203.0.113.2"));
        assert!(is_full(&neighbors, "203.0.113.200"));
        assert!(!is_full(&neighbors, "203.0.114.200"));
        // In another part of the table there are others.
        assert!(!neighbors.is_full([far].into_iter(), ip("203.0.113.200")));

        neighbors.remove(&first);
        assert!(!is_full(&neighbors, "203.0.113.200"));
        neighbors.keep(&HashSet::from([far]));
        assert_eq!(neighbors.0.len(), 1);
    }

    #[test]
    fn neighbors_in_ipv6_share_48_bits() {
        let mut neighbors = Neighbors::default();
        let table = [(); 2].map(|()| PeerId::random());
        neighbors.put(table[0], ip("2a00:1:2:3::1"));
        neighbors.put(table[1], ip("2a00:1:2:4::1"));

        assert!(neighbors.is_full(table.into_iter(), ip("2a00:1:2:5::1")));
        assert!(!neighbors.is_full(table.into_iter(), ip("2a00:1:3::1")));
    }
}
