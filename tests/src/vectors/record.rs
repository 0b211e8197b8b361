//! A vault's log: checkpoint, header and changeset, sealed and chained, with the keys that open it.

use serde::{Deserialize, Serialize};
use vettid_crypto::password::Cost;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{PinKey, SealingKey, SecretBytes, SeededEntropy, VaultKey};
use vettid_store::{Attempts, Database, Device, Header, Lock, Record, StoreError, Tail};
use vettid_wire::id::{DeviceRoute, SpaceId, VaultId};
use vettid_wire::operation::device::Role;
use vettid_wire::operation::tag::Tag;
use vettid_wire::time::UnixMillis;

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Log {
    /// Whose log.
    pub space: String,
    /// Seals headers.
    pub sealing_key: String,
    /// Seals changesets and snapshot references.
    pub vault_key: String,
    /// What the PIN was hashed to: with the pepper in the header it unwraps the vault key.
    pub pin_key: String,
    /// The vault, as its header says.
    pub vault: String,
    /// Wrong PINs, as the newest header says.
    pub failed_attempts: u32,
    /// Name of the one tag that the changeset adds.
    pub tag: String,
    /// The records in order.
    pub records: Vec<Entry>,
}

/// One record.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// `checkpoint`, `header` or `changeset`.
    pub kind: String,
    /// Its number.
    pub number: u64,
    /// Its bytes.
    pub bytes: String,
    /// Its hash, which the next one carries.
    pub hash: String,
}

/// Makes the file.
///
/// # Panics
/// When the store cannot make one of its own records.
#[must_use]
pub fn make() -> Log {
    let (sealing, vault_key) = (
        SealingKey::from_bytes(SEALING),
        VaultKey::from_bytes(VAULT_KEY),
    );
    let mut entropy = SeededEntropy::dangerous_new(41);
    let mut header = header(&vault_key, &mut entropy);
    let mut tail = Tail::genesis(SPACE);
    let checkpoint = tail
        .checkpoint(&header, None, (&sealing, &vault_key), &mut entropy)
        .expect("a first record");
    let mut database = Database::template().expect("a database");
    let tag = Tag {
        name: TAG.to_owned(),
        color: None,
        description: None,
    };
    let changed = database
        .transaction::<(), StoreError>(|change| change.put_tag(&tag))
        .expect("a transaction");
    let changeset = changed.changeset.expect("a change");
    let changeset = tail
        .changeset(&changeset, &vault_key, &mut entropy)
        .expect("a record");
    header.attempts = Attempts {
        failed: 2,
        not_before: UnixMillis(NOW.0 + 30_000),
    };
    let charged = tail
        .header(&header, &sealing, &mut entropy)
        .expect("a record");
    Log {
        space: SPACE.to_string(),
        sealing_key: hex(&SEALING),
        vault_key: hex(&VAULT_KEY),
        pin_key: hex(&PIN_KEY),
        vault: header.vault.to_string(),
        failed_attempts: header.attempts.failed,
        tag: TAG.to_owned(),
        records: vec![
            entry("checkpoint", &checkpoint),
            entry("changeset", &changeset),
            entry("header", &charged),
        ],
    }
}

fn header(vault_key: &VaultKey, entropy: &mut SeededEntropy) -> Header {
    let vault = VaultId::of(&SigningKey::from_seed(&[0x31; 32]).verifying_key());
    let pin = PinKey::from_bytes(PIN_KEY);
    Header {
        vault,
        lock: Lock::new(&vault, vault_key, &pin, [0x54; 16], Cost::STANDARD, entropy),
        devices: vec![Device {
            name: "phone".to_owned(),
            role: Role::App,
            key: SigningKey::from_seed(&[0x32; 32]).verifying_key(),
            route: DeviceRoute([0x33; 16]),
            added: NOW,
            revoked: None,
        }],
        attempts: Attempts::default(),
        created: NOW,
        time_floor: NOW,
    }
}

fn entry(kind: &str, record: &Record) -> Entry {
    Entry {
        kind: kind.to_owned(),
        number: record.number(),
        bytes: hex(&record.to_bytes()),
        hash: hex(&record.head(&SPACE).hash),
    }
}

const SPACE: SpaceId = SpaceId([0x51; 16]);
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const SEALING: [u8; 32] = [0x5e; 32];
const VAULT_KEY: [u8; 32] = [0x7a; 32];
const PIN_KEY: [u8; 32] = [0x91; 32];
const TAG: &str = "travel";
