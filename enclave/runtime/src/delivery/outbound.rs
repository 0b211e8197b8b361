//! What vaults send: kept by the host until it is due, then carried to a node of the recipient.

use std::collections::BTreeMap;

use vettid_wire::cbor::minicbor::bytes::ByteVec;
use vettid_wire::home::{self, HomeNode};
use vettid_wire::id::{DeliveryId, LaneId, NodeId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, SpoolOutcome};
use vettid_wire::peer::{Delivered, Delivery, NotTaken, PeerMessage};
use vettid_wire::time::{MINUTE, UnixMillis};

use super::courier::{Act, Courier, Cx, Origin, OutOfTurn, Question, ToVault, count_down};
use super::sealed::{Item, Letter, Whereabouts};
use crate::log_line::LogEvent;
use crate::slot::Slot;

/// Deliveries to one node that are under way at once; more are offered again later.
const IN_FLIGHT: usize = 1_024;

/// Bytes of them: well below what a link holds before it counts as stalled.
const BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;

/// Deliveries of one vault to one node for which there is room beyond that, so that another that
/// sends much does not keep it waiting.
const OF_ONE: usize = 4;

/// The room beyond that for all such vaults, deliveries and bytes.
const RESERVE: usize = 256;
const BYTES_IN_RESERVE: usize = 2 * 1024 * 1024;

/// A delivery that was not answered by then is offered again later, ms.
const FLIGHT_TIME: u64 = MINUTE;

/// Look-ups under way at once.
const LOOK_UPS: usize = 256;

/// Of these, for what one vault sends.
const LOOK_UPS_OF_ONE: usize = 16;

/// Something that a vault sends to another.
#[derive(Clone, Debug)]
pub(crate) struct Sent<'a> {
    /// The same at every try.
    pub(crate) delivery: DeliveryId,
    /// For which vault.
    pub(crate) to: VaultId,
    /// Where that vault was.
    pub(crate) home: Whereabouts,
    /// Useless after this.
    pub(crate) expires: UnixMillis,
    /// Sealed between the two vaults.
    pub(crate) body: &'a [u8],
}

/// A delivery under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    from: VaultId,
    to: VaultId,
    /// The node that it was sent to; this one for a vault of this node.
    node: NodeId,
    size: usize,
    since: UnixMillis,
}

/// What is under way to one node.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    pub(super) deliveries: usize,
    bytes: usize,
    /// How many each vault has.
    of: BTreeMap<VaultId, usize>,
}

impl UnderWay {
    /// Whether one more of a vault may follow; a large one alone always may.
    fn has_room(&self, from: &VaultId, size: usize) -> bool {
        let bytes = self.bytes.saturating_add(size);
        let own = self.of.get(from).copied().unwrap_or_default();
        self.deliveries == 0
            || (self.deliveries < IN_FLIGHT && bytes <= BYTES_IN_FLIGHT)
            || (own < OF_ONE
                && self.deliveries < IN_FLIGHT.saturating_add(RESERVE)
                && bytes <= BYTES_IN_FLIGHT.saturating_add(BYTES_IN_RESERVE))
    }

    fn begin(&mut self, from: VaultId, size: usize) {
        self.deliveries = self.deliveries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        let own = self.of.entry(from).or_default();
        *own = own.saturating_add(1);
    }

    fn end(&mut self, from: &VaultId, size: usize) {
        self.deliveries = self.deliveries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        count_down(&mut self.of, from);
    }
}

impl Courier {
    /// A vault sends something: the host keeps it, once the record that it depends on is durable.
    ///
    /// # Errors
    /// When no honest vault process would send it.
    pub(crate) fn outbound(
        &mut self,
        slot: Slot,
        after: u64,
        sent: Sent<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        let resident = self.residents.get(&slot).ok_or(OutOfTurn)?;
        let (space, from) = (resident.space, resident.vault);
        let Sent {
            delivery,
            to,
            home,
            expires,
            body,
        } = sent;
        if !is_bounded(&home) {
            return Err(OutOfTurn);
        }
        if body.len() > limits::DELIVERY {
            // Its process would send it again whenever it is started: it must not end for it.
            let settled = ToVault::Settled {
                ticket: 0,
                delivery,
                outcome: Delivered::Refused(NotTaken::Never),
            };
            self.act(Act::Vault(slot, settled));
            return Ok(());
        }
        let Some(from) = from else {
            // Nobody could be told what became of it.
            self.act(Act::Log(LogEvent::OutboundUnclaimed));
            return Ok(());
        };
        let expires = expires.min(cx.now.plus(limits::DELIVERY_TIME));
        let letter = Letter {
            from,
            to,
            home,
            expires,
            body: body.to_vec(),
        };
        let bytes = self.keeper.seal_letter(delivery, &letter, cx.entropy);
        self.host(FromEnclave::Spool {
            space,
            after,
            lane: self.keeper.lane(&from, &to),
            delivery,
            expires,
            bytes,
        });
        Ok(())
    }

