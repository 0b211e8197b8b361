//! Links between hosts, and the numbers that the enclave knows them by.
//!
//! The network numbers a link when its stream comes up and tells of it when its peer has spoken, so
//! in any order. The enclave is owed numbers that count up: a link gets one when the enclave is told.

use std::collections::HashMap;

use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{Side, ToEnclave};

/// Links that are up.
#[derive(Default)]
pub(super) struct Links {
    /// By the network's numbers.
    links: HashMap<u64, Link>,
    /// The network's number of each that the enclave knows.
    known: HashMap<u64, u64>,
    last: u64,
}

/// One link.
pub(super) struct Link {
    pub(super) peer: Vec<u8>,
    pub(super) node: NodeId,
    pub(super) side: Side,
    /// The enclave's number, once it was told.
    number: Option<u64>,
    /// Whether the enclave has accepted the peer's.
    admitted: bool,
}

impl Links {
    /// A link is up.
    pub(super) fn arrive(&mut self, link: u64, peer: Vec<u8>, node: NodeId, side: Side) {
        let link_up = Link {
            peer,
            node,
            side,
            number: None,
            admitted: false,
        };
        self.links.insert(link, link_up);
    }

    /// What the enclave is told of a link, once.
    pub(super) fn open(&mut self, link: u64) -> Option<ToEnclave> {
        let waiting = self.links.get_mut(&link)?;
        if waiting.number.is_some() {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        waiting.number = Some(self.last);
        self.known.insert(self.last, link);
        Some(ToEnclave::Open {
            link: self.last,
            peer: waiting.peer.clone(),
            node: waiting.node,
            side: waiting.side,
        })
    }

    /// The enclave's number of a link that it knows.
    pub(super) fn number(&self, link: u64) -> Option<u64> {
        self.links.get(&link)?.number
    }

    /// The link that the enclave means, by the network's number.
    pub(super) fn find(&self, number: u64) -> Option<(u64, &Link)> {
        let link = *self.known.get(&number)?;
        Some((link, self.links.get(&link)?))
    }

    /// The enclave has accepted the peer of a link; the network's number and the link.
    pub(super) fn admit(&mut self, number: u64) -> Option<(u64, &Link)> {
        let link = *self.known.get(&number)?;
        let accepted = self.links.get_mut(&link)?;
        accepted.admitted = true;
        Some((link, accepted))
    }

    /// Whether a peer is admitted on any link.
    pub(super) fn is_admitted(&self, peer: &[u8]) -> bool {
        let mut links = self.links.values();
        links.any(|link| link.admitted && link.peer == peer)
    }

    /// A link is gone; its number, if the enclave knows it.
    pub(super) fn remove(&mut self, link: u64) -> Option<u64> {
        let number = self.links.remove(&link)?.number?;
        self.known.remove(&number);
        Some(number)
    }

    /// The enclave wants no more of a link.
    pub(super) fn take(&mut self, number: u64) -> Option<(u64, Link)> {
        let link = self.known.remove(&number)?;
        Some((link, self.links.remove(&link)?))
    }

    /// Links that the enclave was not told of, in the order of the network's numbers.
    pub(super) fn waiting(&self) -> Vec<u64> {
        let waiting = self.links.iter().filter(|(_, link)| link.number.is_none());
        let mut waiting: Vec<u64> = waiting.map(|(link, _)| *link).collect();
        waiting.sort_unstable();
        waiting
    }

    /// The network is gone, and with it every link; the numbers that the enclave knows.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        self.links.clear();
        let mut known: Vec<u64> = self.known.drain().map(|(number, _)| number).collect();
        known.sort_unstable();
        known
    }

    /// The enclave is gone, and with it its links.
    pub(super) fn forget_known(&mut self) -> Vec<u64> {
        let mut known: Vec<u64> = self.known.drain().map(|(_, link)| link).collect();
        known.sort_unstable();
        self.links.retain(|_, link| link.number.is_none());
        known
    }
}
