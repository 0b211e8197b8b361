//! A node moves from one release of its enclave to the next, and each vault with its owner's approval.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use serde_json::{Value, json};
use vettid_tests::release::{Keeper, Upgraded};
use vettid_tests::wait;

#[test]
fn vaults_move_with_their_owners_approval_and_the_node_stays_the_same() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = Keeper::enrolled(&home.node, &place.path().join("ada"));
    let ben = Keeper::enrolled(&home.node, &place.path().join("ben"));
    let identity = home.identity();
    let status = ada.releases();
    let expected = json!({ "running": 1, "offered": null, "approved": null });
    assert_eq!(status, expected);
    let early = ada.tries_to_approve(2);
    assert_eq!(early.code, 2, "{}", early.text);

    home.publish(2);
    let told = home.prepare(2);
    assert_eq!(
        (&told["release"], &told["accepted"]),
        (&json!(2), &json!(true))
    );
    // Release 1 has to hand over first.
    home.restart_unready(2);
    let refused = wait::until("the node says why", || {
        let log = home.node.end_of_log();
        log.contains("release 2 has nothing of release 1")
            .then_some(log)
    });
    assert!(refused.contains("vettid-node release prepare"), "{refused}");

    home.restart(1);
    ada.unlock().expect("unlocked");
    let status = ada.releases();
    assert_eq!(status["offered"]["release"], 2, "{status}");
    let wrong = ada.tries_to_approve(3);
    assert_eq!(wrong.code, 2, "{}", wrong.text);
    assert!(wrong.text.contains("offers release 2"), "{}", wrong.text);
    ada.approve(2);
    assert_eq!(ada.releases()["approved"], 2);
    assert_eq!(home.known(1)["vaults"], 1);
    assert_eq!(home.known(2)["vaults"], 1);

    home.restart(2);
    assert_eq!(home.identity(), identity);
    assert_eq!(ben.unlock(), Err("other-release".to_owned()));
    ada.unlock().expect("unlocked");
    assert!(ada.has_note());
    let moved = ada.0.expect(&["feed", "list"], &[]).to_string();
    assert!(moved.contains("release-moved"), "{moved}");

    home.restart(1);
    assert_eq!(home.identity(), identity);
    let back = ada.unlock();
    assert_eq!(back, Err("older-release".to_owned()), "the app remembers");
    ben.unlock().expect("the vault that stayed is served");
    ben.approve(2);
    assert!(ben.has_note());

    home.restart(2);
    for owner in [&ada, &ben] {
        owner.unlock().expect("unlocked");
        assert!(owner.has_note());
    }
    assert_eq!(home.known(1)["vaults"], 0);
    assert_eq!(home.known(2)["vaults"], 2);
}

#[test]
fn nothing_is_lost_when_node_and_enclave_are_killed_after_each_step_of_a_move() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = Keeper::enrolled(&home.node, place.path());
    home.publish(2);
    home.restart(1);
    home.prepare(2);
    home.restart(1);
    home.restart(1);
    ada.unlock().expect("unlocked");
    ada.approve(2);
    home.restart(1);
    ada.unlock().expect("approved, and still here");
    assert!(ada.has_note());
    home.restart(2);
    home.restart(2);
    let wrong = ada.0.run(&["unlock"], &["000000"]);
    assert_eq!(wrong.error(), "wrong-pin", "{}", wrong.text);
    home.restart(2);

    ada.unlock().expect("unlocked");

    assert!(ada.has_note());
    let audit = ada.0.expect(&["audit", "verify"], &[]);
    assert_eq!(audit["valid"], true, "{audit}");
    home.restart(1);
    assert_eq!(ada.unlock(), Err("older-release".to_owned()));
}

#[test]
fn release_that_the_network_does_not_accept_is_offered_to_nobody() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = Keeper::enrolled(&home.node, place.path());

    let told = home.prepare(2);
    assert_eq!(told["accepted"], false, "{told}");
    home.restart(1);

    ada.unlock().expect("unlocked");
    let status = ada.releases();
    assert_eq!(status["offered"], Value::Null, "{status}");
    let refused = ada.tries_to_approve(2);
    assert_eq!(refused.code, 2, "{}", refused.text);
}
