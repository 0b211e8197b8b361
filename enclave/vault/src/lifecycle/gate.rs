//! What there is of a vault before its PIN: the header, and the end of the log to write it to.

use vettid_crypto::{SealingKey, VaultKey};
use vettid_store::{Attempts, Changeset, Header, Kind, Record, Snapshot, Tail};
use vettid_wire::Secret;
use vettid_wire::refusal::Code;
use vettid_wire::request::Head;

use crate::attempts;
use crate::outside::Outside;
use crate::stop::Stop;

/// The end of a vault's log. Seals what is added and hands it to the host.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) sealing_key: SealingKey,
    pub(crate) tail: Tail,
}

impl Log {
    /// Newest record.
    pub(crate) fn head(&self) -> Option<Head> {
        self.tail.head()
    }

    /// Adds what a transaction changed.
    pub(crate) fn changeset(
        &mut self,
        changeset: &Changeset,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<(), Stop> {
        let record = self.tail.changeset(changeset, key, out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
    }

    /// Adds a header.
    pub(crate) fn header(&mut self, header: &Header, out: &mut Outside<'_>) -> Result<(), Stop> {
        let record = self.tail.header(header, &self.sealing_key, out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
    }

    /// Adds a checkpoint.
    pub(crate) fn checkpoint(
        &mut self,
        header: &Header,
        snapshot: Option<Snapshot>,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<(), Stop> {
        let keys = (&self.sealing_key, key);
        let record = self.tail.checkpoint(header, snapshot, keys, out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
    }

    fn hand_on(&self, record: &Record, out: &mut Outside<'_>) {
        if let Some(head) = self.tail.head() {
            out.host
                .append(head, record.kind() == Kind::Checkpoint, record.to_bytes());
        }
    }
}

/// The header and the end of the log.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) header: Header,
    pub(crate) log: Log,
}

/// A PIN that was right.
#[derive(Debug)]
pub(crate) struct RightPin {
    /// What it opened.
    pub(crate) key: VaultKey,
    /// Wrong ones since the last right one.
    pub(crate) failed_before: u32,
}

impl Gate {
    /// Writes the header as it is.
    pub(crate) fn write(&mut self, out: &mut Outside<'_>) -> Result<(), Stop> {
        self.header.time_floor = self.header.time_floor.max(out.now);
        self.log.header(&self.header, out)
    }

    /// Charges an attempt, durably, then tries a PIN. The caller refunds a right one.
    pub(crate) fn try_pin(
        &mut self,
        pin: &Secret,
        out: &mut Outside<'_>,
    ) -> Result<RightPin, Stop> {
        let before = self.header.attempts;
        self.header.attempts = attempts::charge(before, out.now)?;
        self.write(out)?;
        out.host.settle()?;
        let (salt, cost) = self.header.lock.hashing();
        let hashed = out.hash(pin, salt, cost)?;
        match self.header.lock.open(&self.header.vault, &hashed) {
            Ok(key) => Ok(RightPin {
                key,
                failed_before: before.failed,
            }),
            Err(_) => Err(attempts::wrong(Code::WrongPin, self.header.attempts, out.now).into()),
        }
    }

    /// Takes the charge for a right PIN back, and with it every wrong one before.
    pub(crate) fn refund(&mut self, out: &mut Outside<'_>) -> Result<(), Stop> {
        self.header.attempts = Attempts::default();
        self.write(out)
    }
}
