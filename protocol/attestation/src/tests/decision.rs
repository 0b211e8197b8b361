//! The decision: platform, debug mode, age, nonce, bundle, reference values.

use vettid_crypto::digest::sha256;
use vettid_wire::cbor::Malformed;
use vettid_wire::time::{HOUR, MINUTE, UnixMillis};

use super::fixture::{
    Case, NONCE, NOW, RELEASE, a_day_earlier, bundle, chain_error, measurement, refused,
};
use crate::nitro::CertificateFault;
use crate::nitro::root::Root;
use crate::{
    AppraisalError, Bundle, BundleError, Cache, Emulated, Evidence, EvidenceRefused, Measurement,
    Nitro, NonceExpectation, Policy, ReferenceValue, Trust, TrustAnchor, appraise,
};

#[test]
fn peer_is_what_document_and_bundle_say() {
    let case = Case::new();
    let document = case.document();
    let appraised = case.appraise_document(&document).expect("accepted");
    let peer = appraised.at(NOW).expect("not expired");

    assert_eq!(peer.measurement, measurement());
    assert_eq!(peer.release, RELEASE);
    assert_eq!(peer.binding_key, bundle(RELEASE).binding_key());
    assert_eq!(peer.node, bundle(RELEASE).node);
    assert_eq!(peer.host_peers, vec![vec![0x12; 38]]);
    assert_eq!(peer.kem_key_hash, Some([6; 32]));
    assert_eq!(peer.config_digest, [8; 32]);
    assert_eq!(peer.document_hash, sha256(&document));
}

#[test]
fn appraisal_ends_with_the_largest_age() {
    let appraised = Case::new().appraise().expect("accepted");
    let end = NOW.plus(HOUR);

    assert_eq!(appraised.expires(), end);
    assert!(appraised.at(end).is_ok());
    assert_eq!(appraised.at(end.plus(1)), Err(AppraisalError::Expired));
}

#[test]
fn appraisal_ends_with_the_leaf_if_that_is_sooner() {
    let mut case = Case::new();
    case.pki.levels[3].not_after = NOW.seconds() + 60;
    let appraised = case.appraise().expect("accepted");
    let end = UnixMillis((NOW.seconds() + 60) * 1000 + 999);

    assert_eq!(appraised.expires(), end);
    assert_eq!(appraised.at(end.plus(1)), Err(AppraisalError::Expired));
}

#[test]
fn appraisal_ends_with_an_authority_if_that_is_soonest() {
    let mut case = Case::new();
    case.pki.levels[1].not_after = NOW.seconds() + 30;

    let expires = case.appraise().expect("accepted").expires();

    assert_eq!(expires.seconds(), NOW.seconds() + 30);
}

#[test]
fn document_of_the_largest_age_and_of_the_largest_skew_are_accepted() {
    let mut case = Case::new();
    case.now = NOW.plus(HOUR);
    assert!(case.appraise().is_ok());

    case.now = UnixMillis(NOW.0 - 5 * MINUTE);
    assert!(case.appraise().is_ok());
}

#[test]
fn policy_may_ask_for_a_younger_document() {
    let mut case = Case::new();
    case.now = NOW.plus(2 * MINUTE);
    let policy = case.policy().with_max_age(MINUTE);
    let nonce = NonceExpectation::Fresh(&NONCE);
    let cache = &mut Cache::default();

    assert_eq!(
        appraise(
            &case.document(),
            &case.bundle,
            &policy,
            nonce,
            case.now,
            cache
        ),
        Err(AppraisalError::Stale {
            age: 2 * MINUTE,
            limit: MINUTE
        })
    );
}

fn against(case: &Case, trust: Trust) -> Result<(), AppraisalError> {
    let policy = Policy::new(trust, case.values.clone(), case.floor).expect("policy");
    let nonce = NonceExpectation::Fresh(&NONCE);
    let cache = &mut Cache::default();
    appraise(
        &case.document(),
        &case.bundle,
        &policy,
        nonce,
        case.now,
        cache,
    )
    .map(|_| ())
}

#[test]
fn emulated_document_is_refused_where_hardware_is_asked_for() {
    assert_eq!(
        against(&Case::new(), Trust::Nitro),
        Err(AppraisalError::WrongPlatform)
    );
}

#[test]
fn emulated_document_that_claims_to_be_of_hardware_is_refused_there() {
    let mut case = Case::new();
    case.module_id = "i-0123-enc4567".into();

    assert_eq!(
        against(&case, Trust::Nitro),
        Err(chain_error(1, CertificateFault::Issuer))
    );
}

#[test]
fn emulated_document_under_the_hardware_roots_name_is_refused_there() {
    let mut case = Case::new();
    case.module_id = "i-0123-enc4567".into();
    case.pki.levels[1].issuer = Root::aws().subject().to_vec();

    assert_eq!(
        against(&case, Trust::Nitro),
        Err(chain_error(1, CertificateFault::Signature))
    );
}

#[test]
fn hardware_document_is_refused_where_an_emulated_one_is_asked_for() {
    let mut case = Case::new();
    case.module_id = "i-0123-enc4567".into();

    assert_eq!(case.appraise(), Err(AppraisalError::WrongPlatform));
}

#[test]
fn debug_mode_is_refused_in_every_type() {
    let mut case = Case::new();
    for index in 0..3 {
        case.pcrs.insert(index, [0; 48]);
    }
    let emulated = case.document();
    case.module_id = "i-0123-enc4567".into();
    let hardware = case.document();

    let refused = Some(AppraisalError::DebugMode);
    assert_eq!(Evidence::<Emulated>::parse(&emulated).err(), refused);
    assert_eq!(Evidence::<Nitro>::parse(&hardware).err(), refused);
}

