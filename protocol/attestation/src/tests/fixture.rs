//! A test PKI and documents under it: right by default, wrong in one way by the test's choice.

use std::collections::BTreeMap;

use vettid_crypto::SeededEntropy;
use vettid_crypto::p384::SigningKey;
use vettid_crypto::sign;
use vettid_wire::id::NodeId;
use vettid_wire::time::{DAY, UnixMillis};

use crate::emulated::certificate::{Template, authority, leaf};
use crate::emulated::document::{self, ES384_HEADER, Fields};
use crate::nitro::{CertificateFault, ChainError, PCR};
use crate::{
    AppraisalError, Appraised, AttestedClaims, Bundle, Cache, Measurement, NonceExpectation, Peer,
    Policy, ReferenceValue, Trust, TrustAnchor, appraise,
};

pub(super) const NOW: UnixMillis = UnixMillis(1_790_000_000_123);
pub(super) const NONCE: [u8; 32] = [0x4e; 32];
pub(super) const RELEASE: u32 = 7;

/// Root, zonal, instance and leaf, each signed by the key of the one before.
pub(super) struct Pki {
    pub(super) levels: [Template; 4],
    /// Seeds of the keys that sign each level.
    pub(super) signers: [u64; 4],
}

impl Pki {
    pub(super) fn new() -> Self {
        let (from, to) = (NOW.seconds() - 60, NOW.seconds() + 3 * 3600);
        let level = |issuer: u8, subject: u8, extensions| {
            Template::new(&name(issuer), &name(subject), &key(subject.into()))
                .valid(from, to)
                .with(extensions)
        };
        Self {
            levels: [
                level(0, 0, authority(None)),
                level(0, 1, authority(Some(1))),
                level(1, 2, authority(Some(0))),
                level(2, 3, leaf()),
            ],
            signers: [0, 0, 1, 2],
        }
    }

    /// Each level signed, root first.
    pub(super) fn certificates(&self) -> Vec<Vec<u8>> {
        self.levels
            .iter()
            .zip(self.signers)
            .map(|(level, signer)| level.sign(&key(signer)))
            .collect()
    }
}

/// One appraisal: everything that goes into a document, and everything it is appraised against.
pub(super) struct Case {
    pub(super) pki: Pki,
    /// Certificates as they go into the document, root first, leaf last.
    pub(super) certificates: Option<Vec<Vec<u8>>>,
    /// The root that the policy trusts, if not the PKI's.
    pub(super) root: Option<Vec<u8>>,
    pub(super) module_id: String,
    pub(super) timestamp: UnixMillis,
    pub(super) pcrs: BTreeMap<u8, [u8; PCR]>,
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) bundle: Vec<u8>,
    pub(super) values: Vec<ReferenceValue>,
    pub(super) floor: u32,
    pub(super) epoch: u64,
    pub(super) now: UnixMillis,
}

impl Case {
    pub(super) fn new() -> Self {
        let bundle = bundle(RELEASE).to_bytes();
        Self {
            pki: Pki::new(),
            certificates: None,
            root: None,
            module_id: "emulated-0123".into(),
            timestamp: NOW,
            pcrs: (0..16).map(|index| (index, [index + 1; PCR])).collect(),
            public_key: Some(vec![0x50; 40]),
            nonce: Some(NONCE.into()),
            user_data: Some(Bundle::commitment(&bundle).into()),
            bundle,
            values: vec![ReferenceValue {
                measurement: measurement(),
                release: RELEASE,
            }],
            floor: RELEASE - 2,
            epoch: 1,
            now: NOW,
        }
    }

    pub(super) fn entries(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut certificates = self
            .certificates
            .clone()
            .unwrap_or_else(|| self.pki.certificates());
        let leaf = certificates.pop().expect("a leaf");
        self.entries_of(&leaf, &certificates)
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        document::payload(&self.entries())
    }

    pub(super) fn payload_of(&self, leaf: &[u8], cabundle: &[Vec<u8>]) -> Vec<u8> {
        document::payload(&self.entries_of(leaf, cabundle))
    }

    fn entries_of(&self, leaf: &[u8], cabundle: &[Vec<u8>]) -> Vec<(&'static str, Vec<u8>)> {
        Fields {
            module_id: &self.module_id,
            timestamp: self.timestamp,
            pcrs: &self.pcrs,
            certificate: leaf,
            cabundle,
            claims: AttestedClaims {
                user_data: self.user_data.as_deref(),
                nonce: self.nonce.as_deref(),
                public_key: self.public_key.as_deref(),
            },
        }
        .entries()
    }

