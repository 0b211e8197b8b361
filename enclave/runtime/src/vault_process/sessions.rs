//! The sessions of one vault: envelopes in, envelopes and whole messages out.
//!
//! Whatever goes wrong outside an open session has one shape for the device: a reset.

use std::collections::BTreeMap;

use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{Entropy, WipedVec};
use vettid_session::{
    Established, Evidence, Identity, ProvingResponder, Responder, ResponderProgress, ResponderTerms,
};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, NetworkId, SessionId, SpaceId};
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use crate::lane::{EvidenceAnswer, EvidenceQuestion};

/// Route and id of one session.
pub(crate) type Route = (DeviceRoute, SessionId);

/// What an envelope led to.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Evidence is needed before the session goes on.
    Ask(EvidenceQuestion),
    /// Whole messages of a proven device, in their order.
    Messages(Route, VerifyingKey, Vec<WipedVec>),
    /// Nothing yet.
    Nothing,
    /// An envelope to send back.
    Reply(Vec<u8>),
}

/// All sessions of one vault.
#[derive(Debug)]
pub(crate) struct Sessions {
    space: SpaceId,
    network: NetworkId,
    epoch: u64,
    static_key: X25519Secret,
    half_open: BTreeMap<Route, HalfOpen>,
    open: BTreeMap<Route, Open>,
    tickets: u32,
}

#[derive(Debug)]
struct HalfOpen {
    began: UnixMillis,
    state: HalfState,
}

#[derive(Debug)]
enum HalfState {
    Expecting(Responder),
    Proving(u32, Box<ProvingResponder>),
}

#[derive(Debug)]
struct Open {
    session: Established,
    device: VerifyingKey,
    used: UnixMillis,
}

