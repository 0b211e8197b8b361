//! Links: opened when a connection is up, admitted or refused by the enclave, renewed in time.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{NotAdmitted, Side};
use vettid_wire::time::UnixMillis;

use super::connections::source;
use super::dialing::LATER;
use super::state::{Admission, Done, Driver, Link};
use crate::gate::Access;
use crate::link::{End, LinkNews, Task, Timing};
use crate::streams::{Opened, Protocol};

impl Driver {
    /// Names the node of this host, and goes on with what waited for it.
    pub(super) fn name_node(&mut self, node: NodeId) {
        if self.node.replace(node) == Some(node) {
            return;
        }
        self.named = Some(Instant::now());
        self.start_early();
        let live: HashSet<_> = self.live.values().map(|link| link.connection).collect();
        let waiting = self.connections.iter();
        let waiting = waiting.filter(|(id, c)| !c.introduces && c.dialed && !live.contains(*id));
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.open_link(id);
        }
    }

    /// The enclave of this host is away: what comes waits for the next.
    pub(super) fn forget_node(&mut self) {
        self.node = None;
    }

    /// Goes on with streams of peers that had to wait.
    pub(super) fn start_early(&mut self) {
        if self.node.is_none() {
            return;
        }
        let waiting = self.connections.iter_mut().filter(|(_, c)| !c.introduces);
        let waiting: Vec<_> = waiting
            .filter_map(|(id, c)| Some((*id, c.early.take()?)))
            .collect();
        for (id, stream) in waiting {
            self.start_link(id, stream, Side::Responder);
        }
    }

    /// A peer begins a link.
    pub(super) fn on_attest(&mut self, id: ConnectionId, stream: Opened) {
        self.shared.gates.attests(id);
        let now = Instant::now();
        let connection = self.connections.get_mut(&id);
        // One that is dropped is a broken stream to the peer.
        if connection.is_some_and(|connection| connection.links.take(now)) {
            self.start_link(id, stream, Side::Responder);
        }
    }

    /// Opens a new link on a connection.
    pub(super) fn open_link(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if self.node.is_none() || connection.opening {
            return;
        }
        connection.opening = true;
        let peer = connection.peer;
        let stream = self
            .swarm
            .behaviour_mut()
            .streams
            .open(peer, id, Protocol::Attest);
        self.wait_for(async move {
            Done::First {
                connection: id,
                stream: stream.await.ok(),
            }
        });
    }

    /// The first stream of a link is open, or its peer does not want it.
    pub(super) fn on_first(&mut self, id: ConnectionId, stream: Option<Opened>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.opening = false;
        match stream {
            Some(stream) => self.start_link(id, stream, Side::Initiator),
            None if connection.admitted.is_none() => {
                self.on_hung_up(id);
                self.close(id);
            }
            None => {}
        }
    }

    /// Runs a link over a stream.
    pub(super) fn start_link(&mut self, id: ConnectionId, stream: Opened, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        // Strangers cannot have the enclave do nothing but shake hands.
        let waits = side == Side::Responder && connection.admitted.is_none();
        let (peer, now) = (connection.peer, Instant::now());
        let mut takes = || {
            // What has to wait takes nothing of what others may begin.
            self.strangers_each.has(&peer, now)
                && self.strangers.take(now)
                && self.strangers_each.take(peer, now)
        };
        let Some(own) = self.node.filter(|_| !waits || takes()) else {
            // A link that this side begins is begun anew.
            connection.early = (side == Side::Responder).then_some(stream);
            return;
        };
        let known = connection.admitted.map(|admission| admission.node);
        let known = known.filter(|_| side == Side::Initiator);
        self.last_link = self.last_link.saturating_add(1);
        let task = Task {
            link: self.last_link,
            peer: peer.to_bytes(),
            side,
            own,
            known,
            timing: Timing {
                hello: self.config.limits.admission,
                stalled: self.config.limits.stalled,
            },
            events: self.events.clone(),
            news: self.news_sender.clone(),
            links: self.links.clone(),
            inbound: self.metrics.frames_inbound.clone(),
            outbound: self.metrics.frames_outbound.clone(),
        };
        let link = Link {
            connection: id,
            side,
            mutual: false,
            deadline: Some(Instant::now() + self.config.limits.admission),
            steering: task.start(stream),
        };
        self.live.insert(self.last_link, link);
        self.metrics.links_open.inc();
    }

    /// The enclave has admitted the peer of a link.
    pub(super) fn admit(&mut self, number: u64, node: NodeId, expires: UnixMillis) {
        let Some(link) = self.live.get_mut(&number) else {
            return;
        };
        let id = link.connection;
        link.deadline = None;
        let initiates = link.side == Side::Initiator;
        link.steering.admit();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let left = Duration::from_millis(expires.0.saturating_sub(unix_millis()));
        let now = Instant::now();
        let renew = left.mul_f64(if connection.dialed { 0.8 } else { 0.9 });
        // A renewal takes nothing away, and forgives nothing.
        let mutual = connection.admitted.is_some_and(|before| before.mutual);
        let is_new = connection.admitted.is_none() && !connection.closing;
        connection.admitted = Some(Admission {
            node,
            mutual,
            expires: now + left,
            renew: now + renew,
        });
        let (peer, from) = (connection.peer, source(connection));
        if !mutual {
            self.shared.gates.set(id, Access::PEER);
        }
        if is_new {
            self.shared.kept_out.forgive(&peer, from);
        }
        self.wanted.retain(|home, _| home.node != node);
        if initiates {
            let streams = &mut self.swarm.behaviour_mut().streams;
            let stream = streams.open(peer, id, Protocol::MessageSpace);
            self.wait_for(async move {
                Done::Second {
                    link: number,
                    stream: stream.await.ok(),
                }
            });
        }
        self.replace_links(peer, number, now);
        self.route(id);
        self.tell_standing(peer);
        if self.live.get(&number).is_some_and(|link| link.mutual) {
            self.on_mutual(number);
        }
    }

    /// Both sides have admitted each other: what waits for that can go on.
    fn on_mutual(&mut self, number: u64) {
        let Some(link) = self.live.get_mut(&number) else {
            return;
        };
        link.mutual = true;
        let id = link.connection;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        // This side may be a moment behind; it goes on once it has admitted the peer.
        let Some(admission) = connection
            .admitted
            .as_mut()
            .filter(|_| link.steering.is_admitted())
        else {
            return;
        };
        admission.mutual = true;
        let node = admission.node;
        self.shared.gates.set(id, Access::PEER.or(Access::MUTUAL));
        self.start_fetches(node);
    }

    /// The second stream of a link is open.
    pub(super) fn on_second(&mut self, number: u64, stream: Option<Opened>) {
        let Some(link) = self.live.get_mut(&number) else {
            return;
        };
        if !stream.is_some_and(|stream| link.steering.second(stream)) {
            // The peer has not admitted us after all.
            link.steering.cancel();
        }
    }

    /// A peer has opened the second stream of the link on its connection.
    pub(super) fn on_message_space(&mut self, id: ConnectionId, stream: Opened) {
        let waiting = self
            .live
            .iter_mut()
            .filter(|(_, link)| link.connection == id && link.side == Side::Responder)
            .filter(|(_, link)| link.steering.awaits_second())
            .min_by_key(|(number, _)| **number);
        if let Some((_, link)) = waiting {
            link.steering.second(stream);
        }
    }

    /// The enclave wants nothing of a link, or no more.
    pub(super) fn refuse(&mut self, number: u64, why: NotAdmitted) {
        let Some(link) = self.live.get_mut(&number) else {
            return;
        };
        let id = link.connection;
        link.steering.cancel();
        if why == NotAdmitted::Replaced {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.admitted = None;
        }
        self.shared.gates.set(id, Access::NONE);
        if why == NotAdmitted::Network && self.is_node() {
            self.ask_rosters_anew();
        }
        if why.is_blame() {
            self.keep_out(id);
        } else if let Some(connection) = self.connections.get(&id) {
            self.give_up(connection.peer, LATER);
        }
        self.close(id);
    }

    pub(super) fn on_link(&mut self, news: LinkNews) {
        match news {
            LinkNews::Ended { link, end } => self.on_link_ended(link, end),
            LinkNews::Mutual { link } => self.on_mutual(link),
            LinkNews::Named { link, node } => {
                let connection = self.live.get(&link).map(|link| link.connection);
                let connection = connection.and_then(|id| self.connections.get(&id));
                if let Some(peer) = connection.map(|connection| connection.peer) {
                    self.on_named(peer, node);
                }
            }
        }
    }

    fn on_link_ended(&mut self, number: u64, end: End) {
        let Some(link) = self.live.remove(&number) else {
            return;
        };
        self.metrics.links_open.dec();
        if end == End::Stalled {
            self.metrics.links_stalled.inc();
        }
        let id = link.connection;
        let is_last = !self.live.values().any(|other| other.connection == id);
        let connection = self.connections.get(&id);
        let was_admitted = connection.is_some_and(|c| c.admitted.is_some());
        // With a connection that this side ends its links end, too.
        let failed = !link.steering.is_admitted() && end != End::Canceled && !self.is_ending(id);
        if failed && end == End::Misbehaved {
            self.keep_out(id);
        } else if failed {
            self.on_hung_up(id);
        }
        // A stranger has one try on a connection: the next costs it a new one.
        if is_last || failed && !was_admitted {
            self.close(id);
        }
    }

    pub(super) fn check_links(&mut self, now: Instant) {
        for link in self.live.values_mut() {
            if link.deadline.is_some_and(|deadline| deadline <= now) {
                link.steering.cancel();
            }
        }
        let mut due = Vec::new();
        for (id, connection) in &mut self.connections {
            if let Some(admission) = &mut connection.admitted
                && admission.renew <= now
            {
                admission.renew = now + RENEW_AGAIN;
                due.push(*id);
            }
        }
        for id in due {
            self.open_link(id);
        }
    }

    /// Links of a peer that are older than a new one end, after what is under way on them.
    fn replace_links(&mut self, peer: PeerId, newest: u64, now: Instant) {
        for (number, link) in &mut self.live {
            let connection = self.connections.get(&link.connection);
            let is_of_peer = connection.is_some_and(|connection| connection.peer == peer);
            if is_of_peer && *number < newest && link.steering.is_admitted() {
                link.deadline.get_or_insert(now + REPLACED);
            }
        }
    }
}

pub(super) fn unix_millis() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}

/// A link that another has replaced may finish for this long.
const REPLACED: Duration = Duration::from_secs(10);
/// Pause before a renewal that has come to nothing is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(30);
