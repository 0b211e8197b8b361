//! What a vault process does about other vaults: what comes from them, what goes to them, and where
//! this vault is.

use vettid_vault::{Inbound, Outbound};
use vettid_wire::peer::Delivered;

use super::lane_end::{Arrival, LaneEnd};
use super::{Answer, Broker, Process, Received, Resident};
use crate::lane::{Place, Up};
use crate::vault_exit::VaultExit;

impl<V: Resident> Process<V> {
    /// Takes what has come from elsewhere than a device of the owner.
    pub(super) fn take_delivery(
        &mut self,
        lane: &mut LaneEnd,
        arrival: Arrival,
    ) -> Result<(), VaultExit> {
        let now = self.now();
        self.outbox.now = now;
        match arrival {
            Arrival::Envelope(_) | Arrival::Epoch(_) | Arrival::Evidence(..) => Ok(()),
            Arrival::Place(place) => {
                let place = place_of(place);
                let mut broker = Broker::serving(lane, &mut self.outbox);
                let answer = self.vault.place(&place, now, &mut broker)?;
                self.act(lane, None, answer)
            }
            Arrival::HandOn => {
                let mut broker = Broker::serving(lane, &mut self.outbox);
                let answer = self.vault.hand_on(now, &mut broker)?;
                self.act(lane, None, answer)
            }
            Arrival::Inbound(ticket, delivery, body) => {
                let inbound = Inbound {
                    delivery,
                    body: &body,
                };
                let mut broker = Broker::serving(lane, &mut self.outbox);
                let received = self.vault.receive(&inbound, now, &mut broker)?;
                let Received { outcome, answer } = received;
                answer_ticket(lane, ticket, answer.after, outcome)?;
                self.act(lane, None, answer)
            }
            Arrival::Settled(ticket, delivery, outcome) => {
                let mut broker = Broker::serving(lane, &mut self.outbox);
                let answer = self.vault.settled(delivery, outcome, now, &mut broker)?;
                if ticket != 0 {
                    answer_ticket(lane, ticket, answer.after, Delivered::Applied)?;
                }
                self.act(lane, None, answer)
            }
            Arrival::TurnedAway(ticket) => lane.send(&Up::TurnedAway(ticket)),
        }
    }

    /// Sends the vault's new home, and what goes to other vaults. The home is first: nobody can send
    /// before it has one.
    pub(super) fn send_out(&self, lane: &mut LaneEnd, answer: &Answer) -> Result<(), VaultExit> {
        let after = answer.after;
        if let Some(record) = &answer.home
            && let Some(proof) = self.vault.claim(&self.challenge)
        {
            lane.send(&Up::Home {
                after,
                record,
                proof,
            })?;
        }
        for outbound in &answer.outbound {
            let Outbound {
                delivery,
                to,
                home,
                expires,
                body,
            } = outbound;
            lane.send(&Up::Outbound {
                after,
                delivery: *delivery,
                to: *to,
                home: home.clone().into(),
                expires: *expires,
                body,
            })?;
        }
        Ok(())
    }
}

fn answer_ticket(
    lane: &mut LaneEnd,
    ticket: u64,
    after: u64,
    outcome: Delivered,
) -> Result<(), VaultExit> {
    lane.send(&Up::Received {
        ticket,
        after,
        outcome,
    })
}

fn place_of(place: Place) -> vettid_vault::Place {
    vettid_vault::Place {
        network: place.network,
        node: place.node,
        peers: place.peers.into_iter().map(Into::into).collect(),
        addresses: place.addresses,
    }
}
