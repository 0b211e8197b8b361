//! Where this host can be reached: its own addresses, and reservations at relays, which are kept and
//! made again.

use std::collections::HashSet;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol as Part;
use libp2p::{Multiaddr, relay};
use tokio::time::Instant;
use vettid_wire::limits;

use super::discovery::pause;
use super::state::{Driver, Reservation};
use crate::address;
use crate::event::Event;
use crate::key::peer_text;
use crate::status::{PeerStatus, Status};

impl Driver {
    pub(super) fn on_listening(&mut self, listener: ListenerId, listening: Multiaddr) {
        let is_own = !self.circuits.contains_key(&listener);
        let announces_all = self.config.private_addresses && self.config.external.is_empty();
        if is_own && announces_all && address::is_usable(&listening, true) {
            // In a lab there is nobody outside who could tell.
            self.swarm.add_external_address(listening);
        }
        self.tell_reachable();
    }

    /// A listener is gone; when it was a reservation, it is made again.
    pub(super) fn on_not_listening(&mut self, listener: ListenerId) {
        if let Some(peer) = self.circuits.remove(&listener)
            && let Some(introducer) = self.introducers.get_mut(&peer)
        {
            introducer.reservation = Reservation::None;
            introducer.retry = Some(Instant::now() + pause(introducer.failures));
            introducer.failures = introducer.failures.saturating_add(1);
        }
        self.tell_reachable();
        self.count_reservations();
    }

    pub(super) fn on_circuit(&mut self, event: &relay::client::Event) {
        let relay::client::Event::ReservationReqAccepted { relay_peer_id, .. } = event else {
            return;
        };
        if let Some(introducer) = self.introducers.get_mut(relay_peer_id) {
            introducer.failures = 0;
            if let Reservation::Asked { listener, .. } = introducer.reservation {
                introducer.reservation = Reservation::Held { listener };
            }
        }
        self.tell_reachable();
        self.count_reservations();
    }

    /// Keeps as many reservations as are wanted, while nothing better is configured.
    pub(super) fn check_relays(&mut self, now: Instant) {
        if !self.is_node() || !self.config.external.is_empty() {
            return;
        }
        let mut late = Vec::new();
        let mut asked = 0;
        for (peer, introducer) in &self.introducers {
            match introducer.reservation {
                Reservation::None => {}
                Reservation::Asked { deadline, .. } if deadline <= now => {
                    late.push(*peer);
                    asked += 1;
                }
                Reservation::Asked { .. } | Reservation::Held { .. } => asked += 1,
            }
        }
        for peer in late {
            // The library panics at an answer to what it has given up: nothing is given up but with the
            // connection. Its end is that of the listener, which is told as every such end.
            let _ = self.swarm.disconnect_peer_id(peer);
            if let Some(introducer) = self.introducers.get_mut(&peer)
                && let Reservation::Asked { deadline, .. } = &mut introducer.reservation
            {
                *deadline = now + self.config.limits.reserving;
            }
        }
        let wanted = self.config.limits.reservations.saturating_sub(asked);
        let own = *self.swarm.local_peer_id();
        let mut free: Vec<_> = self
            .introducers
            .iter_mut()
            .filter(|(_, i)| i.relays && i.reservation == Reservation::None)
            .filter(|(_, i)| i.retry.is_none_or(|retry| retry <= now))
            .collect();
        // Each host prefers other relays, so that all share the load.
        free.sort_by_key(|(peer, i)| (i.failures, distance(&peer.to_bytes(), &own.to_bytes())));
        for (peer, introducer) in free.into_iter().take(wanted) {
            let Some(address) = introducer.addresses.first().cloned() else {
                continue;
            };
            let address = address.with(Part::P2p(*peer)).with(Part::P2pCircuit);
            introducer.retry = Some(now + pause(introducer.failures));
            if let Ok(listener) = self.swarm.listen_on(address) {
                let deadline = now + self.config.limits.reserving;
                introducer.reservation = Reservation::Asked { listener, deadline };
                self.circuits.insert(listener, *peer);
            } else {
                introducer.failures = introducer.failures.saturating_add(1);
            }
        }
    }

    /// Tells no more of what was lost for long enough.
    pub(super) fn check_lost(&mut self, now: Instant) {
        if self.lost.values().any(|until| *until <= now) {
            self.tell_reachable();
        }
    }

    /// Tells the host where it can be reached, if that has changed.
    pub(super) fn tell_reachable(&mut self) {
        let own = *self.swarm.local_peer_id();
        let with_private = self.config.private_addresses;
        let now = Instant::now();
        let addresses = self
            .swarm
            .external_addresses()
            .map(|address| address::without_peer(address.clone(), &own))
            .filter(|address| address::is_usable(address, with_private));
        let current: HashSet<Multiaddr> = addresses.collect();
        self.lost.retain(|address, _| !current.contains(address));
        for text in &self.reachable {
            if let Ok(told) = address::parse(text)
                && !current.contains(&told)
            {
                let until = now + self.config.limits.lingering;
                self.lost.entry(told).or_insert(until);
            }
        }
        self.lost.retain(|_, until| *until > now);
        let reachable = best(current, self.lost.keys());
        if reachable != self.reachable {
            self.reachable.clone_from(&reachable);
            let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
            self.swarm.behaviour_mut().identify.push(peers);
            self.tell(Event::Reachable {
                addresses: reachable,
            });
        }
    }

