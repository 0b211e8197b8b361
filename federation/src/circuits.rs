//! Circuits that a relay carries, by where who asked for them comes from: the relay serves whoever
//! connects, and whoever has few networks shall not have all of its circuits.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::{Multiaddr, PeerId, relay};

use crate::address;
use crate::config::RelayLimits;

/// The circuits of one relay. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Circuits(Arc<Mutex<Sources>>);

#[derive(Debug)]
struct Sources {
    /// Circuits of one network at once.
    of_network: usize,
    /// Circuits of one peer at once, which the library sees to.
    of_peer: usize,
    of: HashMap<PeerId, Source>,
}

/// Who has asked for circuits.
#[derive(Debug, Default)]
struct Source {
    /// Where it was last, none for this machine: a lab.
    from: Option<IpAddr>,
    /// Those that are not answered.
    asked: usize,
    open: usize,
}

impl Circuits {
    pub(crate) fn new(limits: &RelayLimits) -> Self {
        Self(Arc::new(Mutex::new(Sources {
            of_network: limits.circuits_per_network,
            of_peer: limits.circuits_per_peer.max(1),
            of: HashMap::new(),
        })))
    }

    /// Whether a peer may have one more; it is counted from now on.
    pub(crate) fn ask(&self, peer: PeerId, remote: &Multiaddr) -> bool {
        let from = address::ip(remote).filter(|ip| !ip.is_loopback());
        let mut sources = self.lock();
        if from.is_some_and(|from| sources.is_full(from)) {
            return false;
        }
        let source = sources.of.entry(peer).or_default();
        source.from = from;
        source.asked = source.asked.saturating_add(1);
        true
    }

    /// Takes what became of a circuit. Of a peer that has gone nothing counts any more.
    ///
    /// One that gets no answer counts as long as the peer that has asked is there: the library may
    /// hold it, and does not say when it lets go of it.
    pub(crate) fn note(&self, event: &relay::Event) {
        match event {
            relay::Event::CircuitReqAccepted { src_peer_id, .. } => {
                self.change(src_peer_id, |source| {
                    source.asked = source.asked.saturating_sub(1);
                    source.open = source.open.saturating_add(1);
                });
            }
            // Said of what was never counted.
            relay::Event::CircuitReqDenied {
                status: relay::StatusCode::ResourceLimitExceeded,
                ..
            } => {}
            #[expect(deprecated, reason = "nothing else tells that it is over")]
            relay::Event::CircuitReqDenied { src_peer_id, .. }
            | relay::Event::CircuitReqAcceptFailed { src_peer_id, .. } => {
                self.change(src_peer_id, |source| {
                    source.asked = source.asked.saturating_sub(1);
                });
            }
            relay::Event::CircuitClosed {
                src_peer_id, error, ..
            } if !error.as_ref().is_some_and(is_said_twice) => {
                self.change(src_peer_id, |source| {
                    source.open = source.open.saturating_sub(1);
                });
            }
            _ => {}
        }
    }

    /// A peer has no connection any more, and so no circuits that it has asked for.
    pub(crate) fn gone(&self, peer: &PeerId) {
        self.lock().of.remove(peer);
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().of.values().map(|source| source.open).sum()
    }

    fn change(&self, peer: &PeerId, change: impl FnOnce(&mut Source)) {
        let mut sources = self.lock();
        if let Some(source) = sources.of.get_mut(peer) {
            change(source);
            if source.asked == 0 && source.open == 0 {
                sources.of.remove(peer);
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
            let of = self.of.values().filter(same);
            of.map(|source| self.count(source)).sum()
        };
        count(address::network) >= self.of_network
            || count(address::neighborhood) >= self.of_network.saturating_mul(NETWORKS)
    }

    /// A peer has no more than it may, however many of those that it has asked for were forgotten:
    /// one whose destination goes before it has answered is never heard of again.
    fn count(&self, source: &Source) -> usize {
        source.asked.saturating_add(source.open).min(self.of_peer)
    }
}

/// Whether this is the library's word about a circuit of which a connection has closed. Where that
/// was the destination's, the circuit itself ends thereupon and that is told, too; where it was the
/// last of the peer that has asked, [`Circuits::gone`] has come before.
fn is_said_twice(error: &io::Error) -> bool {
    error.kind() == ErrorKind::ConnectionAborted
        && error.get_ref().is_none()
        && error.raw_os_error().is_none()
}

/// Networks of one neighborhood that may have all they may at once.
const NETWORKS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn of_network(circuits_per_network: usize) -> Circuits {
        Circuits::new(&RelayLimits {
            circuits_per_network,
            ..RelayLimits::default()
        })
    }

