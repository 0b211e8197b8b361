//! The payload: fields, types, sizes, registers.

use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::bytes::ByteSlice;

use super::fixture::{Case, refused_document, signed};
use crate::emulated::document;
use crate::nitro::{Document, DocumentError, Field};

#[test]
fn payload_map_of_definite_length_is_accepted() {
    let case = Case::new();
    let mut payload = case.payload();
    payload[0] = 0xa9;
    payload.pop();

    assert!(case.appraise_document(&signed(&payload)).is_ok());
}

#[test]
fn registers_and_cabundle_of_indefinite_length_are_accepted() {
    let case = Case::new();
    let mut entries = case.entries();
    for (name, value) in &mut entries {
        match *name {
            "pcrs" => value[0] = 0xbf,
            "cabundle" => value[0] = 0x9f,
            _ => continue,
        }
        value.push(0xff);
    }

    assert!(
        case.appraise_document(&signed(&document::payload(&entries)))
            .is_ok()
    );
}

#[test]
fn thirty_two_registers_are_accepted() {
    let mut case = Case::new();
    case.pcrs.extend((16..32).map(|index| (index, [0; 48])));

    assert!(case.appraise().is_ok());
}

#[test]
fn optional_fields_may_be_left_out() {
    let case = Case::new();
    let mut entries = case.entries();
    entries.retain(|(name, _)| *name != "public_key");

    assert!(
        case.appraise_document(&signed(&document::payload(&entries)))
            .is_ok()
    );
}

#[test]
fn largest_user_fields_are_accepted() {
    let mut case = Case::new();
    case.public_key = Some(vec![0; 1024]);

    assert!(case.appraise().is_ok());
}

#[test]
fn claims_are_what_the_module_wrote() {
    let case = Case::new();
    let bytes = case.document();
    let document = Document::parse(&bytes).expect("document");
    let claims = document.unverified_claims();

    assert_eq!(claims.module_id, case.module_id);
    assert_eq!(claims.timestamp, case.timestamp);
    assert_eq!(claims.pcrs, case.pcrs);
    assert_eq!(claims.public_key, case.public_key.as_deref());
    assert_eq!(claims.user_data, case.user_data.as_deref());
    assert_eq!(claims.nonce, case.nonce.as_deref());
    assert_eq!(claims.cabundle.len(), 3);
}

fn bytes(length: usize) -> Vec<u8> {
    cbor::encode(&<&ByteSlice>::from(vec![0; length].as_slice()))
}

fn without(case: &Case, field: &str) -> Vec<u8> {
    let mut entries = case.entries();
    entries.retain(|(name, _)| *name != field);
    signed(&document::payload(&entries))
}

fn twice(case: &Case, field: &str) -> Vec<u8> {
    let mut entries = case.entries();
    let again = entries
        .iter()
        .find(|(name, _)| *name == field)
        .expect("field")
        .clone();
    entries.push(again);
    signed(&document::payload(&entries))
}

fn pcr(index: u8, length: usize) -> Vec<u8> {
    [cbor::encode(&index), bytes(length)].concat()
}

/// Sixteen registers, with one of them replaced by other entries.
fn registers(replaced: u8, by: &[Vec<u8>]) -> Vec<u8> {
    let mut entries: Vec<Vec<u8>> = (0..16)
        .filter(|index| *index != replaced)
        .map(|index| pcr(index, 48))
        .collect();
    entries.extend_from_slice(by);
    let mut map = vec![0xbf];
    map.extend(entries.concat());
    map.push(0xff);
    map
}