    /// Counts what this host gives as a relay; who uses it is not kept.
    pub(super) fn on_relay(&mut self, event: &relay::Event) {
        self.shared.circuits.note(event);
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id, .. } => {
                self.reserved.insert(*src_peer_id);
            }
            // This is told of every connection that ends, whether it had a reservation or not.
            relay::Event::ReservationClosed { src_peer_id }
                if !self.swarm.is_connected(src_peer_id) =>
            {
                self.reserved.remove(src_peer_id);
            }
            relay::Event::ReservationTimedOut { src_peer_id } => {
                self.reserved.remove(src_peer_id);
            }
            _ => {}
        }
        let metrics = &self.metrics;
        let reserved = i64::try_from(self.reserved.len()).unwrap_or(i64::MAX);
        metrics.relay_reservations.set(reserved);
        match event {
            relay::Event::ReservationReqDenied { .. } => {
                metrics.relay_reservations_refused.inc();
            }
            relay::Event::CircuitReqAccepted { .. } => {
                metrics.relay_circuits_opened.inc();
            }
            relay::Event::CircuitReqDenied { .. } => {
                metrics.relay_circuits_refused.inc();
            }
            _ => {}
        }
        self.count_circuits();
    }

    pub(super) fn count_circuits(&self) {
        let open = i64::try_from(self.shared.circuits.open()).unwrap_or(i64::MAX);
        self.metrics.relay_circuits.set(open);
    }

    pub(super) fn status(&mut self) -> Status {
        let known = self.known();
        let now = Instant::now();
        let peers = self.connections.values().map(|connection| PeerStatus {
            peer: connection.peer.to_bytes(),
            node: connection.admitted.map(|admission| admission.node),
            address: connection.address.to_string(),
            expires: connection
                .admitted
                .map(|a| a.expires.saturating_duration_since(now).as_secs()),
            introduces: self.introducers.contains_key(&connection.peer),
        });
        let mut peers: Vec<_> = peers.collect();
        peers.sort_by(|a, b| a.peer.cmp(&b.peer));
        let held = |reservation| matches!(reservation, Reservation::Held { .. });
        let relays = self.introducers.iter().filter(|(_, i)| held(i.reservation));
        let relays = relays
            .map(|(peer, _)| peer_text(&peer.to_bytes()))
            .collect();
        let listening = self.swarm.listeners().map(ToString::to_string).collect();
        let kad = self.swarm.behaviour_mut().kad.inner();
        let routed = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        Status {
            listening,
            reachable: self.reachable.clone(),
            peers,
            relays,
            known,
            routed,
            refused: self.shared.kept_out.count(now),
        }
    }

    fn count_reservations(&self) {
        let held =
            |i: &&super::state::Introducer| matches!(i.reservation, Reservation::Held { .. });
        let count = self.introducers.values().filter(held).count();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.reservations_held.set(count);
    }
}

/// The addresses to tell, best first: direct ones, then those at relays, for which there is room in any
/// case. What was lost comes after what is there.
fn best<'a>(current: HashSet<Multiaddr>, lost: impl Iterator<Item = &'a Multiaddr>) -> Vec<String> {
    let kind = |address: &Multiaddr| (address::is_relayed(address), address.to_string());
    let mut found: Vec<_> = current.into_iter().map(|a| (false, kind(&a))).collect();
    found.extend(lost.map(|address| (true, kind(address))));
    found.sort();
    let (relayed, direct): (Vec<_>, Vec<_>) = found
        .into_iter()
        .map(|(_, kind)| kind)
        .partition(|(is_relayed, _)| *is_relayed);
    let for_direct = limits::HOME_ADDRESSES - relayed.len().min(RELAYED);
    let told = direct.into_iter().take(for_direct).chain(relayed);
    let told = told.take(limits::HOME_ADDRESSES);
    told.map(|(_, text)| text).collect()
}

/// How far two PeerIds are apart, bit by bit.
fn distance(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// Places among the addresses of a node that are a relay's if it has any: whoever is asked about the
/// others may say what is not so.
const RELAYED: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_addresses_leave_places_for_relays_and_what_is_lost_comes_last() {
        let parsed = |text: String| text.parse::<Multiaddr>().expect("address");
        let direct = |last: u8| parsed(format!("/ip4/198.51.100.{last}/tcp/4440"));
        let relayed = |last: u8| {
            let relay = libp2p::PeerId::random();
            parsed(format!(
                "/ip4/203.0.113.{last}/tcp/4001/p2p/{relay}/p2p-circuit"
            ))
        };
        let (kept, gone) = (relayed(9), direct(1));
        let mut current: HashSet<_> = (10..30).map(direct).collect();
        current.insert(kept.clone());

        let many = best(current, [&gone].into_iter());
        let few = best(
            HashSet::from([kept.clone(), direct(7)]),
            [&gone].into_iter(),
        );

        assert_eq!(many.len(), limits::HOME_ADDRESSES);
        assert!(many.contains(&kept.to_string()) && !many.contains(&gone.to_string()));
        let wanted = [direct(7), gone, kept].map(|address| address.to_string());
        assert_eq!(few, wanted);
    }
}
