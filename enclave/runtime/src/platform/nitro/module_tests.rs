use super::*;
use crate::platform::nitro::recorded::{self, Recorded};

fn module(answers: impl IntoIterator<Item = Vec<u8>>) -> Module<Recorded> {
    Module::new(Recorded::new(answers))
}

#[test]
fn a_module_with_sha384_and_32_registers_is_accepted() {
    assert_eq!(
        module([recorded::description("SHA384")]).registers(),
        Ok(32)
    );
}

#[test]
fn a_module_that_hashes_otherwise_is_refused() {
    let answer = module([recorded::description("SHA256")]).registers();

    assert_eq!(answer, Err(ModuleError::Nonsense(Question::Describe)));
}

#[test]
fn a_register_is_read_and_one_of_another_length_is_refused() {
    let module = module([recorded::pcr(&[7; 48], true), recorded::pcr(&[7; 32], true)]);

    assert_eq!(module.register(0), Ok([7; 48]));
    assert_eq!(
        module.register(0),
        Err(ModuleError::Nonsense(Question::DescribePcr))
    );
}

#[test]
fn a_locked_register_cannot_be_extended() {
    let module = module([recorded::error("ReadOnlyIndex")]);

    let answer = module.extend(3, &[1; 48]);

    assert_eq!(
        answer,
        Err(ModuleError::Refused(
            Question::ExtendPcr,
            Cause::ReadOnlyIndex
        ))
    );
}

#[test]
fn a_document_comes_back_byte_for_byte_and_the_nonce_is_asked_for() {
    let module = module([recorded::attestation(&[9; 5000])]);

    let document = module.attest(&Said {
        user_data: Some(&[1; 48]),
        nonce: Some(&[2; 32]),
        public_key: None,
    });

    assert_eq!(document, Ok(vec![9; 5000]));
    let asked = module.driver.asked.borrow().concat();
    assert!(asked.contains("nonce: Some(["), "{asked}");
    assert!(asked.contains("public_key: None"), "{asked}");
}

#[test]
fn a_field_too_long_for_the_module_is_not_even_asked() {
    let module = module([]);

    let short = Said::default();
    for said in [
        Said {
            user_data: Some(&[0; 513]),
            ..short
        },
        Said {
            nonce: Some(&[0; 513]),
            ..short
        },
        Said {
            public_key: Some(&[0; 513]),
            ..short
        },
    ] {
        assert_eq!(module.attest(&said), Err(ModuleError::TooLong(513)));
    }
    assert!(module.driver.asked.borrow().is_empty());
}

#[test]
fn an_answer_of_another_kind_and_bytes_that_are_no_answer_are_refused() {
    let module = module([recorded::locked(), vec![0xff, 0x00], Vec::new()]);

    assert_eq!(
        module.random(),
        Err(ModuleError::Nonsense(Question::Random))
    );
    let broken = Err(ModuleError::Refused(Question::Random, Cause::InternalError));
    assert_eq!(module.random(), broken);
    assert_eq!(module.random(), broken);
}

#[test]
fn too_few_random_bytes_are_refused() {
    let module = module([recorded::random(&[1; 256]), recorded::random(&[1; 8])]);

    assert_eq!(module.random(), Ok(vec![1; 256]));
    assert_eq!(
        module.random(),
        Err(ModuleError::Nonsense(Question::Random))
    );
}

#[test]
fn without_the_device_this_is_not_an_enclave() {
    if !std::path::Path::new("/dev/nsm").exists() {
        assert_eq!(Device::open().err(), Some(ModuleError::Absent));
    }
}
