//! Format of a Protean Credential.
//!
//! ```text
//!  version, MAC over version and body ── body: sealed to the CEK ── inner: salt, cost, sealed under
//!                                                                   the password ── contents
//! ```

use vettid_crypto::password::Cost;
use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{
    CriticalRoot, Entropy, Label, MacKey, PinKey, SecretBytes, WrappingKey, derive, digest,
};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::VaultId;
use vettid_wire::{Secret, cbor, limits};

/// A credential as the app holds it: what can be read of it without any key.
#[derive(Debug, Decode, Encode)]
#[cbor(map)]
pub(crate) struct Blob {
    /// Grows by one at every use.
    #[n(0)]
    pub(crate) version: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    mac: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    body: Vec<u8>,
}

/// Inner layer: opens with the password.
#[derive(Decode, Encode)]
#[cbor(map)]
pub(crate) struct Inner {
    #[cbor(n(0), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[n(1)]
    cost: (u32, u32, u32),
    #[cbor(n(2), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

/// What a credential is there to hold.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Signs what the owner approves.
    pub(crate) key: SigningKey,
    /// Root of the keys of critical values.
    pub(crate) root: CriticalRoot,
}

/// A key made from the password, with what made it.
#[derive(Debug)]
pub(crate) struct PasswordLock {
    salt: [u8; 16],
    cost: Cost,
    key: WrappingKey,
}

#[derive(Decode, Encode)]
#[cbor(map)]
struct Plain {
    #[n(0)]
    version: u64,
    #[n(1)]
    vault: VaultId,
    #[n(2)]
    key: Secret,
    #[n(3)]
    root: Secret,
}

impl Blob {
    /// Reads a blob that this vault made; none for any other bytes.
    pub(crate) fn genuine(bytes: &[u8], mac_key: &MacKey) -> Option<Self> {
        if bytes.len() > limits::CREDENTIAL {
            return None;
        }
        let blob: Self = cbor::decode(bytes).ok()?;
        let parts = mac_parts(blob.version, &blob.body);
        let parts = parts.each_ref().map(Vec::as_slice);
        derive::mac_is_valid(mac_key, Label::CredentialHeader, &parts, &blob.mac).then_some(blob)
    }

    /// Seals contents as one version, to a CEK of its own.
    pub(crate) fn seal(
        version: u64,
        vault: &VaultId,
        contents: &Contents,
        lock: &PasswordLock,
        (cek, mac_key): (&BoxSecret, &MacKey),
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, NotOpened> {
        let plain = Plain {
            version,
            vault: *vault,
            key: contents.key.expose_seed(|seed| Secret::new(seed.to_vec())),
            root: contents.root.expose(|root| Secret::new(root.to_vec())),
        };
        let context: &[&[u8]] = &[&vault.0, &version.to_be_bytes()];
        let plain = Secret::new(cbor::encode(&plain));
        let sealed = plain
            .expose(|plain| seal::seal(&lock.key, Label::CredentialInner, context, plain, entropy));
        let Cost {
            memory,
            passes,
            lanes,
        } = lock.cost;
        let inner = Inner {
            salt: lock.salt,
            cost: (memory, passes, lanes),
            sealed,
        };
        let inner = cbor::encode(&inner);
        let body = cek
            .public()
            .seal(Label::CredentialOuter, context, &inner, entropy)?;
        let parts = mac_parts(version, &body);
        let parts = parts.each_ref().map(Vec::as_slice);
        let mac = derive::mac(mac_key, Label::CredentialHeader, &parts);
        Ok(cbor::encode(&Self { version, mac, body }))
    }

    /// Opens the outer layer.
    pub(crate) fn open_outer(&self, vault: &VaultId, cek: &BoxSecret) -> Result<Inner, NotOpened> {
        let context: &[&[u8]] = &[&vault.0, &self.version.to_be_bytes()];
        let inner = cek.open(Label::CredentialOuter, context, &self.body)?;
        cbor::decode(&inner).map_err(|_| NotOpened)
    }
}

impl Inner {
    /// Salt and cost to hash the password with.
    pub(crate) fn hashing(&self) -> ([u8; 16], Cost) {
        let (memory, passes, lanes) = self.cost;
        (
            self.salt,
            Cost {
                memory,
                passes,
                lanes,
            },
        )
    }

