//! The cache: what is remembered, for whom, and until when.

use vettid_crypto::digest::sha256;
use vettid_wire::time::{HOUR, MINUTE, UnixMillis};

use super::fixture::{Case, NONCE, NOW, RELEASE, bundle, chain_error};
use crate::cache::Appraisal;
use crate::nitro::CertificateFault;
use crate::nitro::chain::{self, Moment};
use crate::nitro::root::Root;
use crate::{
    AppraisalError, Appraised, Cache, MAX_APPRAISALS, NonceExpectation, Peer, appraise, recall,
};

fn appraised(case: &Case) -> ([u8; 32], Cache) {
    let (document, mut cache) = (case.document(), Cache::default());
    case.appraise_with(&document, &mut cache).expect("accepted");
    (sha256(&document), cache)
}

#[test]
fn appraised_document_is_recalled_by_its_hash() {
    let case = Case::new();
    let document = case.document();
    let mut cache = Cache::default();
    let first = case.appraise_with(&document, &mut cache);
    let again = recall(
        &sha256(&document),
        &case.bundle,
        &case.policy(),
        NOW.plus(MINUTE),
        &cache,
    );

    assert_eq!(again, first);
}

#[test]
fn unknown_document_is_not_recalled() {
    let case = Case::new();
    let (_, cache) = appraised(&case);

    assert_eq!(
        recall(&[0; 32], &case.bundle, &case.policy(), NOW, &cache),
        Err(AppraisalError::NotRemembered)
    );
}

#[test]
fn refused_document_is_not_remembered() {
    let mut case = Case::new();
    case.nonce = None;
    let (document, mut cache) = (case.document(), Cache::default());

    assert_eq!(
        case.appraise_with(&document, &mut cache),
        Err(AppraisalError::NonceMissing)
    );
    assert_eq!(cache.appraisals(), 0);
}

#[test]
fn appraisal_is_not_recalled_after_its_end() {
    let case = Case::new();
    let (hash, cache) = appraised(&case);
    let at = |now| recall(&hash, &case.bundle, &case.policy(), now, &cache);

    assert!(at(NOW.plus(HOUR)).is_ok());
    assert_eq!(at(NOW.plus(HOUR + 1)), Err(AppraisalError::NotRemembered));
}

#[test]
fn appraisal_is_not_recalled_under_another_policy() {
    let mut case = Case::new();
    let (hash, cache) = appraised(&case);
    case.epoch += 1;

    assert_eq!(
        recall(&hash, &case.bundle, &case.policy(), NOW, &cache),
        Err(AppraisalError::NotRemembered)
    );
}

#[test]
fn appraisal_is_not_recalled_with_another_bundle() {
    let case = Case::new();
    let (hash, cache) = appraised(&case);
    let other = bundle(RELEASE + 1).to_bytes();

    assert_eq!(
        recall(&hash, &other, &case.policy(), NOW, &cache),
        Err(AppraisalError::BundleMismatch)
    );
}

#[test]
fn cleared_cache_recalls_nothing() {
    let case = Case::new();
    let (hash, mut cache) = appraised(&case);
    cache.clear();

    assert_eq!(
        recall(&hash, &case.bundle, &case.policy(), NOW, &cache),
        Err(AppraisalError::NotRemembered)
    );
}

fn renewed(case: &Case, cache: &mut Cache) -> Result<Appraised<Peer>, AppraisalError> {
    let nonce = NonceExpectation::Renewal;
    appraise(
        &case.document(),
        &case.bundle,
        &case.policy(),
        nonce,
        case.now,
        cache,
    )
}

#[test]
fn renewed_document_of_an_appraised_bundle_needs_no_nonce() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.nonce = None;
    case.timestamp = NOW.plus(30 * MINUTE);
    case.now = case.timestamp;

    let renewed = renewed(&case, &mut cache).expect("accepted");

    assert_eq!(renewed.expires(), NOW.plus(30 * MINUTE + HOUR));
}

