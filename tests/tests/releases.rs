//! A node moves from one release of its enclave to the next, and each vault with its owner's approval.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::path::Path;

use serde_json::{Value, json};
use vettid_tests::command_line::CommandLine;
use vettid_tests::release::Upgraded;
use vettid_tests::wait;

const PIN: &str = "418302";
const PASSWORD: &str = "nine paper herons walk";

/// An owner at the command line with a note.
fn owner(home: &Upgraded, place: &Path) -> CommandLine {
    let owner = CommandLine::at(place);
    owner.expect(&["enroll", &home.node.invitation()], &[PIN, PASSWORD]);
    let put = ["item", "put", "--name", "Card", "--sensitivity", "data"];
    owner.expect(&[&put[..], &["--field", "text:word=heron"]].concat(), &[]);
    owner
}

fn has_note(owner: &CommandLine) -> bool {
    let listed = owner.expect(&["item", "list"], &[]);
    listed.to_string().contains("Card")
}

/// Unlocks, with the code that it is refused with.
fn unlock(owner: &CommandLine) -> Result<(), String> {
    let answered = owner.run(&["unlock"], &[PIN]);
    match answered.code {
        0 => Ok(()),
        _ => Err(answered.error().to_owned()),
    }
}

fn approve(owner: &CommandLine, release: &str) {
    owner.expect(&["release", "approve", release], &[PASSWORD]);
}

#[test]
fn vaults_move_with_their_owners_approval_and_the_node_stays_the_same() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = owner(&home, &place.path().join("ada"));
    let ben = owner(&home, &place.path().join("ben"));
    let identity = home.identity();
    let status = ada.expect(&["release", "status"], &[]);
    let expected = json!({ "running": 1, "offered": null, "approved": null });
    assert_eq!(status, expected);
    let early = ada.run(&["release", "approve", "2"], &[PASSWORD]);
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
    unlock(&ada).expect("unlocked");
    let status = ada.expect(&["release", "status"], &[]);
    assert_eq!(status["offered"]["release"], 2, "{status}");
    let wrong = ada.run(&["release", "approve", "3"], &[PASSWORD]);
    assert_eq!(wrong.code, 2, "{}", wrong.text);
    assert!(wrong.text.contains("offers release 2"), "{}", wrong.text);
    approve(&ada, "2");
    assert_eq!(ada.expect(&["release", "status"], &[])["approved"], 2);
    assert_eq!(home.known(1)["vaults"], 1);
    assert_eq!(home.known(2)["vaults"], 1);

    home.restart(2);
    assert_eq!(home.identity(), identity);
    assert_eq!(unlock(&ben), Err("other-release".to_owned()));
    unlock(&ada).expect("unlocked");
    assert!(has_note(&ada));
    let moved = ada.expect(&["feed", "list"], &[]).to_string();
    assert!(moved.contains("release-moved"), "{moved}");

    home.restart(1);
    assert_eq!(home.identity(), identity);
    let back = unlock(&ada);
    assert_eq!(back, Err("older-release".to_owned()), "the app remembers");
    unlock(&ben).expect("the vault that stayed is served");
    approve(&ben, "2");
    assert!(has_note(&ben));

    home.restart(2);
    for owner in [&ada, &ben] {
        unlock(owner).expect("unlocked");
        assert!(has_note(owner));
    }
    assert_eq!(home.known(1)["vaults"], 0);
    assert_eq!(home.known(2)["vaults"], 2);
}

#[test]
fn nothing_is_lost_when_node_and_enclave_are_killed_after_each_step_of_a_move() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = owner(&home, place.path());
    home.publish(2);
    home.restart(1);
    home.prepare(2);
    home.restart(1);
    home.restart(1);
    unlock(&ada).expect("unlocked");
    approve(&ada, "2");
    home.restart(1);
    unlock(&ada).expect("approved, and still here");
    assert!(has_note(&ada));
    home.restart(2);
    home.restart(2);
    let wrong = ada.run(&["unlock"], &["000000"]);
    assert_eq!(wrong.error(), "wrong-pin", "{}", wrong.text);
    home.restart(2);

    unlock(&ada).expect("unlocked");

    assert!(has_note(&ada));
    let audit = ada.expect(&["audit", "verify"], &[]);
    assert_eq!(audit["valid"], true, "{audit}");
    home.restart(1);
    assert_eq!(unlock(&ada), Err("older-release".to_owned()));
}

#[test]
fn release_that_the_network_does_not_accept_is_offered_to_nobody() {
    let mut home = Upgraded::first();
    let place = tempfile::tempdir().expect("a folder");
    let ada = owner(&home, place.path());

    let told = home.prepare(2);
    assert_eq!(told["accepted"], false, "{told}");
    home.restart(1);

    unlock(&ada).expect("unlocked");
    let status = ada.expect(&["release", "status"], &[]);
    assert_eq!(status["offered"], Value::Null, "{status}");
    let refused = ada.run(&["release", "approve", "2"], &[PASSWORD]);
    assert_eq!(refused.code, 2, "{}", refused.text);
}
