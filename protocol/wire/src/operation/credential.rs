//! `credential.*`, `password.*`: the Protean Credential.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::id::VaultId;
use crate::request::Credential;
use crate::time::UnixMillis;

/// `credential.create`: sets the password and finishes enrollment. The proof's credential is empty;
/// the reply carries the first one.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Create {}
operation!(Create => Created, "credential.create", Owner);

/// A finished enrollment.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Created {
    /// Id of the vault.
    #[n(0)]
    pub vault: VaultId,
    /// Public half of the credential key, Ed25519.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub credential_key: [u8; 32],
}

/// `credential.version`: which credential is current.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Version {}
operation!(Version => VersionReport, "credential.version", Session);

/// The current credential.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct VersionReport {
    /// Its version.
    #[n(0)]
    pub version: u64,
    /// Whether credential operations are frozen.
    #[n(1)]
    pub frozen: bool,
    /// When a stale copy was presented last.
    #[n(2)]
    pub alarm: Option<UnixMillis>,
    /// The credential itself, for the device that used it last and may have missed the reply.
    #[n(3)]
    pub unconfirmed: Option<Credential>,
}

/// `credential.report-lost`: freezes credential operations.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ReportLost {}
operation!(ReportLost => Done, "credential.report-lost", Session, once);

/// `credential.rotate-identity`: new credential key and identity; lifts a freeze.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct RotateIdentity {}
operation!(RotateIdentity => Rotated, "credential.rotate-identity", Owner);

/// A rotated identity.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Rotated {
    /// Public half of the new identity key, Ed25519.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub identity_key: [u8; 32],
    /// Public half of the new credential key, Ed25519.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub credential_key: [u8; 32],
}

/// `password.change`: replaces the password. Secret input: the new password as a byte string.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ChangePassword {}
operation!(ChangePassword => Done, "password.change", Owner);
