//! Keys from what people remember. Argon2id, RFC 9106.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::{PinKey, SecretBytes};

/// Parameters of one hash, stored beside its salt so that they can be raised later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106's second choice with one lane: 64 MiB, three passes.
    pub const STANDARD: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 1,
    };
    /// The least that is accepted from storage: 8 MiB, one pass.
    pub const FLOOR: Self = Self {
        memory: 8 * 1024,
        passes: 1,
        lanes: 1,
    };
    /// The most that is accepted from storage: 256 MiB, ten passes, four lanes.
    pub const CEILING: Self = Self {
        memory: 256 * 1024,
        passes: 10,
        lanes: 4,
    };

    fn is_acceptable(self) -> bool {
        (Self::FLOOR.memory..=Self::CEILING.memory).contains(&self.memory)
            && (Self::FLOOR.passes..=Self::CEILING.passes).contains(&self.passes)
            && (Self::FLOOR.lanes..=Self::CEILING.lanes).contains(&self.lanes)
    }
}

/// Cost outside of [`Cost::FLOOR`] to [`Cost::CEILING`], or memory that could not be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("password hashing cost is not acceptable")]
pub struct UnacceptableCost;

/// Hashes a PIN or password. Takes about 0.2 s and `cost.memory` KiB at [`Cost::STANDARD`].
pub fn hash(secret: &[u8], salt: &[u8; 16], cost: Cost) -> Result<PinKey, UnacceptableCost> {
    if !cost.is_acceptable() {
        return Err(UnacceptableCost);
    }
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32))
        .map_err(|_| UnacceptableCost)?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret, salt, out.as_mut_slice())
        .map_err(|_| UnacceptableCost)?;
    Ok(PinKey::from_bytes(*out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(secret: &[u8], salt: u8) -> [u8; 32] {
        hash(secret, &[salt; 16], Cost::FLOOR)
            .expect("acceptable")
            .expose(|key| *key)
    }

    #[test]
    fn secret_and_salt_each_change_the_key() {
        assert_eq!(bytes(b"123456", 1), bytes(b"123456", 1));
        assert_ne!(bytes(b"123456", 1), bytes(b"123457", 1));
        assert_ne!(bytes(b"123456", 1), bytes(b"123456", 2));
    }

    #[test]
    fn cost_below_the_floor_or_above_the_ceiling_is_refused() {
        for cost in [
            Cost {
                memory: Cost::FLOOR.memory - 1,
                ..Cost::FLOOR
            },
            Cost {
                passes: 0,
                ..Cost::FLOOR
            },
            Cost {
                memory: Cost::CEILING.memory + 1,
                ..Cost::FLOOR
            },
            Cost {
                passes: 11,
                ..Cost::FLOOR
            },
            Cost {
                lanes: 5,
                ..Cost::FLOOR
            },
        ] {
            assert_eq!(hash(b"x", &[0; 16], cost).err(), Some(UnacceptableCost));
        }
    }
}
