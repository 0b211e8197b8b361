//! Honest apps over the SDK: they resume, repeat and refuse by themselves.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_sdk::trust::TrustError;
use vettid_sdk::{Error, Unreachable};
use vettid_tests::items::{draft, put, value_of};
use vettid_tests::node::Node;
use vettid_tests::owner::{PASSWORD, PIN};
use vettid_tests::phone::Phone;
use vettid_tests::processes::kill_now;
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::id::{ItemId, NodeId};
use vettid_wire::invitation::Invitation;
use vettid_wire::operation::{audit, feed, item};
use vettid_wire::refusal::Code;

fn place() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn keep(phone: &mut Phone, name: &str, value: &str) -> item::Written {
    let request = put(name, value);
    phone
        .with(|owner| async move { owner.call(&request).await })
        .expect("kept")
}

fn read(phone: &mut Phone, id: ItemId) -> Result<String, Error> {
    phone
        .with(|owner| async move { owner.call(&item::Get { id }).await })
        .map(|item| value_of(&item))
}

fn unlock(phone: &mut Phone, pin: &'static str) -> Result<(), Error> {
    phone
        .with(|owner| async move { owner.unlock(&Secret::from(pin)).await })
        .map(drop)
}

fn code(error: &Error) -> Option<Code> {
    match error {
        Error::Refused(refusal) => Some(refusal.code),
        _ => None,
    }
}

#[test]
fn owner_finds_everything_after_every_process_was_killed_and_the_app_restarted() {
    let (mut node, place) = (Node::started(), place());
    let mut phone = Phone::at(place.path());
    phone.enroll(&node.invitation()).expect("enrolled");
    let data = keep(&mut phone, "library card", "green heron");
    let mut critical = draft("wallet", "violet lynx", item::Sensitivity::Critical);
    critical.fields[0].value = None;
    let request = item::PutCritical {
        id: None,
        base: None,
        draft: critical,
    };
    let values = item::CriticalValues {
        values: vec![Secret::from("violet lynx")],
    };
    let password = Secret::from(PASSWORD);
    let critical = phone
        .with(|owner| async move { owner.put_critical(&password, &request, values).await })
        .expect("kept");
    node.kill_all();
    let mut phone = phone.restarted();
    node.start();

    let locked = read(&mut phone, data.id).expect_err("locked");
    assert_eq!(code(&locked), Some(Code::Locked));
    assert_eq!(
        code(&unlock(&mut phone, "000000").expect_err("wrong")),
        Some(Code::WrongPin)
    );
    unlock(&mut phone, PIN).expect("the right PIN");
    assert_eq!(read(&mut phone, data.id).expect("there"), "green heron");
    let reveal = item::RevealCritical {
        id: critical.id,
        version: None,
    };
    let password = Secret::from(PASSWORD);
    let shown = phone
        .with(|owner| async move { owner.call_with_owner(&password, &reveal, None).await })
        .expect("revealed");
    assert_eq!(value_of(&shown), "violet lynx");
    let verdict = phone.with(|owner| async move { owner.call(&audit::Verify {}).await });
    assert_eq!(verdict.expect("verified").broken_at, None);
}

#[test]
fn killed_bus_comes_back_and_the_app_resumes_by_itself() {
    let (node, place) = (Node::started(), place());
    let mut phone = Phone::at(place.path());
    phone.enroll(&node.invitation()).expect("enrolled");
    let first = keep(&mut phone, "note", "before");
    for round in 0..3 {
        let bus = node.nats().expect("a bus");
        kill_now(bus);
        // The very next call is answered, however long the bus takes to come back.
        let name = format!("round {round}");
        let written = keep(&mut phone, &name, "after");
        assert_eq!(written.version, 1);
        assert!(node.nats().is_some_and(|pid| pid != bus));
    }
    assert_eq!(
        read(&mut phone, first.id).expect("the same session or another"),
        "before"
    );
}

#[test]
fn killed_vault_process_is_answered_with_locked_and_the_pin_opens_it_again() {
    let (node, place) = (Node::started(), place());
    let mut phone = Phone::at(place.path());
    phone.enroll(&node.invitation()).expect("enrolled");
    let kept = keep(&mut phone, "note", "there");
    node.vaults().into_iter().for_each(kill_now);

    let locked = read(&mut phone, kept.id).expect_err("locked");
    assert_eq!(code(&locked), Some(Code::Locked));
    unlock(&mut phone, PIN).expect("the right PIN");
    assert_eq!(read(&mut phone, kept.id).expect("there"), "there");
}

