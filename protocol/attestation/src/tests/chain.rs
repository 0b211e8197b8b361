//! The chain: root, order, authorities, leaf, validity.

use super::fixture::{Case, NOW, chain_error, key, name, refused};
use crate::emulated::certificate::{
    CERT_SIGN, CRL_SIGN, DIGITAL_SIGNATURE, Template, authority, basic_constraints, extension,
    key_usage, leaf,
};
use crate::nitro::CertificateFault as Fault;

#[test]
fn first_entry_of_the_cabundle_is_not_looked_at() {
    let mut case = Case::new();
    let mut certificates = case.pki.certificates();
    certificates[0] = vec![0];
    case.certificates = Some(certificates);

    assert!(case.appraise().is_ok());
}

#[test]
fn leaf_directly_under_the_root_is_accepted() {
    let mut case = Case::new();
    case.pki.levels[3].issuer = name(0);
    case.pki.signers[3] = 0;
    let certificates = case.pki.certificates();
    case.certificates = Some(vec![certificates[0].clone(), certificates[3].clone()]);

    assert!(case.appraise().is_ok());
}

#[test]
fn unknown_extension_that_is_not_critical_is_passed_over() {
    let mut case = Case::new();
    case.pki.levels[2]
        .extensions
        .push(extension(&[0x2a, 0x03], false, &[0x05, 0x00]));

    assert!(case.appraise().is_ok());
}

#[test]
fn chain_that_begins_within_the_clocks_skew_is_accepted() {
    let mut case = Case::new();
    case.pki.levels[3].not_before = NOW.seconds() + 240;

    assert!(case.appraise().is_ok());
}

#[test]
fn certificate_is_valid_through_the_whole_of_its_last_second() {
    let mut case = Case::new();
    case.pki.levels[3].not_after = NOW.seconds();
    let (first, last) = (case.appraise(), NOW.seconds() * 1000 + 999);
    case.now.0 = last;

    assert_eq!(first.expect("accepted").expires().0, last);
    assert!(case.appraise().is_ok());
    case.now.0 += 1;
    assert_eq!(case.appraise(), Err(chain_error(3, Fault::Expired)));
}

/// A root of the same name with another key.
fn root_with_another_key() -> Vec<u8> {
    Template::new(&name(0), &name(0), &key(77))
        .valid(0, NOW.seconds() + 3600)
        .with(authority(None))
        .sign(&key(77))
}

