//! The courier: its state, what it asks for, and what is common to both directions.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vettid_crypto::{Entropy, MailboxKey};
use vettid_wire::id::{DeliveryId, NodeId, VaultId};
use vettid_wire::link::federation::{FromEnclave, ToEnclave};
use vettid_wire::peer::{Delivered, NotTaken, PeerMessage};
use vettid_wire::time::UnixMillis;

use super::asked::Asked;
use super::dials::Dials;
use super::homes::Homes;
use super::outbound::{Flight, UnderWay};
use super::residents::Resident;
use super::sealed::Keeper;
use crate::log_line::LogEvent;
use crate::slot::Slot;

pub(crate) use crate::federation::OutOfTurn;

/// What a step of the courier is given.
pub(crate) struct Cx<'a> {
    /// Time of day.
    pub(crate) now: UnixMillis,
    /// Fresh randomness.
    pub(crate) entropy: &'a mut dyn Entropy,
}

impl fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// One thing that the courier asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    /// A frame for the host.
    Host(FromEnclave),
    /// Something for the operator.
    Log(LogEvent),
    /// A message for the enclave of a node.
    Peer(NodeId, PeerMessage),
    /// Something for a vault process.
    Vault(Slot, ToVault),
}

/// Something for a vault process. With a ticket other than zero it owes an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ToVault {
    /// From another vault.
    Inbound {
        ticket: u64,
        delivery: DeliveryId,
        body: Vec<u8>,
    },
    /// What became of something that it sent.
    Settled {
        ticket: u64,
        delivery: DeliveryId,
        outcome: Delivered,
    },
}

/// Where something for a vault came from: who is told what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The vault's own mailbox.
    Mail,
    /// A vault of this node.
    Own(DeliveryId),
    /// A vault of another node.
    Peer(NodeId, DeliveryId),
    /// A receipt of this enclave: nobody waits.
    Receipt,
}

/// Something that a vault process owes an answer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) slot: Slot,
    pub(super) origin: Origin,
    pub(super) since: UnixMillis,
}

/// What the host was asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// Where a vault is that another sends to.
    Home { from: VaultId, of: VaultId },
    /// A page of the mailbox of the vault in a slot.
    Page(Slot),
    /// To store something in a vault's mailbox.
    Put(VaultId, Origin),
}

/// Carries deliveries between vaults, other enclaves and mailboxes.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(super) own: NodeId,
    pub(super) keeper: Keeper,
    pub(super) homes: Homes,
    pub(super) residents: BTreeMap<Slot, Resident>,
    /// Which process serves a vault that has claimed its home.
    pub(super) open: BTreeMap<VaultId, Slot>,
    /// Nodes that there is a session with.
    pub(super) reachable: BTreeSet<NodeId>,
    /// Nodes that are dialed for vaults.
    pub(super) dials: Dials,
    pub(super) flights: BTreeMap<DeliveryId, Flight>,
    /// What flies to each node.
    pub(super) under_way: BTreeMap<NodeId, UnderWay>,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    pub(super) issued: u64,
    /// Deliveries of each node that are not answered yet.
    pub(super) unanswered: BTreeMap<NodeId, usize>,
    /// What is on its way into each vault's mailbox.
    pub(super) puts: BTreeMap<VaultId, usize>,
    pub(super) questions: Asked<Question>,
    acts: VecDeque<Act>,
}

impl Courier {
    /// Nothing is under way.
    pub(crate) fn new(own: NodeId, key: MailboxKey) -> Self {
        Self {
            own,
            keeper: Keeper::new(key),
            homes: Homes::default(),
            residents: BTreeMap::new(),
            open: BTreeMap::new(),
            reachable: BTreeSet::new(),
            dials: Dials::default(),
            flights: BTreeMap::new(),
            under_way: BTreeMap::new(),
            tickets: BTreeMap::new(),
            issued: 0,
            unanswered: BTreeMap::new(),
            puts: BTreeMap::new(),
            questions: Asked::default(),
            acts: VecDeque::new(),
        }
    }

    /// What is to be done, in order.
    pub(crate) fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// The host says something about deliveries, mailboxes or homes.
    ///
    /// # Errors
    /// When it answers what was never asked.
    pub(crate) fn hear(&mut self, frame: ToEnclave, cx: &mut Cx<'_>) -> Result<(), OutOfTurn> {
        match frame {
            ToEnclave::Due {
                lane,
                delivery,
                bytes,
            } => self.due(lane, delivery, &bytes, cx),
            ToEnclave::MailStored { request, outcome } => self.stored(request, outcome, cx)?,
            ToEnclave::MailPage { request, items } => self.page(request, &items, cx)?,
            ToEnclave::Homes { request, records } => self.homes(request, &records, cx.now)?,
            ToEnclave::Open { .. }
            | ToEnclave::Frame { .. }
            | ToEnclave::Closed { .. }
            | ToEnclave::Reachable { .. }
            | ToEnclave::Network(_)
            | ToEnclave::Unkept { .. } => return Err(OutOfTurn),
        }
        Ok(())
    }

    /// A node's enclave says something.
    pub(crate) fn hear_peer(&mut self, node: NodeId, message: PeerMessage, cx: &mut Cx<'_>) {
        match message {
            PeerMessage::Deliver(delivery) => self.deliver(node, delivery, cx),
            PeerMessage::Answer { id, outcome } => self.answered(node, id, outcome, cx),
        }
    }

    /// Gives up what took too long.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        self.land_late(cx.now);
        self.answer_late(cx);
        self.homes.tick(cx.now);
        self.claim_late(cx);
        self.resume();
    }

    /// Entries of all that should come to an end.
    #[cfg(feature = "simulation")]
    pub(crate) fn under_way(&self) -> usize {
        let answers = self.residents.values().map(|it| it.answers.len());
        [
            self.flights.len(),
            self.tickets.len(),
            self.puts.len(),
            self.questions.count(|_| true),
            self.unanswered.values().sum(),
        ]
        .into_iter()
        .chain(answers)
        .sum()
    }

    /// Tells where something came from what became of it.
    pub(super) fn answer(&mut self, origin: Origin, outcome: Delivered, cx: &mut Cx<'_>) {
        match origin {
            Origin::Mail | Origin::Receipt => {}
            Origin::Own(delivery) => self.conclude(delivery, outcome, cx),
            Origin::Peer(node, id) => {
                count_down(&mut self.unanswered, &node);
                self.act(Act::Peer(node, PeerMessage::Answer { id, outcome }));
            }
        }
    }

    /// Answers a delivery of a node that is not even looked at.
    pub(super) fn turn_away(&mut self, node: NodeId, id: DeliveryId, why: NotTaken) {
        let outcome = Delivered::Refused(why);
        self.act(Act::Peer(node, PeerMessage::Answer { id, outcome }));
    }

    pub(super) fn host(&mut self, frame: FromEnclave) {
        self.act(Act::Host(frame));
    }

    pub(super) fn act(&mut self, act: Act) {
        self.acts.push_back(act);
    }
}

/// One less of what is counted by key.
pub(super) fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
