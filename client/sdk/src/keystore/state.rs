//! Everything that a device keeps about itself and its vault.

use core::fmt;

use vettid_crypto::Zeroizing;
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_crypto::x25519::X25519Secret;
use vettid_wire::Secret;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::{DeviceRoute, SpaceId, TransactionKeyId, VaultId};
use vettid_wire::request::{Credential, TransactionKey};
use vettid_wire::time::UnixMillis;

use crate::entropy::OsEntropy;
use crate::error::Fault;
use crate::trust::{Anchor, Remembered};

/// Everything that a device keeps about itself and its vault, but for the newest head.
///
/// PIN and password are never in it.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct State {
    /// Private keys of the device.
    #[n(0)]
    pub keys: DeviceKeys,
    /// Where it was invited to.
    #[n(1)]
    pub anchor: Anchor,
    /// The newest policy and release that it accepted.
    #[n(2)]
    pub remembered: Remembered,
    /// The signed network file of `remembered.epoch`; absent until the node was asked.
    #[n(3)]
    pub network_file: Option<Secret>,
    /// Access to the bus; absent until the invitation was used.
    #[n(4)]
    pub bus: Option<BusAccess>,
    /// What enrollment still needs; absent once it is complete.
    #[n(5)]
    pub enrollment: Option<Enrollment>,
    /// The vault; absent until it was staged.
    #[n(6)]
    pub vault: Option<VaultId>,
    /// The Protean Credential; absent until it was made.
    #[n(7)]
    pub credential: Option<Credential>,
    /// One-time keys of the vault that were not used.
    #[n(8)]
    pub transaction_keys: Vec<TransactionKey>,
    /// A request with the owner's proof whose answer has not come.
    #[n(9)]
    pub pending: Option<Pending>,
}

/// Private keys of a device.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct DeviceKeys {
    /// Seed of the Ed25519 key that is the device's identity.
    #[n(0)]
    pub identity: Secret,
    /// X25519 static of its sessions.
    #[n(1)]
    pub session: Secret,
    /// Seed of its user on the bus, in NATS text form.
    #[n(2)]
    pub bus: Secret,
}

/// A device's access to the bus of its node.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct BusAccess {
    /// User JWT.
    #[n(0)]
    pub jwt: String,
    /// When it expires.
    #[n(1)]
    pub expires: UnixMillis,
    /// Space of the vault.
    #[n(2)]
    pub space: SpaceId,
    /// Route of the device.
    #[n(3)]
    pub route: DeviceRoute,
    /// Where the bus is, best first.
    #[n(4)]
    pub addresses: Vec<String>,
}

/// An enrollment that is not complete.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Enrollment {
    /// Secret of the invitation.
    #[n(0)]
    pub secret: Secret,
    /// Name that the device will have.
    #[n(1)]
    pub device_name: String,
}

/// A request with the owner's proof whose answer has not come: it is repeated, never made anew.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Pending {
    /// When it was made.
    #[n(0)]
    pub made: UnixMillis,
    /// Name of the operation.
    #[n(1)]
    pub operation: String,
    /// The request as it was sent. The password in it is sealed to a one-time key of the vault.
    #[n(2)]
    pub request: Secret,
}

impl State {
    /// A device with new keys that was invited to `anchor`.
    pub(crate) fn generate(anchor: Anchor, enrollment: Enrollment) -> Result<Self, Fault> {
        Ok(Self {
            keys: DeviceKeys::generate()?,
            anchor,
            remembered: Remembered::default(),
            network_file: None,
            bus: None,
            enrollment: Some(enrollment),
            vault: None,
            credential: None,
            transaction_keys: Vec::new(),
            pending: None,
        })
    }

    /// Adds what the vault says are this device's unused keys, without those that are expired.
    pub(crate) fn set_transaction_keys(&mut self, keys: Vec<TransactionKey>, now: UnixMillis) {
        self.transaction_keys = keys;
        self.transaction_keys.retain(|key| now < key.expires);
    }

    /// Takes the next one-time key that is still good.
    pub(crate) fn next_transaction_key(&mut self, now: UnixMillis) -> Option<TransactionKey> {
        self.transaction_keys.retain(|key| now < key.expires);
        (!self.transaction_keys.is_empty()).then(|| self.transaction_keys.remove(0))
    }

    /// Forgets one key.
    pub(crate) fn drop_transaction_key(&mut self, id: TransactionKeyId) {
        self.transaction_keys.retain(|key| key.id != id);
    }

    /// Takes a credential, unless the one at hand is as new.
    pub(crate) fn take_credential(&mut self, credential: Credential) {
        if self
            .credential
            .as_ref()
            .is_none_or(|held| held.version < credential.version)
        {
            self.credential = Some(credential);
        }
    }
}

impl DeviceKeys {
    fn generate() -> Result<Self, Fault> {
        let identity = SigningKey::generate(&mut OsEntropy);
        let session = X25519Secret::generate(&mut OsEntropy);
        let raw: Zeroizing<[u8; 32]> =
            Zeroizing::new(SigningKey::generate(&mut OsEntropy).expose_seed(|seed| *seed));
        let bus = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, *raw)
            .and_then(|pair| pair.seed())
            .map_err(|_| Fault::Key)?;
        Ok(Self {
            identity: identity.expose_seed(|seed| Secret::new(seed.to_vec())),
            session: session.expose(|bytes| Secret::new(bytes.to_vec())),
            bus: Secret::new(bus.into_bytes()),
        })
    }

    /// The key that is the device's identity.
    pub fn identity(&self) -> Result<SigningKey, Fault> {
        Ok(SigningKey::from_seed(&*bytes(&self.identity)?))
    }

    /// The public half of it.
    pub fn public(&self) -> Result<VerifyingKey, Fault> {
        Ok(self.identity()?.verifying_key())
    }

    /// The static of its sessions.
    pub(crate) fn session(&self) -> Result<X25519Secret, Fault> {
        Ok(X25519Secret::from_bytes(&*bytes(&self.session)?))
    }

    /// Its user on the bus.
    pub(crate) fn bus(&self) -> Result<nkeys::KeyPair, Fault> {
        self.bus.expose(|seed| {
            let text = core::str::from_utf8(seed).map_err(|_| Fault::Key)?;
            nkeys::KeyPair::from_seed(text).map_err(|_| Fault::Key)
        })
    }
}

fn bytes(secret: &Secret) -> Result<Zeroizing<[u8; 32]>, Fault> {
    secret.expose(|bytes| bytes.try_into().map(Zeroizing::new).map_err(|_| Fault::Key))
}

/// Writes the name of a type that holds secrets, and nothing else.
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

redacted!(State, DeviceKeys, BusAccess, Enrollment, Pending);
