//! What one call may use of the world.

use vettid_crypto::password::{self, Cost};
use vettid_crypto::{Entropy, PinKey};
use vettid_wire::Secret;
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use crate::Host;
use crate::mls::AtHand;
use crate::stop::Stop;

/// What one call may use of the world.
pub(crate) struct Outside<'a> {
    /// The vault's log and chunks.
    pub(crate) host: &'a mut dyn Host,
    /// Random bytes.
    pub(crate) entropy: &'a mut dyn Entropy,
    /// The vault's time, the same throughout the call.
    pub(crate) now: UnixMillis,
    /// What hashing a new PIN or password costs.
    pub(crate) cost: Cost,
    /// Groups that need not be read: in a transaction of an open vault.
    pub(crate) at_hand: Option<&'a AtHand>,
}

impl Outside<'_> {
    /// The same, lent on.
    pub(crate) fn lend(&mut self) -> Outside<'_> {
        Outside {
            host: self.host,
            entropy: self.entropy,
            now: self.now,
            cost: self.cost,
            at_hand: self.at_hand,
        }
    }

    /// Hashes a PIN or password, when the memory for it may be used.
    pub(crate) fn hash(
        &mut self,
        secret: &Secret,
        salt: &[u8; 16],
        cost: Cost,
    ) -> Result<PinKey, Stop> {
        self.host.take_kdf_slot()?;
        let hashed = secret.expose(|secret| password::hash(secret, salt, cost));
        self.host.release_kdf_slot();
        hashed.map_err(|_| Code::Internal.into())
    }

    /// A fresh salt.
    pub(crate) fn salt(&mut self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        salt
    }
}