    /// The host offers something that it keeps.
    pub(super) fn due(
        &mut self,
        lane: LaneId,
        delivery: DeliveryId,
        bytes: &[u8],
        cx: &mut Cx<'_>,
    ) {
        if self.flights.contains_key(&delivery) {
            return;
        }
        let Some(letter) = self.keeper.open_letter(lane, delivery, bytes) else {
            // Of no use to anybody. Its vault hands it on again when it is unlocked.
            self.act(Act::Log(LogEvent::KeptAltered));
            self.settle(delivery, SpoolOutcome::Done);
            return;
        };
        if letter.expires <= cx.now {
            let outcome = Delivered::Refused(NotTaken::Never);
            self.finish(letter.from, delivery, outcome, cx);
            return;
        }
        let homes = &mut self.homes;
        let Some(nodes) = homes.nodes(letter.from, &letter.to, &letter.home, cx.now) else {
            self.settle(delivery, SpoolOutcome::Crowded);
            return;
        };
        let reached = nodes
            .iter()
            .map(|node| node.node)
            .find(|node| *node == self.own || self.reachable.contains(node));
        match reached {
            Some(node) => self.carry(node, delivery, letter, cx),
            None => {
                self.look_up(letter.from, letter.to, cx.now);
                let (from, dials) = (letter.from, &mut self.dials);
                let may = |node: &HomeNode| dials.begin(from, node.node, cx.now);
                let known = nodes.len();
                let nodes: Vec<_> = nodes.into_iter().filter(may).collect();
                let outcome = match nodes.first().map(|node| node.node) {
                    None if known > 0 => SpoolOutcome::Crowded,
                    node => SpoolOutcome::Later { node },
                };
                for node in nodes {
                    self.host(FromEnclave::Dial(node));
                }
                self.settle(delivery, outcome);
            }
        }
    }

    /// Carries a letter to a node that can be reached.
    fn carry(&mut self, node: NodeId, id: DeliveryId, letter: Letter, cx: &mut Cx<'_>) {
        let size = letter.body.len();
        let under_way = self.under_way.entry(node).or_default();
        if !under_way.has_room(&letter.from, size) {
            self.settle(id, SpoolOutcome::Crowded);
            return;
        }
        under_way.begin(letter.from, size);
        let Letter {
            from,
            to,
            expires,
            body,
            ..
        } = letter;
        let since = cx.now;
        self.flights.insert(
            id,
            Flight {
                from,
                to,
                node,
                size,
                since,
            },
        );
        let delivery = Delivery {
            id,
            to,
            expires,
            body,
        };
        if node == self.own {
            self.route(Origin::Own(id), delivery, cx);
        } else {
            self.act(Act::Peer(node, PeerMessage::Deliver(delivery)));
        }
    }

    /// A node says what became of a delivery. It can say so of those that were sent to it alone.
    pub(super) fn answered(
        &mut self,
        node: NodeId,
        id: DeliveryId,
        outcome: Delivered,
        cx: &mut Cx<'_>,
    ) {
        if self
            .flights
            .get(&id)
            .is_some_and(|flight| flight.node == node)
        {
            self.conclude(id, outcome, cx);
        }
    }

    /// There is a session with a node.
    pub(crate) fn admitted(&mut self, node: NodeId) {
        self.dials.reached(&node);
        self.reachable.insert(node);
    }

    /// There is none any more: what was sent to it is offered again when there is.
    pub(crate) fn lost(&mut self, node: NodeId) {
        self.reachable.remove(&node);
        self.land(
            |flight| flight.node == node,
            SpoolOutcome::Later { node: Some(node) },
        );
    }

