//! An owner's vault in its process: what [`vettid_vault`] asks for, over the lane.

use std::time::Duration;

use vettid_crypto::sign::VerifyingKey;
use vettid_store::Database;
use vettid_vault::{Clock, Host, Inbound, Lost, Phase, Place, Unreadable, Vault};
use vettid_wire::cbor;
use vettid_wire::id::DeliveryId;
use vettid_wire::link::{Closed, Entry, LogPage};
use vettid_wire::peer::Delivered;
use vettid_wire::request::{FromVault, Head};
use vettid_wire::time::UnixMillis;

use crate::platform::KernelEntropy;
use crate::vault_exit::VaultExit;
use crate::vault_process::{Answer, Broker, Caller, Home, Received, Resident};

/// The vault of one owner.
#[derive(Debug)]
pub struct OwnerVault {
    vault: Vault,
    newest_seen: Option<Head>,
    /// Where its node is, for when it is unlocked.
    place: Option<Place>,
}

/// The empty database that every vault process inherits. Made by the zygote; draws no randomness.
#[must_use]
pub fn template() -> Option<Database> {
    Database::template().ok()
}

impl Resident for OwnerVault {
    type Template = Database;

    fn open(template: Database, home: Home, broker: &mut Broker<'_>) -> Result<Self, VaultExit> {
        let Home {
            space,
            entry,
            keys,
            now,
            head,
        } = home;
        let clock = Now(now);
        let vault = match entry {
            Entry::Fresh { token_hash } => Vault::fresh(space, keys, token_hash, template, &clock),
            Entry::Existing => {
                let mut host = LaneHost::new(broker, head);
                let vault = Vault::existing(space, keys, template, &mut host, &clock);
                host.end()?;
                vault.map_err(|Unreadable| VaultExit::Damaged)?
            }
        };
        Ok(Self {
            vault,
            newest_seen: head,
            place: None,
        })
    }

    fn admits(&self, device: &VerifyingKey) -> bool {
        self.vault.admits(device)
    }

