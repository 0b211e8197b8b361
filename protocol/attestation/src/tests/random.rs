//! Random damage: never a panic, never accepted.

use std::sync::LazyLock;

use proptest::prelude::*;
use vettid_crypto::p384::SigningKey;

use super::fixture::{Case, NONCE, key};
use crate::emulated::document::{self, ES384_HEADER};
use crate::nitro::Document;
use crate::{Bundle, Cache, Emulated, NonceExpectation, Policy, TrustAnchor, appraise};

/// One right document and what it is made of, computed once.
struct Right {
    case: Case,
    policy: Policy,
    certificates: Vec<Vec<u8>>,
    entries: Vec<(&'static str, Vec<u8>)>,
    document: Vec<u8>,
    key: SigningKey,
}

static RIGHT: LazyLock<Right> = LazyLock::new(|| {
    let mut case = Case::new();
    let certificates = case.pki.certificates();
    case.certificates = Some(certificates.clone());
    let right = Right {
        policy: case.policy(),
        certificates,
        entries: case.entries(),
        document: case.document(),
        key: key(3),
        case,
    };
    assert!(right.accepts(&right.document));
    right
});

impl Right {
    fn accepts(&self, document: &[u8]) -> bool {
        let nonce = NonceExpectation::Fresh(&NONCE);
        let (case, cache) = (&self.case, &mut Cache::default());
        appraise(document, &case.bundle, &self.policy, nonce, case.now, cache).is_ok()
    }

    fn sign(&self, payload: &[u8]) -> Vec<u8> {
        document::sign(ES384_HEADER, payload, &self.key)
    }
}

proptest! {
    #[test]
    fn document_with_altered_bytes_is_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4)
    ) {
        let right = &*RIGHT;
        let document = &right.document;
        let mut damaged = document.clone();
        for (index, change) in changes {
            damaged[index.index(document.len())] ^= change;
        }
        prop_assume!(damaged != *document);

        prop_assert!(!right.accepts(&damaged));
    }

    #[test]
    fn document_with_a_part_cut_doubled_or_put_in_is_refused(
        at in any::<prop::sample::Index>(),
        cut in 0..64_usize,
        put in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let right = &*RIGHT;
        let document = &right.document;
        let at = at.index(document.len());
        let mut damaged = document.clone();
        damaged.splice(at..(at + cut).min(document.len()), put);
        prop_assume!(damaged != *document);

        prop_assert!(!right.accepts(&damaged));
    }

    #[test]
    fn signed_payload_with_a_damaged_field_is_refused(
        field in 0..9_usize,
        value in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut entries = RIGHT.entries.clone();
        prop_assume!(entries[field].0 != "public_key" && entries[field].0 != "module_id");
        entries[field].1 = value;

        prop_assert!(!RIGHT.accepts(&RIGHT.sign(&document::payload(&entries))));
    }

    #[test]
    fn chain_with_a_damaged_certificate_is_refused(
        position in 1..4_usize,
        at in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let mut certificates = RIGHT.certificates.clone();
        let one = &mut certificates[position];
        let at = at.index(one.len());
        one[at] ^= change;
        let leaf = certificates.pop().expect("leaf");
        let payload = RIGHT.case.payload_of(&leaf, &certificates);

        prop_assert!(!RIGHT.accepts(&RIGHT.sign(&payload)));
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Document::parse(&bytes);
        let _ = Document::parse(&RIGHT.sign(&bytes));
        let _ = Bundle::parse(&bytes);
        let _ = TrustAnchor::<Emulated>::parse(&bytes);
    }
}
