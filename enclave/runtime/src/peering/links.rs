//! All links to other enclaves: which session stays, how long, and what goes over it.

use std::collections::{BTreeMap, VecDeque};

use vettid_attestation::Policy;
use vettid_crypto::Entropy;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{Established, Verifier};
use vettid_wire::cbor;
use vettid_wire::id::{NetworkId, NodeId};
use vettid_wire::limits;
use vettid_wire::link::federation::{Admitted, FromEnclave, NotAdmitted, Side};
use vettid_wire::peer::PeerMessage;
use vettid_wire::time::{MINUTE, UnixMillis};

use super::admission::Wanted;
use super::handshake::{Handshake, Own, Step, Turn};
use super::known::Known;
use crate::federation::OutOfTurn;

/// Sessions that are not open yet, at once.
const HALF_OPEN: usize = 1_024;
/// A session that carried nothing for so long gives its place to another, when there is none, ms.
const IDLE: u64 = MINUTE;

/// What happened on the links.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// There is a session with this node now.
    Admitted(NodeId),
    /// There is none any more.
    Lost(NodeId),
    /// A node's enclave said something.
    Message(NodeId, PeerMessage),
    /// A frame for the host.
    Say(FromEnclave),
}

/// All links of one enclave.
#[derive(Debug)]
pub(crate) struct Peering {
    own: Own,
    known: Known,
    links: BTreeMap<u64, Link>,
    half_open: usize,
    open: BTreeMap<NodeId, u64>,
    /// Sessions that may be open at once. A quarter of them stays for those that this side begins: whoever
    /// takes all the others cannot keep this node's owners from reaching anybody.
    places: usize,
    newest: u64,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Link {
    wanted: Wanted,
    side: Side,
    began: UnixMillis,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Shaking(Handshake),
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    session: Established,
    opened: UnixMillis,
    /// When it carried a message last.
    used: UnixMillis,
    expires: UnixMillis,
}

impl Peering {
    /// No links yet. A fresh static key.
    pub(crate) fn new(
        network: NetworkId,
        node: NodeId,
        policy: Policy,
        entropy: &mut impl Entropy,
    ) -> Self {
        Self {
            own: Own {
                network,
                node,
                static_key: X25519Secret::generate(entropy),
                verifier: Verifier::new(policy),
            },
            known: Known::default(),
            links: BTreeMap::new(),
            half_open: 0,
            open: BTreeMap::new(),
            places: limits::PEERS,
            newest: 0,
            events: VecDeque::new(),
        }
    }

    /// What happened, in order.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A stream to a peer's host is up.
    pub(crate) fn open(
        &mut self,
        link: u64,
        peer: Vec<u8>,
        node: NodeId,
        side: Side,
        turn: &mut Turn<'_>,
    ) -> Result<(), OutOfTurn> {
        if link <= self.newest {
            return Err(OutOfTurn);
        }
        self.newest = link;
        let has_place = self.open.contains_key(&node)
            || self.has_place(side)
            || self.idle(side, turn.now).is_some();
        if node == self.own.node {
            self.refuse(link, NotAdmitted::Identity);
            return Ok(());
        }
        if !has_place || self.half_open >= HALF_OPEN {
            self.refuse(link, NotAdmitted::TooMany);
            return Ok(());
        }
        let wanted = Wanted { node, peer };
        let handshake = match side {
            Side::Responder => Handshake::ExpectHello,
            Side::Initiator => {
                let known = self.known.of(&wanted);
                match Handshake::begin(&self.own, &wanted, known, turn) {
                    Ok((handshake, frame)) => {
                        self.say(link, frame);
                        handshake
                    }
                    Err(why) => {
                        self.refuse(link, why);
                        return Ok(());
                    }
                }
            }
        };
        self.half_open = self.half_open.saturating_add(1);
        let began = turn.now;
        let stage = Stage::Shaking(handshake);
        self.links.insert(
            link,
            Link {
                wanted,
                side,
                began,
                stage,
            },
        );
        Ok(())
    }

