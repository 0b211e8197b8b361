//! Identifiers and their text forms.

use core::fmt;
use core::str::FromStr;

use bech32::{Bech32m, Hrp};
use minicbor::{Decode, Encode};
use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{Entropy, Label, digest};

/// Text is not the id that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnId {
    /// Not of this kind, or mistyped: the checksum or the alphabet is wrong.
    #[error("not an id of this kind, or mistyped")]
    Text,
    /// Right kind, wrong number of bytes.
    #[error("id has a wrong length")]
    Length,
}

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident[$length:literal],)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; $length]);

        impl $name {
            /// Draws a random id.
            pub fn random(entropy: &mut (impl Entropy + ?Sized)) -> Self {
                let mut bytes = [0; $length];
                entropy.fill(&mut bytes);
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                write_hex(f, &self.0)?;
                f.write_str(")")
            }
        }
    )+};
}

/// Text form in lower-case hexadecimal, for ids that only machines read.
macro_rules! hex_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse_hex(text).map(Self)
            }
        }
    )+};
}

/// Text form with a role prefix and a checksum (BIP 350), for ids that people copy.
macro_rules! bech32_text {
    ($($name:ident = $prefix:literal),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                bech32::encode_to_fmt::<Bech32m, _>(f, Hrp::parse_unchecked($prefix), &self.0)
                    .map_err(|_| fmt::Error)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse_bech32($prefix, text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A registered device, from its key.
    DeviceId[32],
    /// Routing id of one device at one node; random, known to the bus.
    DeviceRoute[16],
    /// One item.
    ItemId[16],
    /// One key of the owner.
    KeyId[16],
    /// A node: the Ed25519 key of its enclave's identity.
    NodeId[32],
    /// One request; doubles as its idempotency key.
    RequestId[16],
    /// One session; chosen at random by its initiator.
    SessionId[16],
    /// Routing id of one vault at one node; random, cannot be linked to the vault.
    SpaceId[16],
    /// One one-time key of a vault.
    TransactionKeyId[16],
    /// A vault, for its whole life and on every node.
    VaultId[32],
}

hex_text!(
    DeviceId,
    DeviceRoute,
    ItemId,
    KeyId,
    RequestId,
    SessionId,
    SpaceId,
    TransactionKeyId
);
bech32_text!(NodeId = "node", VaultId = "vettid");

impl VaultId {
    /// The id that follows from a vault's first identity key.
    #[must_use]
    pub fn of(first_identity: &VerifyingKey) -> Self {
        Self(digest::labeled(Label::VaultId, &[&first_identity.0]))
    }
}

impl DeviceId {
    /// The id of a device key.
    #[must_use]
    pub fn of(device_key: &VerifyingKey) -> Self {
        Self(digest::labeled(Label::DeviceId, &[&device_key.0]))
    }
}

/// What roots of trust a network stands on. Never both.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum NetworkKind {
    /// AWS Nitro hardware.
    #[n(0)]
    Nitro,
    /// A development root made for this network; protects nothing from its host.
    #[n(1)]
    Emulated,
}

/// A network: the digest of its anchors, and its kind in plain sight.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NetworkId {
    /// Kind of its trust root.
    #[n(0)]
    pub kind: NetworkKind,
    /// Digest of its anchors.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub anchors: [u8; 32],
}

impl NetworkId {
    /// 33 bytes: the kind, then the digest. For signed strings and derivations.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 33] {
        let mut out = [0; 33];
        let (kind, anchors) = out.split_at_mut(1);
        kind.fill(match self.kind {
            NetworkKind::Nitro => 0,
            NetworkKind::Emulated => 1,
        });
        anchors.copy_from_slice(&self.anchors);
        out
    }
}

impl NetworkKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Nitro => "net",
            Self::Emulated => "emulated",
        }
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_to_fmt::<Bech32m, _>(
            f,
            Hrp::parse_unchecked(self.kind.prefix()),
            &self.anchors,
        )
        .map_err(|_| fmt::Error)
    }
}

impl FromStr for NetworkId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        for kind in [NetworkKind::Nitro, NetworkKind::Emulated] {
            if let Ok(anchors) = parse_bech32(kind.prefix(), text) {
                return Ok(Self { kind, anchors });
            }
        }
        Err(NotAnId::Text)
    }
}

fn parse_bech32<const N: usize>(prefix: &str, text: &str) -> Result<[u8; N], NotAnId> {
    let parsed = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text)
        .map_err(|_| NotAnId::Text)?;
    if parsed.hrp().as_str() != prefix {
        return Err(NotAnId::Text);
    }
    let bytes: Vec<u8> = parsed.byte_iter().collect();
    bytes.try_into().map_err(|_| NotAnId::Length)
}

/// Two digits a byte, written 32 bytes at once: subjects are made for every message of the bus.
fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for part in bytes.chunks(32) {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(part) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        let text = digits.get(..part.len() * 2).unwrap_or_default();
        f.write_str(core::str::from_utf8(text).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

const fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], NotAnId> {
    if text.len() != N * 2 {
        return Err(NotAnId::Length);
    }
    let mut out = [0; N];
    for (to, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(NotAnId::Text),
            };
            *to = (*to << 4) | value;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_come_back() {
        let vault = VaultId([7; 32]);
        let space = SpaceId([0xab; 16]);
        let network = NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [1; 32],
        };

        assert_eq!(vault.to_string().parse(), Ok(vault));
        assert_eq!(space.to_string().parse(), Ok(space));
        assert_eq!(network.to_string().parse(), Ok(network));
        assert!(vault.to_string().starts_with("vettid1"));
        assert!(network.to_string().starts_with("emulated1"));
    }

    #[test]
    fn mistyped_or_foreign_text_is_refused() {
        let vault = VaultId([7; 32]).to_string();

        assert_eq!(
            vault.replacen('q', "p", 1).parse::<VaultId>(),
            Err(NotAnId::Text)
        );
        assert_eq!(vault.parse::<NodeId>(), Err(NotAnId::Text));
        assert_eq!("zz".repeat(16).parse::<SpaceId>(), Err(NotAnId::Text));
        assert_eq!("AB".repeat(16).parse::<SpaceId>(), Err(NotAnId::Text));
        assert_eq!("ab".parse::<SpaceId>(), Err(NotAnId::Length));
    }

    #[test]
    fn vault_and_device_ids_of_one_key_differ() {
        let key = VerifyingKey([1; 32]);

        assert_ne!(VaultId::of(&key).0, DeviceId::of(&key).0);
    }

    #[test]
    fn network_kind_is_part_of_its_bytes() {
        let nitro = NetworkId {
            kind: NetworkKind::Nitro,
            anchors: [1; 32],
        };
        let emulated = NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [1; 32],
        };

        assert_ne!(nitro.to_bytes(), emulated.to_bytes());
    }
}
