//! Every operation, asked by every caller that has less than it needs.

use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::id::TransactionKeyId;
use vettid_wire::operation::device::Role;
use vettid_wire::refusal::Code;
use vettid_wire::request::{Outcome, OwnerProof, Proof, Request};
use vettid_wire::time::MINUTE;

use crate::fixture::{self, Owner};
use crate::{Kind, Row, table};

/// Asks for an operation with an empty body, and a proof of nothing where one is enclosed.
fn ask(owner: &mut Owner, row: &Row) -> Option<Code> {
    let proof = OwnerProof {
        transaction_key: TransactionKeyId([0; 16]),
        sealed: Vec::new(),
        credential: Vec::new(),
    };
    let request = Request {
        id: owner.next_request_id(),
        operation: row.operation.into(),
        body: Secret::new(vec![0xa0]),
        proof: (row.proof == Proof::Owner).then_some(proof),
    };
    match owner.send(&cbor::encode(&request)).outcome {
        Outcome::Refused(refusal) => Some(refusal.code),
        Outcome::Done(_) | Outcome::Sealed(_) => None,
    }
}

#[test]
fn unregistered_device_is_refused_everything() {
    let mut owner = fixture::owner();
    owner.use_other_device();
    for row in table() {
        let expected = match row.grant {
            Kind::Enrolling => Code::AlreadyEnrolled,
            _ => Code::UnknownDevice,
        };
        assert_eq!(ask(&mut owner, &row), Some(expected), "{}", row.operation);
    }
}

#[test]
fn sealed_vault_refuses_everything_but_status_and_unlock() {
    for row in table() {
        let mut owner = fixture::owner();
        owner.reopen();
        let expected = match row.grant {
            Kind::Unlocking if row.operation == "vault.status" => None,
            Kind::Unlocking => Some(Code::Malformed),
            _ => Some(Code::Locked),
        };
        assert_eq!(ask(&mut owner, &row), expected, "{}", row.operation);
    }
}

#[test]
fn vault_that_is_not_set_up_refuses_everything_but_enrollment() {
    for mut owner in [fixture::invited(), fixture::staged()] {
        for row in table().iter().filter(|row| row.grant != Kind::Enrolling) {
            let refused = Some(Code::NotEnrolled);
            assert_eq!(ask(&mut owner, row), refused, "{}", row.operation);
        }
    }
}

#[test]
fn desktop_and_agent_are_refused_what_is_for_the_app() {
    for role in [Role::Desktop, Role::Agent] {
        let mut owner = fixture::owner();
        owner.add_device(role);
        owner.use_other_device();
        for row in table() {
            if matches!(row.grant, Kind::App | Kind::FreshPin | Kind::OwnerPresent) {
                let refused = Some(Code::NotAllowed);
                assert_eq!(
                    ask(&mut owner, &row),
                    refused,
                    "{} by {role:?}",
                    row.operation
                );
            }
        }
    }
}

#[test]
fn app_without_a_fresh_pin_is_refused_what_weakens_protection() {
    let mut owner = fixture::owner();
    owner.clock.advance(6 * MINUTE);
    for row in table().iter().filter(|row| row.grant == Kind::FreshPin) {
        assert_eq!(
            ask(&mut owner, row),
            Some(Code::PinNeeded),
            "{}",
            row.operation
        );
        assert!(owner.audited(row.operation, false), "{}", row.operation);
    }
}

#[test]
fn app_without_a_proof_that_holds_is_refused_what_needs_the_owner() {
    let mut owner = fixture::owner();
    for row in table().iter().filter(|row| row.grant == Kind::OwnerPresent) {
        let code = ask(&mut owner, row);
        let refused = matches!(code, Some(Code::TransactionKeySpent | Code::Malformed));
        assert!(refused, "{}: {code:?}", row.operation);
    }
}

#[test]
fn revoked_device_is_refused_everything() {
    let mut owner = fixture::owner();
    owner.vault.header_mut().devices[0].revoked = Some(fixture::NOON);
    for row in table().iter().filter(|row| row.grant != Kind::Enrolling) {
        assert_eq!(
            ask(&mut owner, row),
            Some(Code::UnknownDevice),
            "{}",
            row.operation
        );
    }
}

#[test]
fn reads_leave_no_record() {
    let mut owner = fixture::owner();
    let before = owner.host.newest();
    for row in table().iter().filter(|row| row.effect == "reads") {
        ask(&mut owner, row);
    }

    assert_eq!(owner.host.newest(), before);
}
