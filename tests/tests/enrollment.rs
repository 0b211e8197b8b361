//! Invitations and what becomes of them: used, spoiled, abandoned, interrupted.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use nkeys::KeyPair;
use vettid_tests::host_disk::HostDisk;
use vettid_tests::node::Node;
use vettid_tests::owner::{Owner, PASSWORD, PIN};
use vettid_tests::raw::{Fault, RawApp};
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::id::VaultId;
use vettid_wire::invitation::Invitation;
use vettid_wire::operation::vault;
use vettid_wire::refusal::Code;

/// Code of the refusal of an invitation.
fn refusal(link: &str) -> String {
    match RawApp::redeem(link) {
        Err(Fault::Http(_, code)) => code,
        Err(fault) => fault.to_string(),
        Ok(_) => "accepted".to_owned(),
    }
}

#[test]
fn wrong_expired_used_revoked_and_foreign_invitations_are_told_apart() {
    let mut node = Node::started();
    let (expired_id, expired) = node.invitation_for(&[]);
    let (revoked_id, revoked) = node.invitation_for(&["--label", "for nobody"]);
    node.ask(&["invitation", "revoke", &revoked_id.to_string()])
        .expect("revoked");
    node.stop();
    let disk = HostDisk::of(&node);
    let expired_id = i64::try_from(expired_id).expect("a number");
    assert_eq!(
        disk.run(
            "UPDATE invitation SET expires = 1 WHERE id = ?1",
            [expired_id]
        ),
        1
    );
    drop(disk);
    node.start();
    let other_node = Node::started();
    let used = node.invitation();
    let owner = Owner::enroll(&used, PIN, PASSWORD).expect("enrolled");

    let mut wrong = Invitation::parse(&used).expect("an invitation");
    wrong.secret = Secret::new(vec![7; 32]);
    let mut foreign = Invitation::parse(&other_node.invitation()).expect("an invitation");
    foreign.address = format!("http://{}", node.http());
    let mut other_network = Invitation::parse(&node.invitation()).expect("an invitation");
    other_network.network = foreign.network;

    assert_eq!(refusal(&wrong.link()), "invitation-unknown");
    assert_eq!(refusal(&expired), "invitation-expired");
    assert_eq!(refusal(&used), "invitation-used");
    assert_eq!(refusal(&revoked), "invitation-revoked");
    assert_eq!(refusal(&foreign.link()), "invitation-unknown");
    // The app sees that the file it is handed is not that of the network it was invited to.
    assert_eq!(refusal(&other_network.link()), "malformed: network file");
    assert_eq!(refusal(&used[..used.len() - 1]), "malformed: invitation");
    drop(owner);
}

#[test]
fn vault_cannot_be_set_up_twice() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("before", "first setup").expect("kept");

    let again = owner.stage();
    assert_eq!(
        again.expect_err("refused").code(),
        Some(Code::AlreadyEnrolled)
    );
    owner.hang_up();
    let again = owner.stage();
    assert_eq!(
        again.expect_err("refused").code(),
        Some(Code::AlreadyEnrolled)
    );
    // Another device with the same link, at the same route, is not let into a session at all.
    owner.hang_up();
    let stranger = vettid_crypto::sign::SigningKey::generate(&mut vettid_tests::raw::SystemEntropy);
    let own = std::mem::replace(&mut owner.app.device, stranger);
    let refused = owner.stage().expect_err("refused");
    assert!(
        refused == Fault::Reset || refused.code() == Some(Code::AlreadyEnrolled),
        "{refused}"
    );
    owner.app.device = own;
    owner.come_back();

    assert_eq!(owner.value(kept.id).expect("still there"), "first setup");
}

#[test]
fn setup_needs_the_vaults_half_of_the_invitation_and_a_real_pin() {
    let node = Node::started();
    let app = RawApp::redeem(&node.invitation()).expect("redeemed");
    let mut owner = Owner::redeemed(app, PIN, PASSWORD);
    let right = std::mem::replace(&mut owner.app.token, Secret::new(vec![9; 32]));

    let wrong_token = owner.stage().expect_err("refused");
    assert_eq!(wrong_token.code(), Some(Code::InvitationInvalid));
    owner.app.token = right;
    for pin in ["", "12345", "12345a", "123456789012345678901234567890123"] {
        owner.pin = pin.to_owned();
        let refused = owner.stage().expect_err("refused");
        assert!(
            matches!(
                refused.code(),
                Some(Code::InvalidValue | Code::LimitExceeded)
            ),
            "{pin}: {refused}"
        );
    }
    owner.pin = PIN.to_owned();
    owner.stage().expect("the right half and a PIN");
    owner.create_credential().expect("set up");
    assert_eq!(owner.put("first", "item").expect("kept").version, 1);
}