#[test]
fn app_refuses_another_network_and_another_node_before_it_sends_a_secret() {
    let (node, other) = (Node::started(), Node::started());
    let of_other = Invitation::parse(&other.invitation()).expect("an invitation");

    let mut other_network = Invitation::parse(&node.invitation()).expect("an invitation");
    other_network.network = of_other.network;
    let place_one = place();
    let refused = Phone::at(place_one.path())
        .enroll_as(other_network)
        .expect_err("refused");
    assert!(
        matches!(refused, Error::Untrusted(TrustError::Network(_))),
        "{refused:?}"
    );

    let mut other_node = Invitation::parse(&node.invitation()).expect("an invitation");
    other_node.node = NodeId([9; 32]);
    let place_two = place();
    let refused = Phone::at(place_two.path())
        .enroll_as(other_node)
        .expect_err("refused");
    assert!(
        matches!(refused, Error::Untrusted(TrustError::OtherNode(_))),
        "{refused:?}"
    );
    // Neither left a vault.
    let spaces = node.spaces();
    let active = spaces["spaces"].as_array().expect("a list").iter();
    assert_eq!(
        active.filter(|space| space["state"] == "active").count(),
        0,
        "{spaces}"
    );
}

#[test]
fn app_that_died_during_enrollment_goes_on_with_the_same_link() {
    let (mut node, place) = (Node::started(), place());
    let link = node.invitation();
    // The enclave is away just when the app wants to set the vault up; then everything is.
    node.configure(|_| {});
    let enclave = node.enclave().expect("an enclave");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(enclave),
        nix::sys::signal::Signal::SIGSTOP,
    )
    .expect("stopped");
    let interrupted = std::thread::scope(|scope| {
        let home = place.path();
        let app = scope.spawn(|| Phone::at(home).enroll(&link));
        wait::until("the invitation is used", || {
            let spaces = node.spaces();
            (!spaces["spaces"].as_array()?.is_empty()).then_some(())
        });
        node.kill_all();
        app.join().expect("it ends")
    });
    assert!(interrupted.is_err());
    node.start();

    let mut phone = Phone::at(place.path());
    phone.enroll(&link).expect("the same link goes on");
    let kept = keep(&mut phone, "note", "x");
    assert_eq!(read(&mut phone, kept.id).expect("there"), "x");
    let spaces = node.spaces();
    assert_eq!(
        spaces["spaces"].as_array().expect("a list").len(),
        1,
        "{spaces}"
    );
}

#[test]
fn copied_phone_raises_the_alarm_and_the_owner_hears_of_it() {
    let (node, place) = (Node::started(), place());
    let home = place.path().join("phone");
    let mut phone = Phone::at(&home);
    phone.enroll(&node.invitation()).expect("enrolled");
    let mut critical = draft("wallet", "violet lynx", item::Sensitivity::Critical);
    critical.fields[0].value = None;
    let request = item::PutCritical {
        id: None,
        base: None,
        draft: critical,
    };
    let reveal = |phone: &mut Phone, id: ItemId| {
        let (password, reveal) = (
            Secret::from(PASSWORD),
            item::RevealCritical { id, version: None },
        );
        phone.with(|owner| async move { owner.call_with_owner(&password, &reveal, None).await })
    };
    let values = item::CriticalValues {
        values: vec![Secret::from("violet lynx")],
    };
    let password = Secret::from(PASSWORD);
    let kept = phone
        .with(|owner| async move { owner.put_critical(&password, &request, values).await })
        .expect("kept");
    let stolen = place.path().join("stolen");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&home)
        .arg(&stolen)
        .status();
    assert!(copied.expect("cp").success());
    reveal(&mut phone, kept.id).expect("the owner uses his credential");
    let mut feed = phone
        .with(|owner| async move { owner.feed().await })
        .expect("a feed");
    let before = *feed.borrow_and_update();

    let mut thief = Phone::at(&stolen);
    let refused = reveal(&mut thief, kept.id).expect_err("stale");
    assert_eq!(code(&refused), Some(Code::CredentialStale));
    wait::until("the owner is told", || {
        (*feed.borrow_and_update() > before).then_some(())
    });
    let list = feed::List {
        after: 0,
        limit: None,
        unread: true,
    };
    let entries = phone
        .with(|owner| async move { owner.call(&list).await })
        .expect("listed");
    assert!(
        entries
            .entries
            .iter()
            .any(|entry| entry.kind == feed::Kind::CloneAlarm)
    );
    let frozen = reveal(&mut phone, kept.id).expect_err("frozen");
    assert_eq!(code(&frozen), Some(Code::CredentialFrozen));
}

#[test]
fn app_of_a_node_that_left_its_bus_behind_is_told_and_goes_on_when_it_is_back() {
    let (mut node, place) = (Node::started(), place());
    let mut phone = Phone::at(place.path());
    phone.enroll(&node.invitation()).expect("enrolled");
    let kept = keep(&mut phone, "library card", "green heron");
    let mut phone = phone.restarted();
    node.kill_node();

    let told = read(&mut phone, kept.id).expect_err("nobody there");
    node.start();
    let mut phone = phone.restarted();
    unlock(&mut phone, PIN).expect("unlocked");

    assert_eq!(told, Unreachable::Absent.into());
    assert_eq!(read(&mut phone, kept.id).expect("there"), "green heron");
}
