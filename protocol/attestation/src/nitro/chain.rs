//! The chain of a document: pinned root, then authorities in order, then the leaf.
//!
//! ```text
//!  pinned root ──signs──▶ cabundle[1] ──▶ … ──▶ cabundle[n] ──▶ certificate (leaf) ──▶ document
//!  cabundle[0] claims to be the root and is never looked at: the pinned one stands in its place
//! ```
//!
//! Everything that costs little is checked for the whole chain before the first signature is.
//! Revocation lists are not consulted: AWS asks verifiers not to, and the leaf lives for hours.

use vettid_crypto::digest::sha256;
use vettid_crypto::p384;
use vettid_wire::time::{SECOND, UnixMillis};

use super::certificate::{Certificate, CertificateFault, PUBLIC_KEY};
use super::root::Root;
use crate::cache::Cache;

/// Which certificate of a chain is wrong, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("certificate {position} of the chain: {fault}")]
pub struct ChainError {
    /// 0 is the root; the leaf is last.
    pub position: usize,
    /// What is wrong with it.
    pub fault: CertificateFault,
}

/// When a chain must be valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The verifier's time, or a document's own.
    pub(crate) time: UnixMillis,
    /// How far in the future a window may begin, ms, for clocks that run behind.
    pub(crate) skew: u64,
}

/// A chain that verifies.
#[derive(Debug)]
pub(crate) struct VerifiedChain {
    /// The leaf's key, which signs the document.
    pub(crate) key: [u8; PUBLIC_KEY],
    /// The last moment at which every certificate is valid.
    pub(crate) valid_until: UnixMillis,
    /// Authorities' signatures checked on the way, for the cache.
    pub(crate) links: Vec<Link>,
}

/// An authority's certificate whose signature was checked under its issuer's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Digest of the issuer's key and the whole certificate.
    pub(crate) id: [u8; 32],
    /// When the certificate expires.
    pub(crate) expires: UnixMillis,
}

/// Verifies the chain from `root` over `cabundle` (its first entry left aside) to `leaf`.
pub(crate) fn verify(
    root: &Root,
    cabundle: &[&[u8]],
    leaf: &[u8],
    moment: Moment,
    cache: &Cache,
) -> Result<VerifiedChain, ChainError> {
    let path = parse(cabundle, leaf)?;
    check_root(root, path.len(), moment)?;
    check_path(root, &path, moment)?;
    let links = check_signatures(root, &path, moment, cache)?;
    let last = path.last().ok_or(ChainError {
        position: 1,
        fault: CertificateFault::Malformed,
    })?;
    let until = path
        .iter()
        .fold(root.not_after(), |until, one| until.min(one.not_after));
    Ok(VerifiedChain {
        key: last.key,
        valid_until: last_millisecond_of(until),
        links,
    })
}

/// The certificates below the root, in order, leaf last.
fn parse<'a>(cabundle: &[&'a [u8]], leaf: &'a [u8]) -> Result<Vec<Certificate<'a>>, ChainError> {
    cabundle
        .iter()
        .skip(1)
        .copied()
        .chain([leaf])
        .enumerate()
        .map(|(index, der)| Certificate::parse(der).map_err(at(index)))
        .collect()
}

fn check_root(root: &Root, below: usize, moment: Moment) -> Result<(), ChainError> {
    let authorities = below.saturating_sub(1);
    root.check_path_length(authorities)
        .and_then(|()| check_window(root.not_before(), root.not_after(), moment))
        .map_err(|fault| ChainError { position: 0, fault })
}

fn check_path(root: &Root, path: &[Certificate<'_>], moment: Moment) -> Result<(), ChainError> {
    let mut issuer = root.subject();
    for (index, certificate) in path.iter().enumerate() {
        let below = path.len().saturating_sub(index).saturating_sub(1);
        check_one(certificate, issuer, below, moment).map_err(at(index))?;
        issuer = certificate.subject;
    }
    Ok(())
}

/// Checks one certificate that has `below` certificates under it, the leaf among them.
fn check_one(
    certificate: &Certificate<'_>,
    issuer: &[u8],
    below: usize,
    moment: Moment,
) -> Result<(), CertificateFault> {
    // Nobody below the root issues to itself, so that every authority counts in a path length.
    if certificate.issuer != issuer || certificate.issuer == certificate.subject {
        return Err(CertificateFault::Issuer);
    }
    match below.checked_sub(1) {
        Some(authorities) => certificate.check_authority(authorities)?,
        None => certificate.check_leaf()?,
    }
    check_window(certificate.not_before, certificate.not_after, moment)
}

/// Certificates count in seconds and stay valid through the whole of their last one.
fn check_window(not_before: u64, not_after: u64, moment: Moment) -> Result<(), CertificateFault> {
    let now = moment.time.seconds();
    if moment.time.plus(moment.skew).seconds() < not_before {
        return Err(CertificateFault::NotYetValid);
    }
    if now > not_after {
        return Err(CertificateFault::Expired);
    }
    Ok(())
}

const fn last_millisecond_of(second: u64) -> UnixMillis {
    UnixMillis(second.saturating_mul(SECOND).saturating_add(SECOND - 1))
}

/// Checks each signature under its issuer's key, except of authorities that the cache knows.
fn check_signatures(
    root: &Root,
    path: &[Certificate<'_>],
    moment: Moment,
    cache: &Cache,
) -> Result<Vec<Link>, ChainError> {
    let mut links = Vec::new();
    let mut key = root.key();
    for (index, certificate) in path.iter().enumerate() {
        let is_leaf = index.saturating_add(1) == path.len();
        let link = Link {
            id: link_id(key, certificate.der),
            expires: last_millisecond_of(certificate.not_after),
        };
        if is_leaf || !cache.knows_link(&link.id, moment.time) {
            p384::verify_der(key, certificate.signed, certificate.signature)
                .map_err(|_| at(index)(CertificateFault::Signature))?;
            if !is_leaf {
                links.push(link);
            }
        }
        key = &certificate.key;
    }
    Ok(links)
}

/// The key has a fixed length, so the two parts cannot be shifted against each other.
fn link_id(issuer: &[u8; PUBLIC_KEY], certificate: &[u8]) -> [u8; 32] {
    sha256(&[issuer.as_slice(), certificate].concat())
}

/// Positions count from the root, which is not part of the path below it.
fn at(index: usize) -> impl Fn(CertificateFault) -> ChainError {
    move |fault| ChainError {
        position: index.saturating_add(1),
        fault,
    }
}
