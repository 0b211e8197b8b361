//! A vault before its first record.

use vettid_crypto::VaultKey;
use vettid_crypto::sign::SigningKey;
use vettid_store::rows::transaction_key::TransactionKey;
use vettid_store::{Database, Device, Lock};
use vettid_wire::id::{SessionId, SpaceId, VaultId};
use vettid_wire::time::UnixMillis;

use crate::header_keys::HeaderKeys;

/// A vault that does not exist yet.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) space: SpaceId,
    pub(crate) keys: HeaderKeys,
    /// SHA-256 of the vault's half of the invitation's secret.
    pub(crate) token_hash: [u8; 32],
    pub(crate) template: Database,
}

/// A vault with device and PIN, whose password is not set yet. In memory only.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) fresh: Fresh,
    pub(crate) vault: VaultId,
    pub(crate) identity: SigningKey,
    pub(crate) key: VaultKey,
    pub(crate) lock: Lock,
    pub(crate) device: Device,
    /// Session that set the PIN.
    pub(crate) session: SessionId,
    /// One-time keys that were not used yet.
    pub(crate) keys: Vec<TransactionKey>,
    pub(crate) at: UnixMillis,
}