    /// What was not answered in time is offered again.
    pub(super) fn land_late(&mut self, now: UnixMillis) {
        self.land(
            |flight| now.since(flight.since) >= FLIGHT_TIME,
            SpoolOutcome::Later { node: None },
        );
    }

    /// Ends a flight: the host forgets it or tries again.
    pub(super) fn conclude(&mut self, delivery: DeliveryId, outcome: Delivered, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.remove(&delivery) else {
            return;
        };
        self.landed(&flight);
        if outcome == Delivered::Refused(NotTaken::NotHere) {
            self.homes.note_away(&flight.to, flight.node, cx.now);
            self.look_up(flight.from, flight.to, cx.now);
        }
        match outcome {
            Delivered::Refused(why) if why.is_temporary() => {
                self.settle(delivery, SpoolOutcome::Later { node: None });
            }
            _ => self.finish(flight.from, delivery, outcome, cx),
        }
    }

    /// Tells the sending vault what is final, in its mailbox if it is closed.
    fn finish(&mut self, from: VaultId, delivery: DeliveryId, outcome: Delivered, cx: &mut Cx<'_>) {
        match self.open.get(&from) {
            Some(&slot) => {
                let ticket = 0;
                let settled = ToVault::Settled {
                    ticket,
                    delivery,
                    outcome,
                };
                self.act(Act::Vault(slot, settled));
            }
            None => {
                let id = self.keeper.receipt(&from, delivery);
                let expires = cx.now.plus(limits::DELIVERY_TIME);
                let item = Item::Receipt { delivery, outcome };
                self.put(from, Origin::Receipt, (id, expires), &item, cx);
            }
        }
        self.settle(delivery, SpoolOutcome::Done);
    }

    /// Takes what the host found in the network.
    pub(super) fn homes(
        &mut self,
        request: u64,
        records: &[ByteVec],
        now: UnixMillis,
    ) -> Result<(), OutOfTurn> {
        if records.len() > limits::HOME_ANSWERS {
            return Err(OutOfTurn);
        }
        match self.questions.answered(request)? {
            Some(Question::Home { from, of }) => {
                self.homes.found(from, &of, records, now);
                Ok(())
            }
            Some(_) => Err(OutOfTurn),
            None => Ok(()),
        }
    }

    /// Has the host look for a newer home of the vault that another sends to, if that was not done
    /// lately.
    fn look_up(&mut self, from: VaultId, of: VaultId, now: UnixMillis) {
        let is_home = |about: &Question| matches!(about, Question::Home { .. });
        let is_own = |about: &Question| matches!(about, Question::Home { from: asker, .. } if *asker == from);
        if self.questions.count(is_home) < LOOK_UPS
            && self.questions.count(is_own) < LOOK_UPS_OF_ONE
            && self.homes.look_up(&of, now)
        {
            let request = self.questions.ask(Question::Home { from, of });
            let location = home::location(&of);
            self.host(FromEnclave::FindHome { request, location });
        }
    }

    fn land(&mut self, is_over: impl Fn(&Flight) -> bool, outcome: SpoolOutcome) {
        let over: Vec<(DeliveryId, Flight)> = self
            .flights
            .iter()
            .filter(|(_, flight)| is_over(flight))
            .map(|(delivery, flight)| (*delivery, *flight))
            .collect();
        for (delivery, flight) in over {
            self.flights.remove(&delivery);
            self.landed(&flight);
            self.settle(delivery, outcome);
        }
    }

    /// Counts a flight no more.
    fn landed(&mut self, flight: &Flight) {
        if let Some(under_way) = self.under_way.get_mut(&flight.node) {
            under_way.end(&flight.from, flight.size);
            if under_way.deliveries == 0 {
                self.under_way.remove(&flight.node);
            }
        }
    }

    fn settle(&mut self, delivery: DeliveryId, outcome: SpoolOutcome) {
        self.host(FromEnclave::Settled { delivery, outcome });
    }
}

fn is_bounded(home: &Whereabouts) -> bool {
    match home {
        Whereabouts::Node(node) => node.is_bounded(),
        Whereabouts::Record(record) => record.len() <= limits::HOME_RECORD,
    }
}
