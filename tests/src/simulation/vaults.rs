//! The vaults of one node, as their processes drive them.

use vettid_crypto::password::Cost;
use vettid_crypto::{SealingKey, SecretBytes, SeededEntropy, digest};
use vettid_store::{Database, HeaderKey};
use vettid_vault::{Answer, Caller, Clock, HeaderKeys, Inbound, Phase, Vault};
use vettid_wire::id::{DeliveryId, RequestId, SpaceId};
use vettid_wire::operation::vault::Unlock;
use vettid_wire::peer::Delivered;
use vettid_wire::refusal::Refusal;
use vettid_wire::request::{FromVault, Head, Operation as _, Outcome, Request};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor};

use super::disk::VaultDisk;
use super::node::{AWAY, Node};
use super::sky::{Event, Sky};
use crate::owner::PIN;

/// One owner's place at a node.
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// What the host keeps of it.
    pub disk: VaultDisk,
    /// Its owner unlocks it whenever the node starts.
    pub is_awake: bool,
    /// The owner's device, once there is one.
    pub caller: Option<Caller>,
    /// Newest record that the owner's app has seen.
    pub seen: Option<Head>,
    /// Why the vault did not open when it was asked to last.
    pub refusal: Option<Refusal>,
    vault: Option<Vault>,
    entropy: SeededEntropy,
    challenge: [u8; 32],
    processes: u8,
    ticked: UnixMillis,
    /// A moment at which records become durable is on its way.
    flushes: bool,
}

struct Now(UnixMillis);

impl Clock for Now {
    fn now(&self) -> UnixMillis {
        self.0
    }
}

impl Space {
    /// A space without a vault.
    #[must_use]
    pub fn new(id: SpaceId, seed: u64) -> Self {
        Self {
            id,
            disk: VaultDisk::default(),
            is_awake: false,
            caller: None,
            seen: None,
            refusal: None,
            vault: None,
            entropy: SeededEntropy::dangerous_new(seed),
            challenge: [0; 32],
            processes: 0,
            ticked: UnixMillis(0),
            flushes: false,
        }
    }

    /// Whether its vault is unlocked.
    #[must_use]
    pub fn is_unlocked(&self) -> bool {
        let phase = self.vault.as_ref().map(Vault::state);
        phase == Some(Phase::Unlocked)
    }

    /// What is not durable is lost.
    pub(super) fn crash(&mut self) {
        self.vault = None;
        self.flushes = false;
        self.disk.crash();
    }

    fn releases(&self) -> HeaderKeys {
        let key = SealingKey::from_bytes(digest::sha256(&self.id.0));
        HeaderKeys::of(HeaderKey::new(1, key))
    }
}

impl Node {
    /// Starts the process of a vault that is being set up.
    ///
    /// # Panics
    /// When there is no database.
    pub fn create(&mut self, space: usize, token: &[u8], sky: &Sky) {
        let clock = Now(self.clock(sky));
        let at = &self.spaces[space];
        let template = Database::template().expect("a database");
        let hash = digest::sha256(token);
        let vault = Vault::fresh(at.id, at.releases(), hash, template, &clock);
        self.begin(space, vault, sky);
    }

