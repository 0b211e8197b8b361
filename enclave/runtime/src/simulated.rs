//! What an enclave does about other nodes, without processes, sockets or a clock of its own, for the
//! in-memory federation of the tests: the machine of [`crate::federation`], with evidence of its own.
//! Frames of the host, what vaults say, the time and a seed go in; frames and what is for vaults come
//! out.
//!
//! Not here: the supervisor's sockets and queues, and the lanes to its vault processes.

use std::time::Duration;

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester as _, Bundle, Measurement, Policy};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{SealingRoot, SecretBytes, SeededEntropy};
use vettid_session::Claim;
use vettid_vault::Outbound;
use vettid_wire::id::{DeliveryId, NodeId, SpaceId};
use vettid_wire::link::federation::{FromEnclave, ToEnclave};
use vettid_wire::network::{Network, TrustRoot};
use vettid_wire::peer::Delivered;
use vettid_wire::time::UnixMillis;

use crate::delivery::{Courier, Cx, HomeClaim, Progress, Sent, ToVault};
use crate::evidence::Evidence;
use crate::federation::{self, Federation, OutOfTurn};
use crate::handover::NodeSecrets;
use crate::log_line::LogEvent;
use crate::peering::{Peering, Turn};
use crate::platform::{Attester, PlatformError};
use crate::slot::Slot;

/// What one boot of an enclave is made of. The same gives the same enclave.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Network file that it follows.
    pub network: Network,
    /// Seed of the root that its documents chain to, and when that was made.
    pub root: (u64, UnixMillis),
    /// What it measures.
    pub program: [u8; 48],
    /// Its identity, the same in every boot.
    pub node: NodeId,
    /// PeerId of its host.
    pub host: Vec<u8>,
    /// Its secret, the same in every boot.
    pub sealing_root: [u8; 32],
    /// Of its randomness.
    pub seed: u64,
    /// When.
    pub now: UnixMillis,
}

/// Something that an enclave wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deed {
    /// A frame for the host.
    Host(FromEnclave),
    /// Something for the operator.
    Log(LogEvent),
    /// From another vault, for the one in a slot. An answer is owed under the ticket.
    Receive {
        /// The slot.
        slot: u16,
        /// The ticket.
        ticket: u64,
        /// Which delivery.
        delivery: DeliveryId,
        /// Its body.
        body: Vec<u8>,
    },
    /// What became of something that the vault in a slot has sent. An answer is owed under a ticket
    /// other than zero.
    Settled {
        /// The slot.
        slot: u16,
        /// The ticket.
        ticket: u64,
        /// Which delivery.
        delivery: DeliveryId,
        /// What became of it.
        outcome: Delivered,
    },
}

/// Host or vault said what no honest one says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Misbehaved;

/// One enclave, from one boot to its end.
#[derive(Debug)]
pub struct SimulatedEnclave {
    federation: Federation,
    evidence: Evidence,
    machine: Machine,
    entropy: SeededEntropy,
    started: UnixMillis,
}

impl SimulatedEnclave {
    /// Boots one. None when the network's policy or the measurement is none.
    #[must_use]
    pub fn boot(boot: &Boot) -> Option<Self> {
        let mut entropy = SeededEntropy::dangerous_new(boot.seed);
        let measurement = measurement(boot.program).ok()?;
        let (seed, made) = boot.root;
        let root = DevelopmentRoot::generate(made, &mut SeededEntropy::dangerous_new(seed));
        let binding = SigningKey::generate(&mut entropy);
        let hosts = std::slice::from_ref(&boot.host);
        let key = binding.verifying_key();
        let bundle = Bundle::new(key, boot.node, hosts, None, 1, [0; 32]).ok()?;
        let (network, epoch) = (boot.network.id(), boot.network.epoch);
        let policy = Policy::of_network(&boot.network).ok()?;
        let sealing_root = SealingRoot::from_bytes(boot.sealing_root);
        let peering = Peering::new(network, boot.node, policy, &mut entropy);
        let courier = Courier::new(boot.node, NodeSecrets::first(&sealing_root).mailbox);
        Some(Self {
            federation: Federation::new(peering, courier),
            evidence: Evidence::new(binding, &bundle, network, epoch),
            machine: Machine {
                attester: EmulatedAttester::new(root, &measurement, &mut entropy),
                measurement,
                now: boot.now,
            },
            entropy,
            started: boot.now,
        })
    }

    /// What is to be done next, in order.
    pub fn next_deed(&mut self) -> Option<Deed> {
        let deed = self.federation.next_deed()?;
        Some(match deed {
            federation::Deed::Host(frame) => Deed::Host(frame),
            federation::Deed::Log(event) => Deed::Log(event),
            federation::Deed::Vault(slot, something) => for_vault(slot, something),
        })
    }

