//! Mailboxes: what is for a vault that is closed waits with the host, sealed; a vault that was opened
//! gets it in order, page by page, before anything newer. What it cannot take yet holds nothing up.

use vettid_wire::id::{DeliveryId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome};
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::UnixMillis;

use super::courier::{Act, Courier, Cx, Origin, OutOfTurn, Question, ToVault, count_down};
use super::drain::{Fate, Finished, Page};
use super::residents::Resident;
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
        let open = self.open.get(&vault);
        if let Some(resident) = open.and_then(|slot| self.residents.get_mut(slot)) {
            resident.drain.put();
        }
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
        if let Some(&slot) = self.open.get(&vault)
            && let Some(resident) = self.residents.get(&slot)
            && resident.drain.stored()
        {
            self.read_mailbox(slot);
        }
        Ok(())
    }

    /// Asks for the next page of the mailbox of a vault that was claimed.
    pub(super) fn read_mailbox(&mut self, slot: Slot) {
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        let (space, behind) = (resident.space, resident.drain.read());
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
        let (Some(behind), Some(vault)) = (resident.drain.reading(), resident.vault) else {
            return Ok(());
        };
        let counts_up = items.iter().try_fold(behind, |last, mail| {
            (mail.number > last).then_some(mail.number)
        });
        if counts_up.is_none() || items.len() > limits::MAIL_PAGE {
            return Err(OutOfTurn);
        }
        if items.is_empty() {
            self.end_of_mailbox(slot, &vault);
            return Ok(());
        }
        let mut page = Page::default();
        for mail in items {
            page.add(mail.number, self.hand_mail(slot, &vault, &mail.bytes, cx));
        }
        let resident = self.residents.get_mut(&slot);
        let finished = resident.and_then(|resident| resident.drain.give(page));
        self.page_finished(slot, finished);
        Ok(())
    }

    /// There was nothing more. What is still on its way into the mailbox is waited for.
    fn end_of_mailbox(&mut self, slot: Slot, vault: &VaultId) {
        let under_way = self.puts.contains_key(vault);
        let resident = self.residents.get_mut(&slot);
        if resident.is_some_and(|resident| resident.drain.ended(under_way)) {
            self.read_mailbox(slot);
        }
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

    /// The vault has answered for an item, or has not heard it.
    pub(super) fn mail_concluded(&mut self, slot: Slot, ticket: u64, record: u64, fate: Fate) {
        let resident = self.residents.get_mut(&slot);
        let finished = resident.and_then(|resident| resident.drain.conclude(ticket, record, fate));
        self.page_finished(slot, finished);
    }

    /// The host forgets what its vault has of a page, once that is durable.
    fn page_finished(&mut self, slot: Slot, finished: Option<Finished>) {
        let (Some(finished), Some(resident)) = (finished, self.residents.get(&slot)) else {
            return;
        };
        let (space, after) = (resident.space, finished.after);
        for run in finished.taken {
            self.host(FromEnclave::MailDrop {
                space,
                after,
                through: run.through,
                behind: run.behind,
            });
        }
        if finished.reads_on {
            self.read_mailbox(slot);
        }
    }

    /// Goes on with the mailboxes that were waited for.
    pub(super) fn resume(&mut self) {
        let due = |(slot, resident): (&Slot, &mut Resident)| resident.drain.tick().then_some(*slot);
        for slot in self
            .residents
            .iter_mut()
            .filter_map(due)
            .collect::<Vec<_>>()
        {
            self.read_mailbox(slot);
        }
    }
}
