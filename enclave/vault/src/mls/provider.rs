//! Everything that one operation of OpenMLS may use.

use openmls_traits::OpenMlsProvider;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use vettid_crypto::Entropy;
use vettid_crypto::sign::SigningKey;
use vettid_store::Change;
use vettid_wire::operation::message::Conversation;

use super::one_thread;
use super::primitives::Primitives;
use super::storage::Storage;

/// Everything that one operation of OpenMLS may use.
#[derive(Debug)]
pub(crate) struct Provider<'a> {
    primitives: Primitives,
    storage: Storage<'a>,
}

impl<'a> Provider<'a> {
    /// For the conversation of this id, within a transaction.
    pub(crate) fn new(
        change: &'a Change<'a>,
        conversation: Conversation,
        entropy: &mut dyn Entropy,
    ) -> Self {
        one_thread::claim();
        Self {
            primitives: Primitives::draw(entropy),
            storage: Storage::new(change, conversation),
        }
    }
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = Primitives;
    type RandProvider = Primitives;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Storage<'a> {
        &self.storage
    }

    fn crypto(&self) -> &Primitives {
        &self.primitives
    }

    fn rand(&self) -> &Primitives {
        &self.primitives
    }
}

/// Lends a signature key to OpenMLS.
pub(crate) struct Signs<'a>(pub(crate) &'a SigningKey);

impl Signer for Signs<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign_structure(payload).0.to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
