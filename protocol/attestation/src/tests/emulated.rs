//! The emulated attester: its documents pass as the real ones would, under its own root only.

use vettid_crypto::SeededEntropy;
use vettid_wire::time::{DAY, HOUR, MINUTE, UnixMillis};

use super::fixture::{NONCE, NOW, RELEASE, bundle, chain_error, measurement};
use crate::emulated::{self, DevelopmentRoot, EmulatedAttester, NotARoot};
use crate::nitro::{CertificateFault, Document, MAX_USER_FIELD};
use crate::{
    AppraisalError, AttestedClaims, Attester, Bundle, Cache, Measurement, NonceExpectation,
    NotAttested, Policy, ReferenceValue, Trust, TrustAnchor, appraise,
};

struct Network {
    policy: Policy,
    attester: EmulatedAttester,
}

fn network(seed: u64) -> Network {
    let entropy = &mut SeededEntropy::dangerous_new(seed);
    let root = DevelopmentRoot::generate(NOW, entropy);
    let trust = Trust::Emulated(TrustAnchor::parse(root.certificate()).expect("root"));
    let value = ReferenceValue {
        measurement: measurement(),
        release: RELEASE,
    };
    Network {
        policy: Policy::new(trust, vec![value], 1).expect("policy"),
        attester: EmulatedAttester::new(root, &measurement(), entropy),
    }
}

fn attest(attester: &mut EmulatedAttester, now: UnixMillis) -> Vec<u8> {
    let user_data = Bundle::commitment(&bundle(RELEASE).to_bytes());
    let claims = AttestedClaims {
        user_data: Some(&user_data),
        nonce: Some(&NONCE),
        public_key: None,
    };
    attester.attest(&claims, now).expect("attested")
}

fn check(document: &[u8], policy: &Policy, now: UnixMillis) -> Result<(), AppraisalError> {
    let (bundle, nonce) = (bundle(RELEASE).to_bytes(), NonceExpectation::Fresh(&NONCE));
    appraise(document, &bundle, policy, nonce, now, &mut Cache::default()).map(|_| ())
}

#[test]
fn emulated_document_is_accepted_under_its_own_root() {
    let mut network = network(1);
    let document = attest(&mut network.attester, NOW);

    assert_eq!(check(&document, &network.policy, NOW), Ok(()));
}

#[test]
fn what_a_module_says_is_signed_with_its_registers_time_and_claims_and_no_others() {
    let entropy = &mut SeededEntropy::dangerous_new(3);
    let root = DevelopmentRoot::generate(NOW, entropy);
    let trust = Trust::Emulated(TrustAnchor::parse(root.certificate()).expect("root"));
    let other = Measurement::new([7; 48], [8; 48], [9; 48]).expect("not debug");
    let mut signer = EmulatedAttester::new(root, &other, entropy);
    let accepting = |measurement| {
        let release = RELEASE;
        let value = ReferenceValue {
            measurement,
            release,
        };
        Policy::new(trust.clone(), vec![value], 1).expect("policy")
    };
    let said = attest(&mut network(1).attester, NOW);

    let signed = signer.sign_for_module(&said).expect("signed");

    assert_eq!(check(&signed, &accepting(measurement()), NOW), Ok(()));
    assert!(matches!(
        check(&signed, &accepting(other), NOW),
        Err(AppraisalError::UnknownMeasurement(_))
    ));
    assert_eq!(
        check(&said, &accepting(measurement()), NOW),
        Err(chain_error(1, CertificateFault::Issuer))
    );
    assert_eq!(
        signer.sign_for_module(b"no document"),
        Err(NotAttested::Platform)
    );
}

#[test]
fn emulated_document_is_refused_under_another_networks_root() {
    let document = attest(&mut network(1).attester, NOW);

    assert_eq!(
        check(&document, &network(2).policy, NOW),
        Err(chain_error(1, CertificateFault::Issuer))
    );
}