#[test]
fn archived_document_is_checked_at_its_own_time_and_not_before_or_after() {
    let mut case = Case::new();
    let anchor =
        TrustAnchor::<Emulated>::of(Root::parse(&case.pki.certificates()[0]).expect("root"));
    let archived = |case: &Case| {
        Evidence::<Emulated>::parse(&case.document())
            .expect("evidence")
            .verify_archived(&anchor)
    };

    let statement = archived(&case).expect("authentic").statement().clone();
    assert_eq!(
        (statement.timestamp, statement.measurement),
        (NOW, measurement())
    );
    case.timestamp = a_day_earlier(NOW);
    assert_eq!(
        archived(&case),
        Err(chain_error(0, CertificateFault::NotYetValid))
    );
    case.timestamp = NOW.plus(4 * HOUR);
    assert_eq!(
        archived(&case),
        Err(chain_error(0, CertificateFault::Expired))
    );
}

#[test]
fn peer_learns_nothing_but_that_it_was_refused() {
    let refused: EvidenceRefused = AppraisalError::DebugMode.into();

    assert_eq!(refused.to_string(), "evidence refused");
}

fn bind(case: &mut Case, bundle: Vec<u8>) {
    case.user_data = Some(Bundle::commitment(&bundle).into());
    case.bundle = bundle;
}

fn other(index: u8) -> Measurement {
    let pcr = |at: u8| {
        if at == index {
            [0x77; 48]
        } else {
            [at + 1; 48]
        }
    };
    Measurement::new(pcr(0), pcr(1), pcr(2)).expect("not debug")
}

refused! {
    debug_registers_are_refused: |case| {
        for index in 0..3 {
            case.pcrs.insert(index, [0; 48]);
        }
    } => AppraisalError::DebugMode,
    one_zero_register_is_refused: |case| { case.pcrs.insert(2, [0; 48]); }
        => AppraisalError::DebugMode,
    other_image_is_refused: |case| { case.pcrs.insert(0, [0x77; 48]); }
        => AppraisalError::UnknownMeasurement(other(0).head()),
    other_kernel_is_refused: |case| { case.pcrs.insert(1, [0x77; 48]); }
        => AppraisalError::UnknownMeasurement(other(1).head()),
    other_application_is_refused: |case| { case.pcrs.insert(2, [0x77; 48]); }
        => AppraisalError::UnknownMeasurement(other(2).head()),
    release_below_the_floor_is_refused: |case| {
        case.values.push(ReferenceValue { measurement: other(0), release: RELEASE + 2 });
        case.floor = RELEASE + 1;
    } => AppraisalError::ReleaseBelowFloor { release: RELEASE, floor: RELEASE + 1 },
    release_that_was_not_measured_is_refused: |case| {
        bind(case, bundle(RELEASE + 1).to_bytes());
    } => AppraisalError::ReleaseMismatch { claimed: RELEASE + 1, measured: RELEASE },

    document_of_the_future_is_refused: |case| case.timestamp = NOW.plus(5 * MINUTE + 1)
        => AppraisalError::Future { ahead: 5 * MINUTE + 1 },
    document_of_the_end_of_time_is_refused: |case| case.timestamp = UnixMillis(u64::MAX)
        => AppraisalError::Future { ahead: u64::MAX - NOW.0 },
    old_document_is_refused: |case| case.now = NOW.plus(HOUR + 1)
        => AppraisalError::Stale { age: HOUR + 1, limit: HOUR },
    document_of_the_beginning_of_time_is_refused: |case| case.timestamp = UnixMillis(0)
        => AppraisalError::Stale { age: NOW.0, limit: HOUR },
    document_after_its_chain_ended_is_refused: |case| case.now = NOW.plus(4 * HOUR)
        => chain_error(0, CertificateFault::Expired),

    missing_nonce_is_refused: |case| case.nonce = None => AppraisalError::NonceMissing,
    empty_nonce_is_refused: |case| case.nonce = Some(vec![]) => AppraisalError::NonceLength,
    short_nonce_is_refused: |case| case.nonce = Some(NONCE[..31].into())
        => AppraisalError::NonceLength,
    long_nonce_is_refused: |case| case.nonce = Some([&NONCE[..], &[0]].concat())
        => AppraisalError::NonceLength,
    other_nonce_is_refused: |case| case.nonce = Some(vec![0x4f; 32])
        => AppraisalError::NonceMismatch,

    document_bound_to_nothing_is_refused: |case| case.user_data = None
        => AppraisalError::BundleMissing,
    other_user_data_is_refused: |case| case.user_data = Some(vec![0; 48])
        => AppraisalError::BundleMismatch,
    short_user_data_is_refused: |case| case.user_data = Some(vec![0; 47])
        => AppraisalError::BundleMismatch,
    other_bundle_is_refused: |case| case.bundle = bundle(RELEASE + 1).to_bytes()
        => AppraisalError::BundleMismatch,
    bundle_with_a_trailing_byte_is_refused: |case| case.bundle.push(0)
        => AppraisalError::BundleMismatch,
    attested_bundle_with_a_trailing_byte_is_refused: |case| {
        let bytes = [case.bundle.as_slice(), &[0]].concat();
        bind(case, bytes);
    } => AppraisalError::Bundle(BundleError::Malformed(Malformed::Trailing)),
    attested_bytes_that_are_no_bundle_are_refused: |case| bind(case, vec![0xa0])
        => AppraisalError::Bundle(BundleError::Malformed(Malformed::Structure)),
    attested_bundle_above_the_limit_is_refused: |case| bind(case, vec![0; 4097])
        => AppraisalError::Bundle(BundleError::Size),
}
