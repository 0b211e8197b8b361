//! Which vault each open vault process serves. A process is believed only what it proves: that it
//! holds the identity of the vault whose mail it wants.

use std::collections::VecDeque;

use vettid_crypto::seal::OVERHEAD;
use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_wire::home::{self, Home};
use vettid_wire::id::{NodeId, SpaceId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::federation::FromEnclave;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::{SECOND, UnixMillis};

use super::courier::{Act, Courier, Cx, Origin, OutOfTurn, Question};
use super::drain::Drain;
use super::homes::current_key;
use crate::log_line::LogEvent;
use crate::slot::Slot;

/// How far the records of a vault process are on their way to be durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Progress {
    /// The oldest that is not durable yet.
    pub(crate) first_waiting: Option<u64>,
}

impl Progress {
    pub(super) const fn has(self, record: u64) -> bool {
        match self.first_waiting {
            Some(first) => record < first,
            None => true,
        }
    }
}

/// What a vault process says about its home.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HomeClaim<'a> {
    /// Record that it depends on.
    pub(crate) after: u64,
    /// Signed home record.
    pub(crate) record: &'a [u8],
    /// Proof that the process holds the vault's identity.
    pub(crate) proof: [u8; 64],
}

/// The same of a process that claims too often: it waits for its turn, in place of an earlier one.
#[derive(Debug)]
struct LateClaim {
    after: u64,
    record: Vec<u8>,
    proof: [u8; 64],
}

/// One open vault process.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) space: SpaceId,
    challenge: [u8; 32],
    pub(super) vault: Option<VaultId>,
    sequence: u64,
    /// How far its mailbox is read.
    pub(super) drain: Drain,
    /// Answers that wait for a record.
    pub(super) answers: VecDeque<(u64, Origin, Delivered)>,
    /// Home that waits for a record.
    publication: Option<(u64, Home, Vec<u8>)>,
    /// How far its records were last.
    progress: Progress,
    /// Claims that it may make at once, and since when.
    claims: (u64, UnixMillis),
    late: Option<LateClaim>,
    /// Tickets that are out.
    pub(super) tickets: usize,
}

/// Claims of one vault process at once, and the pause before one more, ms.
const CLAIMS: u64 = 8;
const CLAIM_AGAIN: u64 = SECOND;

/// Why a home record of a vault process counts for nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NotOurs {
    /// It does not verify, or is of another vault than before.
    Record,
    /// It does not name this node.
    Elsewhere,
    /// The process does not hold the vault's identity.
    Unproven,
}

impl Courier {
    /// A vault process was started; what it must sign to claim a vault.
    pub(crate) fn started(&mut self, slot: Slot, space: SpaceId, challenge: [u8; 32]) {
        self.residents.insert(
            slot,
            Resident {
                space,
                challenge,
                vault: None,
                sequence: 0,
                drain: Drain::new(),
                answers: VecDeque::new(),
                publication: None,
                progress: Progress {
                    first_waiting: Some(0),
                },
                claims: (CLAIMS, UnixMillis(0)),
                late: None,
                tickets: 0,
            },
        );
    }

    /// A vault process has ended: what it had not made durable, it has not taken.
    pub(crate) fn ended(&mut self, slot: Slot, cx: &mut Cx<'_>) {
        let Some(resident) = self.residents.remove(&slot) else {
            return;
        };
        if let Some(vault) = resident.vault
            && self.open.get(&vault) == Some(&slot)
        {
            self.open.remove(&vault);
        }
        self.questions
            .forget(|about| matches!(about, Question::Page(asker) if *asker == slot));
        let waiting = resident.answers.into_iter().map(|(_, origin, _)| origin);
        let tickets: Vec<u64> = self
            .tickets
            .iter()
            .filter(|(_, ticket)| ticket.slot == slot)
            .map(|(number, _)| *number)
            .collect();
        let out: Vec<Origin> = tickets
            .iter()
            .filter_map(|number| Some(self.tickets.remove(number)?.origin))
            .collect();
        for origin in waiting.chain(out) {
            self.answer(origin, Delivered::Refused(NotTaken::Busy), cx);
        }
    }