#[test]
fn emulated_document_is_refused_under_the_hardwares_root() {
    let document = attest(&mut network(1).attester, NOW);
    let value = ReferenceValue {
        measurement: measurement(),
        release: RELEASE,
    };
    let policy = Policy::new(Trust::Nitro, vec![value], 1).expect("policy");

    assert_eq!(
        check(&document, &policy, NOW),
        Err(AppraisalError::WrongPlatform)
    );
}

#[test]
fn documents_stay_valid_for_their_whole_age_as_time_goes_by() {
    let mut network = network(1);
    for step in 0..60 {
        let now = NOW.plus(step * 37 * MINUTE);
        let document = attest(&mut network.attester, now);

        assert_eq!(
            check(&document, &network.policy, now),
            Ok(()),
            "after {step} steps"
        );
        assert_eq!(check(&document, &network.policy, now.plus(HOUR)), Ok(()));
    }
}

#[test]
fn attester_makes_a_valid_chain_after_its_clock_went_back() {
    let mut network = network(1);
    attest(&mut network.attester, NOW);
    let earlier = UnixMillis(NOW.0 - DAY / 2);
    let document = attest(&mut network.attester, earlier);

    assert_eq!(check(&document, &network.policy, earlier), Ok(()));
}

#[test]
fn emulated_document_has_the_size_and_registers_of_a_real_one() {
    let document = attest(&mut network(1).attester, NOW);
    let parsed = Document::parse(&document).expect("document");
    let claims = parsed.unverified_claims();

    assert!(
        (2_500..5_000).contains(&document.len()),
        "{} bytes",
        document.len()
    );
    assert_eq!(claims.pcrs.len(), 16);
    assert_eq!(claims.cabundle.len(), 3);
    assert!(claims.module_id.starts_with("emulated-"));
}

#[test]
fn claim_above_the_format_is_not_attested() {
    let claims = AttestedClaims {
        public_key: Some(&[0; MAX_USER_FIELD + 1]),
        ..AttestedClaims::default()
    };

    assert_eq!(
        network(1).attester.attest(&claims, NOW),
        Err(NotAttested::ClaimSize)
    );
}

#[test]
fn stored_root_comes_back_and_attests_for_the_same_network() {
    let entropy = &mut SeededEntropy::dangerous_new(1);
    let root = DevelopmentRoot::generate(NOW, entropy);
    let key: [u8; 48] = root.expose_key(|key| key.try_into().expect("48 bytes"));
    let stored = DevelopmentRoot::from_parts(&key, root.certificate().to_vec()).expect("root");
    let mut attester = EmulatedAttester::new(stored, &measurement(), entropy);

    assert_eq!(
        check(&attest(&mut attester, NOW), &network(1).policy, NOW),
        Ok(())
    );
}

#[test]
fn key_and_certificate_of_two_roots_are_no_root() {
    let root = |seed| DevelopmentRoot::generate(NOW, &mut SeededEntropy::dangerous_new(seed));
    let key: [u8; 48] = root(1).expose_key(|key| key.try_into().expect("48 bytes"));
    let mixed = DevelopmentRoot::from_parts(&key, root(2).certificate().to_vec());

    assert_eq!(mixed.err(), Some(NotARoot));
    let no_key = DevelopmentRoot::from_parts(&[0; 48], root(1).certificate().to_vec());
    assert_eq!(no_key.err(), Some(NotARoot));
}

#[test]
fn root_is_not_printed_with_its_key() {
    let root = DevelopmentRoot::generate(NOW, &mut SeededEntropy::dangerous_new(1));

    assert!(format!("{root:?}").contains("key: SigningKey(..)"));
}

#[test]
fn measurement_of_a_program_follows_the_program() {
    let one = emulated::measurement([1; 48]).expect("not debug");
    let two = emulated::measurement([2; 48]).expect("not debug");

    assert_ne!(one, two);
    assert_eq!((one.pcr1(), one.pcr2()), (two.pcr1(), two.pcr2()));
    assert!(emulated::measurement([0; 48]).is_err());
}