refused_document! {
    payload_that_is_no_map_is_refused: |_case| signed(&[0x80]) => DocumentError::Malformed,
    empty_payload_is_refused: |_case| signed(&[]) => DocumentError::Malformed,
    trailing_byte_after_the_payload_is_refused: |case| {
        signed(&[case.payload().as_slice(), &[0]].concat())
    } => DocumentError::PayloadSpareBytes,
    unknown_field_is_refused: |case| {
        let mut entries = case.entries();
        entries.push(("debug", vec![0xf5]));
        signed(&document::payload(&entries))
    } => DocumentError::UnknownField,
    field_named_by_a_number_is_refused: |_case| {
        signed(&[0xa1, 0x01, 0x01])
    } => DocumentError::Malformed,
    map_that_claims_more_than_it_has_is_refused: |case| {
        let mut payload = case.payload();
        payload[0] = 0xaa;
        payload.pop();
        signed(&payload)
    } => DocumentError::Malformed,
    map_that_claims_a_huge_length_is_refused: |_case| {
        signed(&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    } => DocumentError::Malformed,
    deep_nesting_in_a_field_is_refused: |case| {
        signed(&case.payload_with("user_data", &[0x81; 5000]))
    } => DocumentError::FieldType(Field::UserData),
    deep_nesting_in_the_registers_is_refused: |case| {
        signed(&case.payload_with("pcrs", &[&[0xa1, 0x00][..], &[0xa1; 5000]].concat()))
    } => DocumentError::PcrLength(0),
    deep_nesting_in_place_of_the_payload_is_refused: |_case| {
        signed(&[0xbf; 5000])
    } => DocumentError::Malformed,

    second_module_id_is_refused: |case| twice(&case, "module_id")
        => DocumentError::DuplicateField(Field::ModuleId),
    second_digest_is_refused: |case| twice(&case, "digest")
        => DocumentError::DuplicateField(Field::Digest),
    second_timestamp_is_refused: |case| twice(&case, "timestamp")
        => DocumentError::DuplicateField(Field::Timestamp),
    second_registers_are_refused: |case| twice(&case, "pcrs")
        => DocumentError::DuplicateField(Field::Pcrs),
    second_certificate_is_refused: |case| twice(&case, "certificate")
        => DocumentError::DuplicateField(Field::Certificate),
    second_cabundle_is_refused: |case| twice(&case, "cabundle")
        => DocumentError::DuplicateField(Field::Cabundle),
    second_public_key_is_refused: |case| twice(&case, "public_key")
        => DocumentError::DuplicateField(Field::PublicKey),
    second_user_data_is_refused: |case| twice(&case, "user_data")
        => DocumentError::DuplicateField(Field::UserData),
    second_nonce_is_refused: |case| twice(&case, "nonce")
        => DocumentError::DuplicateField(Field::Nonce),

    missing_module_id_is_refused: |case| without(&case, "module_id")
        => DocumentError::MissingField(Field::ModuleId),
    missing_digest_is_refused: |case| without(&case, "digest")
        => DocumentError::MissingField(Field::Digest),
    missing_timestamp_is_refused: |case| without(&case, "timestamp")
        => DocumentError::MissingField(Field::Timestamp),
    missing_registers_are_refused: |case| without(&case, "pcrs")
        => DocumentError::MissingField(Field::Pcrs),
    missing_certificate_is_refused: |case| without(&case, "certificate")
        => DocumentError::MissingField(Field::Certificate),
    missing_cabundle_is_refused: |case| without(&case, "cabundle")
        => DocumentError::MissingField(Field::Cabundle),

    empty_module_id_is_refused: |case| signed(&case.payload_with("module_id", &[0x60]))
        => DocumentError::FieldSize(Field::ModuleId),
    oversized_module_id_is_refused: |case| {
        signed(&case.payload_with("module_id", &cbor::encode(&"m".repeat(129).as_str())))
    } => DocumentError::FieldSize(Field::ModuleId),
    module_id_in_bytes_is_refused: |case| signed(&case.payload_with("module_id", &bytes(4)))
        => DocumentError::FieldType(Field::ModuleId),
    module_id_in_pieces_is_refused: |case| {
        signed(&case.payload_with("module_id", &[0x7f, 0x61, 0x61, 0xff]))
    } => DocumentError::FieldType(Field::ModuleId),
    module_id_that_is_not_utf8_is_refused: |case| {
        signed(&case.payload_with("module_id", &[0x61, 0xff]))
    } => DocumentError::FieldType(Field::ModuleId),
    other_digest_is_refused: |case| {
        signed(&case.payload_with("digest", &cbor::encode(&"SHA256")))
    } => DocumentError::Digest,
    digest_in_bytes_is_refused: |case| signed(&case.payload_with("digest", b"\x46SHA384"))
        => DocumentError::Digest,
    negative_timestamp_is_refused: |case| signed(&case.payload_with("timestamp", &[0x20]))
        => DocumentError::FieldType(Field::Timestamp),
    timestamp_as_a_fraction_is_refused: |case| {
        signed(&case.payload_with("timestamp", &[0xf9, 0x3c, 0x00]))
    } => DocumentError::FieldType(Field::Timestamp),
    empty_certificate_is_refused: |case| signed(&case.payload_with("certificate", &bytes(0)))
        => DocumentError::FieldSize(Field::Certificate),
    oversized_certificate_is_refused: |case| {
        signed(&case.payload_with("certificate", &bytes(1025)))
    } => DocumentError::FieldSize(Field::Certificate),
    certificate_that_is_null_is_refused: |case| {
        signed(&case.payload_with("certificate", &[0xf6]))
    } => DocumentError::FieldType(Field::Certificate),
    empty_cabundle_is_refused: |case| signed(&case.payload_with("cabundle", &[0x80]))
        => DocumentError::FieldSize(Field::Cabundle),
    cabundle_of_nine_is_refused: |case| {
        signed(&case.payload_with("cabundle", &[&[0x89][..], &[0x41, 0x00].repeat(9)].concat()))
    } => DocumentError::FieldSize(Field::Cabundle),
    endless_cabundle_is_refused: |case| {
        signed(&case.payload_with("cabundle", &[&[0x9f][..], &[0x41, 0x00].repeat(900)].concat()))
    } => DocumentError::FieldSize(Field::Cabundle),
    oversized_authority_is_refused: |case| {
        signed(&case.payload_with("cabundle", &[&[0x81][..], &bytes(1025)].concat()))
    } => DocumentError::FieldSize(Field::Cabundle),
    empty_authority_is_refused: |case| signed(&case.payload_with("cabundle", &[0x81, 0x40]))
        => DocumentError::FieldSize(Field::Cabundle),
    oversized_public_key_is_refused: |case| {
        signed(&case.payload_with("public_key", &bytes(1025)))
    } => DocumentError::FieldSize(Field::PublicKey),
    oversized_user_data_is_refused: |case| signed(&case.payload_with("user_data", &bytes(1025)))
        => DocumentError::FieldSize(Field::UserData),
    oversized_nonce_is_refused: |case| signed(&case.payload_with("nonce", &bytes(1025)))
        => DocumentError::FieldSize(Field::Nonce),
    nonce_in_pieces_is_refused: |case| {
        signed(&case.payload_with("nonce", &[&[0x5f, 0x58, 0x20][..], &[0x4e; 32], &[0xff]].concat()))
    } => DocumentError::FieldType(Field::Nonce),
    nonce_as_text_is_refused: |case| signed(&case.payload_with("nonce", b"\x61x"))
        => DocumentError::FieldType(Field::Nonce),
    undefined_nonce_is_refused: |case| signed(&case.payload_with("nonce", &[0xf7]))
        => DocumentError::FieldType(Field::Nonce),

    second_register_of_one_index_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(99, &[pcr(4, 48)])))
    } => DocumentError::DuplicatePcr(4),
    second_register_in_a_longer_form_is_refused: |case| {
        let longer = [&[0x18, 0x04][..], &bytes(48)].concat();
        signed(&case.payload_with("pcrs", &registers(99, &[longer])))
    } => DocumentError::DuplicatePcr(4),
    missing_image_register_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(0, &[])))
    } => DocumentError::MissingPcr(0),
    missing_last_register_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(15, &[])))
    } => DocumentError::MissingPcr(15),
    missing_register_is_not_made_good_by_a_later_one: |case| {
        signed(&case.payload_with("pcrs", &registers(7, &[pcr(16, 48)])))
    } => DocumentError::MissingPcr(7),
    short_register_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(1, &[pcr(1, 47)])))
    } => DocumentError::PcrLength(1),
    long_register_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(2, &[pcr(2, 64)])))
    } => DocumentError::PcrLength(2),
    register_above_the_last_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(99, &[pcr(32, 48)])))
    } => DocumentError::PcrIndex,
    register_of_negative_index_is_refused: |case| {
        signed(&case.payload_with("pcrs", &registers(99, &[vec![0x20]])))
    } => DocumentError::PcrIndex,
    registers_as_an_array_are_refused: |case| signed(&case.payload_with("pcrs", &[0x80]))
        => DocumentError::FieldType(Field::Pcrs),
}
