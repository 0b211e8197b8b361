//! What is served on a connection: nothing of ours before its peer is admitted.
//!
//! | access | who | what it gets |
//! |---|---|---|
//! | [`Access::ATTEST`] | a host that is not admitted yet | identify, `/vettid/attest/1` |
//! | [`Access::INTRODUCER`] | bootstrap nodes and relays | identify, Kademlia, relay, AutoNAT, network file |
//! | [`Access::PEER`] | the host of an admitted enclave | identify, sessions, Kademlia, gossip, DCUtR, attachments |
//!
//! Kademlia, gossip and the rest come from libraries that serve whoever connects. [`Gated`] wraps
//! them: until the connection has their access they offer no protocol, and they are not polled, so
//! that they ask nothing, until the peer has admitted this side too ([`Access::MUTUAL`]): some of
//! them give a peer up for good that refuses them once.

mod crowd;
mod gated;
mod guard;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;
use libp2p::swarm::ConnectionId;

pub(crate) use crowd::Admits;
pub(crate) use gated::Gated;
pub(crate) use guard::{Guard, KeptOut};

/// Kinds of access; a gate opens for any of those it names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Access(u8);

/// What one connection has access to.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    access: AtomicU8,
    attests: AtomicBool,
    asked: AtomicBool,
    made_room: AtomicBool,
    /// All handlers of a connection run in one task.
    waker: AtomicWaker,
}

/// The gates of all connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<ConnectionId, Arc<Gate>>>>);

impl Access {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ATTEST: Self = Self(1);
    pub(crate) const INTRODUCER: Self = Self(2);
    pub(crate) const PEER: Self = Self(4);
    /// Both sides have admitted each other.
    pub(crate) const MUTUAL: Self = Self(8);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What it takes to ask where this is what it takes to be answered.
    const fn to_ask(self) -> Self {
        if self.0 & Self::PEER.0 == 0 {
            return self;
        }
        Self((self.0 & !Self::PEER.0) | Self::MUTUAL.0)
    }
}

impl Gate {
    /// Whether the connection has one of these kinds of access.
    pub(crate) fn allows(&self, any: Access) -> bool {
        self.access.load(Ordering::Acquire) & any.0 != 0
    }

    fn set(&self, access: Access) {
        self.access.store(access.0, Ordering::Release);
        self.waker.wake();
    }
}

impl Gates {
    /// The gate of a connection; closed when it is new.
    pub(crate) fn of(&self, connection: ConnectionId) -> Arc<Gate> {
        self.lock().entry(connection).or_default().clone()
    }

    /// Changes what a connection has access to; one that is gone has no gate any more.
    pub(crate) fn set(&self, connection: ConnectionId, access: Access) {
        if let Some(gate) = self.lock().get(&connection) {
            gate.set(access);
        }
    }

    /// Has the protocols of a connection look whether they have something to do.
    pub(crate) fn wake(&self, connection: ConnectionId) {
        if let Some(gate) = self.lock().get(&connection) {
            gate.waker.wake();
        }
    }

    /// The peer of a connection has begun to be admitted.
    pub(crate) fn attests(&self, connection: ConnectionId) {
        if let Some(gate) = self.lock().get(&connection) {
            gate.attests.store(true, Ordering::Release);
        }
    }

    /// Whether the protocol that is [`Gated::watched`] has asked for a stream on a connection.
    pub(crate) fn has_asked(&self, connection: ConnectionId) -> bool {
        let gates = self.lock();
        let gate = gates.get(&connection);
        gate.is_some_and(|gate| gate.asked.load(Ordering::Acquire))
    }

    /// The place of a connection is another's now: it is closed, which is no failure of its peer.
    fn make_room(&self, connection: ConnectionId) {
        if let Some(gate) = self.lock().get(&connection) {
            gate.made_room.store(true, Ordering::Release);
        }
    }

    /// Whether the place of a connection was given to another.
    pub(crate) fn has_made_room(&self, connection: ConnectionId) -> bool {
        let gates = self.lock();
        let gate = gates.get(&connection);
        gate.is_some_and(|gate| gate.made_room.load(Ordering::Acquire))
    }

    /// Whether the peer of a connection has begun to be admitted, when it is a stranger: nothing but
    /// attestation is served to it, and it has not made room for another.
    fn stranger(&self, connection: ConnectionId) -> Option<bool> {
        let gates = self.lock();
        let is_stranger = |gate: &&Arc<Gate>| {
            let access = gate.access.load(Ordering::Acquire);
            access == Access::ATTEST.0 && !gate.made_room.load(Ordering::Acquire)
        };
        let gate = gates.get(&connection).filter(is_stranger);
        gate.map(|gate| gate.attests.load(Ordering::Acquire))
    }

    /// Closes and forgets the gate of a connection that is gone.
    pub(crate) fn remove(&self, connection: ConnectionId) {
        if let Some(gate) = self.lock().remove(&connection) {
            gate.set(Access::NONE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Gate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_answered_may_ask_only_when_both_have_admitted() {
        let needs = Access::PEER.or(Access::INTRODUCER);
        assert_eq!(needs.to_ask(), Access::MUTUAL.or(Access::INTRODUCER));
        assert_eq!(Access::INTRODUCER.to_ask(), Access::INTRODUCER);
    }

    #[test]
    fn gate_is_closed_at_first_and_after_its_connection() {
        let gates = Gates::default();
        let connection = ConnectionId::new_unchecked(1);
        let gate = gates.of(connection);
        assert!(!gate.allows(Access::ATTEST.or(Access::PEER).or(Access::INTRODUCER)));

        gates.set(connection, Access::PEER);
        assert!(gate.allows(Access::PEER.or(Access::INTRODUCER)));
        assert!(!gate.allows(Access::ATTEST));

        gates.remove(connection);
        assert!(!gate.allows(Access::PEER));
        // What is said of it too late leaves nothing behind.
        gates.set(connection, Access::NONE);
        assert!(gates.lock().is_empty());
    }
}