    /// Starts the process of a vault and unlocks it, if its owner has set how.
    ///
    /// # Panics
    /// When there is no database, or the vault does not open.
    pub fn open(&mut self, space: usize, sky: &mut Sky) {
        let clock = Now(self.clock(sky));
        let at = &mut self.spaces[space];
        if at.vault.is_some() || self.enclave.is_none() {
            return;
        }
        let template = Database::template().expect("a database");
        let (id, releases) = (at.id, at.releases());
        let vault = Vault::existing(id, releases, template, &mut at.disk, &clock).expect("read");
        self.begin(space, vault, sky);
        let at = &self.spaces[space];
        let Some(caller) = at.caller else {
            return;
        };
        let unlock = Unlock {
            pin: Secret::from(PIN),
            seen: at.seen,
        };
        let try_number = [
            self.boot.to_be_bytes(),
            u64::from(at.processes).to_be_bytes(),
        ];
        let unlock = cbor::encode(&Request {
            id: RequestId(try_number.concat().try_into().expect("16 bytes")),
            operation: Unlock::NAME.to_owned(),
            body: Secret::new(cbor::encode(&unlock)),
            proof: None,
        });
        if let Some((reply, _)) = self.call(space, &caller, &unlock, sky)
            && let Ok(FromVault::Reply(reply)) = cbor::decode(&reply)
        {
            let refusal = match reply.outcome {
                Outcome::Refused(refusal) => Some(refusal),
                _ => None,
            };
            self.spaces[space].refusal = refusal;
        }
    }

    fn begin(&mut self, space: usize, vault: Vault, sky: &Sky) {
        let at = &mut self.spaces[space];
        at.processes = at.processes.wrapping_add(1);
        at.challenge = [at.processes; 32];
        at.vault = Some(vault.dangerous_with_cost(Cost::FLOOR));
        at.ticked = sky.now;
        if let Some(enclave) = &mut self.enclave {
            enclave.started(slot(space), at.id, at.challenge);
        }
    }

    /// Ends the process of a vault; its records become durable first.
    pub fn close(&mut self, space: usize, sky: &mut Sky) {
        self.flush(space, usize::MAX, sky);
        self.end(space, sky);
        self.go_on(sky);
    }

    fn end(&mut self, space: usize, sky: &Sky) {
        let now = self.clock(sky);
        self.spaces[space].vault = None;
        if let Some(enclave) = &mut self.enclave {
            enclave.ended(slot(space), now);
        }
    }

    /// A device asks a vault. The reply counts once the record that the answer names is durable;
    /// none if there is no vault to ask.
    pub fn call(
        &mut self,
        space: usize,
        caller: &Caller,
        request: &[u8],
        sky: &mut Sky,
    ) -> Option<(Vec<u8>, u64)> {
        if !self.is_up() || self.spaces[space].vault.is_none() {
            return None;
        }
        let was_open = self.spaces[space].is_unlocked();
        let mut answer = self.ask(space, sky, |vault, at| {
            vault.call(caller, request, at.0, &at.1, at.2)
        });
        let reply = std::mem::take(&mut answer.reply);
        let after = answer.after;
        self.follow(space, answer, sky);
        if !was_open && self.is_up() && self.spaces[space].is_unlocked() {
            let place = self.place();
            let answer = self.ask(space, sky, |vault, at| {
                vault.place(&place, at.0, &at.1, at.2)
            });
            self.follow(space, answer, sky);
        }
        Some((reply, after))
    }

    /// A vault is given something.
    pub(super) fn receive(
        &mut self,
        space: usize,
        ticket: u64,
        (delivery, body): (DeliveryId, &[u8]),
        sky: &mut Sky,
    ) {
        if self.spaces[space].vault.is_none() {
            return;
        }
        let inbound = Inbound { delivery, body };
        let mut outcome = None;
        let answer = self.ask(space, sky, |vault, at| {
            let received = vault.receive(&inbound, at.0, &at.1, at.2);
            outcome = Some(received.outcome);
            received.answer
        });
        if sky.is_last_step(self.index) {
            return self.kill(AWAY, sky);
        }
        let after = answer.after;
        self.answer(space, ticket, (after, outcome.expect("answered")), sky);
        self.follow(space, answer, sky);
    }

    /// A vault is told what became of something that it sent.
    pub(super) fn settled(
        &mut self,
        space: usize,
        ticket: u64,
        (delivery, outcome): (DeliveryId, Delivered),
        sky: &mut Sky,
    ) {
        if self.spaces[space].vault.is_none() {
            return;
        }
        let answer = self.ask(space, sky, |vault, at| {
            vault.settled(delivery, outcome, at.0, &at.1, at.2)
        });
        if ticket != 0 {
            self.answer(space, ticket, (answer.after, Delivered::Applied), sky);
        }
        self.follow(space, answer, sky);
    }