    fn call(
        &mut self,
        caller: Caller,
        request: &[u8],
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        let Caller {
            device,
            route,
            session,
        } = caller;
        let caller = vettid_vault::Caller {
            device_key: device,
            route,
            session,
        };
        let was_open = self.is_open();
        let mut host = LaneHost::new(broker, self.newest_seen);
        let answer = self
            .vault
            .call(&caller, request, &mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        let mut answer = answer_of(answer);
        if !was_open && let Some(place) = self.place.clone().filter(|_| self.is_open()) {
            let placed = self.place(&place, now, broker)?;
            answer.after = answer.after.max(placed.after);
            answer.events.extend(placed.events);
            answer.outbound.extend(placed.outbound);
            answer.home = placed.home.or(answer.home);
            answer.exit = answer.exit.or(placed.exit);
        }
        Ok(answer)
    }

    fn claim(&self, challenge: &[u8; 32]) -> Option<[u8; 64]> {
        self.vault.claim(challenge).map(|proof| proof.0)
    }

    fn place(
        &mut self,
        place: &Place,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        self.place = Some(place.clone());
        let mut host = LaneHost::new(broker, self.newest_seen);
        let answer = self
            .vault
            .place(place, &mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        Ok(answer_of(answer))
    }

    fn hand_on(&mut self, now: UnixMillis, broker: &mut Broker<'_>) -> Result<Answer, VaultExit> {
        let mut host = LaneHost::new(broker, self.newest_seen);
        let answer = self.vault.hand_on(&mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        Ok(answer_of(answer))
    }

    fn receive(
        &mut self,
        inbound: &Inbound<'_>,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Received, VaultExit> {
        let mut host = LaneHost::new(broker, self.newest_seen);
        let received = self
            .vault
            .receive(inbound, &mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        Ok(Received {
            outcome: received.outcome,
            answer: answer_of(received.answer),
        })
    }

    fn settled(
        &mut self,
        delivery: DeliveryId,
        outcome: Delivered,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        let mut host = LaneHost::new(broker, self.newest_seen);
        let answer =
            self.vault
                .settled(delivery, outcome, &mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        Ok(answer_of(answer))
    }

    fn tick(&mut self, now: UnixMillis, broker: &mut Broker<'_>) -> Result<Answer, VaultExit> {
        let mut host = LaneHost::new(broker, self.newest_seen);
        let answer = self.vault.tick(&mut host, &Now(now), &mut KernelEntropy);
        host.end()?;
        Ok(answer_of(answer))
    }
}

impl OwnerVault {
    fn is_open(&self) -> bool {
        self.vault.state() == Phase::Unlocked
    }
}

/// What the process does with what a vault answers.
fn answer_of(answer: vettid_vault::Answer) -> Answer {
    let vettid_vault::Answer {
        reply,
        after,
        feed,
        close,
        messages,
        outbound,
        home,
    } = answer;
    let exit = close.map(|close| match close {
        Closed::AppendRefused => VaultExit::AppendRefused,
        Closed::Damaged => VaultExit::Damaged,
        Closed::EnrollmentExpired => VaultExit::EnrollmentExpired,
        Closed::Locked => VaultExit::Locked,
        Closed::Asked | Closed::Crashed | Closed::Idle | Closed::Pressure | Closed::TooMany => {
            VaultExit::Told
        }
    });
    let news = [feed.map(FromVault::Feed), messages.map(FromVault::Messages)];
    let news = news.iter().flatten().map(|news| (None, cbor::encode(news)));
    // Whose record was lost gets a reset instead: nothing may follow what is void.
    let closing = exit
        .filter(|exit| !matches!(exit, VaultExit::AppendRefused))
        .map(|_| (None, cbor::encode(&FromVault::Closing)));
    Answer {
        reply: Some(reply).filter(|reply| !reply.is_empty()),
        after,
        events: news.chain(closing).collect(),
        ended: Vec::new(),
        outbound,
        home,
        exit,
    }
}

/// The time of one call.
#[derive(Clone, Copy, Debug)]
struct Now(UnixMillis);

impl Clock for Now {
    fn now(&self) -> UnixMillis {
        self.0
    }
}

/// The vault's host, behind the lane. Once the process must end, nothing succeeds any more, and
/// [`LaneHost::end`] says why.
#[derive(Debug)]
struct LaneHost<'a, 'b> {
    broker: &'a mut Broker<'b>,
    newest_seen: Option<Head>,
    ended: Option<VaultExit>,
}

impl<'a, 'b> LaneHost<'a, 'b> {
    const fn new(broker: &'a mut Broker<'b>, newest_seen: Option<Head>) -> Self {
        Self {
            broker,
            newest_seen,
            ended: None,
        }
    }

    fn end(self) -> Result<(), VaultExit> {
        self.ended.map_or(Ok(()), Err)
    }

    fn note<T>(&mut self, outcome: Result<T, VaultExit>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(exit) => {
                self.ended.get_or_insert(exit);
                None
            }
        }
    }
}

impl Host for LaneHost<'_, '_> {
    fn append(&mut self, head: Head, checkpoint: bool, record: Vec<u8>) {
        let appended = self.broker.append(head, checkpoint, &record);
        self.note(appended);
    }

    fn settle(&mut self) -> Result<(), Lost> {
        let settled = self.broker.settle();
        self.note(settled).ok_or(Lost)
    }

    fn read_log(&mut self, from: u64) -> Result<LogPage, Unreadable> {
        let page = self.broker.read_log(from);
        self.note(page).flatten().ok_or(Unreadable)
    }

    fn put_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        bytes: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Unreadable> {
        let stored = self.broker.put_chunk(snapshot, index, &bytes, patience);
        self.note(stored)
            .filter(|durable| *durable)
            .map(drop)
            .ok_or(Unreadable)
    }

    fn get_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        count: u32,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let chunk = self.broker.fetch_chunk(snapshot, index, count);
        self.note(chunk).ok_or(Unreadable)
    }

    fn cut(&mut self, below: u64, snapshot: Option<u64>) {
        let cut = self.broker.cut(below, snapshot);
        self.note(cut);
    }

    fn enrolled(&mut self) {
        let enrolled = self.broker.enrolled();
        self.note(enrolled);
    }

    fn take_kdf_slot(&mut self) -> Result<(), Lost> {
        let turn = self.broker.take_turn();
        self.note(turn).ok_or(Lost)
    }

    fn release_kdf_slot(&mut self) {
        let given = self.broker.give_turn();
        self.note(given);
    }

    fn newest_seen(&self) -> Option<Head> {
        self.newest_seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_goes_to_its_caller_and_news_to_every_session() {
        let answer = answer_of(vettid_vault::Answer {
            reply: vec![1],
            after: 7,
            feed: Some(3),
            ..Default::default()
        });

        assert_eq!(
            (answer.reply, answer.after, answer.exit),
            (Some(vec![1]), 7, None)
        );
        assert_eq!(answer.events, [(None, cbor::encode(&FromVault::Feed(3)))]);
    }

    #[test]
    fn a_locked_vault_says_that_it_closes_and_one_that_lost_a_record_says_nothing() {
        let closed = |close| {
            answer_of(vettid_vault::Answer {
                close: Some(close),
                ..Default::default()
            })
        };

        let locked = closed(Closed::Locked);
        assert_eq!(locked.exit, Some(VaultExit::Locked));
        assert_eq!(locked.events, [(None, cbor::encode(&FromVault::Closing))]);
        let lost = closed(Closed::AppendRefused);
        assert_eq!(lost.exit, Some(VaultExit::AppendRefused));
        assert_eq!((lost.events, lost.reply), (vec![], None));
    }
}