impl Sessions {
    /// No sessions yet; a fresh static key.
    pub(crate) fn new(
        space: SpaceId,
        network: NetworkId,
        epoch: u64,
        entropy: &mut impl Entropy,
    ) -> Self {
        Self {
            space,
            network,
            epoch,
            static_key: X25519Secret::generate(entropy),
            half_open: BTreeMap::new(),
            open: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// Takes an envelope. What is none is dropped: nobody could be answered.
    pub(crate) fn receive(
        &mut self,
        now: UnixMillis,
        envelope: &[u8],
        entropy: &mut impl Entropy,
    ) -> Heard {
        let Ok(envelope) = Envelope::parse(envelope) else {
            return Heard::Nothing;
        };
        let route = (envelope.device, envelope.session);
        match envelope.kind {
            Kind::Handshake if self.open.contains_key(&route) => Heard::Nothing,
            Kind::Handshake => match self.half_open.remove(&route) {
                Some(half) => self.go_on(now, route, half, envelope.body),
                None => self.begin(now, route, envelope.body, entropy),
            },
            Kind::Transport => self.open_frame(now, route, envelope.body),
            Kind::Reset => Heard::Nothing,
        }
    }

    /// Takes the evidence that was asked for under `ticket`; the envelope that opens the session.
    pub(crate) fn supply(
        &mut self,
        now: UnixMillis,
        ticket: u32,
        answer: Option<EvidenceAnswer>,
    ) -> Option<Vec<u8>> {
        let waits = |half: &HalfOpen| matches!(half.state, HalfState::Proving(t, _) if t == ticket);
        let route = *self.half_open.iter().find(|(_, half)| waits(half))?.0;
        let HalfState::Proving(_, state) = self.half_open.remove(&route)?.state else {
            return None;
        };
        let Some((established, frame)) = answer.and_then(|answer| {
            let EvidenceAnswer {
                document,
                bundle,
                signature,
            } = answer;
            let signature = Signature(signature);
            state
                .supply(
                    now,
                    &Evidence::Enclave {
                        document,
                        bundle,
                        signature,
                    },
                )
                .ok()
        }) else {
            return Some(reset(route));
        };
        let Identity::Device(device) = established.peer().identity() else {
            return Some(reset(route));
        };
        self.make_room();
        self.open.insert(
            route,
            Open {
                session: established,
                device,
                used: now,
            },
        );
        Some(wrap(Kind::Handshake, route, &frame))
    }

    /// Seals messages for a session: the envelopes to send, in order. None when it is gone.
    pub(crate) fn seal(
        &mut self,
        now: UnixMillis,
        route: Route,
        messages: &[&[u8]],
    ) -> Option<Vec<Vec<u8>>> {
        let frames = self.open.get_mut(&route)?.session.seal_all(now, messages);
        match frames {
            Ok(frames) => Some(
                frames
                    .iter()
                    .map(|frame| wrap(Kind::Transport, route, frame))
                    .collect(),
            ),
            Err(_) => {
                self.open.remove(&route);
                Some(vec![reset(route)])
            }
        }
    }

    /// Open sessions with their devices.
    pub(crate) fn open(&self) -> impl Iterator<Item = (Route, VerifyingKey)> {
        self.open.iter().map(|(route, open)| (*route, open.device))
    }

    /// How many are open.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Ends the sessions that `ends` picks; the goodbyes to send.
    pub(crate) fn end(&mut self, ends: impl Fn(&Route, &VerifyingKey) -> bool) -> Vec<Vec<u8>> {
        let ended: Vec<Route> = self
            .open
            .iter()
            .filter(|(route, open)| ends(route, &open.device))
            .map(|(route, _)| *route)
            .collect();
        for route in &ended {
            self.open.remove(route);
        }
        ended.into_iter().map(reset).collect()
    }

    /// Gives up the handshakes that are under way; the goodbyes to send.
    pub(crate) fn give_up(&mut self) -> Vec<Vec<u8>> {
        let half_open = std::mem::take(&mut self.half_open);
        half_open.into_keys().map(reset).collect()
    }

    /// Goes on in another epoch of the network's policy: what was begun in an earlier one ends. The
    /// goodbyes to send.
    pub(crate) fn adopt(&mut self, epoch: u64) -> Vec<Vec<u8>> {
        self.epoch = epoch;
        let mut ended = self.give_up();
        ended.extend(self.end(|_, _| true));
        ended
    }

    /// Forgets what has expired.
    pub(crate) fn expire(&mut self, now: UnixMillis) {
        self.half_open
            .retain(|_, half| now.since(half.began) <= limits::HANDSHAKE_TIME);
        self.open.retain(|_, open| open.session.expires() >= now);
    }

    fn begin(
        &mut self,
        now: UnixMillis,
        route: Route,
        frame: &[u8],
        entropy: &mut impl Entropy,
    ) -> Heard {
        self.expire(now);
        let terms = ResponderTerms::vault(self.network, self.space, self.epoch, &self.static_key);
        let Ok((responder, reply)) = Responder::accept(&terms, now, frame, entropy) else {
            return Heard::Reply(reset(route));
        };
        if self.half_open.len() >= limits::HALF_OPEN_SESSIONS {
            let oldest = self.half_open.iter().min_by_key(|(_, half)| half.began);
            if let Some(oldest) = oldest.map(|(route, _)| *route) {
                self.half_open.remove(&oldest);
            }
        }
        self.half_open.insert(
            route,
            HalfOpen {
                began: now,
                state: HalfState::Expecting(responder),
            },
        );
        Heard::Reply(wrap(Kind::Handshake, route, &reply))
    }

    fn go_on(&mut self, now: UnixMillis, route: Route, half: HalfOpen, frame: &[u8]) -> Heard {
        let HalfState::Expecting(responder) = half.state else {
            // Spoke before its turn.
            return Heard::Reply(reset(route));
        };
        match responder.handle(now, frame, None) {
            Ok(ResponderProgress::Wait(responder)) => {
                let state = HalfState::Expecting(responder);
                self.half_open.insert(
                    route,
                    HalfOpen {
                        began: half.began,
                        state,
                    },
                );
                Heard::Nothing
            }
            Ok(ResponderProgress::NeedEvidence { claim, state }) => {
                let Identity::Device(peer) = claim.statement.peer else {
                    return Heard::Reply(reset(route));
                };
                self.tickets = self.tickets.wrapping_add(1);
                let ticket = self.tickets;
                let state = HalfState::Proving(ticket, Box::new(state));
                self.half_open.insert(
                    route,
                    HalfOpen {
                        began: half.began,
                        state,
                    },
                );
                Heard::Ask(EvidenceQuestion {
                    ticket,
                    transcript: claim.statement.transcript.0,
                    peer: peer.0,
                    nonce: claim.nonce,
                    known: claim.known_document,
                })
            }
            Err(_) => Heard::Reply(reset(route)),
        }
    }

    fn open_frame(&mut self, now: UnixMillis, route: Route, frame: &[u8]) -> Heard {
        let Some(open) = self.open.get_mut(&route) else {
            return Heard::Reply(reset(route));
        };
        open.used = now;
        match open.session.open_all(now, frame) {
            Ok(messages) if messages.is_empty() => Heard::Nothing,
            Ok(messages) => Heard::Messages(route, open.device, messages),
            Err(_) => {
                self.open.remove(&route);
                Heard::Reply(reset(route))
            }
        }
    }

    /// The session that was not used for longest gives way.
    fn make_room(&mut self) {
        if self.open.len() >= limits::DEVICE_SESSIONS {
            let idlest = self.open.iter().min_by_key(|(_, open)| open.used);
            if let Some(idlest) = idlest.map(|(route, _)| *route) {
                self.open.remove(&idlest);
            }
        }
    }
}

fn wrap(kind: Kind, (device, session): Route, body: &[u8]) -> Vec<u8> {
    Envelope {
        kind,
        device,
        session,
        body,
    }
    .to_bytes()
}

fn reset((device, session): Route) -> Vec<u8> {
    Envelope::reset(device, session).to_bytes()
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
