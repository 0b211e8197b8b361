//! Connections: which of several with one peer stays, and how long one may stay without admission.

use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, ping};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

use super::paths::DIRECT;
use super::state::{Again, Connection, Driver};
use crate::address;
use crate::bucket::Bucket;
use crate::event::{Event, Path, Standing};
use crate::gate::KeptOut;

impl Driver {
    pub(super) fn on_established(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let introduces = !self.is_node() || self.introducers.contains_key(&peer);
        let address = endpoint.get_remote_address().clone();
        let connection = Connection {
            peer,
            relayed: endpoint.is_relayed() || address::is_relayed(&address),
            address: address::without_peer(address, &peer),
            dialed: has_dialed(endpoint),
            since: Instant::now(),
            introduces,
            known: false,
            closing: false,
            admitted: None,
            named: Vec::new(),
            opening: false,
            early: None,
            links: Bucket::new(LINKS, LINK_AGAIN, Instant::now()),
            woken: None,
            direct: Again {
                at: Instant::now() + DIRECT,
                tries: 0,
            },
        };
        let dialed = connection.dialed;
        self.connections.insert(id, connection);
        self.metrics.connections_open.inc();
        self.dialed(id);
        if introduces {
            self.on_introducer(peer);
            return;
        }
        if dialed && !self.is_surplus(id, |_| true) {
            self.open_link(id);
        }
        self.close_surplus(peer);
        self.tell_standing(peer);
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        if self.connections.remove(&id).is_none() {
            return;
        }
        self.metrics.connections_open.dec();
        if !self.swarm.is_connected(&peer) {
            self.shared.circuits.gone(&peer);
            self.count_circuits();
        }
        let links = self.live.values_mut();
        for link in links.filter(|link| link.connection == id) {
            link.steering.cancel();
        }
        for connection in self.connections.values_mut().filter(|c| c.peer == peer) {
            connection.woken.get_or_insert_with(Instant::now);
        }
        self.tell_standing(peer);
        self.dial_again(peer);
    }

    /// A peer that does not answer is gone, whatever its transport says.
    pub(super) fn on_ping(&mut self, event: ping::Event) {
        if matches!(event.result, Err(ping::Failure::Timeout)) {
            self.close(event.connection);
        }
    }

    pub(super) fn check_connections(&mut self, now: Instant) {
        let patience = self.config.limits.admission;
        // Before its enclave could be asked, no peer could be admitted.
        let named = self.named;
        let began = |c: &Connection| named.map_or(c.since, |named| named.max(c.since));
        let late = |c: &Connection| match c.admitted {
            Some(admission) => admission.expires <= now,
            None => !c.introduces && began(c) + patience <= now,
        };
        let late: Vec<_> = self
            .connections
            .iter()
            .filter(|(id, connection)| !self.is_ending(**id) && late(connection))
            .map(|(id, connection)| (*id, connection.admitted.is_some()))
            .collect();
        for (id, was_admitted) in late {
            // While this host does not know its node, nobody can be blamed.
            if !was_admitted && self.node.is_some() {
                self.let_rest(id);
            }
            self.close(id);
        }
        let mut seen = HashSet::new();
        let stay = self.connections.values();
        let stay = stay.filter(|c| !c.introduces && !c.closing);
        let several: HashSet<_> = stay.map(|c| c.peer).filter(|p| !seen.insert(*p)).collect();
        for peer in several {
            self.close_surplus(peer);
        }
    }

    /// Wakes the protocols of connections that were not the only ones of their peers. What goes to a peer
    /// waits for any of its connections, and gossipsub has only those told that have a stream for it: once
    /// the one that had is gone, another would notice what waits when it happens to be looked at, which
    /// may be too late. It is woken until gossipsub has asked for a stream on it, which it does when
    /// something waits: from then on it is told itself.
    pub(super) fn wake_left(&mut self, due: Instant) {
        for (id, connection) in &mut self.connections {
            if connection.woken.is_none_or(|at| at > due) {
                continue;
            }
            if self.shared.gates.has_asked(*id) {
                connection.woken = None;
            } else {
                connection.woken = Some(Instant::now() + WAKING);
                self.shared.gates.wake(*id);
            }
        }
    }

