//! A module that gives recorded answers: CBOR bytes as the device returns them.

use std::cell::RefCell;
use std::collections::VecDeque;

use aws_nitro_enclaves_nsm_api::api::{ErrorCode, Request, Response};

use super::module::Driver;

/// Answers in order; notes what was asked.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    answers: RefCell<VecDeque<Vec<u8>>>,
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Recorded {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            answers: RefCell::new(answers.into_iter().collect()),
            asked: RefCell::default(),
        }
    }
}

impl Driver for Recorded {
    fn ask(&self, request: Request) -> Response {
        self.asked.borrow_mut().push(format!("{request:?}"));
        let answer = self
            .answers
            .borrow_mut()
            .pop_front()
            .expect("a recorded answer");
        // As the driver does: what cannot be read is an internal error.
        serde_cbor::from_slice(&answer).unwrap_or(Response::Error(ErrorCode::InternalError))
    }
}

/// CBOR head of a map of one entry whose key is `name`.
fn variant(name: &str, body: &[u8]) -> Vec<u8> {
    [&[0xa1][..], &text(name), body].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short text");
    assert!(length < 24, "short text");
    [&[0x60 | length][..], text.as_bytes()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len())
        .expect("short bytes")
        .to_be_bytes();
    [&[0x59][..], &length, bytes].concat()
}

/// `DescribePCR` as recorded: {"DescribePCR": {"lock": .., "data": h'..'}}.
pub(crate) fn pcr(value: &[u8], lock: bool) -> Vec<u8> {
    let flag = if lock { 0xf5 } else { 0xf4 };
    let body = [
        &[0xa2][..],
        &text("lock"),
        &[flag],
        &text("data"),
        &bytes(value),
    ]
    .concat();
    variant("DescribePCR", &body)
}

/// `ExtendPCR` with the new value.
pub(crate) fn extended(value: &[u8]) -> Vec<u8> {
    variant(
        "ExtendPCR",
        &[&[0xa1][..], &text("data"), &bytes(value)].concat(),
    )
}

/// `LockPCRs`: a bare text.
pub(crate) fn locked() -> Vec<u8> {
    text("LockPCRs")
}

/// `Attestation` around a document.
pub(crate) fn attestation(document: &[u8]) -> Vec<u8> {
    variant(
        "Attestation",
        &[&[0xa1][..], &text("document"), &bytes(document)].concat(),
    )
}

/// `GetRandom` with these bytes.
pub(crate) fn random(value: &[u8]) -> Vec<u8> {
    variant(
        "GetRandom",
        &[&[0xa1][..], &text("random"), &bytes(value)].concat(),
    )
}

/// {"Error": "<code>"}.
pub(crate) fn error(code: &str) -> Vec<u8> {
    variant("Error", &text(code))
}

/// `DescribeNSM` as a module of version 1.0.0 with 32 registers gives it, 0 to 15 locked.
pub(crate) fn description(digest: &str) -> Vec<u8> {
    let module_id = "i-0123456789abcdef0-enc";
    let locked: Vec<u8> = [&[0x90][..], &(0..16).collect::<Vec<u8>>()].concat();
    let body = [
        &[0xa7][..],
        &text("version_major"),
        &[1],
        &text("version_minor"),
        &[0],
        &text("version_patch"),
        &[0],
        &text("module_id"),
        &text(module_id),
        &text("max_pcrs"),
        &[0x18, 32],
        &text("locked_pcrs"),
        &locked,
        &text("digest"),
        &text(digest),
    ]
    .concat();
    variant("DescribeNSM", &body)
}
