//! Devices that ask faster than a vault serves.

use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::id::RequestId;
use vettid_wire::limits;
use vettid_wire::operation::device::Role;
use vettid_wire::operation::vault;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{FromVault, Outcome, Request};
use vettid_wire::time::SECOND;

use crate::fixture::{self, Owner};

/// Asks the cheapest that can be asked until it is too fast, at one moment, or for as often as a
/// vault could serve. How often it was not.
fn exhaust(owner: &mut Owner) -> u64 {
    let request = cbor::encode(&Request {
        id: RequestId([9; 16]),
        operation: "no.operation".into(),
        body: Secret::new(vec![]),
        proof: None,
    });
    let too_fast = cbor::encode(&Refusal::too_fast(1));
    for served in 0..=limits::DEVICE_BURST {
        let reply = owner.exchange(&request).reply;
        if reply.windows(too_fast.len()).any(|part| part == too_fast) {
            return served;
        }
    }
    panic!("never too fast");
}

#[test]
fn device_that_is_too_fast_waits_and_the_others_do_not() {
    let mut owner = fixture::owner();
    owner.add_device(Role::App);
    owner.clock.advance(10 * SECOND);
    assert_eq!(exhaust(&mut owner), limits::DEVICE_BURST);
    let before = owner.host.newest();

    let refusal = owner.unlock().expect_err("whatever it asks");

    assert_eq!(refusal, Refusal::too_fast(1));
    assert_eq!(
        owner.host.newest(),
        before,
        "not even an attempt is charged"
    );
    owner.use_other_device();
    owner
        .call(&vault::Status { seen: None })
        .expect("another device");
    owner.use_first_device();
    owner.clock.advance(SECOND);
    assert_eq!(exhaust(&mut owner), limits::DEVICE_REQUESTS);
}

#[test]
fn refusal_names_its_request_which_may_be_sent_again() {
    let mut owner = fixture::owner();
    exhaust(&mut owner);
    let id = owner.next_request_id();
    let request = fixture::encode(id, &vault::Status { seen: None });

    let answer = owner.exchange(&request);

    let Ok(FromVault::Reply(reply)) = cbor::decode(&answer.reply) else {
        panic!("no reply");
    };
    let too_fast = Outcome::Refused(Refusal::too_fast(1));
    assert_eq!((reply.id, reply.outcome), (id, too_fast));
    owner.clock.advance(1);
    owner
        .call_as(id, &vault::Status { seen: None })
        .expect("served");
}

#[test]
fn strangers_at_an_invitation_share_what_one_device_has() {
    let mut owner = fixture::invited();
    assert_eq!(exhaust(&mut owner), limits::DEVICE_BURST);

    owner.use_other_device();

    let refusal = owner.enroll().expect_err("with whatever key it comes");
    assert_eq!(refusal.code, Code::TooFast);
}