    /// Records of a vault become durable, all or some of them.
    pub fn flushed(&mut self, space: usize, sky: &mut Sky) {
        let waiting = self.spaces[space].disk.waiting() as u64;
        self.spaces[space].flushes = false;
        let count = waiting - sky.roll(waiting.max(1)) / 2;
        self.flush(space, usize::try_from(count).expect("few"), sky);
        self.flush_later(space, sky);
        self.go_on(sky);
    }

    /// Vaults that have heard nothing for a while do what time asks for.
    pub(super) fn tick_vaults(&mut self, sky: &mut Sky) {
        for space in 0..self.spaces.len() {
            let at = &mut self.spaces[space];
            if at.vault.is_none() || sky.now.since(at.ticked) < sky.vault_tick {
                continue;
            }
            at.ticked = sky.now;
            let answer = self.ask(space, sky, |vault, at| vault.tick(at.0, &at.1, at.2));
            self.follow(space, answer, sky);
        }
    }

    fn answer(&mut self, space: usize, ticket: u64, answer: (u64, Delivered), sky: &Sky) {
        let (now, first) = (self.clock(sky), self.spaces[space].disk.first_waiting());
        if let Some(enclave) = &mut self.enclave {
            let taken = enclave.received(slot(space), ticket, answer, first, now);
            assert!(taken.is_ok(), "a ticket that was given out");
        }
    }

    /// Does what came of something a vault did.
    fn follow(&mut self, space: usize, answer: Answer, sky: &mut Sky) {
        let now = self.clock(sky);
        let at = &self.spaces[space];
        let (after, first) = (answer.after, at.disk.first_waiting());
        let Some(enclave) = &mut self.enclave else {
            return;
        };
        if let Some(record) = &answer.home
            && let Some(proof) = at.vault.as_ref().and_then(|it| it.claim(&at.challenge))
        {
            let claimed = enclave.claim(slot(space), (after, record, proof.0), first, now);
            assert!(claimed.is_ok(), "a process that was started");
        }
        for outbound in answer.outbound {
            let sent = enclave.outbound(slot(space), after, outbound, now);
            assert!(sent.is_ok(), "an honest vault");
        }
        self.flush_later(space, sky);
        if answer.close.is_some() {
            self.flush(space, usize::MAX, sky);
            self.end(space, sky);
        }
    }

    fn flush_later(&mut self, space: usize, sky: &mut Sky) {
        let at = &mut self.spaces[space];
        if at.disk.waiting() > 0 && !at.flushes {
            at.flushes = true;
            let pause = 1 + sky.roll(5);
            sky.after(pause, Event::Durable(self.index, self.boot, space));
        }
    }

    fn flush(&mut self, space: usize, count: usize, sky: &Sky) {
        let now = self.clock(sky);
        let disk = &mut self.spaces[space].disk;
        disk.flush(count);
        let first = disk.first_waiting();
        self.follow_records(sky);
        if let Some(enclave) = &mut self.enclave {
            enclave.durable(slot(space), first, now);
        }
    }

    fn ask(
        &mut self,
        space: usize,
        sky: &Sky,
        question: impl FnOnce(&mut Vault, (&mut VaultDisk, Now, &mut SeededEntropy)) -> Answer,
    ) -> Answer {
        let clock = Now(self.clock(sky));
        let at = &mut self.spaces[space];
        let Some(vault) = &mut at.vault else {
            return Answer::default();
        };
        let newest = at.disk.newest();
        let answer = question(vault, (&mut at.disk, clock, &mut at.entropy));
        if at.disk.newest() != newest {
            // It waited for its disk in between.
            self.flush(space, 0, sky);
        }
        answer
    }
}

fn slot(space: usize) -> u16 {
    u16::try_from(space).expect("few vaults")
}
