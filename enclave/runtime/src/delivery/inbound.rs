//! What comes for vaults: to an open one at once, else into its mailbox; answered when durable.

use vettid_wire::id::{DeliveryId, NodeId};
use vettid_wire::limits;
use vettid_wire::peer::{Delivered, Delivery, NotTaken};
use vettid_wire::time::SECOND;

use super::courier::{Act, Courier, Cx, Origin, OutOfTurn, Ticket, ToVault};
use super::drain::Fate;
use super::residents::Progress;
use super::sealed::Item;
use crate::slot::Slot;

/// Deliveries of one node that are not answered yet; more are turned away.
const UNANSWERED: usize = 4_096;

/// Deliveries on their way into mailboxes above which a node that has many of its own waiting is turned
/// away: the host stores few at once.
const PUTS: usize = 256;

/// Deliveries of one node that may wait even then.
const SHARE: usize = 32;

/// Deliveries that one vault process has not answered yet; more are turned away.
const TICKETS: usize = 1_024;

/// A vault process that has not answered by then is not waited for, ms.
const TICKET_TIME: u64 = 30 * SECOND;

impl Courier {
    /// A node's enclave delivers something.
    pub(super) fn deliver(&mut self, node: NodeId, delivery: Delivery, cx: &mut Cx<'_>) {
        let unanswered = self.unanswered.entry(node).or_default();
        if *unanswered >= UNANSWERED {
            self.turn_away(node, delivery.id, NotTaken::Busy);
            return;
        }
        *unanswered = unanswered.saturating_add(1);
        self.route(Origin::Peer(node, delivery.id), delivery, cx);
    }

    /// Hands something to its vault if that is open and its mailbox was read to the end; else puts it
    /// there.
    pub(super) fn route(&mut self, origin: Origin, delivery: Delivery, cx: &mut Cx<'_>) {
        let Delivery {
            id,
            to,
            expires,
            body,
        } = delivery;
        if expires <= cx.now || body.len() > limits::DELIVERY {
            self.answer(origin, Delivered::Refused(NotTaken::Never), cx);
            return;
        }
        let live = self.open.get(&to).copied().filter(|slot| {
            let resident = self.residents.get(slot);
            resident.is_some_and(|resident| resident.drain.is_live())
        });
        match live {
            Some(slot) if self.is_busy(slot) => {
                self.answer(origin, Delivered::Refused(NotTaken::Busy), cx);
            }
            Some(slot) => {
                self.hand(slot, origin, (id, body), cx);
            }
            None if self.crowds(origin) => {
                self.answer(origin, Delivered::Refused(NotTaken::Busy), cx);
            }
            None => {
                // Sixteen days at most, whatever the sender asks for.
                let expires = expires.min(cx.now.plus(limits::DELIVERY_TIME));
                let delivery = id;
                let item = Item::Delivery {
                    delivery,
                    expires,
                    body,
                };
                self.put(to, origin, (id, expires), &item, cx);
            }
        }
    }

    /// Whether mailboxes are filled faster than the host stores, and this is one who does it.
    fn crowds(&self, origin: Origin) -> bool {
        let waiting = match origin {
            Origin::Mail | Origin::Receipt => 0,
            Origin::Own(_) => self
                .under_way
                .get(&self.own)
                .map_or(0, |own| own.deliveries),
            Origin::Peer(node, _) => self.unanswered.get(&node).copied().unwrap_or(0),
        };
        waiting > SHARE && self.puts.values().sum::<usize>() >= PUTS
    }

    /// A vault process has taken, or not taken, what its ticket was for; its answer counts once record
    /// `after` is durable.
    ///
    /// # Errors
    /// When the ticket is of another process, or was never given out.
    pub(crate) fn received(
        &mut self,
        slot: Slot,
        ticket: u64,
        (after, outcome): (u64, Delivered),
        progress: Progress,
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        match self.take_ticket(slot, ticket)? {
            None => {}
            Some(Origin::Mail) => self.mail_concluded(slot, ticket, after, Fate::of(outcome)),
            Some(origin) => {
                if let Some(resident) = self.residents.get_mut(&slot) {
                    if outcome == Delivered::Applied {
                        resident.drain.stirred();
                    }
                    if !progress.has(after) {
                        resident.answers.push_back((after, origin, outcome));
                        return Ok(());
                    }
                }
                self.answer(origin, outcome, cx);
            }
        }
        Ok(())
    }

    /// A vault process is so far behind that what its ticket is for did not reach the vault.
    ///
    /// # Errors
    /// When the ticket was never given out.
    pub(crate) fn unheard(
        &mut self,
        slot: Slot,
        ticket: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        match self.take_ticket(slot, ticket)? {
            None => {}
            Some(Origin::Mail) => self.mail_concluded(slot, ticket, 0, Fate::Unheard),
            Some(origin) => self.answer(origin, Delivered::Refused(NotTaken::Busy), cx),
        }
        Ok(())
    }

    /// Takes a ticket back; where what it was for came from. None for one that was given up, or is of
    /// somebody else.
    fn take_ticket(&mut self, slot: Slot, ticket: u64) -> Result<Option<Origin>, OutOfTurn> {
        if ticket == 0 || ticket > self.issued {
            return Err(OutOfTurn);
        }
        let is_own = |ticket: &Ticket| ticket.slot == slot;
        if !self.tickets.get(&ticket).is_some_and(is_own) {
            return Ok(None);
        }
        let taken = self.tickets.remove(&ticket);
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.tickets = resident.tickets.saturating_sub(1);
        }
        Ok(taken.map(|ticket| ticket.origin))
    }

    /// Gives a process something from another vault; the ticket.
    pub(super) fn hand(
        &mut self,
        slot: Slot,
        origin: Origin,
        (delivery, body): (DeliveryId, Vec<u8>),
        cx: &Cx<'_>,
    ) -> u64 {
        let ticket = self.ticket(slot, origin, cx);
        self.act(Act::Vault(
            slot,
            ToVault::Inbound {
                ticket,
                delivery,
                body,
            },
        ));
        ticket
    }

    /// A ticket for something that a process owes an answer to.
    pub(super) fn ticket(&mut self, slot: Slot, origin: Origin, cx: &Cx<'_>) -> u64 {
        self.issued = self.issued.saturating_add(1);
        let since = cx.now;
        let ticket = Ticket {
            slot,
            origin,
            since,
        };
        self.tickets.insert(self.issued, ticket);
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.tickets = resident.tickets.saturating_add(1);
        }
        self.issued
    }

    /// Does not wait any longer for processes that hang.
    pub(super) fn answer_late(&mut self, cx: &mut Cx<'_>) {
        let late: Vec<(u64, Slot)> = self
            .tickets
            .iter()
            .filter(|(_, ticket)| cx.now.since(ticket.since) >= TICKET_TIME)
            .map(|(number, ticket)| (*number, ticket.slot))
            .collect();
        for (ticket, slot) in late {
            let _ = self.unheard(slot, ticket, cx);
        }
    }

    fn is_busy(&self, slot: Slot) -> bool {
        let resident = self.residents.get(&slot);
        resident.is_none_or(|resident| resident.tickets >= TICKETS)
    }
}