    /// Whether this side ends a connection, or has given its place to another: what breaks on it
    /// then is no failure of its peer.
    pub(super) fn is_ending(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(&id);
        let is_closing = connection.is_some_and(|connection| connection.closing);
        is_closing || self.shared.gates.has_made_room(id)
    }

    /// The peer has spoken on a connection, so it has it too.
    pub(super) fn on_known(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.known = true;
        if !connection.introduces {
            let peer = connection.peer;
            self.close_surplus(peer);
        }
    }

    /// Closes connections with a peer of which there is a better one that the peer has too: it
    /// would take an end that it cannot explain for a refusal. Not at once: what protocols have said on
    /// the other, such as which topics this host hears, is said once and must get through.
    fn close_surplus(&mut self, peer: PeerId) {
        let surplus: Vec<_> = self
            .connections_of(peer)
            .map(|(id, _)| id)
            .filter(|id| {
                self.is_surplus(*id, |better| {
                    better.known && better.since.elapsed() >= OVERLAP
                })
            })
            .collect();
        for id in surplus {
            self.close(id);
        }
    }

    /// Whether there is a better connection with the same peer, among those that count.
    fn is_surplus(&self, id: ConnectionId, counts: impl Fn(&Connection) -> bool) -> bool {
        let Some(connection) = self.connections.get(&id) else {
            return false;
        };
        self.connections_of(connection.peer)
            .filter(|(other, better)| *other != id && counts(better))
            .any(|(_, better)| self.is_better(better, connection))
    }

    /// Which of two connections with one peer stays. Both sides come to the same answer.
    fn is_better(&self, one: &Connection, other: &Connection) -> bool {
        let is_newer = one.since > other.since;
        if one.relayed || other.relayed {
            // Direct ones are better, but a relayed one that was there serves until they are
            // admitted; a second relayed one is for nothing.
            return other.relayed && !is_newer;
        }
        let (new, old) = if is_newer { (one, other) } else { (other, one) };
        let crossed = new.dialed != old.dialed && new.since.duration_since(old.since) < CROSSING;
        let newer_stays = if crossed {
            // Both have dialed: the dial of the smaller PeerId stays.
            let own_is_smaller = *self.swarm.local_peer_id() < one.peer;
            new.dialed == own_is_smaller
        } else {
            // A peer that dials anew has lost the older one.
            !new.dialed
        };
        newer_stays == is_newer
    }

