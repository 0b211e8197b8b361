//! The platform's half: what makes documents.

use vettid_wire::time::UnixMillis;

/// A platform that attests the enclave it runs in.
pub trait Attester {
    /// Makes one document over `claims`. `now` is for platforms without a clock of their own.
    fn attest(
        &mut self,
        claims: &AttestedClaims<'_>,
        now: UnixMillis,
    ) -> Result<Vec<u8>, NotAttested>;
}

/// What an enclave wants in its document, each at most
/// [`MAX_USER_FIELD`](crate::nitro::MAX_USER_FIELD) bytes; 512 bytes where the module's own
/// interface asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttestedClaims<'a> {
    /// The bundle's [`commitment`](crate::Bundle::commitment).
    pub user_data: Option<&'a [u8]>,
    /// The verifier's challenge.
    pub nonce: Option<&'a [u8]>,
    /// A key that something other than the session shall encrypt to, such as a key service.
    pub public_key: Option<&'a [u8]>,
}

/// The platform made no document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAttested {
    /// A claim is larger than the format allows.
    #[error("claim is too large for a document")]
    ClaimSize,
    /// The platform's module refused or is not there.
    #[error("platform does not attest")]
    Platform,
}
