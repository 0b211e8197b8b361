//! Text forms of ids, and ids that follow from keys.

use serde::{Deserialize, Serialize};
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_wire::id::{
    DeviceId, DeviceRoute, ItemId, KeyId, NetworkId, NetworkKind, NodeId, RequestId, SessionId,
    SpaceId, TransactionKeyId, VaultId,
};

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ids {
    /// Every kind of id with its bytes and text.
    pub texts: Vec<IdText>,
    /// Texts that are refused: kind and text.
    pub refused: Vec<(String, String)>,
    /// Ids that follow from keys.
    pub derived: Derived,
}

/// One id.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IdText {
    /// Kind of id.
    pub kind: String,
    /// Its bytes.
    pub bytes: String,
    /// Its text.
    pub text: String,
}

/// Ids that follow from one Ed25519 key.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Derived {
    /// Seed of the key.
    pub seed: String,
    /// Its public half.
    pub public: String,
    /// Vault whose first identity key it is.
    pub vault: String,
    /// Device whose key it is.
    pub device: String,
}

/// Makes the file.
#[must_use]
pub fn make() -> Ids {
    let nitro = NetworkId {
        kind: NetworkKind::Nitro,
        anchors: [11; 32],
    };
    let emulated = NetworkId {
        kind: NetworkKind::Emulated,
        anchors: [12; 32],
    };
    let vault = VaultId([10; 32]).to_string();
    let mut mistyped = vault.clone();
    let last = mistyped.pop();
    mistyped.push(if last == Some('q') { 'p' } else { 'q' });
    Ids {
        texts: vec![
            text("device", &[1; 32], DeviceId([1; 32])),
            text("device route", &[2; 16], DeviceRoute([2; 16])),
            text("item", &[3; 16], ItemId([3; 16])),
            text("key", &[4; 16], KeyId([4; 16])),
            text("node", &[5; 32], NodeId([5; 32])),
            text("request", &[6; 16], RequestId([6; 16])),
            text("session", &[7; 16], SessionId([7; 16])),
            text("space", &[8; 16], SpaceId([8; 16])),
            text("transaction key", &[9; 16], TransactionKeyId([9; 16])),
            text("vault", &[10; 32], VaultId([10; 32])),
            text("network", &nitro.to_bytes(), nitro),
            text("network", &emulated.to_bytes(), emulated),
        ],
        refused: vec![
            ("vault".to_owned(), mistyped),
            ("node".to_owned(), vault),
            ("space".to_owned(), "08".repeat(15)),
            ("space".to_owned(), "AB".repeat(16)),
        ],
        derived: derived(),
    }
}

/// Text of the id of this kind with these bytes; none for bytes of another length.
///
/// # Panics
/// When there is no such kind.
#[must_use]
pub fn show(kind: &str, bytes: &[u8]) -> Option<String> {
    Some(match kind {
        "device" => DeviceId(bytes.try_into().ok()?).to_string(),
        "device route" => DeviceRoute(bytes.try_into().ok()?).to_string(),
        "item" => ItemId(bytes.try_into().ok()?).to_string(),
        "key" => KeyId(bytes.try_into().ok()?).to_string(),
        "node" => NodeId(bytes.try_into().ok()?).to_string(),
        "request" => RequestId(bytes.try_into().ok()?).to_string(),
        "session" => SessionId(bytes.try_into().ok()?).to_string(),
        "space" => SpaceId(bytes.try_into().ok()?).to_string(),
        "transaction key" => TransactionKeyId(bytes.try_into().ok()?).to_string(),
        "vault" => VaultId(bytes.try_into().ok()?).to_string(),
        other => panic!("no id of kind {other}"),
    })
}

/// Bytes of the id of this kind with this text, if it is one.
///
/// # Panics
/// When there is no such kind.
#[must_use]
pub fn read(kind: &str, text: &str) -> Option<Vec<u8>> {
    Some(match kind {
        "device" => text.parse::<DeviceId>().ok()?.0.to_vec(),
        "device route" => text.parse::<DeviceRoute>().ok()?.0.to_vec(),
        "item" => text.parse::<ItemId>().ok()?.0.to_vec(),
        "key" => text.parse::<KeyId>().ok()?.0.to_vec(),
        "network" => text.parse::<NetworkId>().ok()?.to_bytes().to_vec(),
        "node" => text.parse::<NodeId>().ok()?.0.to_vec(),
        "request" => text.parse::<RequestId>().ok()?.0.to_vec(),
        "session" => text.parse::<SessionId>().ok()?.0.to_vec(),
        "space" => text.parse::<SpaceId>().ok()?.0.to_vec(),
        "transaction key" => text.parse::<TransactionKeyId>().ok()?.0.to_vec(),
        "vault" => text.parse::<VaultId>().ok()?.0.to_vec(),
        other => panic!("no id of kind {other}"),
    })
}

fn text(kind: &str, bytes: &[u8], id: impl ToString) -> IdText {
    IdText {
        kind: kind.to_owned(),
        bytes: hex(bytes),
        text: id.to_string(),
    }
}

fn derived() -> Derived {
    let seed = [0x1d; 32];
    let public: VerifyingKey = SigningKey::from_seed(&seed).verifying_key();
    Derived {
        seed: hex(&seed),
        public: hex(&public.0),
        vault: VaultId::of(&public).to_string(),
        device: DeviceId::of(&public).to_string(),
    }
}
