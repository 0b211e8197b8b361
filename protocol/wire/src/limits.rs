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
/// Bootstrap nodes that it names, and relays.
pub const INTRODUCERS: usize = 64;
/// Frame between host and enclave, bytes.
pub const LINK_FRAME: usize = 1024 * 1024;
/// Bytes of one piece of an enclave's connection to its key service.
pub const SEALING_PIECE: usize = 16 * 1024;
/// Bytes that pass over that connection, both ways together.
pub const SEALING_CONNECTION: usize = 1024 * 1024;
/// Bytes of a sealed root, its document included.
pub const SEALED_ROOT: usize = 24 * 1024;
/// Bytes of an offer, a handover or an inheritance, documents included.
pub const HANDOVER: usize = 24 * 1024;
/// Releases that a node hands over between: earlier ones of one, and later ones.
pub const RELEASES: usize = 8;
/// Bytes of what an enclave says of a boot that failed.
pub const SEALING_FAILURE: usize = 512;
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
/// Bytes of log records in one page that the host reads for the enclave; a larger record is alone in its page.
pub const LOG_PAGE: usize = 512 * 1024;

/// Delivery between two vaults, bytes of its body: a message of 16 KiB or what opens a group of 256.
pub const DELIVERY: usize = 256 * 1024;
/// Delivery that could not be made by then is given up, and its owner told, ms.
pub const DELIVERY_TIME: u64 = 16 * DAY;
/// First pause before a delivery is tried again, ms; it doubles, with full jitter.
pub const RETRY_FIRST: u64 = SECOND / 4;
/// Longest of the doubling pauses, ms.
pub const RETRY_DOUBLING: u64 = 30 * SECOND;
/// Pause between later tries, ms.
pub const RETRY_LATER: u64 = 5 * MINUTE;
/// Deliveries of one lane that are under way at once.
pub const LANE_WINDOW: usize = 32;
/// Deliveries that wait in the mailbox of one closed vault.
pub const MAILBOX_MESSAGES: u64 = 10_000;
/// Bytes that wait in the mailbox of one closed vault.
pub const MAILBOX_BYTES: u64 = 128 * 1024 * 1024;
/// Items of a mailbox in one page.
pub const MAIL_PAGE: usize = 64;
/// Connection to a peer that is not admitted by then is closed, ms.
pub const ADMISSION_TIME: u64 = 10 * SECOND;
/// Message between two enclaves, bytes: a delivery and what surrounds it.
pub const PEER_MESSAGE: usize = DELIVERY + 1024;
/// Session between two enclaves ends after this long, ms.
pub const PEER_SESSION: u64 = HOUR;
/// Peers with a session at once.
pub const PEERS: usize = 1_024;
/// Sealed home record, bytes: an identity of 32 rotations and a few nodes.
pub const HOME_RECORD: usize = 12 * 1024;
/// Nodes in a home record.
pub const HOME_NODES: usize = 4;
/// Addresses of one node in a home record or an invitation.
pub const HOME_ADDRESSES: usize = 8;
/// One address, bytes of a multiaddr's text.
pub const ADDRESS: usize = 256;
/// Home record is not used after this, ms.
pub const HOME_TIME: u64 = 30 * DAY;
/// Home records that a host may offer for one vault.
pub const HOME_ANSWERS: usize = 8;

/// Gossiped object, bytes: it announces, bodies are fetched.
pub const GOSSIP: usize = 1024;