    /// The peer's enclave sent a frame. What breaks the protocol ends this link and no other; what
    /// comes for a link that has ended crosses its end.
    pub(crate) fn hear(
        &mut self,
        link: u64,
        frame: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), OutOfTurn> {
        if link == 0 || link > self.newest {
            return Err(OutOfTurn);
        }
        let Some(mut at) = self.links.remove(&link) else {
            return Ok(());
        };
        match at.stage {
            Stage::Shaking(handshake) => {
                let known = || self.known.of(&at.wanted);
                match handshake.step(&mut self.own, &at.wanted, known, frame, turn) {
                    Ok(Step::Wait(handshake, frames)) => {
                        for frame in frames {
                            self.say(link, frame);
                        }
                        at.stage = Stage::Shaking(handshake);
                        self.links.insert(link, at);
                    }
                    Ok(Step::Open(session, admitted, frame)) => {
                        self.half_open = self.half_open.saturating_sub(1);
                        if !frame.is_empty() {
                            self.say(link, frame);
                        }
                        let (wanted, side, began) = (at.wanted, at.side, at.began);
                        self.admit(link, (wanted, side, began), *session, admitted, turn.now);
                    }
                    Err(why) => {
                        self.half_open = self.half_open.saturating_sub(1);
                        // What was counted on may be why.
                        self.known.forget(&at.wanted);
                        self.refuse(link, why);
                    }
                }
            }
            Stage::Open(mut open) => {
                let node = at.wanted.node;
                let heard = read(&mut open, frame, turn.now);
                at.stage = Stage::Open(open);
                self.links.insert(link, at);
                match heard {
                    Ok(None) => {}
                    Ok(Some(message)) => self.events.push_back(Event::Message(node, message)),
                    Err(why) => self.end(link, why),
                }
            }
        }
        Ok(())
    }

    /// The stream is gone.
    pub(crate) fn closed(&mut self, link: u64) -> Result<(), OutOfTurn> {
        if link == 0 || link > self.newest {
            return Err(OutOfTurn);
        }
        self.drop_link(link);
        Ok(())
    }

    /// Seals a message for a node's enclave; when there is no session, the node is lost once more.
    pub(crate) fn send(&mut self, node: NodeId, message: &PeerMessage, now: UnixMillis) {
        let Some(&link) = self.open.get(&node) else {
            self.events.push_back(Event::Lost(node));
            return;
        };
        let sealed = match self.links.get_mut(&link).map(|link| &mut link.stage) {
            Some(Stage::Open(open)) if now <= open.expires => {
                open.used = now;
                open.session.seal(now, &cbor::encode(message)).ok()
            }
            _ => None,
        };
        match sealed {
            Some(frames) => {
                for frame in frames {
                    self.say(link, frame);
                }
            }
            None => self.end(link, NotAdmitted::Replaced),
        }
    }

    /// Ends what took too long and what has expired.
    pub(crate) fn tick(&mut self, now: UnixMillis) {
        let over = |link: &Link| match &link.stage {
            Stage::Shaking(_) if now.since(link.began) >= limits::HANDSHAKE_TIME => {
                Some(NotAdmitted::Slow)
            }
            Stage::Open(open) if now > open.expires => Some(NotAdmitted::Replaced),
            Stage::Shaking(_) | Stage::Open(_) => None,
        };
        let ended: Vec<(u64, NotAdmitted)> = self
            .links
            .iter()
            .filter_map(|(number, link)| Some((*number, over(link)?)))
            .collect();
        for (link, why) in ended {
            self.end(link, why);
        }
    }

    /// From now on only `policy` counts: no session and nothing known stays.
    pub(crate) fn adopt(&mut self, policy: Policy) {
        self.own.verifier = Verifier::new(policy);
        self.known.clear();
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.end(link, NotAdmitted::Replaced);
        }
    }

    /// Takes a session into use, unless the one that is there stays.
    fn admit(
        &mut self,
        link: u64,
        (wanted, side, began): (Wanted, Side, UnixMillis),
        session: Established,
        mut admitted: Admitted,
        now: UnixMillis,
    ) {
        let node = wanted.node;
        let expires = session.expires().min(now.plus(limits::PEER_SESSION));
        self.known.remember(&wanted, &session);
        if let Some(&other) = self.open.get(&node) {
            if self.stays(other, side, now) {
                self.refuse(link, NotAdmitted::Replaced);
                return;
            }
            self.end(other, NotAdmitted::Replaced);
        } else if !self.has_place(side) {
            let Some(idle) = self.idle(side, now) else {
                self.refuse(link, NotAdmitted::TooMany);
                return;
            };
            self.end(idle, NotAdmitted::Replaced);
        }
        admitted.expires = expires;
        let open = Open {
            session,
            opened: now,
            used: now,
            expires,
        };
        let stage = Stage::Open(Box::new(open));
        self.links.insert(
            link,
            Link {
                wanted,
                side,
                began,
                stage,
            },
        );
        self.open.insert(node, link);
        let peer = admitted;
        self.events
            .push_back(Event::Say(FromEnclave::Admitted { link, peer }));
        self.events.push_back(Event::Admitted(node));
    }

