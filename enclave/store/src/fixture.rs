//! Fixed inputs of this crate's tests, and a vault with an honest host.

use std::collections::BTreeMap;

use vettid_crypto::password::Cost;
use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{PinKey, SealingKey, SecretBytes, SeededEntropy, VaultKey};
use vettid_wire::Secret;
use vettid_wire::id::{DeviceId, DeviceRoute, ItemId, RequestId, SpaceId, VaultId};
use vettid_wire::operation::device::Role;
use vettid_wire::operation::item::{Category, Sensitivity};
use vettid_wire::time::UnixMillis;

use crate::migrate::Schema;
use crate::rows::audit::NewEvent;
use crate::rows::item::NextVersion;
use crate::rows::request::Answered;
use crate::rows::vault;
use crate::{
    Attempt, Attempts, Chain, ChainError, Change, Database, Device, Header, HeaderKey, Linked,
    Lock, Record, Replay, RestoreError, Restored, Snapshot, StoreError, Tail,
};

/// A schema that grew once.
pub(crate) const GROWN: Schema = Schema(&[
    "CREATE TABLE note (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "ALTER TABLE note ADD COLUMN weight INTEGER NOT NULL DEFAULT 7",
]);

pub(crate) const SPACE: SpaceId = SpaceId([0x51; 16]);
pub(crate) const DEVICE: DeviceId = DeviceId([0xde; 32]);
pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

pub(crate) fn vault_key() -> VaultKey {
    VaultKey::from_bytes([0x7a; 32])
}

pub(crate) fn header_key() -> HeaderKey {
    HeaderKey::new(1, SealingKey::from_bytes([0x5e; 32]))
}

pub(crate) fn item_id(number: u8) -> ItemId {
    ItemId([number; 16])
}

pub(crate) fn header() -> Header {
    let vault = VaultId([0x0a; 32]);
    let mut entropy = SeededEntropy::dangerous_new(7);
    let pin = PinKey::from_bytes([3; 32]);
    Header {
        vault,
        lock: Lock::new(
            &vault,
            &vault_key(),
            &pin,
            [4; 16],
            Cost::STANDARD,
            &mut entropy,
        ),
        devices: vec![Device {
            name: "phone".into(),
            role: Role::App,
            key: VerifyingKey([5; 32]),
            route: DeviceRoute([6; 16]),
            added: NOW,
            revoked: None,
        }],
        attempts: Attempts {
            failed: 1,
            not_before: UnixMillis(2),
        },
        unaudited: vec![Attempt {
            at: UnixMillis(1),
            device: DEVICE,
            operation: "vault.unlock".into(),
        }],
        created: NOW,
        time_floor: NOW,
        moved_from: None,
    }
}

/// What an app would put: the next version of an item.
pub(crate) fn next<'a>(
    number: u8,
    version: u64,
    name: &'a str,
    tags: &'a [String],
    body: &'a Secret,
) -> NextVersion<'a> {
    NextVersion {
        id: item_id(number),
        version,
        name,
        category: Category::Login,
        sensitivity: Sensitivity::Data,
        favorite: false,
        tags,
        body,
        at: NOW.plus(version),
        device: &DEVICE,
    }
}

/// Everything that one `item.put` leaves in the database.
pub(crate) fn put(change: &Change<'_>, next: &NextVersion<'_>) -> Result<(), StoreError> {
    change.write_item(next)?;
    change.append_audit(&NewEvent {
        at: next.at,
        operation: "item.put",
        device: Some(&DEVICE),
        subject: Some(&next.id.0),
        done: true,
    })?;
    let mut request = [0; 16];
    request[..8].copy_from_slice(&change.audit_head()?.sequence.to_be_bytes());
    let reply = Secret::new(vec![0xaa; 24]);
    let answered = Answered {
        digest: [0xd1; 32],
        reply,
        at: next.at,
    };
    change.insert_answered(&DEVICE, &RequestId(request), &answered)
}

/// An open vault and the host that keeps its log.
pub(crate) struct Vault {
    pub(crate) database: Database,
    pub(crate) tail: Tail,
    pub(crate) entropy: SeededEntropy,
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) chunks: BTreeMap<(u64, u32), Vec<u8>>,
}

impl Vault {
    /// A vault whose log holds its first record.
    pub(crate) fn enrolled() -> Self {
        let database = Database::template().expect("template");
        let vault = vault::Vault {
            id: header().vault,
            created: NOW,
        };
        Self::begun(database, Tail::genesis(SPACE), |change| {
            change.insert_vault(&vault)
        })
    }

