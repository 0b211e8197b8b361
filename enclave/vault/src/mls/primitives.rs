//! The primitives that OpenMLS is given, and its random bytes.

use std::sync::{Mutex, PoisonError};

use openmls::prelude::tls_codec::SecretVLBytes;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext,
    HpkeConfig, HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};
use vettid_crypto::Entropy;
use vettid_crypto::mls::{self, Kem, Stretched};
use vettid_crypto::sign::{Signature, SigningKey, VerifyingKey};

/// Which primitives a conversation uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Suite {
    /// X25519: what is only ever said inside a hybrid one.
    Classic,
    /// X-Wing: X25519 and ML-KEM-768.
    Hybrid,
}

impl Suite {
    /// As MLS numbers it.
    pub(crate) const fn number(self) -> Ciphersuite {
        match self {
            Self::Classic => Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
            Self::Hybrid => Ciphersuite::MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519,
        }
    }
}

/// Primitives and random bytes for one operation.
#[derive(Debug)]
pub(crate) struct Primitives(Mutex<Stretched>);

impl Primitives {
    /// Draws the random bytes that everything until the end of the operation is stretched from.
    pub(crate) fn draw(entropy: &mut dyn Entropy) -> Self {
        Self(Mutex::new(Stretched::draw(entropy)))
    }

    fn with_entropy<T>(&self, f: impl FnOnce(&mut Stretched) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Random bytes do not fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Never {}

impl OpenMlsRand for Primitives {
    type Error = Never;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Never> {
        Ok(self.with_entropy(|entropy| entropy.bytes()))
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Never> {
        let mut bytes = vec![0; len];
        self.with_entropy(|entropy| entropy.fill(&mut bytes));
        Ok(bytes)
    }
}

impl OpenMlsCrypto for Primitives {
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        match self.supported_ciphersuites().contains(&suite) {
            true => Ok(()),
            false => Err(CryptoError::UnsupportedCiphersuite),
        }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![Suite::Hybrid.number(), Suite::Classic.number()]
    }

    fn hkdf_extract(
        &self,
        hash: HashType,
        salt: &[u8],
        ikm: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        sha256(hash)?;
        Ok(mls::extract(salt, ikm).to_vec().into())
    }

    fn hmac(
        &self,
        hash: HashType,
        key: &[u8],
        message: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        sha256(hash)?;
        Ok(mls::hmac(key, message).to_vec().into())
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        length: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        sha256(hash)?;
        let expanded = mls::expand(prk, info, length);
        Ok(expanded
            .map_err(|_| CryptoError::HkdfOutputLengthInvalid)?
            .to_vec()
            .into())
    }

    fn hash(&self, hash: HashType, bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
        sha256(hash)?;
        Ok(mls::hash(bytes))
    }

    fn aead_encrypt(
        &self,
        aead: AeadType,
        key: &[u8],
        plaintext: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        chacha(aead)?;
        mls::seal(key, nonce, aad, plaintext).map_err(|_| CryptoError::CryptoLibraryError)
    }

    fn aead_decrypt(
        &self,
        aead: AeadType,
        key: &[u8],
        sealed: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        chacha(aead)?;
        mls::open(key, nonce, aad, sealed).map_err(|_| CryptoError::AeadDecryptionError)
    }

    fn signature_key_gen(
        &self,
        scheme: SignatureScheme,
    ) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        ed25519(scheme)?;
        let key = self.with_entropy(SigningKey::generate);
        let public = key.verifying_key().0.to_vec();
        Ok((key.expose_seed(|seed| seed.to_vec()), public))
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        bytes: &[u8],
        key: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        ed25519(scheme)?;
        let key = key.try_into().map_err(|_| CryptoError::InvalidPublicKey)?;
        let signature = signature
            .try_into()
            .map_err(|_| CryptoError::SignatureDecodingError)?;
        VerifyingKey(key)
            .verify_structure(bytes, &Signature(signature))
            .map_err(|_| CryptoError::InvalidSignature)
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        bytes: &[u8],
        key: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        ed25519(scheme)?;
        let seed = key.try_into().map_err(|_| CryptoError::SigningError)?;
        Ok(SigningKey::from_seed(seed).sign_structure(bytes).0.to_vec())
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        public: &[u8],
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let kem = kem(&config)?;
        let hidden =
            self.with_entropy(|entropy| mls::hide(kem, public, info, aad, plaintext, entropy));
        let hidden = hidden.map_err(|_| CryptoError::HpkeEncryptionError)?;
        Ok(HpkeCiphertext {
            kem_output: hidden.encapsulated.into(),
            ciphertext: hidden.ciphertext.into(),
        })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        private: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let hidden = mls::Hidden {
            encapsulated: input.kem_output.as_slice().to_vec(),
            ciphertext: input.ciphertext.as_slice().to_vec(),
        };
        mls::reveal(kem(&config)?, private, info, aad, &hidden)
            .map_err(|_| CryptoError::HpkeDecryptionError)
    }

    /// Only whoever joins without being invited needs this; nobody may.
    fn hpke_setup_sender_and_export(
        &self,
        _: HpkeConfig,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        Err(CryptoError::SenderSetupError)
    }

    /// As above.
    fn hpke_setup_receiver_and_export(
        &self,
        _: HpkeConfig,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        Err(CryptoError::ReceiverSetupError)
    }

    fn derive_hpke_keypair(
        &self,
        config: HpkeConfig,
        ikm: &[u8],
    ) -> Result<HpkeKeyPair, CryptoError> {
        #[cfg(test)]
        if SHORT_KEYS.get() {
            return Ok(HpkeKeyPair {
                private: vec![1; 32].into(),
                public: vec![1; 5],
            });
        }
        let pair = mls::derive_key_pair(kem(&config)?, ikm);
        Ok(HpkeKeyPair {
            private: pair.private.to_vec().into(),
            public: pair.public,
        })
    }
}

#[cfg(test)]
thread_local! {
    /// Makes public keys that nothing can be sealed to.
    pub(super) static SHORT_KEYS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn sha256(hash: HashType) -> Result<(), CryptoError> {
    match hash {
        HashType::Sha2_256 => Ok(()),
        _ => Err(CryptoError::UnsupportedHashAlgorithm),
    }
}

fn chacha(aead: AeadType) -> Result<(), CryptoError> {
    match aead {
        AeadType::ChaCha20Poly1305 => Ok(()),
        _ => Err(CryptoError::UnsupportedAeadAlgorithm),
    }
}

fn ed25519(scheme: SignatureScheme) -> Result<(), CryptoError> {
    match scheme {
        SignatureScheme::ED25519 => Ok(()),
        _ => Err(CryptoError::UnsupportedSignatureScheme),
    }
}

fn kem(config: &HpkeConfig) -> Result<Kem, CryptoError> {
    match config {
        HpkeConfig(kem, HpkeKdfType::HkdfSha256, HpkeAeadType::ChaCha20Poly1305) => match kem {
            HpkeKemType::XWingKemDraft6 => Ok(Kem::XWing),
            HpkeKemType::DhKem25519 => Ok(Kem::X25519),
            _ => Err(CryptoError::UnsupportedCiphersuite),
        },
        _ => Err(CryptoError::UnsupportedCiphersuite),
    }
}