#[test]
fn nothing_works_before_the_setup_is_finished() {
    let node = Node::started();
    let app = RawApp::redeem(&node.invitation()).expect("redeemed");
    let mut owner = Owner::redeemed(app, PIN, PASSWORD);

    assert_eq!(
        owner.unlock().expect_err("refused").code(),
        Some(Code::NotEnrolled)
    );
    owner.stage().expect("staged");
    assert_eq!(
        owner.unlock().expect_err("refused").code(),
        Some(Code::NotEnrolled)
    );
    assert_eq!(
        owner.put("a", "b").expect_err("refused").code(),
        Some(Code::NotEnrolled)
    );
}

#[test]
fn abandoned_setup_is_swept_and_leaves_nothing() {
    let mut node = Node::started();
    let link = node.invitation();
    let app = RawApp::redeem(&link).expect("redeemed");
    let mut owner = Owner::redeemed(app, PIN, PASSWORD);
    owner.stage().expect("staged");
    owner.hang_up();
    node.stop();
    let disk = HostDisk::of(&node);
    assert_eq!(
        disk.count("SELECT count(*) FROM record"),
        0,
        "nothing durable before the password"
    );
    assert_eq!(disk.run("UPDATE space SET created = created - 1900", []), 1);
    drop(disk);
    node.start();

    wait::until("the sweep", || {
        (node.spaces()["spaces"] == serde_json::json!([])).then_some(())
    });
    let fault = owner.app.line().err();
    assert!(
        matches!(fault, Some(Fault::Bus(_) | Fault::Closed)),
        "{fault:?}"
    );
    assert_eq!(refusal(&link), "invitation-used");
    node.stop();
    let disk = HostDisk::of(&node);
    for table in ["space", "device", "record", "object_removal"] {
        assert_eq!(
            disk.count(&format!("SELECT count(*) FROM {table}")),
            0,
            "{table}"
        );
    }
    assert!(disk.chunks().is_empty());
}

#[test]
fn setup_survives_a_crash_between_any_two_steps() {
    let mut node = Node::started();
    let link = node.invitation();
    let user = KeyPair::new_user();
    let same = || KeyPair::from_seed(&user.seed().expect("seed")).expect("a key");
    let first = RawApp::redeem_as(&link, same()).expect("redeemed");

    // After the invitation was burnt: the same device asks again and gets the same space.
    node.kill_all();
    node.start();
    let app = RawApp::redeem_as(&link, same()).expect("the same again");
    assert_eq!((app.space, app.route), (first.space, first.route));
    assert_eq!(refusal(&link), "invitation-used");

    // After the vault was staged in memory: it is staged anew.
    let mut owner = Owner::redeemed(app, PIN, PASSWORD);
    let lost: VaultId = owner.stage().expect("staged").vault;
    node.kill_enclave();
    owner.hang_up();
    let staged: vault::Enrolled = owner.stage().expect("staged anew");
    assert_ne!(staged.vault, lost);
    let created = owner.create_credential().expect("set up");
    assert_eq!(created.vault, staged.vault);

    // After it was finished: nothing of it is lost.
    node.kill_all();
    node.start();
    let unlocked = owner.come_back();
    assert_eq!(unlocked.vault, created.vault);
    assert_eq!(
        owner
            .put_critical("seed", "twelve words")
            .expect("kept")
            .version,
        1
    );
    owner.verified_audit().expect("verified");
}

#[test]
fn each_vault_has_its_own_identity_and_sees_nothing_of_another() {
    let node = Node::started();
    let (mut ada, mut ben) = (Owner::enrolled(&node), Owner::enrolled(&node));
    let kept = ada.put("diary", "of Ada").expect("kept");

    assert_ne!(ada.app.space, ben.app.space);
    assert_eq!(
        ben.value(kept.id).expect_err("refused").code(),
        Some(Code::NotFound)
    );
    assert_eq!(ada.value(kept.id).expect("her own"), "of Ada");
}
