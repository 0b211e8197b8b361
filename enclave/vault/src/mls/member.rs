//! Members of a group: whose a credential is.

use openmls::prelude::{BasicCredential, Credential, CredentialWithKey, MlsGroup, StagedCommit};
use vettid_crypto::sign::SigningKey;
use vettid_wire::id::VaultId;

use super::group::NotMls;

/// What a vault speaks with in one group.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Whose they are.
    pub(crate) vault: VaultId,
    /// Signature key of this group.
    pub(crate) signer: SigningKey,
}

/// A member of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Member {
    /// Whose.
    pub(crate) vault: VaultId,
    /// Its signature key.
    pub(crate) key: [u8; 32],
}

/// What this vault is called in a group.
pub(super) fn credential(keys: &Keys) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(keys.vault.0.to_vec()).into(),
        signature_key: keys.signer.verifying_key().0.to_vec().into(),
    }
}

/// Vault that a credential names.
pub(super) fn vault_of(credential: &Credential) -> Result<VaultId, NotMls> {
    let credential = BasicCredential::try_from(credential.clone());
    let credential = credential.map_err(|_| NotMls::NotOpened)?;
    let vault = credential.identity().try_into();
    vault.map(VaultId).map_err(|_| NotMls::NotOpened)
}

/// Who has a credential and a signature key.
pub(super) fn member(credential: &Credential, key: &[u8]) -> Result<Member, NotMls> {
    Ok(Member {
        vault: vault_of(credential)?,
        key: key.try_into().map_err(|_| NotMls::NotOpened)?,
    })
}

/// Everybody in a group.
pub(super) fn members(group: &MlsGroup) -> Result<Vec<Member>, NotMls> {
    group
        .members()
        .map(|found| member(&found.credential, &found.signature_key))
        .collect()
}

/// Whether the sender of a commit stays who it is.
pub(super) fn keeps_sender(commit: &StagedCommit, from: &VaultId, key: Option<&[u8]>) -> bool {
    commit.update_path_leaf_node().is_none_or(|leaf| {
        vault_of(leaf.credential()).as_ref() == Ok(from)
            && Some(leaf.signature_key().as_slice()) == key
    })
}
