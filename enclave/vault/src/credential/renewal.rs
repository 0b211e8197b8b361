//! The next credential: what every use makes of the current one.

use vettid_crypto::MacKey;
use vettid_crypto::digest;
use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::SigningKey;
use vettid_store::Change;
use vettid_store::rows::credential::NextCredential;
use vettid_wire::Secret;
use vettid_wire::id::{DeviceId, VaultId};
use vettid_wire::refusal::Code;
use vettid_wire::request::Credential;

use super::blob::{Blob, Contents, PasswordLock};
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::outside::Outside;
use crate::stop::Stop;

/// What an operation wants to be different in the next credential. Only with the owner present.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    password: Option<Secret>,
    key: Option<SigningKey>,
}

impl Changing<'_> {
    /// The next credential opens with another password. Spends the grant.
    pub(crate) fn renew_password(&mut self, _: OwnerPresent, password: Secret) {
        self.traces.renewal.password = Some(password);
    }

    /// The next credential holds another credential key. Spends the grant.
    pub(crate) fn renew_key(&mut self, _: OwnerPresent, key: SigningKey) {
        self.traces.renewal.key = Some(key);
    }
}

/// An open credential: what it holds, and the lock that it was opened with.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) version: u64,
    pub(crate) contents: Contents,
    pub(crate) lock: PasswordLock,
}

impl Secrets {
    /// Secrets of a vault's first credential, under its first password.
    pub(crate) fn first(
        vault: &VaultId,
        password: &Secret,
        out: &mut Outside<'_>,
    ) -> Result<Self, Stop> {
        let contents = Contents::generate(out.entropy);
        Ok(Self {
            version: 0,
            contents,
            lock: lock(vault, password, out)?,
        })
    }

    /// The same, but for what an operation wants to be different.
    pub(crate) fn renewed(
        &self,
        vault: &VaultId,
        renewal: Renewal,
        out: &mut Outside<'_>,
    ) -> Result<Self, Stop> {
        let lock = match renewal.password {
            Some(password) => lock(vault, &password, out)?,
            None => self.lock.copy(),
        };
        let contents = self.contents.with_key(renewal.key);
        Ok(Self {
            version: self.version,
            contents,
            lock,
        })
    }

    /// Stores the next credential in place of the current one, whose CEK is destroyed with that.
    /// Without a `mac_key` in the database yet, `first` is it.
    pub(crate) fn store_next(
        &self,
        change: &Change<'_>,
        (vault, device): (&VaultId, &DeviceId),
        (mac_key, first): (&MacKey, bool),
        out: &mut Outside<'_>,
    ) -> Result<Credential, Stop> {
        let version = self.version.checked_add(1).ok_or(Code::Internal)?;
        let cek = BoxSecret::generate(out.entropy);
        let keys = (&cek, mac_key);
        let blob = Blob::seal(
            version,
            vault,
            &self.contents,
            &self.lock,
            keys,
            out.entropy,
        )
        .map_err(|_| Code::Internal)?;
        let next = NextCredential {
            version,
            public: self.contents.key.verifying_key(),
            cek: &cek,
            digest: digest::sha256(&blob),
            blob: &blob,
            device: *device,
        };
        if first {
            change.insert_credential(mac_key, &next)?;
        } else {
            change.replace_credential(&next)?;
        }
        Ok(Credential { version, blob })
    }
}

fn lock(vault: &VaultId, password: &Secret, out: &mut Outside<'_>) -> Result<PasswordLock, Stop> {
    let (salt, cost) = (out.salt(), out.cost);
    let hashed = out.hash(password, &salt, cost)?;
    Ok(PasswordLock::new(vault, &hashed, salt, cost))
}
