//! What lives in a vault process, as the process drives it, and what it may ask of the world.

use std::time::Duration;

use vettid_crypto::sign::VerifyingKey;
use vettid_vault::{HeaderKeys, Inbound, Outbound, Place};
use vettid_wire::id::{DeliveryId, DeviceRoute, SessionId, SpaceId};
use vettid_wire::link::{Entry, LogPage};
use vettid_wire::peer::Delivered;
use vettid_wire::request::Head;
use vettid_wire::time::UnixMillis;

use super::lane_end::LaneEnd;
use super::outbox::Outbox;
use crate::lane::Up;
use crate::vault_exit::VaultExit;

/// All that a vault is told when it is opened.
#[derive(Debug)]
pub struct Home {
    /// Whose vault.
    pub space: SpaceId,
    /// Whether a vault is there.
    pub entry: Entry,
    /// What its headers may be sealed under.
    pub keys: HeaderKeys,
    /// Time of day.
    pub now: UnixMillis,
    /// Newest record of this boot; nothing older may be served.
    pub head: Option<Head>,
}

/// Who asks: a device that has proven its key in an open session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The device's key. Whether it is registered is the vault's question.
    pub device: VerifyingKey,
    /// Its route on the bus.
    pub route: DeviceRoute,
    /// Its session.
    pub session: SessionId,
}

/// What a request led to.
#[derive(Debug, Default)]
pub struct Answer {
    /// Reply to the caller's session.
    pub reply: Option<Vec<u8>>,
    /// Newest record that reply and events depend on; zero for none.
    pub after: u64,
    /// Messages to the open sessions of one device, or of all.
    pub events: Vec<(Option<VerifyingKey>, Vec<u8>)>,
    /// Devices whose sessions end.
    pub ended: Vec<VerifyingKey>,
    /// What goes to other vaults, in order.
    pub outbound: Vec<Outbound>,
    /// New signed home record.
    pub home: Option<Vec<u8>>,
    /// The process ends, for this reason, after all this is sent.
    pub exit: Option<VaultExit>,
}

/// What became of something from another vault.
#[derive(Debug)]
pub struct Received {
    /// What its sender is told, once the record that the answer names is durable.
    pub outcome: Delivered,
    /// What it led to.
    pub answer: Answer,
}

/// One vault, synchronous, without any I/O of its own.
pub trait Resident: Sized {
    /// What the zygote prepared for it.
    type Template;

    /// Opens the vault. Its owner may still have to unlock it.
    ///
    /// # Errors
    /// Why the process ends.
    fn open(
        template: Self::Template,
        home: Home,
        broker: &mut Broker<'_>,
    ) -> Result<Self, VaultExit>;

    /// Whether a device may have a session.
    fn admits(&self, device: &VerifyingKey) -> bool;

    /// Answers one request.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn call(
        &mut self,
        caller: Caller,
        request: &[u8],
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit>;

    /// Proves that the vault's identity is held here ([`vettid_wire::home::claim`]); none while it is
    /// not. Asked for whenever an answer has a home record.
    fn claim(&self, challenge: &[u8; 32]) -> Option<[u8; 64]>;

    /// Learns where this node is: once after opening, and whenever that changes.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn place(
        &mut self,
        place: &Place,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit>;

    /// Hands on again what is still to be delivered: the host has not stored all of it.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn hand_on(&mut self, now: UnixMillis, broker: &mut Broker<'_>) -> Result<Answer, VaultExit>;

    /// Takes something from another vault.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn receive(
        &mut self,
        inbound: &Inbound<'_>,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Received, VaultExit>;

    /// Learns what became of something that it sent.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn settled(
        &mut self,
        delivery: DeliveryId,
        outcome: Delivered,
        now: UnixMillis,
        broker: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit>;

    /// Does what time asks for; called every now and then while nothing else happens.
    ///
    /// # Errors
    /// Why the process ends at once.
    fn tick(&mut self, now: UnixMillis, broker: &mut Broker<'_>) -> Result<Answer, VaultExit>;
}

/// The world beyond a vault: its own log, its own chunks, its turn to hash.
#[derive(Debug)]
pub struct Broker<'a> {
    lane: &'a mut LaneEnd,
    outbox: Option<&'a mut Outbox>,
}

impl<'a> Broker<'a> {
    /// For a vault that is being opened: nobody waits for a reply yet.
    pub(super) const fn opening(lane: &'a mut LaneEnd) -> Self {
        Self { lane, outbox: None }
    }

    /// For an open vault. Replies that are ready do not wait for what this one waits for.
    pub(super) const fn serving(lane: &'a mut LaneEnd, outbox: &'a mut Outbox) -> Self {
        Self {
            lane,
            outbox: Some(outbox),
        }
    }
}

impl Broker<'_> {
    /// Hands a record on, without waiting. The process ends if it is not stored.
    ///
    /// # Errors
    /// The process ends.
    pub fn append(&mut self, head: Head, checkpoint: bool, record: &[u8]) -> Result<(), VaultExit> {
        self.lane.append(head, checkpoint, record)
    }

    /// Waits until every record that was handed on is durable.
    ///
    /// # Errors
    /// The process ends: a record was not stored.
    pub fn settle(&mut self) -> Result<(), VaultExit> {
        self.waiting()?.settle()
    }

    /// A page of the log from this record on, zero for the newest checkpoint; none when the host
    /// cannot read it now.
    ///
    /// # Errors
    /// The process ends.
    pub fn read_log(&mut self, from: u64) -> Result<Option<LogPage>, VaultExit> {
        self.waiting()?.read_log(from)
    }

    /// A chunk of a snapshot of `count` chunks; none when it is not there. Whoever reads them in
    /// order finds the next ones on their way.
    ///
    /// # Errors
    /// The process ends.
    pub fn fetch_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        count: u32,
    ) -> Result<Option<Vec<u8>>, VaultExit> {
        self.waiting()?.fetch_chunk(snapshot, index, count)
    }

    /// Stores a chunk of a snapshot; whether it is durable, as far as is known within `patience`.
    ///
    /// # Errors
    /// The process ends.
    pub fn put_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<bool, VaultExit> {
        self.waiting()?.put_chunk(snapshot, index, bytes, patience)
    }

    /// Records below `below` and snapshots of a number below `snapshot` are no longer needed.
    ///
    /// # Errors
    /// The process ends.
    pub fn cut(&mut self, below: u64, snapshot: Option<u64>) -> Result<(), VaultExit> {
        self.lane.send(&Up::Cut { below, snapshot })
    }

    /// Enrollment is finished.
    ///
    /// # Errors
    /// The process ends.
    pub fn enrolled(&mut self) -> Result<(), VaultExit> {
        self.lane.send(&Up::Enrolled)
    }

    /// Waits for a turn to hash.
    ///
    /// # Errors
    /// The process ends.
    pub fn take_turn(&mut self) -> Result<(), VaultExit> {
        self.waiting()?.ask_kdf()
    }

    /// Gives the turn back, at once.
    ///
    /// # Errors
    /// The process ends.
    pub fn give_turn(&mut self) -> Result<(), VaultExit> {
        self.lane.send(&Up::KdfDone)?;
        self.lane.flush()
    }

    /// The lane, to wait on.
    fn waiting(&mut self) -> Result<&mut LaneEnd, VaultExit> {
        if let Some(outbox) = &mut self.outbox {
            outbox.send(self.lane)?;
        }
        Ok(self.lane)
    }
}