    /// A vault whose first record holds this transaction.
    pub(crate) fn begun(
        mut database: Database,
        tail: Tail,
        first: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Self {
        let committed = database.transaction(first).expect("commits");
        let changeset = committed.changeset.expect("changes");
        let entropy = SeededEntropy::dangerous_new(11);
        let mut vault = Self {
            database,
            tail,
            entropy,
            log: Vec::new(),
            chunks: BTreeMap::new(),
        };
        let keys = (&header_key(), &vault_key());
        let record = vault
            .tail
            .begin(&header(), &changeset, keys, &mut vault.entropy);
        vault.log.push(record.expect("first record").to_bytes());
        vault
    }

    /// Runs a transaction and appends its record. Returns the bytes appended.
    pub(crate) fn commit<T>(
        &mut self,
        body: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> usize {
        let committed = self.database.transaction(body).expect("commits");
        let Some(changeset) = committed.changeset else {
            return 0;
        };
        let record = self
            .tail
            .changeset(&changeset, &vault_key(), &mut self.entropy);
        self.append(record.expect("record"))
    }

    /// Appends a header record.
    pub(crate) fn charge(&mut self) -> usize {
        let record = self
            .tail
            .header(&header(), &header_key(), &mut self.entropy);
        self.append(record.expect("record"))
    }

    /// Runs a transaction and appends its record, which carries a header too.
    pub(crate) fn commit_with_header<T>(
        &mut self,
        header: &Header,
        body: impl FnOnce(&Change<'_>) -> Result<T, StoreError>,
    ) -> usize {
        let committed = self.database.transaction(body).expect("commits");
        let changeset = committed.changeset.expect("changes");
        let keys = (&header_key(), &vault_key());
        let record = self.tail.joint(header, &changeset, keys, &mut self.entropy);
        self.append(record.expect("record"))
    }

    /// Writes a snapshot without referring to it.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let name = self.tail.name_snapshot(&mut self.entropy);
        let chunks = &mut self.chunks;
        self.database
            .write_snapshot(&name, &vault_key(), &mut self.entropy, |index, chunk| {
                chunks.insert((name.number(), index), chunk);
                Ok::<_, StoreError>(())
            })
            .expect("snapshot")
    }

    /// Writes a snapshot and a checkpoint, and cuts the log.
    pub(crate) fn checkpoint(&mut self) {
        let snapshot = self.snapshot();
        let keys = (&header_key(), &vault_key());
        let record = self
            .tail
            .checkpoint(&header(), &snapshot, keys, &mut self.entropy);
        self.log.clear();
        self.chunks
            .retain(|(number, _), _| *number == snapshot.number);
        self.append(record.expect("record"));
    }

    /// What a new process makes of the host's records.
    pub(crate) fn restore(&self) -> Result<Restored, RestoreError> {
        self.restore_into(Database::template().expect("template"))
    }

    pub(crate) fn restore_into(&self, vessel: Database) -> Result<Restored, RestoreError> {
        let (_, records) = self.read().expect("chain");
        let mut fetch = |number, index| self.chunks.get(&(number, index)).cloned();
        let key = vault_key();
        let mut replay = Replay::begin(vessel, &records[0], &key, &mut fetch)?;
        for record in &records[1..] {
            replay.apply(record)?;
        }
        replay.finish()
    }

    /// The process ends and another one takes over.
    pub(crate) fn restart(&mut self) {
        let (chain, _) = self.read().expect("chain");
        self.database = self.restore().expect("restores").database;
        self.tail = Tail::behind(&chain);
    }

    /// Reads the log as a new process would.
    pub(crate) fn read(&self) -> Result<(Chain, Vec<Linked>), ChainError> {
        read(&self.log)
    }

    fn append(&mut self, record: Record) -> usize {
        let bytes = record.to_bytes();
        let size = bytes.len();
        self.log.push(bytes);
        size
    }
}

/// Reads a log of [`SPACE`] as a new process would.
pub(crate) fn read(log: &[Vec<u8>]) -> Result<(Chain, Vec<Linked>), ChainError> {
    let mut chain = Chain::new(SPACE);
    let records = log
        .iter()
        .map(|bytes| chain.accept(Record::parse(bytes).expect("record")))
        .collect::<Result<_, _>>()?;
    Ok((chain, records))
}

/// Every row of every table, sorted.
pub(crate) fn dump(database: &Database) -> Vec<String> {
    let connection = &database.connection;
    let mut tables = connection
        .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name")
        .expect("prepares");
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .expect("reads")
        .map(|name| name.expect("text"))
        .collect();
    let mut out = Vec::new();
    for table in tables {
        let mut rows = connection
            .prepare(&format!("SELECT * FROM main.{table}"))
            .expect("prepares");
        let columns = rows.column_count();
        let mut rows = rows.query([]).expect("reads");
        while let Some(row) = rows.next().expect("row") {
            let values: Vec<rusqlite::types::Value> = (0..columns)
                .map(|column| row.get(column).expect("value"))
                .collect();
            out.push(format!("{table} {values:?}"));
        }
    }
    out.sort();
    out
}
