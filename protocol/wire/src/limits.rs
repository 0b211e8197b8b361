//! Every bound that more than one program enforces: unit and reason.

use crate::time::{DAY, HOUR, MINUTE, SECOND};

/// Plaintext of one session frame, bytes: a Noise message of 65,535 less the AEAD tag.
pub const FRAME: usize = 65_519;
/// Envelope on the bus, bytes: a full frame, its header, and room for the session's own.
pub const ENVELOPE: usize = 70_000;
/// Handshake message of a session, bytes: ML-KEM key or ciphertext and two Noise keys.
pub const HANDSHAKE: usize = 8 * 1024;
/// Evidence frame, plaintext bytes: a document of about 5 KB and its bundle.
pub const EVIDENCE: usize = 16 * 1024;
/// Attestation document, bytes: real ones are under 5 KB.
pub const DOCUMENT: usize = 12 * 1024;
/// Attested bundle, bytes.
pub const BUNDLE: usize = 4 * 1024;
/// Network file, bytes.
pub const NETWORK_FILE: usize = 64 * 1024;
/// Frame between host and enclave, bytes.
pub const LINK_FRAME: usize = 1024 * 1024;
/// Request of an app, bytes.
pub const REQUEST: usize = 64 * 1024 + 16 * 1024;
/// Reply of a vault, bytes.
pub const REPLY: usize = 2 * 1024 * 1024;

/// Handshake must be complete after this long, ms.
pub const HANDSHAKE_TIME: u64 = 10 * SECOND;
/// Session with a device ends after this long, ms.
pub const DEVICE_SESSION: u64 = DAY;
/// Transport keys change after this many frames of one direction.
pub const REKEY_FRAMES: u64 = 1 << 16;
/// Transport keys change after this long, ms.
pub const REKEY_TIME: u64 = HOUR;
/// Attestation document is renewed before this age, ms.
pub const DOCUMENT_AGE: u64 = HOUR;
/// Clocks of two honest parties differ by at most this much, ms.
pub const CLOCK_SKEW: u64 = 5 * MINUTE;
/// Requests of one device that a vault serves in the long run, a second: an app reads a whole vault
/// of [`ITEMS`] in less than half of it, and more would only keep other vaults from their core.
pub const DEVICE_REQUESTS: u64 = 5_000;
/// Requests of one device that a vault serves at once after a pause: two seconds' worth, for what an
/// app queued while it had no connection.
pub const DEVICE_BURST: u64 = 10_000;
/// Sessions of devices with one vault at once.
pub const DEVICE_SESSIONS: usize = 8;
/// Handshakes with one vault that are under way at once.
pub const HALF_OPEN_SESSIONS: usize = 8;

/// Request ids are remembered this long, ms: an app repeats a request within it.
pub const IDEMPOTENCY: u64 = DAY;
/// A PIN proven in a session counts this long, ms.
pub const FRESH_PIN: u64 = 5 * MINUTE;
/// Enrollment that is not finished by then leaves nothing, ms.
pub const ENROLLMENT: u64 = 30 * MINUTE;
/// Invitation lives this long unless told otherwise, ms.
pub const INVITATION: u64 = 7 * DAY;
/// Bus credential of a device lives this long, ms.
pub const BUS_CREDENTIAL: u64 = DAY;

/// PIN, digits: fewer are guessed, more are not remembered.
pub const PIN: core::ops::RangeInclusive<usize> = 6..=32;
/// Password, bytes.
pub const PASSWORD: core::ops::RangeInclusive<usize> = 8..=1024;
/// Wrong PINs or passwords before waiting begins.
pub const FREE_ATTEMPTS: u32 = 3;
/// Waits after each further wrong PIN or password, ms; the last one repeats.
pub const ATTEMPT_WAITS: &[u64] = &[30 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE];
/// Wrong PINs or passwords before only recovery helps; so many attempts a vault's header lists.
pub const ATTEMPT_CAP: u32 = 100;

/// Refusals that the audit chain of an open vault takes in one hour of the clock, those that cost an
/// attempt or a one-time key aside: about 100 KB. A device that repeats them must not fill the vault.
pub const REFUSALS: u32 = 1_000;

/// One-time keys that a vault keeps ready for an app.
pub const TRANSACTION_KEYS: usize = 20;
/// One-time key lives this long, ms.
pub const TRANSACTION_KEY: u64 = 30 * DAY;
/// Protean Credential, bytes.
pub const CREDENTIAL: usize = 16 * 1024;

/// Times that a vault's identity can be rotated: whoever follows it checks every step.
pub const ROTATIONS: usize = 32;

/// Items of a vault, removed ones in the trash included.
pub const ITEMS: usize = 2_000;
/// One item, bytes of its encoding.
pub const ITEM: usize = 64 * 1024;
/// Critical values of one item, bytes of their encoding.
pub const CRITICAL_VALUES: usize = 12 * 1024;
/// Earlier versions of an item that are kept.
pub const ITEM_VERSIONS: usize = 10;
/// An item in the trash is destroyed after this long, ms.
pub const TRASH: u64 = 30 * DAY;
/// Fields of an item.
pub const FIELDS: usize = 64;
/// Name of an item, bytes.
pub const ITEM_NAME: usize = 128;
/// Label of a field, bytes.
pub const FIELD_LABEL: usize = 64;
/// Notes of an item, bytes.
pub const NOTES: usize = 16 * 1024;
/// Tags of a vault.
pub const TAGS: usize = 512;
/// Tags of one item.
pub const ITEM_TAGS: usize = 16;
/// Name of a tag, bytes.
pub const TAG_NAME: usize = 32;
/// Description or color of a tag, bytes.
pub const TAG_TEXT: usize = 128;
/// Keys of an owner.
pub const KEYS: usize = 256;
/// Label of a key, bytes.
pub const KEY_LABEL: usize = 64;
/// Message that a key signs, bytes.
pub const SIGN_MESSAGE: usize = 32 * 1024;
/// Devices of a vault, revoked ones included.
pub const DEVICES: usize = 32;
/// Name of a device, bytes.
pub const DEVICE_NAME: usize = 64;
/// Entries of one page of a list.
pub const PAGE: usize = 200;
/// Text of a search, bytes.
pub const SEARCH: usize = 256;
/// Vault database, bytes.
pub const DATABASE: usize = 256 * 1024 * 1024;
/// Of these, bytes that stay free for what lets the owner in or makes room.
pub const DATABASE_RESERVE: usize = 4 * 1024 * 1024;
/// Plaintext of one chunk of a snapshot, bytes: a sealed chunk must fit a link frame.
pub const SNAPSHOT_CHUNK: usize = 512 * 1024;
/// One log record, bytes: must fit a link frame.
pub const RECORD: usize = 900 * 1024;
/// Header of a vault, bytes of its encoding: every device and every attempt, with room to spare.
pub const HEADER: usize = 16 * 1024;
/// Log records or bytes in one page that the host reads for the enclave.
pub const LOG_PAGE: usize = 512 * 1024;
