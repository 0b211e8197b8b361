//! Circuits that a relay carries, by where who asked for them comes from: the relay serves whoever
//! connects, and whoever has few networks shall not have all of its circuits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, relay};

use crate::address;

/// The circuits of one relay. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Circuits(Arc<Mutex<Sources>>);

#[derive(Debug)]
struct Sources {
    /// Circuits of one network at once.
    most: usize,
    of: HashMap<PeerId, Source>,
}

/// Who has asked for circuits.
#[derive(Debug, Default)]
struct Source {
    /// Where it was last, none for this machine: a lab.
    from: Option<IpAddr>,
    /// When it asked for those that are not answered.
    asked: Vec<Instant>,
    open: usize,
}

impl Circuits {
    pub(crate) fn new(most: usize) -> Self {
        let of = HashMap::new();
        Self(Arc::new(Mutex::new(Sources { most, of })))
    }

    /// Whether a peer may have one more; it is counted from now on.
    pub(crate) fn ask(&self, peer: PeerId, remote: &Multiaddr, now: Instant) -> bool {
        let from = address::ip(remote).filter(|ip| !ip.is_loopback());
        let mut sources = self.lock();
        sources.forget_unanswered(now);
        if from.is_some_and(|from| sources.is_full(from)) {
            return false;
        }
        let source = sources.of.entry(peer).or_default();
        source.from = from;
        source.asked.push(now);
        true
    }

    /// Takes what became of a circuit.
    pub(crate) fn note(&self, event: &relay::Event) {
        match event {
            relay::Event::CircuitReqAccepted { src_peer_id, .. } => {
                let mut sources = self.lock();
                let source = sources.of.entry(*src_peer_id).or_default();
                source.asked.pop();
                source.open = source.open.saturating_add(1);
            }
            // Said of what was never counted.
            relay::Event::CircuitReqDenied {
                status: relay::StatusCode::ResourceLimitExceeded,
                ..
            } => {}
            relay::Event::CircuitReqDenied { src_peer_id, .. } => {
                self.change(*src_peer_id, |source| {
                    source.asked.pop();
                });
            }
            relay::Event::CircuitClosed { src_peer_id, .. } => {
                self.change(*src_peer_id, |source| {
                    source.open = source.open.saturating_sub(1);
                });
            }
            _ => {}
        }
    }

    fn change(&self, peer: PeerId, change: impl FnOnce(&mut Source)) {
        let mut sources = self.lock();
        if let Some(source) = sources.of.get_mut(&peer) {
            change(source);
            if source.count() == 0 {
                sources.of.remove(&peer);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    /// Whether a network, or its neighborhood, has as many as it may.
    fn is_full(&self, from: IpAddr) -> bool {
        let count = |around: fn(IpAddr) -> IpAddr| -> usize {
            let same = |source: &&Source| source.from.map(around) == Some(around(from));
            self.of.values().filter(same).map(Source::count).sum()
        };
        count(address::network) >= self.most
            || count(address::neighborhood) >= self.most.saturating_mul(NETWORKS)
    }

    /// A circuit of which one end has gone before it was there is never heard of again.
    fn forget_unanswered(&mut self, now: Instant) {
        self.of.retain(|_, source| {
            let waits = |asked: &Instant| now.saturating_duration_since(*asked) < UNANSWERED;
            source.asked.retain(waits);
            source.count() > 0
        });
    }
}

impl Source {
    const fn count(&self) -> usize {
        self.asked.len().saturating_add(self.open)
    }
}

/// Networks of one neighborhood that may have all they may at once.
const NETWORKS: usize = 4;
/// Both ends of a circuit have agreed to it by then.
const UNANSWERED: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(circuits: &Circuits, peer: PeerId, remote: &str, now: Instant) -> bool {
        circuits.ask(peer, &remote.parse().expect("address"), now)
    }

    fn accepted(peer: PeerId) -> relay::Event {
        relay::Event::CircuitReqAccepted {
            src_peer_id: peer,
            dst_peer_id: PeerId::random(),
        }
    }

    fn closed(peer: PeerId) -> relay::Event {
        relay::Event::CircuitClosed {
            src_peer_id: peer,
            dst_peer_id: PeerId::random(),
            error: None,
        }
    }

    fn denied(peer: PeerId, status: relay::StatusCode) -> relay::Event {
        relay::Event::CircuitReqDenied {
            src_peer_id: peer,
            dst_peer_id: PeerId::random(),
            status,
        }
    }

    #[test]
    fn network_has_few_circuits_whoever_asks_there_and_others_have_theirs() {
        let (circuits, now) = (Circuits::new(2), Instant::now());
        let [first, second] = [(); 2].map(|()| PeerId::random());
        assert!(asks(&circuits, first, "/ip6/2a00::1/tcp/1", now));
        circuits.note(&accepted(first));
        assert!(asks(&circuits, second, "/ip6/2a00::2/tcp/1", now));

        let other = PeerId::random();
        assert!(!asks(&circuits, other, "/ip6/2a00::3/tcp/1", now));
        let exceeded = relay::StatusCode::ResourceLimitExceeded;
        circuits.note(&denied(second, exceeded));
        assert!(!asks(&circuits, other, "/ip6/2a00::3/tcp/1", now));
        assert!(asks(&circuits, other, "/ip6/2a00:0:0:1::3/tcp/1", now));

        circuits.note(&closed(first));
        assert!(asks(&circuits, first, "/ip6/2a00::1/tcp/1", now));
        circuits.note(&denied(second, relay::StatusCode::NoReservation));
        assert!(asks(&circuits, second, "/ip6/2a00::2/tcp/1", now));
    }

    #[test]
    fn neighborhood_has_few_circuits_however_many_networks_it_has() {
        let (circuits, now) = (Circuits::new(1), Instant::now());
        for last in 1..=4 {
            let remote = format!("/ip4/203.0.113.{last}/tcp/1");
            assert!(asks(&circuits, PeerId::random(), &remote, now));
        }

        let full = "/ip4/203.0.113.5/tcp/1";
        assert!(!asks(&circuits, PeerId::random(), full, now));
        let other = "/ip4/203.0.114.5/tcp/1";
        assert!(asks(&circuits, PeerId::random(), other, now));
    }

    #[test]
    fn circuit_that_is_never_answered_counts_for_a_while_only() {
        let (circuits, now) = (Circuits::new(1), Instant::now());
        let (peer, remote) = (PeerId::random(), "/ip4/203.0.113.1/tcp/1");
        assert!(asks(&circuits, peer, remote, now));

        assert!(!asks(&circuits, peer, remote, now + UNANSWERED / 2));
        assert!(asks(&circuits, peer, remote, now + UNANSWERED));
    }

    #[test]
    fn circuits_of_a_lab_do_not_count() {
        let (circuits, now) = (Circuits::new(1), Instant::now());
        for remote in ["/ip4/127.0.0.1/tcp/1", "/memory/1"] {
            for _ in 0..3 {
                assert!(asks(&circuits, PeerId::random(), remote, now));
            }
        }
    }
}
