//! Header of a vault: what is needed before the vault key is known.
//!
//! Sealed with a key that the platform derives for one space and one release of the enclave
//! ([`HeaderKey`](crate::HeaderKey)). It holds no content of the owner.

use vettid_crypto::password::Cost;
use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{
    Entropy, Label, Pepper, PinKey, SecretBytes, VaultKey, WipedVec, WrappingKey, Zeroize, derive,
};
use vettid_wire::cbor::{self, minicbor};
use vettid_wire::id::{DeviceId, DeviceRoute, VaultId};
use vettid_wire::operation::device::Role;
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, limits};

use minicbor::{Decode, Encode};

use crate::{Attempt, Attempts};

/// Format of the encoding.
const FORMAT: u8 = 2;

/// Header of a vault.
#[derive(Debug)]
pub struct Header {
    /// Which vault.
    pub vault: VaultId,
    /// How the vault key is wrapped.
    pub lock: Lock,
    /// Every device, oldest first, revoked ones included.
    pub devices: Vec<Device>,
    /// Wrong PINs.
    pub attempts: Attempts,
    /// Those of them that are not in the audit chain yet, oldest first; at most
    /// [`limits::ATTEMPT_CAP`].
    pub unaudited: Vec<Attempt>,
    /// When the vault was set up.
    pub created: UnixMillis,
    /// The vault's clock never shows an earlier time than this.
    pub time_floor: UnixMillis,
    /// Release of the enclave that the vault has come from, until its audit chain says so.
    pub moved_from: Option<u32>,
}

/// The vault key, wrapped under PIN and pepper: neither alone opens it.
#[derive(Debug)]
pub struct Lock {
    salt: [u8; 16],
    cost: Cost,
    pepper: Pepper,
    wrapped: Vec<u8>,
}

/// A device that may open sessions with the vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Device {
    /// Name that its owner gave it.
    #[n(0)]
    pub name: String,
    /// Role.
    #[n(1)]
    pub role: Role,
    /// Key that speaks for it.
    #[cbor(n(2), with = "key_bytes")]
    pub key: VerifyingKey,
    /// Its route on the bus.
    #[n(3)]
    pub route: DeviceRoute,
    /// When it was registered.
    #[n(4)]
    pub added: UnixMillis,
    /// When it was revoked.
    #[n(5)]
    pub revoked: Option<UnixMillis>,
}

/// A decrypted header does not have its form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("header is malformed or of an unknown format")]
pub struct MalformedHeader;

impl Lock {
    /// Wraps `key` under what the PIN was hashed to with `salt` and `cost`, and a fresh pepper.
    pub fn new(
        vault: &VaultId,
        key: &VaultKey,
        pin: &PinKey,
        salt: [u8; 16],
        cost: Cost,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Self {
        let pepper = Pepper::generate(entropy);
        let wrapping = wrapping_key(vault, pin, &pepper);
        let wrapped =
            key.expose(|key| seal::seal(&wrapping, Label::VaultKeyWrap, &[&vault.0], key, entropy));
        Self {
            salt,
            cost,
            pepper,
            wrapped,
        }
    }

    /// Salt and cost to hash a PIN with.
    #[must_use]
    pub fn hashing(&self) -> (&[u8; 16], Cost) {
        (&self.salt, self.cost)
    }

    /// The vault key, if `pin` is the hash of the right PIN.
    pub fn open(&self, vault: &VaultId, pin: &PinKey) -> Result<VaultKey, NotOpened> {
        let wrapping = wrapping_key(vault, pin, &self.pepper);
        let key = seal::open(&wrapping, Label::VaultKeyWrap, &[&vault.0], &self.wrapped)?;
        let mut key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| NotOpened)?;
        let vault_key = VaultKey::from_bytes(key);
        key.zeroize();
        Ok(vault_key)
    }
}

impl Device {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }
}

impl Header {
    /// The device with this key, unless it was revoked.
    #[must_use]
    pub fn device(&self, key: &VerifyingKey) -> Option<&Device> {
        self.devices
            .iter()
            .find(|device| device.key == *key && device.revoked.is_none())
    }

    /// Encodes it, to be sealed.
    pub(crate) fn encode(&self) -> WipedVec {
        let Lock {
            salt,
            cost,
            pepper,
            wrapped,
        } = &self.lock;
        WipedVec::new(cbor::encode(&Plain {
            format: FORMAT,
            vault: self.vault,
            salt: *salt,
            cost: (cost.memory, cost.passes, cost.lanes),
            pepper: pepper.expose(|pepper| Secret::new(pepper.to_vec())),
            wrapped: wrapped.clone(),
            devices: self.devices.clone(),
            failed: self.attempts.failed,
            not_before: self.attempts.not_before,
            created: self.created,
            time_floor: self.time_floor,
            unaudited: self.unaudited.clone(),
            moved_from: self.moved_from,
        }))
    }

