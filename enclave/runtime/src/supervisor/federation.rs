//! Between the machine for other nodes and everything it touches: the host, vault processes, the clock,
//! this enclave's evidence.

use vettid_attestation::{Measurement, Policy};
use vettid_session::Claim;
use vettid_wire::id::{NetworkId, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::FromEnclave;
use vettid_wire::link::federation::ToEnclave;
use vettid_wire::network::{Network, SignedNetwork};

use super::vault::Phase;
use super::{Ended, Supervisor};
use crate::delivery::{Courier, Cx, Progress, ToVault};
use crate::federation::{Deed, OutOfTurn};
use crate::host_link::HostFault;
use crate::lane::{Down, Place};
use crate::log_line::LogEvent;
use crate::peering::Turn;
use crate::platform::{KernelEntropy, Platform};
use crate::slot::Slot;

impl<P: Platform> Supervisor<P> {
    /// The host says something about other nodes.
    pub(super) fn hear_federation(&mut self, frame: ToEnclave) -> Result<(), Ended> {
        let heard = match frame {
            ToEnclave::Reachable { addresses } => self.reachable(addresses),
            ToEnclave::Network(file) => {
                self.hear_network(&file);
                Ok(())
            }
            ToEnclave::Unkept { space } => {
                self.unkept(space);
                Ok(())
            }
            other => self.hear_others(other),
        };
        self.do_deeds();
        heard.map_err(|OutOfTurn| HostFault::OutOfTurn.into())
    }

    /// Lets the courier do something, and does what that asks for.
    pub(super) fn with_courier<T>(
        &mut self,
        step: impl FnOnce(&mut Courier, &mut Cx<'_>) -> T,
    ) -> T {
        let mut cx = Cx {
            now: self.platform.now(),
            entropy: &mut KernelEntropy,
        };
        let done = self.federation.with_courier(&mut cx, step);
        self.do_deeds();
        done
    }

    /// Deadlines of sessions and deliveries.
    pub(super) fn tick_federation(&mut self) {
        let mut cx = Cx {
            now: self.platform.now(),
            entropy: &mut KernelEntropy,
        };
        self.federation.tick(&mut cx);
        self.do_deeds();
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
        let place = Down::Place(self.place.clone());
        self.tell(slot, &place);
    }

    /// What other nodes' enclaves say, and what the host keeps and finds; may need this enclave's
    /// evidence.
    fn hear_others(&mut self, frame: ToEnclave) -> Result<(), OutOfTurn> {
        let now = self.platform.now();
        let (evidence, platform, clock) = (&mut self.evidence, &mut self.platform, self.now);
        let mut lacking = None;
        let mut prove = |claim: &Claim| {
            let shown = evidence.prove(platform, claim, clock);
            lacking = shown.as_ref().err().copied().or(lacking);
            shown.ok()
        };
        let mut turn = Turn {
            now,
            entropy: &mut KernelEntropy,
            prove: &mut prove,
        };
        let heard = self.federation.hear(frame, &mut turn);
        if let Some(why) = lacking {
            self.log(LogEvent::NoEvidence(why));
        }
        heard
    }

    /// Does what was asked for, and what comes of that.
    fn do_deeds(&mut self) {
        while let Some(deed) = self.federation.next_deed() {
            match deed {
                Deed::Host(frame) => self.host.send(&FromEnclave::Federation(frame)),
                Deed::Log(event) => self.log(event),
                Deed::Vault(slot, something) => self.hand(slot, &something),
            }
        }
    }

    /// Gives a vault process something from elsewhere, if it keeps up.
    fn hand(&mut self, slot: Slot, something: &ToVault) {
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
            let mut cx = Cx {
                now: self.platform.now(),
                entropy: &mut KernelEntropy,
            };
            let unheard =
                |courier: &mut Courier, cx: &mut Cx<'_>| courier.unheard(slot, ticket, cx);
            // A ticket of the courier's own.
            let _ = self.federation.with_courier(&mut cx, unheard);
        }
    }

    /// The host has not stored all that a vault sends: the vault hands it on again, unless its process
    /// does not even take what came before.
    fn unkept(&mut self, space: SpaceId) {
        let slot = self.spaces.get(&space).copied();
        let open = slot.and_then(|slot| Some((slot, self.vaults.get_mut(&slot)?)));
        if let Some((slot, vault)) = open.filter(|(_, vault)| vault.phase == Phase::Open)
            && vault.offer(&Down::HandOn)
        {
            self.list(slot);
        }
    }

    /// Where this node can be reached now.
    fn reachable(&mut self, addresses: Vec<String>) -> Result<(), OutOfTurn> {
        let fits = addresses.len() <= limits::HOME_ADDRESSES
            && addresses.iter().all(|a| a.len() <= limits::ADDRESS);
        if !fits {
            return Err(OutOfTurn);
        }
        if addresses != self.place.addresses {
            self.place.addresses = addresses;
            self.tell_all(
                |vault| vault == Phase::Open,
                |place| Down::Place(place.clone()),
            );
        }
        Ok(())
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
        let mut cx = Cx {
            now: self.platform.now(),
            entropy: &mut KernelEntropy,
        };
        self.federation.adopt(policy, &mut cx);
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
            let frame = frame(&self.place);
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

/// Where a node is that has just begun to serve: nobody can reach it yet.
pub(super) fn place(network: NetworkId, node: NodeId, peers: Vec<Vec<u8>>) -> Place {
    Place {
        network,
        node,
        peers: peers.into_iter().map(Into::into).collect(),
        addresses: Vec::new(),
    }
}
