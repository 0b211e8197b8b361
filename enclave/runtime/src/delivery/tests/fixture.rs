//! A courier of one node, and what the test needs to play everybody around it.

use vettid_crypto::sign::SigningKey;
use vettid_crypto::{MailboxKey, SecretBytes, SeededEntropy};
use vettid_wire::cbor;
use vettid_wire::home::{self, Home, HomeNode};
use vettid_wire::id::{DeliveryId, LaneId, NodeId, SpaceId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome, SpoolOutcome, ToEnclave};
use vettid_wire::peer::{Delivered, Delivery, PeerMessage};
use vettid_wire::time::UnixMillis;

use crate::delivery::{
    Act, Courier, Cx, HomeClaim, OutOfTurn, Progress, Sent, ToVault, Whereabouts,
};
use crate::slot::Slot;

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
pub(super) const OWN: NodeId = NodeId([1; 32]);
pub(super) const PEER: NodeId = NodeId([2; 32]);
pub(super) const ALL_DURABLE: Progress = Progress {
    first_waiting: None,
};

pub(super) fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32])
}

/// The vault whose first identity key is from this byte.
pub(super) fn vault(byte: u8) -> VaultId {
    VaultId::of(&key(byte).verifying_key())
}

pub(super) fn id(number: u8) -> DeliveryId {
    DeliveryId([number; 16])
}

pub(super) fn at(node: NodeId) -> HomeNode {
    HomeNode {
        node,
        peers: vec![vec![node.0[0]; 38].into()],
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
    }
}

pub(super) fn home(byte: u8, nodes: &[NodeId], sequence: u64) -> Home {
    Home {
        vault: vault(byte),
        identity: cbor::encode(&IdentityChain::of(&key(byte).verifying_key())),
        nodes: nodes.iter().map(|node| at(*node)).collect(),
        sequence,
        expires: NOW.plus(limits::HOME_TIME),
    }
}

pub(super) fn record(byte: u8, nodes: &[NodeId], sequence: u64) -> Vec<u8> {
    home(byte, nodes, sequence).sign(&key(byte))
}

pub(super) struct World {
    pub(super) courier: Courier,
    pub(super) now: UnixMillis,
    pub(super) entropy: SeededEntropy,
}

