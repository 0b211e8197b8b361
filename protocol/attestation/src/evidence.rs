//! Evidence of one platform: a document, and what it is worth once verified.
//!
//! ```text
//!  bytes ──parse──▶ Evidence<P> ──verify: verifier's clock──▶ Verified<P>   for a live peer
//!                               └─verify_archived: its own time──▶ Archived<P>   for records only
//! ```
//!
//! A `Verified` says that the document is authentic and that its chain is valid now. Whether it is
//! fresh, and whether anybody wants what it measures, is for [`appraise`](crate::appraise).

use core::marker::PhantomData;

use vettid_crypto::digest::sha256;
use vettid_wire::time::UnixMillis;

use crate::anchor::{Platform, TrustAnchor};
use crate::appraise::AppraisalError;
use crate::cache::Cache;
use crate::measurement::Measurement;
use crate::nitro::Document;
use crate::nitro::chain::{self, Moment, VerifiedChain};

/// A document of the platform `P`, of the right form, not of an enclave in debug mode. Nothing
/// about it is verified yet.
#[derive(Debug)]
pub struct Evidence<'a, P> {
    document: Document<'a>,
    measurement: Measurement,
    hash: [u8; 32],
    platform: PhantomData<P>,
}

/// What an authentic document says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// What booted.
    pub measurement: Measurement,
    /// When it was signed, by the hypervisor's clock.
    pub timestamp: UnixMillis,
    /// Bytes of the enclave's choice.
    pub user_data: Option<Vec<u8>>,
    /// The verifier's challenge.
    pub nonce: Option<Vec<u8>>,
    /// SHA-256 of the document.
    pub hash: [u8; 32],
    /// The last moment at which its whole chain is valid.
    pub valid_until: UnixMillis,
}

/// A document that is authentic and whose chain was valid by the verifier's clock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified<P> {
    statement: Statement,
    platform: PhantomData<P>,
}

/// A document that was authentic when it was made. Good for records; it says nothing about a peer
/// that shows it today, and nothing turns it into a [`Verified`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archived<P> {
    statement: Statement,
    platform: PhantomData<P>,
}

impl<'a, P: Platform> Evidence<'a, P> {
    /// Parses exactly one document of this platform.
    pub fn parse(document: &'a [u8]) -> Result<Self, AppraisalError> {
        let hash = sha256(document);
        let document = Document::parse(document)?;
        let claims = document.unverified_claims();
        if !P::is_module(claims.module_id) {
            return Err(AppraisalError::WrongPlatform);
        }
        Ok(Self {
            measurement: Measurement::of(claims)?,
            document,
            hash,
            platform: PhantomData,
        })
    }

    /// Verifies it at the verifier's clock. `skew` is how far, in ms, that clock may run behind.
    pub fn verify(
        &self,
        anchor: &TrustAnchor<P>,
        now: UnixMillis,
        skew: u64,
        cache: &mut Cache,
    ) -> Result<Verified<P>, AppraisalError> {
        let moment = Moment { time: now, skew };
        let chain = self.check(anchor, moment, cache)?;
        let statement = self.statement(&chain);
        cache.add_links(chain.links, now);
        Ok(Verified {
            statement,
            platform: PhantomData,
        })
    }

    /// Verifies it at the document's own time. Documents count in milliseconds and certificates in
    /// seconds: a certificate is valid through the whole of its last second.
    pub fn verify_archived(&self, anchor: &TrustAnchor<P>) -> Result<Archived<P>, AppraisalError> {
        let moment = Moment {
            time: self.document.unverified_claims().timestamp,
            skew: 0,
        };
        let chain = self.check(anchor, moment, &Cache::default())?;
        Ok(Archived {
            statement: self.statement(&chain),
            platform: PhantomData,
        })
    }

    fn check(
        &self,
        anchor: &TrustAnchor<P>,
        moment: Moment,
        cache: &Cache,
    ) -> Result<VerifiedChain, AppraisalError> {
        let claims = self.document.unverified_claims();
        let chain = chain::verify(
            anchor.root(),
            &claims.cabundle,
            claims.certificate,
            moment,
            cache,
        )?;
        if self.document.is_signed_by(&chain.key) {
            Ok(chain)
        } else {
            Err(AppraisalError::Signature)
        }
    }

    fn statement(&self, chain: &VerifiedChain) -> Statement {
        let claims = self.document.unverified_claims();
        Statement {
            measurement: self.measurement,
            timestamp: claims.timestamp,
            user_data: claims.user_data.map(<[u8]>::to_vec),
            nonce: claims.nonce.map(<[u8]>::to_vec),
            hash: self.hash,
            valid_until: chain.valid_until,
        }
    }
}

impl<P> Verified<P> {
    /// What the document says.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    pub(crate) fn into_statement(self) -> Statement {
        self.statement
    }
}

impl<P> Archived<P> {
    /// What the document said.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }
}
