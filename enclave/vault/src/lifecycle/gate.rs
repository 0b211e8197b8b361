//! What there is of a vault before its PIN: the header, and the end of the log to write it to.

use vettid_crypto::VaultKey;
use vettid_store::{Attempt, Attempts, Changeset, Header, Kind, Record, Snapshot, Tail};
use vettid_wire::Secret;
use vettid_wire::refusal::Code;
use vettid_wire::request::Head;

use crate::attempts;
use crate::call::Call;
use crate::header_keys::HeaderKeys;
use crate::outside::Outside;
use crate::stop::Stop;

/// The end of a vault's log. Seals what is added and hands it to the host.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) keys: HeaderKeys,
    pub(crate) tail: Tail,
}

impl Log {
    /// Newest record.
    pub(crate) fn head(&self) -> Option<Head> {
        self.tail.head()
    }

    /// Begins the log, with the first header and what the first transaction changed.
    pub(crate) fn begin(
        &mut self,
        header: &Header,
        changeset: &Changeset,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<(), Stop> {
        let keys = (self.keys.current(), key);
        let record = self.tail.begin(header, changeset, keys, out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
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
        let record = self.tail.header(header, self.keys.current(), out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
    }

    /// Adds a header and what a transaction changed, as one record.
    pub(crate) fn joint(
        &mut self,
        header: &Header,
        changeset: &Changeset,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<(), Stop> {
        let keys = (self.keys.current(), key);
        let record = self.tail.joint(header, changeset, keys, out.entropy)?;
        self.hand_on(&record, out);
        Ok(())
    }

    /// Adds a checkpoint.
    pub(crate) fn checkpoint(
        &mut self,
        header: &Header,
        snapshot: &Snapshot,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<(), Stop> {
        let keys = (self.keys.current(), key);
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

/// A PIN that was right. Its attempt is charged until a commit says what came of it.
#[derive(Debug)]
pub(crate) struct RightPin {
    /// What it opened.
    pub(crate) key: VaultKey,
    /// Its charge.
    pub(crate) charge: Charge,
}

/// The charge for one attempt that was right. It is taken back in the record of what the PIN was
/// proven for ([`super::Unlocked::commit_right_pin`]), or alone ([`Gate::give_back`]).
#[derive(Debug)]
#[must_use]
pub(crate) struct Charge {
    /// The account before it.
    pub(crate) before: Attempts,
}

impl Gate {
    /// Charges an attempt, durably, then tries a PIN. The header lists the attempt until the audit
    /// chain has it, so that whatever ends this process cannot keep it from the owner.
    pub(crate) fn try_pin(
        &mut self,
        pin: &Secret,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<RightPin, Stop> {
        let before = self.header.attempts;
        self.header.attempts = attempts::charge(before, out.now)?;
        self.header.unaudited.push(Attempt {
            at: out.now,
            device: call.device,
            operation: call.request.operation.clone(),
        });
        self.write(out)?;
        out.host.settle()?;
        let (salt, cost) = self.header.lock.hashing();
        let hashed = out.hash(pin, salt, cost)?;
        match self.header.lock.open(&self.header.vault, &hashed) {
            Ok(key) => Ok(RightPin {
                key,
                charge: Charge { before },
            }),
            Err(_) => Err(attempts::wrong(Code::WrongPin, self.header.attempts, out.now).into()),
        }
    }

    /// Takes the charge for a right PIN back that nothing came of. Wrong ones before it stay on the
    /// account, since nothing says yet in the audit chain that they were tried.
    pub(crate) fn give_back(&mut self, charge: Charge, out: &mut Outside<'_>) -> Result<(), Stop> {
        self.header.attempts = charge.before;
        self.header.unaudited.pop();
        self.write(out)
    }

    /// Writes the header as it is.
    fn write(&mut self, out: &mut Outside<'_>) -> Result<(), Stop> {
        self.header.time_floor = self.header.time_floor.max(out.now);
        self.log.header(&self.header, out)
    }
}