/// Invitation to connect, in person: at most this long, ms.
pub const CONNECT_IN_PERSON: u64 = 10 * MINUTE;
/// Invitation to connect, from afar: at most this long, ms.
pub const CONNECT_REMOTE: u64 = 7 * DAY;
/// Invitations to connect that are open at once.
pub const CONNECT_INVITATIONS: usize = 64;
/// Connections of a vault.
pub const CONNECTIONS: usize = 1_000;
/// Fields of the card that an owner shows.
pub const CARD_FIELDS: usize = 16;
/// Name of a field of a card, bytes.
pub const CARD_NAME: usize = 32;
/// Value of a field of a card, bytes.
pub const CARD_VALUE: usize = 512;
/// Alias of a connection or name of a group, bytes.
pub const ALIAS: usize = 128;
/// Tags of one connection.
pub const CONNECTION_TAGS: usize = 16;
/// Messages of a connection after which its keys are renewed.
pub const HEAL_MESSAGES: u64 = 10_000;
/// Time after which the keys of a connection are renewed, ms.
pub const HEAL_TIME: u64 = DAY;
/// Text of a message, bytes.
pub const TEXT: usize = 16 * 1024;
/// Attachments of one message.
pub const ATTACHMENTS: usize = 16;
/// Name or media type of an attachment, bytes.
pub const ATTACHMENT_NAME: usize = 256;
/// One sealed chunk of an attachment, plaintext bytes.
pub const ATTACHMENT_CHUNK: usize = 8 * 1024 * 1024;
/// Bytes a second that a chunk must come with: an uplink of 256 kbit/s has twice as much, and whoever
/// sends less keeps a node's memory from others.
pub const TRANSFER_SLOWEST: u64 = 16 * 1024;
/// Longest pause in the transfer of a chunk, ms, and what all its pauses may add to its time at that
/// speed: a mobile line that is handed over mends within it.
pub const TRANSFER_PAUSE: u64 = 30 * SECOND;
/// Chunks of one attachment.
pub const ATTACHMENT_CHUNKS: u32 = 256;
/// A reaction, bytes: one emoji of several code points.
pub const REACTION: usize = 32;
/// Reactions that are shown with a message; how many there are is said.
pub const REACTIONS: u32 = 64;
/// Row of a removed message stays this long, ms: devices that were away learn of it, and what is said
/// again of it is known.
pub const REMOVED: u64 = 30 * DAY;
/// Deliveries to members of groups that wait in a vault's outbox: what a mailbox holds. With more,
/// only members for whom next to nothing waits are told; with twice as many, nobody.
pub const OUTBOX: usize = 10_000;
/// Deliveries to one member of groups that wait in a vault's outbox: one that nobody reaches must not
/// use up what is there for all.
pub const MEMBER_OUTBOX: usize = 500;
/// Deliveries of one connection that wait in a vault's outbox: a record holds the mark that all of
/// them are to be said again.
pub const CONNECTION_OUTBOX: usize = 4_000;
/// Deliveries of one connection or group that a vault takes in the long run, a second.
pub const PEER_DELIVERIES: u64 = 1_000;
/// Deliveries of one connection or group that a vault takes at once after a pause: two full
/// mailboxes, for one that was closed.
pub const PEER_BURST: u64 = 20_000;
/// Deliveries of nobody it knows that a vault takes in the long run, a second.
pub const STRANGER_DELIVERIES: u64 = 20;
/// Deliveries of nobody it knows that a vault takes at once after a pause.
pub const STRANGER_BURST: u64 = 200;
/// An attempt to connect that is not approved by then has failed, ms.
pub const APPROVAL: u64 = 7 * DAY;
/// Vaults of a group, its creator included.
pub const GROUP: usize = 256;
/// Groups of a vault.
pub const GROUPS: usize = 256;
/// Longest time before a message disappears, ms.
pub const DISAPPEAR: u64 = 365 * DAY;
/// Deliveries that came too early and wait for the one before, per connection.
pub const EARLY: usize = 256;
/// Bytes of these, per connection.
pub const EARLY_BYTES: usize = 1024 * 1024;
/// Bytes that others have said in one conversation and that are kept: a quarter of a vault's database.
/// In a group the second half of them is shared out among its members.
pub const CONVERSATION: usize = DATABASE / 4;
/// Bytes that others have said in all conversations together: half of a vault's database, so that nobody can take
/// from its owner the room for everything else. The second half of them is shared out among the
/// conversations.
pub const CONVERSATIONS: usize = DATABASE / 2;
/// Groups of one connection that its owner was invited into in one day, or has not decided on.
pub const GROUP_INVITATIONS: usize = 8;
