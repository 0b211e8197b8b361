//! Mailboxes: what is for a vault that is closed waits with the host, sealed; a vault that was opened
//! gets it in order, page by page, before anything newer.

use std::collections::BTreeSet;

use vettid_wire::id::{DeliveryId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome};
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::UnixMillis;

use super::courier::{Act, Courier, Cx, Origin, OutOfTurn, Question, ToVault, count_down};
use super::residents::Drain;
use super::sealed::Item;
use crate::log_line::LogEvent;
use crate::slot::Slot;

impl Courier {
    /// Has the host store something in a vault's mailbox. Whether there is such a mailbox, the host
    /// knows.
    pub(super) fn put(
        &mut self,
        vault: VaultId,
        origin: Origin,
        (delivery, expires): (DeliveryId, UnixMillis),
        item: &Item,
        cx: &mut Cx<'_>,
    ) {
        let count = self.puts.entry(vault).or_default();
        *count = count.saturating_add(1);
        let request = self.questions.ask(Question::Put(vault, origin));
        let bytes = self.keeper.seal_item(&vault, item, cx.entropy);
        self.host(FromEnclave::MailPut {
            request,
            mailbox: self.keeper.mailbox(&vault),
            delivery,
            expires,
            bytes,
        });
    }

    /// The host has stored something, or not.
    pub(super) fn stored(
        &mut self,
        request: u64,
        outcome: MailOutcome,
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        let (vault, origin) = match self.questions.answered(request)? {
            Some(Question::Put(vault, origin)) => (vault, origin),
            Some(_) => return Err(OutOfTurn),
            None => return Ok(()),
        };
        count_down(&mut self.puts, &vault);
        let outcome = match outcome {
            MailOutcome::Stored => Delivered::Stored,
            MailOutcome::Full => Delivered::Refused(NotTaken::Full),
            MailOutcome::Unknown => Delivered::Refused(NotTaken::NotHere),
            MailOutcome::Failed => Delivered::Refused(NotTaken::Busy),
        };
        self.answer(origin, outcome, cx);
        if let Some(&slot) = self.open.get(&vault) {
            self.read_on(slot);
        }
        Ok(())
    }

    /// Asks for the next page of the mailbox of a vault that was claimed.
    pub(super) fn read_mailbox(&mut self, slot: Slot, behind: u64) {
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        resident.drain = Drain::Reading { behind };
        let space = resident.space;
        let request = self.questions.ask(Question::Page(slot));
        self.host(FromEnclave::MailRead {
            request,
            space,
            behind,
        });
    }

    /// A page of a mailbox has come.
    pub(super) fn page(
        &mut self,
        request: u64,
        items: &[Mail],
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        let slot = match self.questions.answered(request)? {
            Some(Question::Page(slot)) => slot,
            Some(_) => return Err(OutOfTurn),
            None => return Ok(()),
        };
        let Some(resident) = self.residents.get(&slot) else {
            return Ok(());
        };
        let (Drain::Reading { behind }, Some(vault)) = (resident.drain.clone(), resident.vault)
        else {
            return Ok(());
        };
        let counts_up = items.iter().try_fold(behind, |last, mail| {
            (mail.number > last).then_some(mail.number)
        });
        let Some(through) = counts_up.filter(|_| items.len() <= limits::MAIL_PAGE) else {
            return Err(OutOfTurn);
        };
        if items.is_empty() {
            self.drained(slot, vault, behind);
            return Ok(());
        }
        let mut out = BTreeSet::new();
        for mail in items {
            out.extend(self.hand_mail(slot, &vault, &mail.bytes, cx));
        }
        let all_taken = out.is_empty();
        let drain = Drain::Applying {
            behind,
            through,
            after: 0,
            out,
            held: false,
        };
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.drain = drain;
        }
        if all_taken {
            self.page_applied(slot);
        }
        Ok(())
    }

    /// Gives an item to its vault; the ticket. None for one that is of no use any more.
    fn hand_mail(
        &mut self,
        slot: Slot,
        vault: &VaultId,
        sealed: &[u8],
        cx: &Cx<'_>,
    ) -> Option<u64> {
        match self.keeper.open_item(vault, sealed) {
            None => {
                self.act(Act::Log(LogEvent::KeptAltered));
                None
            }
            Some(Item::Delivery { expires, .. }) if expires <= cx.now => None,
            Some(Item::Delivery { delivery, body, .. }) => {
                Some(self.hand(slot, Origin::Mail, (delivery, body), cx))
            }
            Some(Item::Receipt { delivery, outcome }) => {
                let ticket = self.ticket(slot, Origin::Mail, cx);
                let settled = ToVault::Settled {
                    ticket,
                    delivery,
                    outcome,
                };
                self.act(Act::Vault(slot, settled));
                Some(ticket)
            }
        }
    }

    /// The vault has applied an item, or could not take it now.
    pub(super) fn mail_applied(
        &mut self,
        slot: Slot,
        ticket: u64,
        record: u64,
        outcome: Delivered,
    ) {
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        let Drain::Applying {
            after, out, held, ..
        } = &mut resident.drain
        else {
            return;
        };
        out.remove(&ticket);
        *after = record.max(*after);
        *held |= outcome == Delivered::Refused(NotTaken::Busy);
        if out.is_empty() {
            self.page_applied(slot);
        }
    }

    /// A whole page is with its vault: the host forgets it once that is durable.
    fn page_applied(&mut self, slot: Slot) {
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        let Drain::Applying {
            behind,
            through,
            after,
            held,
            ..
        } = resident.drain
        else {
            return;
        };
        if held {
            // The page is read again; what was applied of it is known to the vault.
            resident.drain = Drain::Paused { behind };
            return;
        }
        let space = resident.space;
        self.host(FromEnclave::MailDrop {
            space,
            after,
            through,
        });
        self.read_mailbox(slot, through);
    }

    /// The mailbox had nothing more. What is still on its way into it is waited for.
    fn drained(&mut self, slot: Slot, vault: VaultId, behind: u64) {
        let drain = if self.puts.contains_key(&vault) {
            Drain::Paused { behind }
        } else {
            Drain::Empty
        };
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.drain = drain;
        }
    }

    /// Goes on with a mailbox that was waited for, once nothing is on its way into it.
    fn read_on(&mut self, slot: Slot) {
        let Some(resident) = self.residents.get(&slot) else {
            return;
        };
        let under_way = resident
            .vault
            .is_some_and(|vault| self.puts.contains_key(&vault));
        if let Drain::Paused { behind } = resident.drain
            && !under_way
        {
            self.read_mailbox(slot, behind);
        }
    }

    /// Goes on with all mailboxes that were waited for.
    pub(super) fn resume(&mut self) {
        for slot in self.residents.keys().copied().collect::<Vec<_>>() {
            self.read_on(slot);
        }
    }
}