    /// The host says something.
    ///
    /// # Errors
    /// When no honest host would.
    pub fn hear(&mut self, frame: ToEnclave, now: UnixMillis) -> Result<(), Misbehaved> {
        self.machine.now = now;
        let clock = Duration::from_millis(now.since(self.started));
        let (evidence, machine) = (&mut self.evidence, &mut self.machine);
        let mut prove = |claim: &Claim| evidence.prove(machine, claim, clock).ok();
        let mut turn = Turn {
            now,
            entropy: &mut self.entropy,
            prove: &mut prove,
        };
        // Neither a place nor a newer network file is told here.
        self.federation
            .hear(frame, &mut turn)
            .map_err(|OutOfTurn| Misbehaved)
    }

    /// A quarter of a second has gone.
    pub fn tick(&mut self, now: UnixMillis) {
        let entropy = &mut self.entropy;
        self.federation.tick(&mut Cx { now, entropy });
    }

    /// A vault was started in a slot; what it must sign to claim its home.
    pub fn started(&mut self, slot: u16, space: SpaceId, challenge: [u8; 32]) {
        self.federation.started(Slot::new(slot), space, challenge);
    }

    /// The vault in a slot has ended.
    pub fn ended(&mut self, slot: u16, now: UnixMillis) {
        self.with(now, |courier, cx| courier.ended(Slot::new(slot), cx));
    }

    /// The vault in a slot has a new home, behind record `after`.
    ///
    /// # Errors
    /// When there is none.
    pub fn claim(
        &mut self,
        slot: u16,
        (after, record, proof): (u64, &[u8], [u8; 64]),
        first_waiting: Option<u64>,
        now: UnixMillis,
    ) -> Result<(), Misbehaved> {
        let claim = HomeClaim {
            after,
            record,
            proof,
        };
        let progress = Progress { first_waiting };
        self.with(now, |courier, cx| {
            courier.claim(Slot::new(slot), &claim, progress, cx)
        })
        .map_err(|OutOfTurn| Misbehaved)
    }

    /// The vault in a slot sends something, behind record `after`.
    ///
    /// # Errors
    /// When no honest vault would.
    pub fn outbound(
        &mut self,
        slot: u16,
        after: u64,
        outbound: Outbound,
        now: UnixMillis,
    ) -> Result<(), Misbehaved> {
        let sent = Sent {
            delivery: outbound.delivery,
            to: outbound.to,
            home: outbound.home.into(),
            expires: outbound.expires,
            body: &outbound.body,
        };
        self.with(now, |courier, cx| {
            courier.outbound(Slot::new(slot), after, sent, cx)
        })
        .map_err(|OutOfTurn| Misbehaved)
    }

    /// The vault in a slot answers for a ticket, behind record `after`.
    ///
    /// # Errors
    /// When the ticket was never given out.
    pub fn received(
        &mut self,
        slot: u16,
        ticket: u64,
        answer: (u64, Delivered),
        first_waiting: Option<u64>,
        now: UnixMillis,
    ) -> Result<(), Misbehaved> {
        let progress = Progress { first_waiting };
        self.with(now, |courier, cx| {
            courier.received(Slot::new(slot), ticket, answer, progress, cx)
        })
        .map_err(|OutOfTurn| Misbehaved)
    }

    /// Records of the vault in a slot became durable.
    pub fn durable(&mut self, slot: u16, first_waiting: Option<u64>, now: UnixMillis) {
        let progress = Progress { first_waiting };
        self.with(now, |courier, cx| {
            courier.durable(Slot::new(slot), progress, cx);
        });
    }

    /// Entries of all that this enclave remembers and that should come to an end: what is under way,
    /// what waits for an answer, half-open sessions.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.federation.under_way()
    }

    fn with<T>(&mut self, now: UnixMillis, step: impl FnOnce(&mut Courier, &mut Cx<'_>) -> T) -> T {
        let entropy = &mut self.entropy;
        self.federation.with_courier(&mut Cx { now, entropy }, step)
    }
}

fn for_vault(slot: Slot, something: ToVault) -> Deed {
    let slot = slot.number();
    match something {
        ToVault::Inbound {
            ticket,
            delivery,
            body,
        } => Deed::Receive {
            slot,
            ticket,
            delivery,
            body,
        },
        ToVault::Settled {
            ticket,
            delivery,
            outcome,
        } => Deed::Settled {
            slot,
            ticket,
            delivery,
            outcome,
        },
    }
}

/// An attester whose clock is set from outside.
#[derive(Debug)]
struct Machine {
    attester: EmulatedAttester,
    measurement: Measurement,
    now: UnixMillis,
}

impl Attester for Machine {
    fn release(&self) -> u32 {
        1
    }

    fn measurement(&self) -> Measurement {
        self.measurement
    }

    fn trust_root(&self) -> TrustRoot {
        TrustRoot::Nitro
    }

    fn commit(&mut self, _: &[u8; 48]) -> Result<(), PlatformError> {
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let claims = AttestedClaims {
            user_data: Some(user_data),
            nonce: nonce.map(<[u8; 32]>::as_slice),
            public_key: None,
        };
        self.attester
            .attest(&claims, self.now)
            .map_err(|_| PlatformError::NoDocument)
    }
}
