//! What evidence of one platform is checked against.

use core::fmt;
use core::marker::PhantomData;

use crate::nitro::CertificateFault;
use crate::nitro::root::Root;

/// A kind of enclave. Evidence, anchors and verified statements carry it in their type, so that
/// nothing that speaks for one kind can ever stand for the other. A kind for which no
/// [`TrustAnchor`] can be made verifies nothing.
pub trait Platform {
    /// Whether a module of this platform calls itself so.
    fn is_module(module_id: &str) -> bool;
}

/// AWS Nitro Enclaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nitro {}

/// The emulated enclave of development networks, which protects nothing from its host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Emulated {}

/// How the emulated module's id begins.
pub(crate) const EMULATED_MODULE: &str = "emulated-";

impl Platform for Nitro {
    fn is_module(module_id: &str) -> bool {
        !module_id.starts_with(EMULATED_MODULE)
    }
}

impl Platform for Emulated {
    fn is_module(module_id: &str) -> bool {
        module_id.starts_with(EMULATED_MODULE)
    }
}

/// The root that a platform's chains are pinned to.
#[derive(Clone, Eq, PartialEq)]
pub struct TrustAnchor<P> {
    root: Root,
    platform: PhantomData<P>,
}

/// Why a certificate cannot be the root of an emulated network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnchorError {
    /// Not a self-signed authority on P-384.
    #[error("root certificate: {0}")]
    Certificate(#[from] CertificateFault),
    /// It is the root of the hardware.
    #[error("the hardware's root is no root of an emulated network")]
    Hardware,
}

impl TrustAnchor<Nitro> {
    /// The AWS Nitro Enclaves root, G1, as it is pinned in this program.
    #[must_use]
    pub const fn aws() -> Self {
        Self {
            root: Root::aws(),
            platform: PhantomData,
        }
    }
}

impl TrustAnchor<Emulated> {
    /// Takes the development root of one network, a self-signed certificate in DER.
    pub fn parse(certificate: &[u8]) -> Result<Self, AnchorError> {
        let root = Root::parse(certificate)?;
        if root.key() == Root::aws().key() {
            return Err(AnchorError::Hardware);
        }
        Ok(Self {
            root,
            platform: PhantomData,
        })
    }
}

impl<P> TrustAnchor<P> {
    /// An anchor of any kind, for tests of what both kinds share.
    #[cfg(test)]
    pub(crate) fn of(root: Root) -> Self {
        Self {
            root,
            platform: PhantomData,
        }
    }

    pub(crate) const fn root(&self) -> &Root {
        &self.root
    }
}

impl<P> fmt::Debug for TrustAnchor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustAnchor(")?;
        self.root
            .key()
            .iter()
            .skip(1)
            .take(8)
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
