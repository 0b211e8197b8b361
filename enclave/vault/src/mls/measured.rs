//! Two vaults that say something to each other and do nothing else: what MLS costs them, rows of
//! its state included.

use vettid_crypto::Entropy;
use vettid_crypto::sign::SigningKey;
use vettid_store::Database;
use vettid_wire::id::{ConnectionId, VaultId};

use super::{AtHand, Keys, Mls, Suite};
use crate::stop::Stop;

const GROUP: [u8; 16] = [7; 16];
const CONNECTION: ConnectionId = ConnectionId([7; 16]);

/// Two vaults in a group as a connection has it. For measurements only.
#[derive(Debug)]
pub struct MeasuredPair {
    says: Member,
    hears: Member,
}

/// One of them.
#[derive(Debug)]
struct Member {
    keys: Keys,
    database: Database,
    at_hand: AtHand,
}

impl MeasuredPair {
    /// Two new vaults in one group. None when they cannot be.
    #[must_use]
    pub fn connected(entropy: &mut dyn Entropy) -> Option<Self> {
        let (mut says, mut hears) = (Member::new(1)?, Member::new(2)?);
        let package = hears.act(entropy, |mls, keys| {
            Ok(mls.key_package(keys, Suite::Hybrid)?)
        })?;
        let found = says.act(entropy, |mls, keys| {
            mls.found(keys, &GROUP, Suite::Hybrid)?;
            Ok(mls.add(keys, &GROUP, &[package])?)
        })?;
        hears.act(entropy, |mls, _| {
            Ok(mls.join(&found.welcome, Suite::Hybrid)?)
        })?;
        Some(Self { says, hears })
    }

    /// Seals a message, in a transaction of its own.
    pub fn say(&mut self, plaintext: &[u8], entropy: &mut dyn Entropy) -> Option<Vec<u8>> {
        self.says.act(entropy, |mls, keys| {
            Ok(mls.say(keys, &GROUP, &[], plaintext)?)
        })
    }

    /// Opens a message, in a transaction of its own; its length.
    pub fn hear(&mut self, message: &[u8], entropy: &mut dyn Entropy) -> Option<usize> {
        let heard = self.hears.act(entropy, |mls, _| {
            Ok(mls.hear(&GROUP, message, &|_, _| true, |_, _| false)?)
        })?;
        heard.said.map(|said| said.expose(<[u8]>::len))
    }
}

impl Member {
    fn new(number: u8) -> Option<Self> {
        let keys = Keys {
            vault: VaultId([number; 32]),
            signer: SigningKey::from_seed(&[number; 32]),
        };
        let database = Database::template().ok()?;
        let at_hand = AtHand::default();
        Some(Self {
            keys,
            database,
            at_hand,
        })
    }

    fn act<T>(
        &mut self,
        entropy: &mut dyn Entropy,
        step: impl FnOnce(&Mls<'_>, &Keys) -> Result<T, Stop>,
    ) -> Option<T> {
        let Self {
            keys,
            database,
            at_hand,
        } = self;
        let done = database.transaction(|change| {
            let mls = Mls::new(change, CONNECTION, entropy, Some(at_hand));
            step(&mls, keys)
        });
        Some(done.ok()?.value)
    }
}
