//! The Protean Credential: stale copies, wrong passwords, spent keys, proofs for something else.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::time::Duration;

use vettid_tests::first_wait::FirstWait;
use vettid_tests::items::refused;
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::processes::kill_now;
use vettid_tests::raw::Fault;
use vettid_wire::Secret;
use vettid_wire::operation::{credential, feed, item, key};
use vettid_wire::refusal::Code;
use vettid_wire::request::FromVault;

fn code<T>(answer: Result<T, Fault>) -> Option<Code> {
    answer.err().and_then(|fault| fault.code())
}

#[test]
fn stale_credential_raises_the_alarm_everywhere_and_rotation_lifts_it() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let copied = owner.present.credential.clone();
    assert_eq!(
        owner.critical_value(kept.id).expect("revealed"),
        "violet lynx"
    );
    assert_ne!(
        owner.present.credential, copied,
        "the credential rotates at every use"
    );
    let mut elsewhere = owner.app.open().expect("another session");

    let current = std::mem::replace(&mut owner.present.credential, copied);
    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::CredentialStale)
    );
    let told = elsewhere
        .hear(Duration::from_secs(20))
        .expect("every session is told");
    assert!(matches!(told, FromVault::Feed(_)), "{told:?}");
    owner.present.credential = current;
    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::CredentialFrozen)
    );
    assert!(
        owner
            .feed()
            .expect("feed")
            .contains(&feed::Kind::CloneAlarm)
    );
    assert!(
        owner
            .status()
            .expect("status")
            .open
            .expect("open")
            .credential_frozen
    );

    // The freeze is not a matter of one process.
    node.kill_all();
    node.start();
    owner.come_back();
    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::CredentialFrozen)
    );
    let rotated = owner
        .prove(&credential::RotateIdentity {}, None)
        .expect("rotated");
    assert_ne!(rotated.identity_key, rotated.credential_key);
    assert_eq!(
        owner.critical_value(kept.id).expect("lifted"),
        "violet lynx"
    );
    assert!(
        owner
            .feed()
            .expect("feed")
            .contains(&feed::Kind::IdentityRotated)
    );
    owner
        .verified_audit()
        .expect("verified across the rotation");
}

#[test]
fn wrong_password_is_refused_and_three_of_them_make_the_owner_wait() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let right = std::mem::replace(&mut owner.present.password, "not the password".to_owned());

    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::WrongPassword)
    );
    owner.present.password.clone_from(&right);
    assert_eq!(
        owner.critical_value(kept.id).expect("the right one"),
        "violet lynx"
    );
    owner.present.password = "not the password".to_owned();
    for _ in 0..2 {
        assert_eq!(
            code(owner.critical_value(kept.id)),
            Some(Code::WrongPassword)
        );
    }
    let wait = FirstWait::from_now();
    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::WrongPassword)
    );
    owner.present.password = right;
    wait.lasts(owner.critical_value(kept.id), "the right one, too early");
    node.vaults().into_iter().for_each(kill_now);
    owner.come_back();
    wait.lasts(owner.critical_value(kept.id), "after a restart");
    assert!(
        owner
            .feed()
            .expect("feed")
            .contains(&feed::Kind::PasswordFailed)
    );
}

#[test]
fn one_time_key_works_once_also_when_its_request_failed_and_across_a_restart() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let key = owner.present.keys.last().expect("a key").clone();
    let reveal = item::RevealCritical {
        id: kept.id,
        version: None,
    };
    let use_key = |owner: &mut Owner| {
        let proven = owner
            .present
            .prove_with(&key, &reveal, None)
            .expect("a proof");
        let reply = owner.try_once(&proven.request).expect("a reply");
        owner.present.keep(&reply);
        refused(&reply)
    };

    let right = std::mem::replace(&mut owner.present.password, "not the password".to_owned());
    assert_eq!(use_key(&mut owner), Some(Code::WrongPassword));
    owner.present.password = right;
    assert_eq!(use_key(&mut owner), Some(Code::TransactionKeySpent));
    node.kill_all();
    node.start();
    owner.come_back();
    assert_eq!(use_key(&mut owner), Some(Code::TransactionKeySpent));
    owner.present.keys.pop();
    assert_eq!(
        owner.critical_value(kept.id).expect("another key"),
        "violet lynx"
    );
}