    /// A peer has ended a connection, or wants no link on it: a failure of the peer, unless the
    /// connection has made room for another.
    pub(super) fn on_hung_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let made_room = self
            .connections_of(connection.peer)
            .any(|(other, _)| other != id);
        if !made_room {
            self.let_rest(id);
        }
    }

    /// Counts what may be a failure of the peer of a connection: it is not spoken to for a short
    /// while. Not of a peer that is admitted on another: whoever is on the way, such as a relay, can
    /// delay a connection or cut it, and shall not keep a peer out by that.
    pub(super) fn let_rest(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        // An address is blamed for who came from it, not for who was looked for there.
        let is_dialed = connection.dialed;
        if self.is_admitted(connection.peer) {
            return;
        }
        self.exclude(id, |kept_out, peer, from, now| {
            kept_out.rest(peer, from.filter(|_| !is_dialed), now)
        });
    }

    /// Counts a failure of the peer of a connection, something that nobody but the peer can have
    /// said; it is not spoken to for a while. On connections on which it is admitted it has no part
    /// in that: they stay, it loses the others and gets no new one.
    pub(super) fn keep_out(&mut self, id: ConnectionId) {
        self.exclude(id, KeptOut::refuse);
    }

    fn exclude(
        &mut self,
        id: ConnectionId,
        exclude: impl FnOnce(&KeptOut, PeerId, Option<IpAddr>, Instant) -> Duration,
    ) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let peer = connection.peer;
        let from = source(connection);
        let wait = exclude(&self.shared.kept_out, peer, from, Instant::now());
        self.metrics.peers_refused.inc();
        if self.is_admitted(peer) {
            let others = self.connections_of(peer);
            let others = others.filter(|(_, connection)| connection.admitted.is_none());
            for other in others.map(|(id, _)| id).collect::<Vec<_>>() {
                self.close(other);
            }
        } else if self.is_node() {
            self.standings.insert(peer, Standing::Refused { wait });
            self.tell(Event::PeerChange {
                peer: peer.to_bytes(),
                standing: Standing::Refused { wait },
            });
        }
        self.give_up(peer, wait);
    }

    fn is_admitted(&self, peer: PeerId) -> bool {
        let mut connections = self.connections_of(peer);
        connections.any(|(_, connection)| connection.admitted.is_some())
    }

    /// Tells how a peer stands, if that has changed.
    pub(super) fn tell_standing(&mut self, peer: PeerId) {
        if !self.is_node() || self.introducers.contains_key(&peer) {
            return;
        }
        let standing = self.standing(peer);
        let before = self.standings.get(&peer).copied();
        let was_refused = matches!(before, Some(Standing::Refused { .. }));
        match standing {
            // What it was refused for is the last word about it.
            Standing::Gone | Standing::Connected { .. } if was_refused => {
                if standing == Standing::Gone {
                    self.standings.remove(&peer);
                }
            }
            standing if before.unwrap_or(Standing::Gone) == standing => {}
            standing => {
                if standing == Standing::Gone {
                    self.standings.remove(&peer);
                } else {
                    self.standings.insert(peer, standing);
                }
                let peer = peer.to_bytes();
                self.tell(Event::PeerChange { peer, standing });
            }
        }
        self.count_standings();
    }

    fn standing(&self, peer: PeerId) -> Standing {
        let path = |relayed: bool| if relayed { Path::Relayed } else { Path::Direct };
        let mut best = Standing::Gone;
        for (_, connection) in self.connections_of(peer) {
            let path = path(connection.relayed);
            best = match (connection.admitted, best) {
                (Some(_), Standing::Admitted { .. }) if path == Path::Relayed => best,
                (Some(admission), _) => Standing::Admitted {
                    node: admission.node,
                    path,
                },
                (None, Standing::Admitted { .. }) => best,
                (None, Standing::Connected { .. }) if path == Path::Relayed => best,
                (None, _) => Standing::Connected { path },
            };
        }
        best
    }

    fn count_standings(&self) {
        let count = |is: fn(&Standing) -> bool| {
            let count = self.standings.values().filter(|s| is(s)).count();
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        let admitted = count(|s| matches!(s, Standing::Admitted { .. }));
        let relayed = count(|s| {
            matches!(
                s,
                Standing::Admitted {
                    path: Path::Relayed,
                    ..
                }
            )
        });
        self.metrics.peers_admitted.set(admitted);
        self.metrics.peers_relayed.set(relayed);
    }
}

/// Whether this side counts as the one that has dialed. Where both dial at once to get through
/// address translation, they have agreed on who plays the other part.
const fn has_dialed(endpoint: &ConnectedPoint) -> bool {
    matches!(
        endpoint,
        ConnectedPoint::Dialer {
            role_override: Endpoint::Dialer,
            ..
        }
    )
}

/// Address that a peer came from; a relay's is not its own.
pub(super) fn source(connection: &Connection) -> Option<IpAddr> {
    let of = |address: &Multiaddr| address::ip(address);
    (!connection.relayed)
        .then(|| of(&connection.address))
        .flatten()
}

/// Connections that another has left behind are woken so often.
const WAKING: Duration = Duration::from_secs(1);
/// Two connections with one peer stay side by side for this long.
const OVERLAP: Duration = Duration::from_millis(500);
/// Two dials that cross are this close together.
const CROSSING: Duration = Duration::from_secs(5);
/// Links that a peer may begin at once on one connection, and on all on which it is not admitted.
pub(super) const LINKS: u32 = 4;
/// Time after which it may begin one more: it needs one for every admission.
pub(super) const LINK_AGAIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use libp2p::core::transport::PortUse;

    use super::*;

    #[test]
    fn one_side_of_two_that_dial_at_once_has_dialed() {
        let dialed = |role_override| {
            has_dialed(&ConnectedPoint::Dialer {
                address: "/ip4/203.0.113.1/tcp/1".parse().expect("address"),
                role_override,
                port_use: PortUse::Reuse,
            })
        };

        assert!(dialed(Endpoint::Dialer));
        assert!(!dialed(Endpoint::Listener));
    }
}
