//! The Protean Credential: stale, foreign, frozen, and used twice.

use vettid_wire::cbor;
use vettid_wire::operation::device::Role;
use vettid_wire::operation::{credential, feed};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::Request;

use crate::fixture::{self, Owner, list_all, refused};

fn stale() -> Refusal {
    Refusal {
        current: Some(2),
        ..Code::CredentialStale.into()
    }
}

/// An owner who presented a copy from before the last use.
fn alarmed() -> Owner {
    let mut owner = fixture::owner();
    let old = owner.credential.clone();
    owner.use_credential().expect("used");
    let new = owner.credential.clone();
    owner.credential = old;
    assert_eq!(owner.use_credential(), Err(stale()));
    owner.credential = new;
    owner
}

#[test]
fn every_use_gives_the_next_version_and_another_cek() {
    let mut owner = fixture::owner();
    let cek = |owner: &mut Owner| {
        let row = owner
            .vault
            .database()
            .view()
            .credential()
            .expect("row")
            .expect("credential");
        row.cek.expose(|cek| *cek)
    };
    let before = cek(&mut owner);

    owner.use_credential().expect("used");

    assert_ne!(cek(&mut owner), before);
    assert_eq!(owner.credential.as_ref().expect("credential").version, 2);
}

#[test]
fn stale_copy_raises_the_alarm_freezes_and_is_told_to_every_session() {
    let mut owner = alarmed();

    assert!(owner.feed_kinds().contains(&feed::Kind::CloneAlarm));
    let report = owner.call(&credential::Version {}).expect("report");
    assert_eq!((report.frozen, report.alarm), (true, Some(fixture::NOON)));
    assert_eq!(owner.use_credential(), refused(Code::CredentialFrozen));
    assert!(owner.audited("password.change", false));
}

#[test]
fn alarm_itself_tells_of_its_feed_entry() {
    let mut owner = fixture::owner();
    let old = owner.credential.clone();
    owner.use_credential().expect("used");
    owner.credential = old;

    owner.use_credential().expect_err("stale");

    assert_eq!(owner.told, Some(4));
}

#[test]
fn freeze_survives_a_restart_and_items_stay_available() {
    let mut owner = alarmed();
    owner.reopen();
    owner.unlock().expect("unlocked");

    assert_eq!(owner.use_credential(), refused(Code::CredentialFrozen));
    owner.put_note("still works");
    assert_eq!(owner.call(&list_all()).expect("page").items.len(), 1);
}

#[test]
fn rotation_with_the_current_credential_lifts_the_freeze_and_with_a_stale_one_does_not() {
    let mut owner = alarmed();
    let current = owner.credential.take();
    let mut thief = fixture::owner();
    owner.credential = thief.credential.take();
    let refusal = owner.call_present(&credential::RotateIdentity {}, None);
    assert_eq!(refusal, Err(stale()));
    owner.credential = current;

    owner
        .call_present(&credential::RotateIdentity {}, None)
        .expect("rotated");

    let report = owner.call(&credential::Version {}).expect("report");
    assert_eq!((report.version, report.frozen), (3, false));
    assert!(owner.use_credential().is_ok());
}

#[test]
fn stale_copy_is_refused_before_any_password_is_tried() {
    let mut owner = fixture::owner();
    let old = owner.credential.clone();
    owner.use_credential().expect("used");
    owner.credential = old;
    let hashes = owner.host.hashes;

    owner.use_credential().expect_err("stale");

    assert_eq!(owner.host.hashes, hashes);
}

#[test]
fn bytes_that_this_vault_never_made_raise_nothing() {
    let mut owner = fixture::owner();
    let good = owner.credential.clone();
    let mut altered = good.clone().expect("credential");
    let last = altered.blob.len() - 1;
    altered.blob[last] ^= 1;
    for blob in [Vec::new(), vec![7; 900], altered.blob] {
        owner.credential = good
            .clone()
            .map(|credential| vettid_wire::request::Credential { blob, ..credential });
        assert_eq!(owner.use_credential(), refused(Code::CredentialInvalid));
    }
    owner.credential = good;

    let report = owner.call(&credential::Version {}).expect("report");
    assert_eq!((report.frozen, report.alarm), (false, None));
    assert!(owner.use_credential().is_ok());
}

#[test]
fn one_time_key_works_once_also_when_the_request_failed_and_after_a_restart() {
    let mut owner = fixture::owner();
    let key = owner.transaction_keys.last().expect("key").clone();
    owner.password = "a wrong password".into();
    owner.use_credential().expect_err("wrong");
    owner.password = fixture::PASSWORD.into();

    owner.transaction_keys.push(key.clone());
    assert_eq!(owner.use_credential(), refused(Code::TransactionKeySpent));
    owner.reopen();
    owner.unlock().expect("unlocked");
    owner.transaction_keys.push(key);
    assert_eq!(owner.use_credential(), refused(Code::TransactionKeySpent));
    assert!(owner.use_credential().is_ok());
}

#[test]
fn one_time_key_of_another_device_is_not_there() {
    let mut owner = fixture::owner();
    owner.add_device(Role::App);
    owner.use_other_device();

    assert_eq!(owner.use_credential(), refused(Code::TransactionKeySpent));

    owner.use_first_device();
    assert!(owner.use_credential().is_ok());
}

#[test]
fn proof_for_another_request_operation_or_body_does_not_open() {
    for change in [
        (|request: &mut Request| request.id.0[0] ^= 1) as fn(&mut Request),
        |request| request.operation = "credential.rotate-identity".into(),
        |request| request.body = fixture::secret("\u{1}"),
    ] {
        let mut owner = fixture::owner();
        let id = owner.next_request_id();
        let bytes = owner.present_request(id, &credential::ChangePassword {}, None);
        let mut request: Request = cbor::decode(&bytes).expect("request");
        change(&mut request);

        let reply =
            owner.send_present::<credential::ChangePassword>(request.id, &cbor::encode(&request));

        let code = reply.expect_err("refused").code;
        assert!(
            matches!(code, Code::ProofInvalid | Code::Malformed),
            "{code:?}"
        );
        assert_eq!(owner.status().open.expect("open").credential_version, 1);
    }
}

#[test]
fn desktop_cannot_use_the_credential_even_with_everything() {
    let mut owner = fixture::owner();
    owner.add_device(Role::Desktop);
    owner.use_other_device();

    assert_eq!(owner.use_credential(), refused(Code::NotAllowed));

    owner.use_first_device();
    assert_eq!(owner.status().open.expect("open").transaction_keys_left, 19);
}