    /// A vault process claims a vault's home, which must name this node. From then on it gets what
    /// is for that vault, the mailbox first.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) fn claim(
        &mut self,
        slot: Slot,
        claim: &HomeClaim<'_>,
        progress: Progress,
        cx: &mut Cx<'_>,
    ) -> Result<(), OutOfTurn> {
        let resident = self.residents.get_mut(&slot).ok_or(OutOfTurn)?;
        resident.progress = progress;
        if !resident.may_claim(cx.now) {
            resident.late = Some(LateClaim {
                after: claim.after,
                record: claim.record.to_vec(),
                proof: claim.proof,
            });
            return Ok(());
        }
        self.take_claim(slot, claim, cx);
        Ok(())
    }

    /// Takes the claims that had to wait.
    pub(super) fn claim_late(&mut self, cx: &mut Cx<'_>) {
        let waiting = self.residents.iter_mut();
        let due: Vec<(Slot, LateClaim)> = waiting
            .filter_map(|(slot, resident)| {
                let is_due = resident.late.is_some() && resident.may_claim(cx.now);
                Some((*slot, resident.late.take_if(|_| is_due)?))
            })
            .collect();
        for (slot, late) in due {
            let claim = HomeClaim {
                after: late.after,
                record: &late.record,
                proof: late.proof,
            };
            self.take_claim(slot, &claim, cx);
        }
    }

    fn take_claim(&mut self, slot: Slot, claim: &HomeClaim<'_>, cx: &mut Cx<'_>) {
        let own = self.own;
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        let progress = resident.progress;
        let Ok(home) = check(resident, claim, own, cx.now) else {
            self.act(Act::Log(LogEvent::HomeRefused));
            return;
        };
        let vault = home.vault;
        let (space, is_first) = (resident.space, resident.vault.is_none());
        resident.vault = Some(vault);
        if home.sequence > resident.sequence {
            resident.sequence = home.sequence;
            resident.publication = Some((claim.after, home, claim.record.to_vec()));
        }
        if is_first {
            // A second process with the same identity is as much the vault as the first: it is the
            // one that was unlocked last.
            self.open.insert(vault, slot);
            let mailbox = self.keeper.mailbox(&vault);
            self.host(FromEnclave::Mailbox { space, mailbox });
            self.read_mailbox(slot);
        }
        self.publish(slot, progress, cx);
    }

    /// Records of a vault process became durable: what waited for them goes out.
    pub(crate) fn durable(&mut self, slot: Slot, progress: Progress, cx: &mut Cx<'_>) {
        while let Some(resident) = self.residents.get_mut(&slot) {
            resident.progress = progress;
            let next = resident.answers.front();
            if !next.is_some_and(|(after, _, _)| progress.has(*after)) {
                break;
            }
            let Some((_, origin, outcome)) = resident.answers.pop_front() else {
                break;
            };
            self.answer(origin, outcome, cx);
        }
        self.publish(slot, progress, cx);
    }

    fn publish(&mut self, slot: Slot, progress: Progress, cx: &mut Cx<'_>) {
        let Some(resident) = self.residents.get_mut(&slot) else {
            return;
        };
        let is_due = |(after, _, _): &mut (u64, Home, Vec<u8>)| progress.has(*after);
        let space = resident.space;
        if let Some((_, home, record)) = resident.publication.take_if(is_due) {
            self.host(FromEnclave::PublishHome {
                space,
                location: home::location(&home.vault),
                // A vault whose clock was ahead once is served all the same; no host keeps its record
                // for longer than any.
                expires: home.expires.min(cx.now.plus(limits::HOME_TIME)),
                record: home::seal(&home.vault, &record, &mut *cx.entropy),
            });
        }
    }
}

impl Resident {
    /// Whether it may claim a home now: each claim takes many checks.
    fn may_claim(&mut self, now: UnixMillis) -> bool {
        let (left, at) = &mut self.claims;
        let back = now.since(*at) / CLAIM_AGAIN;
        *left = left.saturating_add(back).min(CLAIMS);
        if back > 0 {
            *at = now;
        }
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

/// Checks record and claim of a process.
fn check(
    resident: &Resident,
    claim: &HomeClaim<'_>,
    own: NodeId,
    now: UnixMillis,
) -> Result<Home, NotOurs> {
    if claim.record.len().saturating_add(OVERHEAD) > limits::HOME_RECORD {
        return Err(NotOurs::Record);
    }
    let vault = vault_of(claim.record).ok_or(NotOurs::Record)?;
    if resident.vault.is_some_and(|claimed| claimed != vault) {
        return Err(NotOurs::Record);
    }
    let mut key: Option<VerifyingKey> = None;
    let home = Home::verify(claim.record, &vault, now, |identity, vault| {
        key = current_key(identity, vault);
        key
    })
    .map_err(|_| NotOurs::Record)?;
    if !home.nodes.iter().any(|node| node.node == own) {
        return Err(NotOurs::Elsewhere);
    }
    let (key, proof) = (key.ok_or(NotOurs::Record)?, Signature(claim.proof));
    home::check_claim(&resident.space, &resident.challenge, &key, &proof)
        .map_err(|_| NotOurs::Unproven)?;
    Ok(home)
}

/// The vault that a record says it is of.
fn vault_of(record: &[u8]) -> Option<VaultId> {
    Home::claimed(record).map(|home| home.vault)
}