    /// The payload with one field encoded as the test wants it.
    pub(super) fn payload_with(&self, field: &str, value: &[u8]) -> Vec<u8> {
        let mut entries = self.entries();
        entries
            .iter_mut()
            .find(|(name, _)| *name == field)
            .expect("field")
            .1 = value.into();
        document::payload(&entries)
    }

    pub(super) fn document(&self) -> Vec<u8> {
        signed(&self.payload())
    }

    pub(super) fn policy(&self) -> Policy {
        let own = || self.pki.levels[0].sign(&key(self.pki.signers[0]));
        let root = self.root.clone().unwrap_or_else(own);
        let trust = Trust::Emulated(TrustAnchor::parse(&root).expect("root"));
        Policy::new(trust, self.values.clone(), self.floor)
            .expect("policy")
            .with_epoch(self.epoch)
    }

    pub(super) fn appraise(&self) -> Result<Appraised<Peer>, AppraisalError> {
        self.appraise_document(&self.document())
    }

    pub(super) fn appraise_document(
        &self,
        document: &[u8],
    ) -> Result<Appraised<Peer>, AppraisalError> {
        self.appraise_with(document, &mut Cache::default())
    }

    pub(super) fn appraise_with(
        &self,
        document: &[u8],
        cache: &mut Cache,
    ) -> Result<Appraised<Peer>, AppraisalError> {
        let nonce = NonceExpectation::Fresh(&NONCE);
        appraise(
            document,
            &self.bundle,
            &self.policy(),
            nonce,
            self.now,
            cache,
        )
    }
}

/// Signs a payload with the key of the right leaf.
pub(super) fn signed(payload: &[u8]) -> Vec<u8> {
    signed_under(ES384_HEADER, payload)
}

pub(super) fn signed_under(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    document::sign(protected, payload, &key(3))
}

pub(super) fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&mut SeededEntropy::dangerous_new(seed))
}

/// A name of one common name, DER.
pub(super) fn name(number: u8) -> Vec<u8> {
    let text = [0x0c, 0x01, b'a' + number];
    [
        &[
            0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03,
        ][..],
        &text,
    ]
    .concat()
}

pub(super) fn measurement() -> Measurement {
    Measurement::new([1; PCR], [2; PCR], [3; PCR]).expect("not debug")
}

pub(super) fn bundle(release: u32) -> Bundle {
    Bundle::new(
        sign::SigningKey::from_seed(&[9; 32]).verifying_key(),
        NodeId([5; 32]),
        &[vec![0x12; 38]],
        Some([6; 32]),
        release,
        [8; 32],
    )
    .expect("bundle")
}

pub(super) fn chain_error(position: usize, fault: CertificateFault) -> AppraisalError {
    AppraisalError::Chain(ChainError { position, fault })
}

/// Flips one bit in the last byte of the first place where `part` is in `bytes`.
pub(super) fn altered(mut bytes: Vec<u8>, part: &[u8]) -> Vec<u8> {
    let start = bytes
        .windows(part.len())
        .position(|window| window == part)
        .expect("part");
    bytes[start + part.len() - 1] ^= 1;
    bytes
}

pub(super) fn a_day_earlier(time: UnixMillis) -> UnixMillis {
    UnixMillis(time.0 - DAY)
}

/// One test for each way in which a case can be wrong.
macro_rules! refused {
    ($($name:ident: |$case:ident| $alter:expr => $why:expr,)+) => {$(
        #[test]
        fn $name() {
            let mut case = $crate::tests::fixture::Case::new();
            {
                let $case = &mut case;
                $alter;
            }

            assert_eq!(case.appraise(), Err($why));
        }
    )+};
}

/// One test for each way in which the bytes of a document can be wrong.
macro_rules! refused_document {
    ($($name:ident: |$case:ident| $document:expr => $why:expr,)+) => {$(
        #[test]
        fn $name() {
            let $case = $crate::tests::fixture::Case::new();
            let document: Vec<u8> = $document;

            assert_eq!($case.appraise_document(&document), Err($why.into()));
        }
    )+};
}

pub(super) use {refused, refused_document};