fn p256(template: &mut Template) {
    template.curve = vec![0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    template.key.truncate(65);
}

fn reordered(case: &mut Case, order: &[usize]) {
    let all = case.pki.certificates();
    case.certificates = Some(order.iter().map(|index| all[*index].clone()).collect());
}

fn replaced(case: &mut Case, position: usize, alter: impl FnOnce(&mut Vec<u8>)) {
    let mut all = case.pki.certificates();
    alter(&mut all[position]);
    case.certificates = Some(all);
}

refused! {
    root_of_the_same_name_and_another_key_is_refused: |case| {
        case.root = Some(root_with_another_key());
    } => chain_error(1, Fault::Signature),
    root_of_another_name_is_refused: |case| {
        case.root = Some(
            Template::new(&name(9), &name(9), &key(0))
                .valid(0, NOW.seconds() + 3600)
                .with(authority(None))
                .sign(&key(0)),
        );
    } => chain_error(1, Fault::Issuer),
    authorities_in_the_wrong_order_are_refused: |case| reordered(case, &[0, 2, 1, 3])
        => chain_error(1, Fault::Issuer),
    missing_first_authority_is_refused: |case| reordered(case, &[0, 2, 3])
        => chain_error(1, Fault::Issuer),
    missing_second_authority_is_refused: |case| reordered(case, &[0, 1, 3])
        => chain_error(2, Fault::Issuer),
    missing_root_entry_is_refused: |case| reordered(case, &[1, 2, 3])
        => chain_error(1, Fault::Issuer),
    second_root_entry_is_refused: |case| reordered(case, &[0, 0, 1, 2, 3])
        => chain_error(1, Fault::Issuer),
    repeated_authority_is_refused: |case| reordered(case, &[0, 1, 1, 2, 3])
        => chain_error(1, Fault::PathLength),
    leaf_among_the_authorities_is_refused: |case| reordered(case, &[0, 1, 2, 3, 3])
        => chain_error(1, Fault::PathLength),

    issuer_of_another_name_is_refused: |case| case.pki.levels[2].issuer = name(8)
        => chain_error(2, Fault::Issuer),
    leaf_of_another_issuer_is_refused: |case| case.pki.levels[3].issuer = name(1)
        => chain_error(3, Fault::Issuer),
    first_authority_signed_by_another_key_is_refused: |case| case.pki.signers[1] = 50
        => chain_error(1, Fault::Signature),
    second_authority_signed_by_another_key_is_refused: |case| case.pki.signers[2] = 50
        => chain_error(2, Fault::Signature),
    leaf_signed_by_another_key_is_refused: |case| case.pki.signers[3] = 50
        => chain_error(3, Fault::Signature),
    leaf_signed_by_the_root_in_the_authoritys_name_is_refused: |case| case.pki.signers[3] = 0
        => chain_error(3, Fault::Signature),

    first_authority_without_the_ca_bit_is_refused: |case| {
        case.pki.levels[1].extensions[0] = basic_constraints(false, None);
    } => chain_error(1, Fault::NotAuthority),
    second_authority_without_the_ca_bit_is_refused: |case| {
        case.pki.levels[2].extensions[0] = basic_constraints(false, None);
    } => chain_error(2, Fault::NotAuthority),
    authority_without_basic_constraints_is_refused: |case| {
        case.pki.levels[1].extensions.remove(0);
    } => chain_error(1, Fault::NotAuthority),
    path_length_of_the_root_is_kept: |case| {
        case.pki.levels[0].extensions = authority(Some(1));
    } => chain_error(0, Fault::PathLength),
    path_length_of_an_authority_is_kept: |case| {
        case.pki.levels[1].extensions = authority(Some(0));
    } => chain_error(1, Fault::PathLength),
    authority_that_may_not_sign_certificates_is_refused: |case| {
        case.pki.levels[1].extensions[1] = key_usage(DIGITAL_SIGNATURE | CRL_SIGN);
    } => chain_error(1, Fault::NoCertSign),
    second_authority_that_may_not_sign_certificates_is_refused: |case| {
        case.pki.levels[2].extensions[1] = key_usage(DIGITAL_SIGNATURE);
    } => chain_error(2, Fault::NoCertSign),
    authority_without_key_usage_is_refused: |case| {
        case.pki.levels[2].extensions.pop();
    } => chain_error(2, Fault::NoCertSign),

    leaf_that_may_sign_certificates_is_refused: |case| {
        case.pki.levels[3].extensions[1] = key_usage(DIGITAL_SIGNATURE | CERT_SIGN);
    } => chain_error(3, Fault::LeafUsage),
    leaf_that_may_sign_revocation_lists_is_refused: |case| {
        case.pki.levels[3].extensions[1] = key_usage(DIGITAL_SIGNATURE | CRL_SIGN);
    } => chain_error(3, Fault::LeafUsage),
    leaf_that_may_not_sign_is_refused: |case| {
        case.pki.levels[3].extensions[1] = key_usage(0x40);
    } => chain_error(3, Fault::LeafUsage),
    leaf_without_key_usage_is_refused: |case| {
        case.pki.levels[3].extensions.pop();
    } => chain_error(3, Fault::LeafUsage),
    leaf_with_the_ca_bit_is_refused: |case| {
        case.pki.levels[3].extensions[0] = basic_constraints(true, None);
    } => chain_error(3, Fault::LeafAuthority),
    leaf_with_a_path_length_is_refused: |case| {
        case.pki.levels[3].extensions[0] = basic_constraints(false, Some(0));
    } => chain_error(3, Fault::LeafAuthority),
    leaf_without_basic_constraints_is_refused: |case| {
        case.pki.levels[3].extensions.remove(0);
    } => chain_error(3, Fault::LeafAuthority),
    authority_in_place_of_the_leaf_is_refused: |case| {
        case.pki.levels[3].extensions = authority(None);
    } => chain_error(3, Fault::LeafAuthority),
    leaf_in_place_of_an_authority_is_refused: |case| {
        case.pki.levels[2].extensions = leaf();
    } => chain_error(2, Fault::NotAuthority),

    leaf_on_another_curve_is_refused: |case| p256(&mut case.pki.levels[3])
        => chain_error(3, Fault::Curve),
    authority_on_another_curve_is_refused: |case| p256(&mut case.pki.levels[1])
        => chain_error(1, Fault::Curve),
    compressed_key_is_refused: |case| {
        case.pki.levels[3].key.truncate(49);
        case.pki.levels[3].key[0] = 2;
    } => chain_error(3, Fault::Curve),
    key_that_is_no_point_is_refused: |case| case.pki.levels[2].key = [&[4][..], &[1; 96]].concat()
        => chain_error(3, Fault::Signature),
    other_signature_algorithm_is_refused: |case| {
        *case.pki.levels[2].algorithm.last_mut().expect("algorithm") = 2;
    } => chain_error(2, Fault::SignatureAlgorithm),
    other_signature_algorithm_of_the_leaf_is_refused: |case| {
        *case.pki.levels[3].algorithm.last_mut().expect("algorithm") = 4;
    } => chain_error(3, Fault::SignatureAlgorithm),
    two_statements_of_the_algorithm_that_differ_are_refused: |case| replaced(case, 3, |leaf| {
        let outer = leaf.windows(8).rposition(|at| at == [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]);
        leaf[outer.expect("algorithm") + 7] = 2;
    }) => chain_error(3, Fault::SignatureAlgorithm),
    unknown_critical_extension_is_refused: |case| {
        case.pki.levels[1].extensions.push(extension(&[0x2a, 0x03], true, &[0x05, 0x00]));
    } => chain_error(1, Fault::UnknownCriticalExtension),
    unknown_critical_extension_of_the_leaf_is_refused: |case| {
        case.pki.levels[3].extensions.push(extension(&[0x2a, 0x03], true, &[0x05, 0x00]));
    } => chain_error(3, Fault::UnknownCriticalExtension),
    second_extension_of_one_kind_is_refused: |case| {
        case.pki.levels[2].extensions.push(basic_constraints(true, None));
    } => chain_error(2, Fault::DuplicateExtension),
    extension_of_the_wrong_content_is_refused: |case| {
        case.pki.levels[2].extensions[1] = extension(&[0x55, 0x1d, 0x0f], true, &[0x05, 0x00]);
    } => chain_error(2, Fault::Malformed),

    root_that_has_expired_is_refused: |case| case.pki.levels[0].not_after = NOW.seconds() - 1
        => chain_error(0, Fault::Expired),
    first_authority_that_has_expired_is_refused: |case| {
        case.pki.levels[1].not_after = NOW.seconds() - 1;
    } => chain_error(1, Fault::Expired),
    second_authority_that_has_expired_is_refused: |case| {
        case.pki.levels[2].not_after = NOW.seconds() - 1;
    } => chain_error(2, Fault::Expired),
    leaf_that_has_expired_is_refused: |case| case.pki.levels[3].not_after = NOW.seconds() - 1
        => chain_error(3, Fault::Expired),
    root_of_the_future_is_refused: |case| case.pki.levels[0].not_before = NOW.seconds() + 301
        => chain_error(0, Fault::NotYetValid),
    first_authority_of_the_future_is_refused: |case| {
        case.pki.levels[1].not_before = NOW.seconds() + 301;
    } => chain_error(1, Fault::NotYetValid),
    second_authority_of_the_future_is_refused: |case| {
        case.pki.levels[2].not_before = NOW.seconds() + 301;
    } => chain_error(2, Fault::NotYetValid),
    leaf_of_the_future_is_refused: |case| case.pki.levels[3].not_before = NOW.seconds() + 301
        => chain_error(3, Fault::NotYetValid),

    trailing_byte_after_a_certificate_is_refused: |case| replaced(case, 2, |one| one.push(0))
        => chain_error(2, Fault::Malformed),
    truncated_certificate_is_refused: |case| replaced(case, 3, |one| { one.pop(); })
        => chain_error(3, Fault::Malformed),
    longer_form_of_a_length_in_a_certificate_is_refused: |case| replaced(case, 3, |one| {
        one[1] = 0x83;
        one.insert(2, 0);
    }) => chain_error(3, Fault::Malformed),
    bytes_that_are_no_certificate_are_refused: |case| replaced(case, 1, |one| one.fill(0))
        => chain_error(1, Fault::Malformed),
    certificate_of_version_1_is_refused: |case| replaced(case, 3, |one| {
        let version = one.windows(5).position(|at| at == [0xa0, 3, 2, 1, 2]).expect("version");
        one[version + 4] = 0;
    }) => chain_error(3, Fault::Malformed),
}