/// What the host was asked to keep.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) lane: LaneId,
    pub(super) delivery: DeliveryId,
    pub(super) after: u64,
    pub(super) bytes: Vec<u8>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(OWN)
    }

    pub(super) fn of(node: NodeId) -> Self {
        Self {
            courier: Courier::new(node, MailboxKey::from_bytes(node.0)),
            now: NOW,
            entropy: SeededEntropy::dangerous_new(1),
        }
    }

    pub(super) fn with<T>(&mut self, f: impl FnOnce(&mut Courier, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx {
            now: self.now,
            entropy: &mut self.entropy,
        };
        f(&mut self.courier, &mut cx)
    }

    pub(super) fn acts(&mut self) -> Vec<Act> {
        std::iter::from_fn(|| self.courier.next_act()).collect()
    }

    /// The one thing that is to be done.
    pub(super) fn act(&mut self) -> Act {
        let mut acts = self.acts();
        assert_eq!(acts.len(), 1, "{acts:?}");
        acts.remove(0)
    }

    pub(super) fn start(&mut self, slot: u16, byte: u8) {
        let (slot, space) = (Slot::new(slot), space(byte));
        self.courier.started(slot, space, challenge(byte));
    }

    /// Claims this record as the process in `slot`, which was started for `byte`.
    pub(super) fn claim(&mut self, slot: u16, byte: u8, record: &[u8]) -> Vec<Act> {
        let proof = home::claim(&space(byte), &challenge(byte), &key(byte)).0;
        let claim = HomeClaim {
            after: 0,
            record,
            proof,
        };
        self.with(|courier, cx| courier.claim(Slot::new(slot), &claim, ALL_DURABLE, cx))
            .expect("started");
        self.acts()
    }

    /// A process whose vault was unlocked and whose mailbox is empty.
    pub(super) fn open(&mut self, slot: u16, byte: u8) {
        let own = self.courier.own;
        self.start(slot, byte);
        let acts = self.claim(slot, byte, &record(byte, &[own], 1));
        let request = page_request(&acts).expect("asks for the mailbox");
        self.page(request, &[]).expect("asked");
        assert_eq!(self.acts(), []);
    }

    pub(super) fn page(&mut self, request: u64, items: &[Mail]) -> Result<(), OutOfTurn> {
        let items = items.to_vec();
        self.hear(ToEnclave::MailPage { request, items })
    }

    pub(super) fn stored(&mut self, request: u64, outcome: MailOutcome) -> Result<(), OutOfTurn> {
        self.hear(ToEnclave::MailStored { request, outcome })
    }

    pub(super) fn hear(&mut self, frame: ToEnclave) -> Result<(), OutOfTurn> {
        self.with(|courier, cx| courier.hear(frame, cx))
    }

    pub(super) fn hear_peer(&mut self, node: NodeId, message: PeerMessage) {
        self.with(|courier, cx| courier.hear_peer(node, message, cx));
    }

    /// The vault in `slot` sends something; what the host is to keep.
    pub(super) fn send(&mut self, slot: u16, to: u8, number: u8, home: Whereabouts) -> Kept {
        let sent = Sent {
            delivery: id(number),
            to: vault(to),
            home,
            expires: NOW.plus(limits::DELIVERY_TIME),
            body: &[number; 40],
        };
        self.sent(slot, sent)
    }

    /// The vault in `slot` sends this.
    pub(super) fn sent(&mut self, slot: u16, sent: Sent<'_>) -> Kept {
        self.with(|courier, cx| courier.outbound(Slot::new(slot), 7, sent, cx))
            .expect("honest");
        match self.act() {
            Act::Host(FromEnclave::Spool {
                lane,
                delivery,
                after,
                bytes,
                ..
            }) => Kept {
                lane,
                delivery,
                after,
                bytes,
            },
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn due(&mut self, kept: &Kept) -> Vec<Act> {
        self.hear(ToEnclave::Due {
            lane: kept.lane,
            delivery: kept.delivery,
            bytes: kept.bytes.clone(),
        })
        .expect("may be said at any time");
        self.acts()
    }

    /// The process in `slot` answers for a ticket.
    pub(super) fn received(&mut self, slot: u16, ticket: u64, outcome: Delivered) -> Vec<Act> {
        self.received_after(slot, ticket, 0, outcome, ALL_DURABLE)
    }

    pub(super) fn received_after(
        &mut self,
        slot: u16,
        ticket: u64,
        after: u64,
        outcome: Delivered,
        progress: Progress,
    ) -> Vec<Act> {
        self.with(|courier, cx| {
            courier.received(Slot::new(slot), ticket, (after, outcome), progress, cx)
        })
        .expect("given out");
        self.acts()
    }

    pub(super) fn tick(&mut self, later: u64) -> Vec<Act> {
        self.now = self.now.plus(later);
        self.with(Courier::tick);
        self.acts()
    }
}

pub(super) fn space(byte: u8) -> SpaceId {
    SpaceId([byte; 16])
}

fn challenge(byte: u8) -> [u8; 32] {
    [byte ^ 0x55; 32]
}

pub(super) fn delivery(to: u8, number: u8) -> Delivery {
    Delivery {
        id: id(number),
        to: vault(to),
        expires: NOW.plus(limits::DELIVERY_TIME),
        body: vec![number; 40],
    }
}

pub(super) fn deliver(to: u8, number: u8) -> PeerMessage {
    PeerMessage::Deliver(delivery(to, number))
}

pub(super) fn answer(number: u8, outcome: Delivered) -> PeerMessage {
    PeerMessage::Answer {
        id: id(number),
        outcome,
    }
}

pub(super) fn settled(number: u8, outcome: SpoolOutcome) -> Act {
    Act::Host(FromEnclave::Settled {
        delivery: id(number),
        outcome,
    })
}

pub(super) fn page_request(acts: &[Act]) -> Option<u64> {
    acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::MailRead { request, .. }) => Some(*request),
        _ => None,
    })
}

/// What the host is asked to put into a mailbox: number of the question and bytes.
pub(super) fn put_request(acts: &[Act]) -> Option<(u64, Vec<u8>)> {
    acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::MailPut { request, bytes, .. }) => Some((*request, bytes.clone())),
        _ => None,
    })
}

/// Tickets and deliveries that go to the process in `slot`, in order.
pub(super) fn handed(acts: &[Act], slot: u16) -> Vec<(u64, DeliveryId)> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Vault(
                to,
                ToVault::Inbound {
                    ticket, delivery, ..
                }
                | ToVault::Settled {
                    ticket, delivery, ..
                },
            ) if *to == Slot::new(slot) => Some((*ticket, *delivery)),
            _ => None,
        })
        .collect()
}
