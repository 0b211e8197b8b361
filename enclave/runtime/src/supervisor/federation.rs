//! Between the machines for other nodes and everything they touch: the host, vault processes, the
//! clock, this enclave's evidence.

use vettid_attestation::{Measurement, Policy};
use vettid_session::Claim;
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::link::FromEnclave;
use vettid_wire::link::federation::ToEnclave;
use vettid_wire::network::{Network, SignedNetwork};
use vettid_wire::time::UnixMillis;

use super::vault::Phase;
use super::{Ended, Supervisor};
use crate::delivery::{Act, Courier, Cx, Progress, ToVault};
use crate::host_link::HostFault;
use crate::lane::{Down, Place};
use crate::log_line::LogEvent;
use crate::peering::{Event, Peering, Turn};
use crate::platform::{KernelEntropy, Platform};
use crate::slot::Slot;

/// What the supervisor knows of other nodes.
#[derive(Debug)]
pub(super) struct Federation {
    pub(super) peering: Peering,
    pub(super) courier: Courier,
    pub(super) place: Place,
}

impl Federation {
    /// Nobody is known yet, and nobody knows where this node is.
    pub(super) const fn new(peering: Peering, courier: Courier, place: Place) -> Self {
        Self {
            peering,
            courier,
            place,
        }
    }
}

impl<P: Platform> Supervisor<P> {
    /// The host says something about other nodes.
    pub(super) fn hear_federation(&mut self, frame: ToEnclave) -> Result<(), Ended> {
        let now = self.platform.now();
        let heard = match frame {
            ToEnclave::Open {
                link,
                peer,
                node,
                side,
            } => self
                .with_turn(now, |peering, turn| {
                    peering.open(link, peer, node, side, turn)
                })
                .is_ok(),
            ToEnclave::Frame { link, bytes } => self
                .with_turn(now, |peering, turn| peering.hear(link, &bytes, turn))
                .is_ok(),
            ToEnclave::Closed { link } => self.federation.peering.closed(link).is_ok(),
            ToEnclave::Reachable { addresses } => self.reachable(addresses),
            ToEnclave::Network(file) => {
                self.hear_network(&file);
                true
            }
            other => {
                let mut entropy = KernelEntropy;
                let mut cx = Cx {
                    now,
                    entropy: &mut entropy,
                };
                self.federation.courier.hear(other, &mut cx).is_ok()
            }
        };
        self.pump(now);
        if heard {
            Ok(())
        } else {
            Err(HostFault::OutOfTurn.into())
        }
    }

