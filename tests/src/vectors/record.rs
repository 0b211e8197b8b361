//! A vault's log: each kind of record, sealed and chained, with the keys that open it.

use serde::{Deserialize, Serialize};
use vettid_crypto::password::Cost;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{PinKey, SealingKey, SecretBytes, SeededEntropy, VaultKey};
use vettid_store::rows::vault::Vault;
use vettid_store::{
    Attempt, Attempts, Change, Changeset, Database, Device, FRONT, Header, HeaderKey, Lock, Record,
    StoreError, Tail,
};
use vettid_wire::id::{DeviceId, DeviceRoute, SpaceId, VaultId};
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
    /// Release that headers are for.
    pub release: u32,
    /// Seals changesets and snapshot references.
    pub vault_key: String,
    /// What the PIN was hashed to: with the pepper in the header it unwraps the vault key.
    pub pin_key: String,
    /// The vault, as its header says.
    pub vault: String,
    /// Names of the tags that the changesets add.
    pub tags: Vec<String>,
    /// The records in order.
    pub records: Vec<Entry>,
    /// Records that take the place of the last one and link, and do not open: the reason and the
    /// bytes.
    pub refused: Vec<(String, String)>,
}

/// One record.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// `checkpoint`, `header`, `changeset` or `joint`.
    pub kind: String,
    /// Its number.
    pub number: u64,
    /// Wrong PINs, as its header says; absent where it has none.
    pub failed_attempts: Option<u32>,
    /// Wrong PINs that its header lists for the audit chain.
    pub unaudited: Option<usize>,
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
    let keys = (
        &HeaderKey::new(RELEASE, SealingKey::from_bytes(SEALING)),
        &VaultKey::from_bytes(VAULT_KEY),
    );
    let mut entropy = SeededEntropy::dangerous_new(41);
    let mut header = header(keys.1, &mut entropy);
    let mut database = Database::template().expect("a database");
    let mut tail = Tail::genesis(SPACE);
    let vault = Vault {
        id: header.vault,
        created: NOW,
    };
    let first = changes(&mut database, |change| change.insert_vault(&vault));
    let begun = tail.begin(&header, &first, keys, &mut entropy);
    let mut records = vec![entry(
        "checkpoint",
        &begun.expect("a record"),
        Some(&header),
    )];

    let added = changes(&mut database, |change| change.put_tag(&tag(TAGS[0])));
    let changeset = tail.changeset(&added, keys.1, &mut entropy);
    records.push(entry("changeset", &changeset.expect("a record"), None));

    charge(&mut header);
    let charged = tail.header(&header, keys.0, &mut entropy);
    records.push(entry("header", &charged.expect("a record"), Some(&header)));

    (header.attempts, header.unaudited) = (Attempts::default(), Vec::new());
    let added = changes(&mut database, |change| change.put_tag(&tag(TAGS[1])));
    let joint = tail
        .joint(&header, &added, keys, &mut entropy)
        .expect("a record");
    records.push(entry("joint", &joint, Some(&header)));
    Log {
        space: SPACE.to_string(),
        sealing_key: hex(&SEALING),
        release: RELEASE,
        vault_key: hex(&VAULT_KEY),
        pin_key: hex(&PIN_KEY),
        vault: header.vault.to_string(),
        tags: TAGS.map(str::to_owned).to_vec(),
        records,
        refused: refused(&joint.to_bytes()),
    }
}

/// What a host can make of a joint record.
fn refused(joint: &[u8]) -> Vec<(String, String)> {
    let (front, body) = joint.split_at(FRONT);
    let (length, parts) = body.split_at(4);
    let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
    let (header, content) = parts.split_at(usize::try_from(length).expect("small"));
    let kind = |kind: u8, body: &[u8]| [&[kind], &front[1..], body].concat();
    let mut altered = joint.to_vec();
    *altered.last_mut().expect("bytes") ^= 1;
    [
        ("the header alone", kind(2, header)),
        ("the changes alone", kind(3, content)),
        ("a checkpoint of the same parts", kind(1, body)),
        ("a header beside other changes", altered),
        (
            "a header without its changes",
            joint[..FRONT + 4 + header.len()].to_vec(),
        ),
    ]
    .map(|(why, bytes)| (why.to_owned(), hex(&bytes)))
    .to_vec()
}

fn changes(
    database: &mut Database,
    body: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
) -> Changeset {
    let committed = database.transaction(body).expect("a transaction");
    committed.changeset.expect("a change")
}

fn tag(name: &str) -> Tag {
    Tag {
        name: name.to_owned(),
        color: None,
        description: None,
    }
}

/// Two wrong PINs.
fn charge(header: &mut Header) {
    header.attempts = Attempts {
        failed: 2,
        not_before: UnixMillis(NOW.0 + 30_000),
    };
    header.unaudited = [1_000, 2_000]
        .map(|after| Attempt {
            at: UnixMillis(NOW.0 + after),
            device: DeviceId::of(&header.devices[0].key),
            operation: "vault.unlock".to_owned(),
        })
        .to_vec();
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
        unaudited: Vec::new(),
        created: NOW,
        time_floor: NOW,
        moved_from: None,
    }
}

fn entry(kind: &str, record: &Record, header: Option<&Header>) -> Entry {
    Entry {
        kind: kind.to_owned(),
        number: record.number(),
        failed_attempts: header.map(|header| header.attempts.failed),
        unaudited: header.map(|header| header.unaudited.len()),
        bytes: hex(&record.to_bytes()),
        hash: hex(&record.head(&SPACE).hash),
    }
}

const SPACE: SpaceId = SpaceId([0x51; 16]);
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const SEALING: [u8; 32] = [0x5e; 32];
const RELEASE: u32 = 3;
const VAULT_KEY: [u8; 32] = [0x7a; 32];
const PIN_KEY: [u8; 32] = [0x91; 32];
const TAGS: [&str; 2] = ["travel", "work"];