    fn asks(circuits: &Circuits, peer: PeerId, remote: &str) -> bool {
        circuits.ask(peer, &remote.parse().expect("address"))
    }

    fn accepted(peer: PeerId) -> relay::Event {
        relay::Event::CircuitReqAccepted {
            src_peer_id: peer,
            dst_peer_id: PeerId::random(),
        }
    }

    fn closed(peer: PeerId, error: Option<io::Error>) -> relay::Event {
        relay::Event::CircuitClosed {
            src_peer_id: peer,
            dst_peer_id: PeerId::random(),
            error,
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
        let circuits = of_network(2);
        let [first, second] = [(); 2].map(|()| PeerId::random());
        assert!(asks(&circuits, first, "/ip6/2a00::1/tcp/1"));
        circuits.note(&accepted(first));
        assert!(asks(&circuits, second, "/ip6/2a00::2/tcp/1"));

        let other = PeerId::random();
        assert!(!asks(&circuits, other, "/ip6/2a00::3/tcp/1"));
        let exceeded = relay::StatusCode::ResourceLimitExceeded;
        circuits.note(&denied(second, exceeded));
        assert!(!asks(&circuits, other, "/ip6/2a00::3/tcp/1"));
        assert!(asks(&circuits, other, "/ip6/2a00:0:0:1::3/tcp/1"));

        circuits.note(&closed(first, None));
        assert!(asks(&circuits, first, "/ip6/2a00::1/tcp/1"));
        circuits.note(&denied(second, relay::StatusCode::NoReservation));
        assert!(asks(&circuits, second, "/ip6/2a00::2/tcp/1"));
    }

    #[test]
    fn neighborhood_has_few_circuits_however_many_networks_it_has() {
        let circuits = of_network(1);
        for last in 1..=4 {
            let remote = format!("/ip4/203.0.113.{last}/tcp/1");
            assert!(asks(&circuits, PeerId::random(), &remote));
        }

        let full = "/ip4/203.0.113.5/tcp/1";
        assert!(!asks(&circuits, PeerId::random(), full));
        let other = "/ip4/203.0.114.5/tcp/1";
        assert!(asks(&circuits, PeerId::random(), other));
    }

    #[test]
    fn circuit_that_is_never_answered_counts_until_who_asked_for_it_has_gone() {
        let circuits = of_network(1);
        let (peer, remote) = (PeerId::random(), "/ip4/203.0.113.1/tcp/1");
        assert!(asks(&circuits, peer, remote));
        assert!(!asks(&circuits, peer, remote));

        circuits.gone(&peer);
        // What was under way still is no more of it.
        circuits.note(&accepted(peer));
        assert_eq!(circuits.open(), 0);
        assert!(asks(&circuits, peer, remote));
    }

    #[test]
    fn circuits_that_were_forgotten_take_from_a_network_no_more_than_one_peer_may_have() {
        let limits = RelayLimits::default();
        let circuits = Circuits::new(&limits);
        let (peer, remote) = (PeerId::random(), "/ip4/203.0.113.1/tcp/1");
        let as_often = 2 * limits.circuits_per_network;
        assert!((0..as_often).all(|_| asks(&circuits, peer, remote)));

        let others = limits.circuits_per_network - limits.circuits_per_peer;
        for _ in 0..others {
            assert!(asks(&circuits, PeerId::random(), remote));
        }
        assert!(!asks(&circuits, PeerId::random(), remote));
    }

    #[test]
    fn circuit_whose_destination_goes_closes_once() {
        let circuits = of_network(2);
        let (peer, remote) = (PeerId::random(), "/ip4/203.0.113.1/tcp/1");
        for _ in 0..2 {
            assert!(asks(&circuits, peer, remote));
            circuits.note(&accepted(peer));
        }

        let aborted = ErrorKind::ConnectionAborted;
        circuits.note(&closed(peer, Some(aborted.into())));
        assert_eq!(circuits.open(), 2);
        circuits.note(&closed(peer, Some(io::Error::new(aborted, "stream"))));
        assert_eq!(circuits.open(), 1);
        assert!(asks(&circuits, peer, remote));
        assert!(!asks(&circuits, peer, remote));
    }

    #[test]
    fn circuits_of_a_lab_do_not_count() {
        let circuits = of_network(1);
        for remote in ["/ip4/127.0.0.1/tcp/1", "/memory/1"] {
            for _ in 0..3 {
                assert!(asks(&circuits, PeerId::random(), remote));
            }
        }
    }
}
