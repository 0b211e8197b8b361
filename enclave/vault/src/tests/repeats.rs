//! Requests that come again.

use vettid_wire::limits;
use vettid_wire::operation::credential;
use vettid_wire::operation::item::{Otp, Put, Reveal};
use vettid_wire::refusal::Code;
use vettid_wire::request::Outcome;

use crate::fixture::{self, draft, list_all, refused};

fn put(name: &str) -> Put {
    Put {
        id: None,
        base: None,
        draft: draft(name),
    }
}

#[test]
fn repeated_change_gets_the_same_reply_and_happens_once_also_after_a_restart() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    let first = owner.call_as(id, &put("one")).expect("put");

    let second = owner.call_as(id, &put("one")).expect("repeated");
    owner.reopen();
    owner.unlock().expect("unlocked");
    let third = owner.call_as(id, &put("one")).expect("repeated");

    assert_eq!((first, second), (second, third));
    assert_eq!(owner.call(&list_all()).expect("page").items.len(), 1);
}

#[test]
fn other_request_under_the_same_id_is_refused() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    owner.call_as(id, &put("one")).expect("put");

    assert_eq!(
        owner.call_as(id, &put("two")),
        refused(Code::RequestIdReused)
    );
    let present = owner.present_request(id, &credential::RotateIdentity {}, None);
    let reply = owner.send_present::<credential::RotateIdentity>(id, &present);
    assert_eq!(reply, refused(Code::RequestIdReused));
    assert_eq!(owner.status().open.expect("open").credential_version, 1);
}

#[test]
fn id_of_another_device_is_another_request() {
    let mut owner = fixture::owner();
    owner.add_device(vettid_wire::operation::device::Role::Desktop);
    let id = owner.next_request_id();
    owner.call_as(id, &put("one")).expect("put");
    owner.use_other_device();

    owner.call_as(id, &put("two")).expect("put");

    assert_eq!(owner.call(&list_all()).expect("page").items.len(), 2);
}

#[test]
fn refused_change_is_tried_again() {
    let mut owner = fixture::owner();
    let id = owner.put_note("one");
    let request = owner.next_request_id();
    let late = Put {
        id: Some(id),
        base: Some(2),
        draft: draft("two"),
    };
    owner.call_as(request, &late).expect_err("conflict");
    owner.replace_note(id, 1, "one and a half");

    assert!(owner.call_as(request, &late).is_ok());
}

#[test]
fn replies_are_forgotten_after_a_day() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    owner.call_as(id, &put("one")).expect("put");

    owner.clock.advance(limits::IDEMPOTENCY - 1000);
    owner.tick();
    owner.call_as(id, &put("one")).expect("kept");
    owner.clock.advance(3_600_000);
    owner.tick();
    owner.call_as(id, &put("one")).expect("done again");

    assert_eq!(owner.call(&list_all()).expect("page").items.len(), 2);
}

#[test]
fn repeated_use_gets_the_sealed_reply_and_the_credential_that_belongs_to_it() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    let bytes = owner.present_request(id, &credential::RotateIdentity {}, None);
    let first = owner.send(&bytes);

    let second = owner.send(&bytes);

    assert!(matches!(first.outcome, Outcome::Sealed(_)));
    assert_eq!(first.outcome, second.outcome);
    assert_eq!(first.credential, second.credential);
    assert_eq!(owner.status().open.expect("open").credential_version, 2);
}

#[test]
fn repeat_never_brings_an_outdated_credential() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    let bytes = owner.present_request(id, &credential::RotateIdentity {}, None);
    owner.send(&bytes);
    owner.use_credential().expect("used");

    assert_eq!(owner.send(&bytes).credential, None);
}

#[test]
fn repeated_wrong_password_is_charged_once() {
    let mut owner = fixture::owner();
    owner.password = "a wrong password".into();
    let id = owner.next_request_id();
    let bytes = owner.present_request(id, &credential::RotateIdentity {}, None);
    let hashes = owner.host.hashes;

    let first = owner.send(&bytes).outcome;
    let second = owner.send(&bytes).outcome;

    assert_eq!(first, Outcome::Refused(Code::WrongPassword.into()));
    assert_eq!(first, second);
    assert_eq!(owner.host.hashes, hashes + 1);
}

#[test]
fn revealing_again_is_another_event_and_keeps_no_reply() {
    let mut owner = fixture::owner();
    let id = owner.put_secret("mail", "hunter2");
    let request = owner.next_request_id();
    owner
        .call_as(request, &Reveal { id, version: None })
        .expect("item");
    owner
        .call_as(request, &Reveal { id, version: None })
        .expect("item");

    let view = owner.vault.database().view();
    let device = vettid_wire::id::DeviceId::of(&owner.device.verifying_key());
    assert_eq!(view.answered(&device, &request), Ok(None));
    let otp = owner.call_as(request, &Otp { id, field: None });
    assert_eq!(otp, refused(Code::NotFound));
}