    /// Whether there is a place for a session that `side` begins.
    fn has_place(&self, side: Side) -> bool {
        let of_peers = self.places.saturating_sub(self.places / 4);
        let full = match side {
            Side::Initiator => false,
            Side::Responder => self.open_of(side).count() >= of_peers,
        };
        !full && self.open.len() < self.places
    }

    /// The session that has carried nothing for longest, if that is long enough for it to give its place to
    /// one that `side` begins. Those that peers have begun go first.
    fn idle(&self, side: Side, now: UnixMillis) -> Option<u64> {
        let longest = |side| {
            let idle = self
                .open_of(side)
                .filter(|(_, used)| now.since(*used) >= IDLE);
            idle.min_by_key(|(_, used)| *used).map(|(link, _)| link)
        };
        let of_peers = longest(Side::Responder);
        match side {
            Side::Initiator => of_peers.or_else(|| longest(Side::Initiator)),
            Side::Responder => of_peers,
        }
    }

    /// Open sessions that `side` has begun, and when they carried something last.
    fn open_of(&self, side: Side) -> impl Iterator<Item = (u64, UnixMillis)> {
        let links = self.links.iter().filter(move |(_, link)| link.side == side);
        links.filter_map(|(number, link)| match &link.stage {
            Stage::Open(open) => Some((*number, open.used)),
            Stage::Shaking(_) => None,
        })
    }

    /// Has room for so many sessions. Tests only.
    #[cfg(test)]
    pub(crate) const fn set_places(&mut self, places: usize) {
        self.places = places;
    }

    /// Whether an open session stays when another one to the same node was just opened by `side`.
    /// Of two that were begun at the same time from both sides, both ends keep the one that the
    /// smaller id began; otherwise the newer is kept, since whoever opened it may know no other.
    fn stays(&self, older: u64, side: Side, now: UnixMillis) -> bool {
        let Some(link) = self.links.get(&older) else {
            return false;
        };
        let Stage::Open(open) = &link.stage else {
            return false;
        };
        let together = now.since(open.opened) < limits::ADMISSION_TIME;
        let older_is_of_smaller = match link.side {
            Side::Initiator => self.own.node < link.wanted.node,
            Side::Responder => link.wanted.node < self.own.node,
        };
        link.side != side && together && older_is_of_smaller
    }

    fn end(&mut self, link: u64, why: NotAdmitted) {
        self.refuse(link, why);
        self.drop_link(link);
    }

    fn drop_link(&mut self, link: u64) {
        let Some(dropped) = self.links.remove(&link) else {
            return;
        };
        match dropped.stage {
            Stage::Shaking(_) => self.half_open = self.half_open.saturating_sub(1),
            Stage::Open(_) => {
                let node = dropped.wanted.node;
                if self.open.get(&node) == Some(&link) {
                    self.open.remove(&node);
                    self.events.push_back(Event::Lost(node));
                }
            }
        }
    }

    fn refuse(&mut self, link: u64, why: NotAdmitted) {
        self.events
            .push_back(Event::Say(FromEnclave::Refused { link, why }));
    }

    fn say(&mut self, link: u64, bytes: Vec<u8>) {
        self.events
            .push_back(Event::Say(FromEnclave::Frame { link, bytes }));
    }
}

/// Opens a frame; the message, if it completes one.
fn read(
    open: &mut Open,
    frame: &[u8],
    now: UnixMillis,
) -> Result<Option<PeerMessage>, NotAdmitted> {
    if now > open.expires {
        return Err(NotAdmitted::Replaced);
    }
    let opened = open.session.open(now, frame);
    let Some(message) = opened.map_err(|error| super::admission::reason(&error))? else {
        return Ok(None);
    };
    open.used = now;
    match cbor::decode_exact(&message) {
        Ok(PeerMessage::Deliver(delivery)) if delivery.body.len() > limits::DELIVERY => {
            Err(NotAdmitted::Evidence)
        }
        Ok(message) => Ok(Some(message)),
        Err(_) => Err(NotAdmitted::Evidence),
    }
}