#[test]
fn first_document_cannot_pass_as_a_renewal() {
    let case = Case::new();

    assert_eq!(
        renewed(&case, &mut Cache::default()),
        Err(AppraisalError::NothingToRenew)
    );
}

#[test]
fn renewal_after_the_appraisal_ended_is_refused() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.timestamp = NOW.plus(HOUR + 1);
    case.now = case.timestamp;

    assert_eq!(
        renewed(&case, &mut cache),
        Err(AppraisalError::NothingToRenew)
    );
}

#[test]
fn renewal_under_another_policy_is_refused() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.epoch += 1;

    assert_eq!(
        renewed(&case, &mut cache),
        Err(AppraisalError::NothingToRenew)
    );
}

#[test]
fn known_authorities_are_not_verified_again_and_the_leaf_is() {
    let case = Case::new();
    let (_, cache) = appraised(&case);
    let mut certificates = case.pki.certificates();
    let root = Root::parse(&certificates[0]).expect("root");
    let leaf = certificates.pop().expect("leaf");
    let cabundle: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let checked = |cache: &Cache, now| {
        let moment = Moment { time: now, skew: 0 };
        chain::verify(&root, &cabundle, &leaf, moment, cache)
            .expect("valid")
            .links
            .len()
    };

    assert_eq!(checked(&Cache::default(), NOW), 2);
    assert_eq!(checked(&cache, NOW), 0);
}

#[test]
fn known_authorities_are_still_checked_for_their_validity() {
    let mut case = Case::new();
    case.pki.levels[1].not_after = NOW.seconds() + 60;
    let (_, mut cache) = appraised(&case);
    case.timestamp = NOW.plus(2 * MINUTE);
    case.now = case.timestamp;

    assert_eq!(
        case.appraise_with(&case.document(), &mut cache),
        Err(chain_error(1, CertificateFault::Expired))
    );
}

#[test]
fn known_authority_counts_under_its_own_issuer_only() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.root = Some({
        let mut other = Case::new();
        other.pki.levels[0].key = super::fixture::key(60).public_key();
        other.pki.signers[0] = 60;
        other.pki.certificates().remove(0)
    });

    assert_eq!(
        case.appraise_with(&case.document(), &mut cache),
        Err(chain_error(1, CertificateFault::Signature))
    );
}

#[test]
fn leaf_is_checked_again_although_its_authorities_are_known() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.pki.signers[3] = 50;

    assert_eq!(
        case.appraise_with(&case.document(), &mut cache),
        Err(chain_error(3, CertificateFault::Signature))
    );
}

#[test]
fn full_cache_drops_what_ends_soonest() {
    let peer = Case::new()
        .appraise()
        .expect("accepted")
        .at(NOW)
        .expect("current")
        .clone();
    let mut cache = Cache::default();
    let hash = |number: usize| sha256(&number.to_be_bytes());
    for number in 0..=MAX_APPRAISALS {
        let appraisal = Appraisal {
            policy: [0; 32],
            commitment: [0; 48],
            peer: Peer {
                document_hash: hash(number),
                ..peer.clone()
            },
            expires: UnixMillis(NOW.0 + 10_000 - number as u64),
        };
        cache.add_appraisal(appraisal, NOW);
    }

    assert_eq!(cache.appraisals(), MAX_APPRAISALS);
    assert!(
        cache
            .appraisal(&hash(MAX_APPRAISALS - 1), &[0; 32], NOW)
            .is_none()
    );
    assert!(
        cache
            .appraisal(&hash(MAX_APPRAISALS), &[0; 32], NOW)
            .is_some()
    );
    assert!(cache.appraisal(&hash(0), &[0; 32], NOW).is_some());
}

#[test]
fn known_nonce_does_not_help_against_the_wrong_one() {
    let mut case = Case::new();
    let (_, mut cache) = appraised(&case);
    case.nonce = Some(NONCE.map(|byte| byte ^ 1).into());

    assert_eq!(
        case.appraise_with(&case.document(), &mut cache),
        Err(AppraisalError::NonceMismatch)
    );
}