    /// Opens the inner layer of one version, if the lock is of the right password.
    pub(crate) fn open(
        &self,
        version: u64,
        vault: &VaultId,
        lock: &PasswordLock,
    ) -> Result<Contents, NotOpened> {
        let context: &[&[u8]] = &[&vault.0, &version.to_be_bytes()];
        let plain = seal::open(&lock.key, Label::CredentialInner, context, &self.sealed)?;
        let plain: Plain = cbor::decode(&plain).map_err(|_| NotOpened)?;
        if plain.version != version || plain.vault != *vault {
            return Err(NotOpened);
        }
        let key = plain
            .key
            .expose(|seed| seed.try_into().map(SigningKey::from_seed));
        let root = plain
            .root
            .expose(|root| root.try_into().map(CriticalRoot::from_bytes));
        Ok(Contents {
            key: key.map_err(|_| NotOpened)?,
            root: root.map_err(|_| NotOpened)?,
        })
    }
}

impl Contents {
    /// Draws new contents.
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Self {
        Self {
            key: SigningKey::generate(entropy),
            root: CriticalRoot::generate(entropy),
        }
    }

    /// The same root, with another key or the same one.
    pub(crate) fn with_key(&self, key: Option<SigningKey>) -> Self {
        let key = key.unwrap_or_else(|| self.key.expose_seed(SigningKey::from_seed));
        Self {
            key,
            root: self.root.expose(|root| CriticalRoot::from_bytes(*root)),
        }
    }
}

impl PasswordLock {
    /// The lock of a password that was hashed with `salt` and `cost`.
    pub(crate) fn new(vault: &VaultId, hashed: &PinKey, salt: [u8; 16], cost: Cost) -> Self {
        Self {
            salt,
            cost,
            key: derive::key(hashed, Label::PasswordKey, &[&vault.0]),
        }
    }

    /// The same lock once more.
    pub(crate) fn copy(&self) -> Self {
        let key = self.key.expose(|key| WrappingKey::from_bytes(*key));
        Self {
            salt: self.salt,
            cost: self.cost,
            key,
        }
    }
}

fn mac_parts(version: u64, body: &[u8]) -> [Vec<u8>; 2] {
    [
        version.to_be_bytes().to_vec(),
        digest::sha256(body).to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::SeededEntropy;

    const VAULT: VaultId = VaultId([7; 32]);

    struct Made {
        bytes: Vec<u8>,
        cek: BoxSecret,
        mac_key: MacKey,
        public: [u8; 32],
    }

    fn lock(byte: u8) -> PasswordLock {
        PasswordLock::new(
            &VAULT,
            &PinKey::from_bytes([byte; 32]),
            [1; 16],
            Cost::FLOOR,
        )
    }

    fn made(version: u64) -> Made {
        let mut entropy = SeededEntropy::dangerous_new(version);
        let contents = Contents::generate(&mut entropy);
        let cek = BoxSecret::generate(&mut entropy);
        let mac_key = MacKey::from_bytes([3; 32]);
        let keys = (&cek, &mac_key);
        let bytes =
            Blob::seal(version, &VAULT, &contents, &lock(1), keys, &mut entropy).expect("seals");
        Made {
            bytes,
            cek,
            mac_key,
            public: contents.key.verifying_key().0,
        }
    }

    #[test]
    fn contents_come_back_with_cek_and_password() {
        let made = made(4);

        let blob = Blob::genuine(&made.bytes, &made.mac_key).expect("genuine");
        let inner = blob.open_outer(&VAULT, &made.cek).expect("outer");
        let contents = inner.open(4, &VAULT, &lock(1)).expect("inner");

        assert_eq!(contents.key.verifying_key().0, made.public);
        assert_eq!(inner.hashing(), ([1; 16], Cost::FLOOR));
        assert!(made.bytes.len() < 2048);
    }

    #[test]
    fn other_password_cek_vault_or_version_opens_nothing() {
        let made = made(4);
        let blob = Blob::genuine(&made.bytes, &made.mac_key).expect("genuine");
        let inner = blob.open_outer(&VAULT, &made.cek).expect("outer");

        assert!(inner.open(4, &VAULT, &lock(2)).is_err());
        assert!(inner.open(5, &VAULT, &lock(1)).is_err());
        assert!(inner.open(4, &VaultId([8; 32]), &lock(1)).is_err());
        let other = BoxSecret::generate(&mut SeededEntropy::dangerous_new(9));
        assert!(blob.open_outer(&VAULT, &other).is_err());
        assert!(blob.open_outer(&VaultId([8; 32]), &made.cek).is_err());
    }

    #[test]
    fn altered_or_foreign_blob_is_not_genuine() {
        let made = made(1);
        for index in [1, 5, 40, 100, made.bytes.len() - 1] {
            let mut bytes = made.bytes.clone();
            bytes[index] ^= 1;
            assert!(
                Blob::genuine(&bytes, &made.mac_key).is_none(),
                "byte {index}"
            );
        }
        assert!(Blob::genuine(&made.bytes, &MacKey::from_bytes([4; 32])).is_none());
        assert!(Blob::genuine(&[], &made.mac_key).is_none());
        assert!(Blob::genuine(&vec![0; limits::CREDENTIAL + 1], &made.mac_key).is_none());
    }
}