    /// Lets the courier do something, and does what that asks for.
    pub(super) fn with_courier<T>(
        &mut self,
        step: impl FnOnce(&mut Courier, &mut Cx<'_>) -> T,
    ) -> T {
        let now = self.platform.now();
        let mut entropy = KernelEntropy;
        let mut cx = Cx {
            now,
            entropy: &mut entropy,
        };
        let done = step(&mut self.federation.courier, &mut cx);
        self.pump(now);
        done
    }

    /// Deadlines of sessions and deliveries.
    pub(super) fn tick_federation(&mut self) {
        self.federation.peering.tick(self.platform.now());
        self.with_courier(Courier::tick);
    }

    /// How far the records of a vault process are.
    pub(super) fn progress(&self, slot: Slot) -> Progress {
        let vault = self.vaults.get(&slot);
        Progress {
            first_waiting: vault.and_then(super::vault::Vault::first_waiting),
        }
    }

    /// Where this node is, for a vault that was opened.
    pub(super) fn tell_place(&mut self, slot: Slot) {
        let place = Down::Place(self.federation.place.clone());
        self.tell(slot, &place);
    }

    /// Lets the sessions do something that may need this enclave's evidence.
    fn with_turn<T>(
        &mut self,
        now: UnixMillis,
        step: impl FnOnce(&mut Peering, &mut Turn<'_>) -> T,
    ) -> T {
        let (evidence, platform, clock) = (&mut self.evidence, &mut self.platform, self.now);
        let mut lacking = false;
        let mut prove = |claim: &Claim| {
            let shown = evidence.prove(platform, claim, clock);
            lacking |= shown.is_none();
            shown
        };
        let mut turn = Turn {
            now,
            entropy: &mut KernelEntropy,
            prove: &mut prove,
        };
        let done = step(&mut self.federation.peering, &mut turn);
        if lacking {
            self.log(LogEvent::NoEvidence);
        }
        done
    }

    /// Does what both machines ask for, until neither asks for anything.
    fn pump(&mut self, now: UnixMillis) {
        loop {
            if let Some(event) = self.federation.peering.next_event() {
                self.happened(event, now);
            } else if let Some(act) = self.federation.courier.next_act() {
                self.act(act, now);
            } else {
                return;
            }
        }
    }

    fn happened(&mut self, event: Event, now: UnixMillis) {
        let courier = &mut self.federation.courier;
        match event {
            Event::Admitted(node) => courier.admitted(node),
            Event::Lost(node) => courier.lost(node),
            Event::Message(node, message) => {
                let mut entropy = KernelEntropy;
                let mut cx = Cx {
                    now,
                    entropy: &mut entropy,
                };
                courier.hear_peer(node, message, &mut cx);
            }
            Event::Say(frame) => self.host.send(&FromEnclave::Federation(frame)),
        }
    }

    fn act(&mut self, act: Act, now: UnixMillis) {
        match act {
            Act::Host(frame) => self.host.send(&FromEnclave::Federation(frame)),
            Act::Log(event) => self.log(event),
            Act::Peer(node, message) => self.federation.peering.send(node, &message, now),
            Act::Vault(slot, something) => self.hand(slot, &something, now),
        }
    }

    /// Gives a vault process something from elsewhere, if it keeps up.
    fn hand(&mut self, slot: Slot, something: &ToVault, now: UnixMillis) {
        let (ticket, frame) = match something {
            ToVault::Inbound {
                ticket,
                delivery,
                body,
            } => (
                *ticket,
                Down::Inbound {
                    ticket: *ticket,
                    delivery: *delivery,
                    body,
                },
            ),
            ToVault::Settled {
                ticket,
                delivery,
                outcome,
            } => (
                *ticket,
                Down::Settled {
                    ticket: *ticket,
                    delivery: *delivery,
                    outcome: *outcome,
                },
            ),
        };
        let taken = match self.vaults.get_mut(&slot) {
            // Settlements without a ticket are as many as the process itself has sent.
            Some(vault) if ticket == 0 => {
                vault.tell(&frame);
                true
            }
            // One that was told to end may not get to it any more.
            Some(vault) if vault.is_serving() => vault.offer(&frame),
            _ => false,
        };
        if taken {
            self.list(slot);
        } else {
            let mut entropy = KernelEntropy;
            let mut cx = Cx {
                now,
                entropy: &mut entropy,
            };
            // A ticket of the courier's own.
            let _ = self.federation.courier.unheard(slot, ticket, &mut cx);
        }
    }

    /// Where this node can be reached now; false when no honest host would say so.
    fn reachable(&mut self, addresses: Vec<String>) -> bool {
        let fits = addresses.len() <= limits::HOME_ADDRESSES
            && addresses.iter().all(|a| a.len() <= limits::ADDRESS);
        if fits && addresses != self.federation.place.addresses {
            self.federation.place.addresses = addresses;
            self.tell_all(
                |vault| vault == Phase::Open,
                |place| Down::Place(place.clone()),
            );
        }
        fits
    }

    /// A newer network file: from now on nothing else counts. Sessions of older epochs end, those with
    /// other enclaves and those of all vaults with their devices.
    fn hear_network(&mut self, file: &[u8]) {
        let adopted = SignedNetwork::verify_as(file, self.network)
            .ok()
            .filter(|network| network.epoch > self.epoch)
            .and_then(|network| Some((Policy::of_network(&network).ok()?, network)));
        let Some((policy, network)) = adopted else {
            self.log(LogEvent::NetworkRefused);
            return;
        };
        self.epoch = network.epoch;
        self.evidence.adopt(network.epoch);
        self.federation.peering.adopt(policy);
        self.tell_all(|_| true, |_| Down::Epoch(network.epoch));
        self.log(LogEvent::NetworkAdopted(network.epoch));
        if !accepts(&network, &self.platform.measurement()) {
            self.log(LogEvent::NotAReferenceValue);
        }
    }

    fn tell_all(&mut self, whom: impl Fn(Phase) -> bool, frame: impl Fn(&Place) -> Down<'static>) {
        let slots: Vec<Slot> = self
            .vaults
            .iter()
            .filter(|(_, vault)| whom(vault.phase))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in slots {
            let frame = frame(&self.federation.place);
            self.tell(slot, &frame);
        }
    }
}

/// Whether a network's file names what booted here.
pub(super) fn accepts(network: &Network, measurement: &Measurement) -> bool {
    network.reference_values.iter().any(|value| {
        Measurement::new(value.pcr0, value.pcr1, value.pcr2).as_ref() == Ok(measurement)
    })
}

/// The machines of a node that has just begun to serve.
pub(super) fn begin(
    network: &Network,
    node: NodeId,
    policy: Policy,
    root: &vettid_crypto::SealingRoot,
    peers: Vec<Vec<u8>>,
) -> Federation {
    let place = Place {
        network: network.id(),
        node,
        peers: peers.into_iter().map(Into::into).collect(),
        addresses: Vec::new(),
    };
    let peering = Peering::new(network.id(), node, policy, &mut KernelEntropy);
    Federation::new(peering, Courier::new(node, root), place)
}