    /// Reads what was sealed. It was authenticated, so its form is only wrong if ours changed.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MalformedHeader> {
        let plain: Plain = cbor::decode_exact(bytes).map_err(|_| MalformedHeader)?;
        let attempts = u32::try_from(plain.unaudited.len()).unwrap_or(u32::MAX);
        if plain.format != FORMAT
            || plain.devices.len() > limits::DEVICES
            || attempts > limits::ATTEMPT_CAP
        {
            return Err(MalformedHeader);
        }
        let pepper = plain
            .pepper
            .expose(|pepper| pepper.try_into().map(Pepper::from_bytes));
        let (memory, passes, lanes) = plain.cost;
        Ok(Self {
            vault: plain.vault,
            lock: Lock {
                salt: plain.salt,
                cost: Cost {
                    memory,
                    passes,
                    lanes,
                },
                pepper: pepper.map_err(|_| MalformedHeader)?,
                wrapped: plain.wrapped,
            },
            devices: plain.devices,
            attempts: Attempts {
                failed: plain.failed,
                not_before: plain.not_before,
            },
            unaudited: plain.unaudited,
            created: plain.created,
            time_floor: plain.time_floor,
            moved_from: plain.moved_from,
        })
    }
}

fn wrapping_key(vault: &VaultId, pin: &PinKey, pepper: &Pepper) -> WrappingKey {
    derive::key_from_two(pin, pepper, Label::VaultKeyWrapping, &[&vault.0])
}

/// Encoding of a header.
#[derive(Decode, Encode)]
#[cbor(map)]
struct Plain {
    #[n(0)]
    format: u8,
    #[n(1)]
    vault: VaultId,
    #[cbor(n(2), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[n(3)]
    cost: (u32, u32, u32),
    #[n(4)]
    pepper: Secret,
    #[cbor(n(5), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
    #[n(6)]
    devices: Vec<Device>,
    #[n(7)]
    failed: u32,
    #[n(8)]
    not_before: UnixMillis,
    #[n(9)]
    created: UnixMillis,
    #[n(10)]
    time_floor: UnixMillis,
    #[n(11)]
    unaudited: Vec<Attempt>,
    #[n(12)]
    moved_from: Option<u32>,
}

/// A verifying key as a byte string.
mod key_bytes {
    use super::{VerifyingKey, minicbor};
    use minicbor::{Decoder, Encoder, bytes};

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        key: &VerifyingKey,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        bytes::encode(&key.0, e, ctx)
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        ctx: &mut C,
    ) -> Result<VerifyingKey, minicbor::decode::Error> {
        bytes::decode(d, ctx).map(VerifyingKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use vettid_crypto::SeededEntropy;

    #[test]
    fn header_comes_back_from_its_encoding() {
        let header = fixture::header();

        let decoded = Header::decode(&header.encode()).expect("decodes");

        assert_eq!(*decoded.encode(), *header.encode());
        assert_eq!(decoded.devices, header.devices);
        assert_eq!(decoded.attempts, header.attempts);
        assert_eq!(decoded.unaudited, header.unaudited);
    }

    #[test]
    fn vault_key_opens_with_the_same_pin_for_the_same_vault_only() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let (vault, other) = (VaultId([1; 32]), VaultId([2; 32]));
        let (pin, wrong) = (PinKey::from_bytes([1; 32]), PinKey::from_bytes([2; 32]));
        let key = VaultKey::from_bytes([9; 32]);
        let lock = Lock::new(&vault, &key, &pin, [0; 16], Cost::STANDARD, &mut entropy);

        let opened = lock.open(&vault, &pin).expect("opens");

        assert!(opened.expose(|bytes| *bytes == [9; 32]));
        assert_eq!(lock.open(&vault, &wrong).err(), Some(NotOpened));
        assert_eq!(lock.open(&other, &pin).err(), Some(NotOpened));
    }

    #[test]
    fn revoked_device_is_not_found() {
        let mut header = fixture::header();
        let key = header.devices[0].key;
        assert!(header.device(&key).is_some());

        header.devices[0].revoked = Some(UnixMillis(5));

        assert!(header.device(&key).is_none());
        assert!(header.device(&VerifyingKey([0xee; 32])).is_none());
    }

    /// A header that holds all that one can.
    fn largest() -> Header {
        let mut header = fixture::header();
        header.devices[0].name = "x".repeat(limits::DEVICE_NAME);
        header.devices[0].revoked = Some(UnixMillis(u64::MAX));
        header.devices = vec![header.devices[0].clone(); limits::DEVICES];
        header.unaudited[0].at = UnixMillis(u64::MAX);
        header.unaudited = vec![header.unaudited[0].clone(); limits::ATTEMPT_CAP as usize];
        header
    }

    #[test]
    fn foreign_format_and_too_many_devices_or_attempts_are_refused() {
        let mut bytes = fixture::header().encode().to_vec();
        bytes[2] = FORMAT + 1;
        assert_eq!(Header::decode(&bytes).err(), Some(MalformedHeader));
        assert_eq!(Header::decode(&bytes[1..]).err(), Some(MalformedHeader));
        assert!(Header::decode(&largest().encode()).is_ok());

        let mut devices = largest();
        devices.devices.push(devices.devices[0].clone());
        let mut attempts = largest();
        attempts.unaudited.push(attempts.unaudited[0].clone());

        for header in [devices, attempts] {
            let decoded = Header::decode(&header.encode());
            assert_eq!(decoded.err(), Some(MalformedHeader));
        }
    }

    #[test]
    fn header_with_every_device_and_attempt_has_its_place_in_a_record() {
        let size = largest().encode().len();

        assert!(size < limits::HEADER, "{size}");
    }

    #[test]
    fn pepper_is_not_printed() {
        assert!(format!("{:?}", fixture::header()).contains("Pepper(..)"));
    }
}