#[test]
fn proof_for_one_request_is_worth_nothing_for_another() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let first = owner.put_critical("wallet", "violet lynx").expect("kept");
    let second = owner.put_critical("safe", "amber otter").expect("kept");

    let of_first = item::RevealCritical {
        id: first.id,
        version: None,
    };
    let of_second = item::RevealCritical {
        id: second.id,
        version: None,
    };
    let proven = owner.present.prove(&of_first, None).expect("a proof");
    let mut other = vettid_tests::raw::request_of(&of_second);
    other.proof.clone_from(&proven.request.proof);
    let reply = owner.try_once(&other).expect("a reply");
    assert_eq!(refused(&reply), Some(Code::ProofInvalid));
    // Without any proof, and with one where none belongs.
    other.proof = None;
    other.id.0[0] ^= 1;
    let reply = owner.try_once(&other).expect("a reply");
    assert_eq!(refused(&reply), Some(Code::ProofInvalid));
    let mut plain = vettid_tests::raw::request_of(&item::Get { id: first.id });
    plain.proof = proven.request.proof;
    let reply = owner.try_once(&plain).expect("a reply");
    assert_eq!(refused(&reply), Some(Code::Malformed));
    assert_eq!(
        owner.critical_value(second.id).expect("untouched"),
        "amber otter"
    );
}

#[test]
fn bytes_that_are_no_credential_are_invalid_and_raise_no_alarm() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let mut other = Owner::enrolled(&node);
    other
        .put_critical("wallet", "of somebody else")
        .expect("kept");
    let own = owner.present.credential.clone();
    let mut altered = own.clone();
    vettid_tests::host_disk::alter(&mut altered);

    for foreign in [vec![1; 200], altered, other.present.credential.clone()] {
        owner.present.credential = foreign;
        assert_eq!(
            code(owner.critical_value(kept.id)),
            Some(Code::CredentialInvalid)
        );
    }
    owner.present.credential = own;
    assert_eq!(
        owner.critical_value(kept.id).expect("not frozen"),
        "violet lynx"
    );
    assert!(
        !owner
            .feed()
            .expect("feed")
            .contains(&feed::Kind::CloneAlarm)
    );
}

#[test]
fn reply_that_a_crash_swallowed_comes_again_with_the_next_credential() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let generate = key::Generate {
        algorithm: key::Algorithm::Ed25519,
        label: "code".to_owned(),
    };
    let proven = owner.present.prove(&generate, None).expect("a proof");
    let before = owner.try_once(&proven.request).expect("a reply");
    let first: key::Key = proven.open(before).expect("a key");
    node.vaults().into_iter().for_each(kill_now);

    // The app never saw that reply: it repeats the request under its id.
    let again = owner.insist(&proven.request);
    owner.present.keep(&again);
    assert_eq!(proven.open::<key::Key>(again).expect("the same"), first);
    assert_eq!(owner.call(&key::List {}).expect("listed").keys.len(), 1);
    assert_eq!(
        owner.critical_value(kept.id).expect("revealed"),
        "violet lynx"
    );
}

#[test]
fn changed_password_opens_and_the_earlier_one_does_not() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    let next = "nine paper herons walk";
    let input = Secret::new(vettid_wire::cbor::encode(&Secret::from(next)));
    owner
        .prove(&credential::ChangePassword {}, Some(input))
        .expect("changed");
    node.kill_all();
    node.start();
    owner.come_back();

    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::WrongPassword)
    );
    owner.present.password = next.to_owned();
    assert_eq!(owner.critical_value(kept.id).expect("kept"), "violet lynx");
}

#[test]
fn lost_credential_is_frozen_by_the_owner_and_rotation_lifts_it() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put_critical("wallet", "violet lynx").expect("kept");
    owner.unlock().expect("a fresh PIN");
    owner.call(&credential::ReportLost {}).expect("reported");

    assert_eq!(
        code(owner.critical_value(kept.id)),
        Some(Code::CredentialFrozen)
    );
    let version = owner.call(&credential::Version {}).expect("told");
    assert!(version.frozen);
    owner
        .prove(&credential::RotateIdentity {}, None)
        .expect("rotated");
    assert_eq!(
        owner.critical_value(kept.id).expect("lifted"),
        "violet lynx"
    );
}
