//! Policies: none is empty, none is ambiguous, and which file makes which.

use vettid_wire::network::{GovernanceKey, Network, ReleaseStatus, TrustRoot};
use vettid_wire::time::{HOUR, MINUTE};

use super::fixture::{Case, RELEASE, key, measurement, name};
use crate::emulated::certificate::{Template, authority, leaf};
use crate::nitro::CertificateFault;
use crate::nitro::root::Root;
use crate::{
    AnchorError, Emulated, Measurement, Policy, PolicyError, ReferenceValue, Trust, TrustAnchor,
};

fn value(release: u32) -> ReferenceValue {
    let tag = u8::try_from(release).expect("small");
    let measurement = Measurement::new([tag; 48], [1; 48], [1; 48]).expect("not debug");
    ReferenceValue {
        measurement,
        release,
    }
}

fn network(trust_root: TrustRoot) -> Network {
    let wire = |release| vettid_wire::network::ReferenceValue {
        release,
        pcr0: [1; 48],
        pcr1: [2; 48],
        pcr2: [3; 48],
        status: ReleaseStatus::Active,
    };
    Network {
        trust_root,
        governance: vec![GovernanceKey([1; 32])],
        threshold: 1,
        reference_values: vec![wire(RELEASE)],
        release_floor: 3,
        epoch: 11,
        bootstrap: vec![],
        relays: vec![],
    }
}

#[test]
fn policy_without_reference_values_cannot_be_made() {
    assert_eq!(
        Policy::new(Trust::Nitro, vec![], 0),
        Err(PolicyError::Empty)
    );
}

#[test]
fn retired_releases_of_a_network_are_not_accepted_and_deprecated_ones_are() {
    let mut network = network(TrustRoot::Nitro);
    let [mut deprecated, mut retired] = [(); 2].map(|()| network.reference_values[0].clone());
    (deprecated.pcr0, deprecated.status) = ([4; 48], ReleaseStatus::Deprecated);
    (retired.pcr0, retired.status) = ([5; 48], ReleaseStatus::Retired);
    network.reference_values.extend([deprecated, retired]);

    let policy = Policy::of_network(&network).expect("policy");

    let release = |pcr0| {
        let measurement = Measurement::new([pcr0; 48], [2; 48], [3; 48]).expect("not debug");
        policy.release_of(&measurement)
    };
    assert_eq!([1, 4, 5].map(release), [Some(RELEASE), Some(RELEASE), None]);
    network.reference_values.drain(..2);
    assert_eq!(Policy::of_network(&network), Err(PolicyError::Empty));
}

#[test]
fn policy_with_nothing_at_its_floor_cannot_be_made() {
    assert_eq!(
        Policy::new(Trust::Nitro, vec![value(1), value(2)], 3),
        Err(PolicyError::NothingAtFloor)
    );
}

#[test]
fn policy_with_one_measurement_of_two_releases_cannot_be_made() {
    let again = ReferenceValue {
        release: 2,
        ..value(1)
    };

    assert_eq!(
        Policy::new(Trust::Nitro, vec![value(1), again], 0),
        Err(PolicyError::DuplicateMeasurement)
    );
}

#[test]
fn policy_with_too_many_values_cannot_be_made() {
    let values = (1..=65).map(value).collect();

    assert_eq!(
        Policy::new(Trust::Nitro, values, 0),
        Err(PolicyError::TooMany)
    );
}

#[test]
fn age_and_skew_can_only_be_tightened() {
    let policy = Policy::new(Trust::Nitro, vec![value(1)], 0).expect("policy");
    let tight = policy.clone().with_max_age(MINUTE).with_skew(0);
    let loose = policy.with_max_age(u64::MAX).with_skew(u64::MAX);

    assert_eq!((tight.max_age(), tight.skew()), (MINUTE, 0));
    assert_eq!((loose.max_age(), loose.skew()), (HOUR, 5 * MINUTE));
    assert_eq!(tight.with_max_age(HOUR).max_age(), MINUTE);
}

#[test]
fn network_file_makes_the_policy_it_says() {
    let root = Case::new().pki.certificates().remove(0);
    let policy = Policy::of_network(&network(TrustRoot::Emulated(root.clone()))).expect("policy");

    assert_eq!(
        policy.trust(),
        &Trust::Emulated(TrustAnchor::parse(&root).expect("root"))
    );
    assert_eq!(policy.release_of(&measurement()), Some(RELEASE));
    assert_eq!((policy.floor(), policy.epoch()), (3, 11));
}

#[test]
fn network_file_of_hardware_makes_a_policy_for_the_pinned_root() {
    let policy = Policy::of_network(&network(TrustRoot::Nitro)).expect("policy");

    assert_eq!(policy.trust(), &Trust::Nitro);
}

#[test]
fn network_file_that_accepts_debug_mode_makes_no_policy() {
    let mut network = network(TrustRoot::Nitro);
    network.reference_values[0].pcr0 = [0; 48];

    assert_eq!(Policy::of_network(&network), Err(PolicyError::DebugMode));
}

#[test]
fn network_file_without_a_root_certificate_makes_no_policy() {
    assert_eq!(
        Policy::of_network(&network(TrustRoot::Emulated(vec![1, 2, 3]))),
        Err(PolicyError::Root(AnchorError::Certificate(
            CertificateFault::Malformed
        )))
    );
}

#[test]
fn every_difference_between_policies_changes_their_fingerprint() {
    let policy = |values: &[u32], floor| {
        let values = values.iter().copied().map(value).collect();
        Policy::new(Trust::Nitro, values, floor).expect("policy")
    };
    let base = policy(&[1, 2], 0);
    let root = Case::new().pki.certificates().remove(0);
    let emulated = Trust::Emulated(TrustAnchor::parse(&root).expect("root"));
    let others = [
        policy(&[1], 0),
        policy(&[1, 2], 1),
        base.clone().with_epoch(1),
        base.clone().with_max_age(1),
        base.clone().with_skew(1),
        Policy::new(emulated, vec![value(1), value(2)], 0).expect("policy"),
    ];

    assert_eq!(base.fingerprint(), base.clone().fingerprint());
    for other in others {
        assert_ne!(base.fingerprint(), other.fingerprint());
    }
}

fn anchor_of(template: &Template, signer: u64) -> Result<(), AnchorError> {
    TrustAnchor::<Emulated>::parse(&template.sign(&key(signer))).map(|_| ())
}

fn root_template() -> Template {
    Template::new(&name(0), &name(0), &key(0))
        .valid(0, 10)
        .with(authority(None))
}

#[test]
fn leaf_is_no_root() {
    let template = root_template().with(leaf());

    assert_eq!(
        anchor_of(&template, 0),
        Err(CertificateFault::NotAuthority.into())
    );
}

#[test]
fn certificate_of_another_issuer_is_no_root() {
    let template = Template {
        issuer: name(1),
        ..root_template()
    };

    assert_eq!(
        anchor_of(&template, 0),
        Err(CertificateFault::Issuer.into())
    );
}

#[test]
fn certificate_not_signed_by_itself_is_no_root() {
    assert_eq!(
        anchor_of(&root_template(), 1),
        Err(CertificateFault::Signature.into())
    );
}

#[test]
fn hardware_root_key_is_no_emulated_root() {
    let template = Template {
        key: Root::aws().key().to_vec(),
        ..root_template()
    };

    assert_eq!(
        anchor_of(&template, 0),
        Err(CertificateFault::Signature.into())
    );
}
