//! The envelope: COSE_Sign1, headers, lengths, signature.

use coset::CborSerializable;

use super::fixture::{Case, NONCE, altered, chain_error, refused_document, signed, signed_under};
use crate::AppraisalError;
use crate::nitro::{CertificateFault, Document, DocumentError, own_claims};

#[test]
fn right_document_is_accepted() {
    let case = Case::new();

    assert!(case.appraise().is_ok());
}

#[test]
fn another_implementation_of_cose_reads_the_same_signed_bytes() {
    let bytes = Case::new().document();
    let ours = Document::parse(&bytes).expect("document");
    let theirs = coset::CoseSign1::from_slice(&bytes).expect("COSE_Sign1");

    assert_eq!(ours.signed_bytes(), theirs.tbs_data(&[]));
    assert_eq!(ours.signature(), theirs.signature);
}

#[test]
fn an_enclave_reads_its_own_documents_whoever_signed_them() {
    let case = Case::new();
    let unsigned = signed_under(&[0xa1, 0x01, 0x20], &case.payload());
    let mut longer = unsigned.clone();
    longer.push(0);

    let claims = own_claims(&unsigned).expect("claims");

    assert_eq!(claims.nonce, Some(&NONCE[..]));
    assert_eq!(own_claims(&longer).err(), Some(DocumentError::SpareBytes));
    assert_eq!(own_claims(b"").err(), Some(DocumentError::Size));
    assert_eq!(
        own_claims(b"no document").err(),
        Some(DocumentError::Malformed)
    );
}

refused_document! {
    empty_document_is_refused: |_case| vec![] => DocumentError::Size,
    document_above_the_limit_is_refused: |_case| vec![0x84; 12 * 1024 + 1] => DocumentError::Size,
    truncated_document_is_refused: |case| {
        let mut document = case.document();
        document.pop();
        document
    } => DocumentError::Malformed,
    document_that_is_no_array_is_refused: |_case| b"\xa0".to_vec() => DocumentError::Malformed,
    array_of_three_is_refused: |case| {
        let mut document = case.document();
        document[0] = 0x83;
        document
    } => DocumentError::Malformed,
    array_of_indefinite_length_is_refused: |case| {
        let mut document = case.document();
        document[0] = 0x9f;
        document.push(0xff);
        document
    } => DocumentError::Malformed,
    tagged_document_is_refused: |case| {
        [&[0xd2], case.document().as_slice()].concat()
    } => DocumentError::Tagged,
    trailing_byte_after_the_document_is_refused: |case| {
        [case.document().as_slice(), &[0]].concat()
    } => DocumentError::SpareBytes,
    longer_form_of_a_length_is_refused: |case| {
        let document = case.document();
        [&[0x84, 0x58, 0x04], &document[2..]].concat()
    } => DocumentError::SpareBytes,
    other_algorithm_is_refused: |case| {
        signed_under(&[0xa1, 0x01, 0x26], &case.payload())
    } => DocumentError::Algorithm,
    algorithm_as_text_is_refused: |case| {
        signed_under(b"\xa1\x01\x65ES384", &case.payload())
    } => DocumentError::Algorithm,
    missing_algorithm_is_refused: |case| {
        signed_under(&[0xa0], &case.payload())
    } => DocumentError::Algorithm,
    empty_protected_header_is_refused: |case| {
        signed_under(&[], &case.payload())
    } => DocumentError::Malformed,
    critical_header_is_refused: |case| {
        signed_under(&[0xa2, 0x01, 0x38, 0x22, 0x02, 0x81, 0x04], &case.payload())
    } => DocumentError::CriticalHeader,
    other_protected_parameter_is_refused: |case| {
        signed_under(&[0xa2, 0x01, 0x38, 0x22, 0x04, 0x41, 0x00], &case.payload())
    } => DocumentError::UnknownHeader,
    second_algorithm_is_refused: |case| {
        signed_under(&[0xa2, 0x01, 0x38, 0x22, 0x01, 0x38, 0x22], &case.payload())
    } => DocumentError::UnknownHeader,
    trailing_byte_in_the_protected_header_is_refused: |case| {
        signed_under(&[0xa1, 0x01, 0x38, 0x22, 0x00], &case.payload())
    } => DocumentError::SpareBytes,
    unprotected_parameter_is_refused: |case| {
        let document = case.document();
        [&document[..6], &[0xa1, 0x04, 0x41, 0x00], &document[7..]].concat()
    } => DocumentError::UnknownHeader,
    shorter_signature_is_refused: |case| {
        let document = case.document();
        let cut = document.len() - 98;
        [&document[..cut], &[0x58, 95], &document[cut + 3..]].concat()
    } => DocumentError::SignatureLength,
    altered_protected_header_is_refused: |case| {
        altered(case.document(), &[0xa1, 0x01, 0x38, 0x22])
    } => DocumentError::Algorithm,
    altered_signature_is_refused: |case| {
        let document = case.document();
        let signature = document[document.len() - 96..].to_vec();
        altered(document, &signature)
    } => AppraisalError::Signature,
    altered_module_id_is_refused: |case| {
        altered(case.document(), b"emulated-0123")
    } => AppraisalError::Signature,
    altered_timestamp_is_refused: |case| {
        altered(case.document(), &case.timestamp.0.to_be_bytes())
    } => AppraisalError::Signature,
    altered_image_register_is_refused: |case| {
        altered(case.document(), &[1; 48])
    } => AppraisalError::Signature,
    altered_other_register_is_refused: |case| {
        altered(case.document(), &[9; 48])
    } => AppraisalError::Signature,
    altered_public_key_is_refused: |case| {
        altered(case.document(), &[0x50; 40])
    } => AppraisalError::Signature,
    altered_user_data_is_refused: |case| {
        altered(case.document(), case.user_data.as_deref().expect("user data"))
    } => AppraisalError::Signature,
    altered_nonce_is_refused: |case| {
        altered(case.document(), &NONCE)
    } => AppraisalError::Signature,
    altered_digest_name_is_refused: |case| {
        altered(case.document(), b"SHA384")
    } => DocumentError::Digest,
    altered_root_in_the_document_is_refused: |case| {
        altered(case.document(), &case.pki.certificates()[0])
    } => AppraisalError::Signature,
    altered_first_authority_is_refused: |case| {
        altered(case.document(), &case.pki.certificates()[1])
    } => chain_error(1, CertificateFault::Signature),
    altered_second_authority_is_refused: |case| {
        altered(case.document(), &case.pki.certificates()[2])
    } => chain_error(2, CertificateFault::Signature),
    altered_leaf_is_refused: |case| {
        altered(case.document(), &case.pki.certificates()[3])
    } => chain_error(3, CertificateFault::Signature),
    document_signed_by_another_key_is_refused: |case| {
        crate::emulated::document::sign(
            crate::emulated::document::ES384_HEADER,
            &case.payload(),
            &super::fixture::key(2),
        )
    } => AppraisalError::Signature,
}

#[test]
fn payload_of_a_document_is_not_that_of_another() {
    let (case, other) = (
        Case::new(),
        signed(&Case::new().payload_with("nonce", &[0xf6])),
    );
    let document = case.document();
    let signature = other[other.len() - 96..].to_vec();
    let swapped = [&document[..document.len() - 96], &signature].concat();

    assert_eq!(
        case.appraise_document(&swapped),
        Err(AppraisalError::Signature)
    );
}
