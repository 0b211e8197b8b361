//! An owner's vault in its process.

use vettid_crypto::sign::VerifyingKey;
use vettid_wire::time::UnixMillis;

use crate::vault_exit::VaultExit;
use crate::vault_process::{Answer, Broker, Caller, Home, Resident};

/// The vault of one owner.
#[derive(Debug)]
pub struct OwnerVault;

/// What every vault process inherits.
#[must_use]
pub fn template() -> Option<vettid_store::Database> {
    vettid_store::Database::template().ok()
}

impl Resident for OwnerVault {
    type Template = vettid_store::Database;

    fn open(_: Self::Template, _: Home, _: &mut Broker<'_>) -> Result<Self, VaultExit> {
        Err(VaultExit::Damaged)
    }

    fn admits(&self, _: &VerifyingKey) -> bool {
        false
    }

    fn call(
        &mut self,
        _: Caller,
        _: &[u8],
        _: UnixMillis,
        _: &mut Broker<'_>,
    ) -> Result<Answer, VaultExit> {
        Err(VaultExit::Damaged)
    }

    fn tick(&mut self, _: UnixMillis, _: &mut Broker<'_>) -> Result<Answer, VaultExit> {
        Ok(Answer::default())
    }
}
