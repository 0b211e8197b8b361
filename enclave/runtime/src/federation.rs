//! What an enclave does about other enclaves, as one machine: the sessions of [`crate::peering`] and
//! the deliveries of [`crate::delivery`], wired together. Frames of the host and what vaults say go
//! in, with the time, randomness and this enclave's evidence; deeds come out.

use std::collections::VecDeque;

use vettid_attestation::Policy;
use vettid_wire::id::SpaceId;
use vettid_wire::link::federation::{FromEnclave, ToEnclave};

use crate::delivery::{Act, Courier, Cx, ToVault};
use crate::log_line::LogEvent;
use crate::peering::{Event, Peering, Turn};
use crate::slot::Slot;

/// Something to be done, in order.
#[derive(Debug)]
pub(crate) enum Deed {
    /// A frame for the host.
    Host(FromEnclave),
    /// Something for the operator.
    Log(LogEvent),
    /// Something for the vault in a slot.
    Vault(Slot, ToVault),
}

/// Host or vault process said what no honest one would: it answered what was never asked, named what
/// it cannot know, or spoke nonsense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OutOfTurn;

/// Sessions and deliveries of one enclave.
#[derive(Debug)]
pub(crate) struct Federation {
    peering: Peering,
    courier: Courier,
    deeds: VecDeque<Deed>,
}

impl Federation {
    /// Of an enclave that has just begun to serve.
    pub(crate) const fn new(peering: Peering, courier: Courier) -> Self {
        Self {
            peering,
            courier,
            deeds: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub(crate) fn next_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// The host says something about other nodes.
    ///
    /// # Errors
    /// When no honest host would.
    pub(crate) fn hear(&mut self, frame: ToEnclave, turn: &mut Turn<'_>) -> Result<(), OutOfTurn> {
        let heard = match frame {
            ToEnclave::Open {
                link,
                peer,
                node,
                side,
            } => self.peering.open(link, peer, node, side, turn),
            ToEnclave::Frame { link, bytes } => self.peering.hear(link, &bytes, turn),
            ToEnclave::Closed { link } => self.peering.closed(link),
            other => self.courier.hear(other, &mut cx(turn)),
        };
        self.pump(&mut cx(turn));
        heard
    }

    /// Lets the courier do something.
    pub(crate) fn with_courier<T>(
        &mut self,
        cx: &mut Cx<'_>,
        step: impl FnOnce(&mut Courier, &mut Cx<'_>) -> T,
    ) -> T {
        let done = step(&mut self.courier, cx);
        self.pump(cx);
        done
    }

    /// A vault was started in a slot; what it must sign to claim its home.
    pub(crate) fn started(&mut self, slot: Slot, space: SpaceId, challenge: [u8; 32]) {
        self.courier.started(slot, space, challenge);
    }

    /// Nothing but this policy counts from now on.
    pub(crate) fn adopt(&mut self, policy: Policy, cx: &mut Cx<'_>) {
        self.peering.adopt(policy);
        self.pump(cx);
    }

    /// Deadlines of sessions and deliveries; a quarter of a second has gone.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        self.peering.tick(cx.now);
        self.with_courier(cx, Courier::tick);
    }

    /// Entries of all that should come to an end.
    #[cfg(feature = "simulation")]
    pub(crate) fn under_way(&self) -> usize {
        self.courier.under_way()
    }

    /// Carries between sessions and courier until neither asks for anything.
    fn pump(&mut self, cx: &mut Cx<'_>) {
        loop {
            if let Some(event) = self.peering.next_event() {
                self.happened(event, cx);
            } else if let Some(act) = self.courier.next_act() {
                self.act(act, cx);
            } else {
                return;
            }
        }
    }

    fn happened(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Admitted(node) => self.courier.admitted(node),
            Event::Lost(node) => self.courier.lost(node),
            Event::Message(node, message) => self.courier.hear_peer(node, message, cx),
            Event::Say(frame) => self.deeds.push_back(Deed::Host(frame)),
        }
    }

    fn act(&mut self, act: Act, cx: &Cx<'_>) {
        let deed = match act {
            Act::Host(frame) => Deed::Host(frame),
            Act::Log(event) => Deed::Log(event),
            Act::Peer(node, message) => return self.peering.send(node, &message, cx.now),
            Act::Vault(slot, something) => Deed::Vault(slot, something),
        };
        self.deeds.push_back(deed);
    }
}

/// What deliveries need of a turn.
fn cx<'a>(turn: &'a mut Turn<'_>) -> Cx<'a> {
    Cx {
        now: turn.now,
        entropy: &mut *turn.entropy,
    }
}
