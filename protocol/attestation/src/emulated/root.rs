//! The root of one development network, with its key.

use vettid_crypto::Entropy;
use vettid_crypto::p384::SigningKey;
use vettid_wire::time::UnixMillis;

use super::certificate::{Template, authority};
use super::der;
use crate::anchor::{Emulated, TrustAnchor};

/// A development root: whoever holds it speaks for every enclave of its network.
#[derive(Debug)]
pub struct DevelopmentRoot {
    key: SigningKey,
    name: Vec<u8>,
    certificate: Vec<u8>,
}

/// A stored key and certificate are no development root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("key and certificate are no development root")]
pub struct NotARoot;

impl DevelopmentRoot {
    /// Makes the root of a new network, valid for thirty years.
    pub fn generate(now: UnixMillis, entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let key = SigningKey::generate(entropy);
        let mut tag = [0; 8];
        entropy.fill(&mut tag);
        let name = der::name(&format!("{:016x}.{ROOT_NAME}", u64::from_be_bytes(tag)));
        let now = now.seconds();
        let certificate = Template::new(&name, &name, &key)
            .valid(now.saturating_sub(DAY), now.saturating_add(LIFETIME))
            .with(authority(None))
            .sign(&key);
        Self {
            key,
            name,
            certificate,
        }
    }

    /// Takes a stored root up again.
    pub fn from_parts(key: &[u8; 48], certificate: Vec<u8>) -> Result<Self, NotARoot> {
        let key = SigningKey::from_bytes(key).ok_or(NotARoot)?;
        let anchor = TrustAnchor::<Emulated>::parse(&certificate).map_err(|_| NotARoot)?;
        if anchor.root().key().as_slice() != key.public_key() {
            return Err(NotARoot);
        }
        Ok(Self {
            key,
            name: anchor.root().subject().to_vec(),
            certificate,
        })
    }

    /// The certificate, DER: what the network file names as its trust root.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Lends the 48 secret bytes, to store the root.
    pub fn expose_key<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.key.expose(f)
    }

    /// The root's name, DER.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) const fn key(&self) -> &SigningKey {
        &self.key
    }
}

const ROOT_NAME: &str = "emulated.vettid";
const DAY: u64 = 24 * 60 * 60;
const LIFETIME: u64 = 30 * 365 * DAY;
