//! A node's own life: made once, run once, checked, stopped, started again.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::processes::{is_gone, kill_now};
use vettid_tests::wait;

#[test]
fn node_starts_is_asked_and_stops_with_everything_it_started() {
    let mut node = Node::started();
    let processes = node.processes();
    assert!(processes.len() >= 3, "node, bus, enclave: {processes:?}");

    let status = node.ask(&["status"]).expect("status");
    assert_eq!(status["running"], true);
    assert_eq!(node.get("/healthz").expect("alive").status, 200);
    assert_eq!(node.get("/readyz").expect("ready").status, 200);
    node.stop();

    assert!(processes.into_iter().all(is_gone), "nothing is left behind");
    assert_eq!(node.ask(&["status"]).expect("status")["running"], false);
}

#[test]
fn node_folder_is_made_once_and_run_by_one_node() {
    let mut node = Node::made();
    let again = node.ask(&["init"]).expect_err("refused");
    assert!(again.contains("already"), "{again}");
    node.ask(&["check"]).expect("everything is in place");
    let (root, away) = (
        node.folder().join("enclave/sealing-root.key"),
        node.folder().join("away"),
    );
    std::fs::rename(&root, &away).expect("moved away");
    let told = node.ask(&["check"]).expect_err("noticed");
    assert!(
        told.contains("sealing-root.key") && told.contains("restore it"),
        "{told}"
    );
    std::fs::rename(&away, &root).expect("moved back");
    node.start();

    let second = node.ask(&["run"]).expect_err("refused");
    assert!(second.contains("another vettid-node runs"), "{second}");
    assert_eq!(
        node.get("/healthz").expect("the first one goes on").status,
        200
    );
}

#[test]
fn node_that_was_killed_finds_and_ends_what_it_left_behind() {
    let mut node = Node::started();
    let (bus, enclave) = (
        node.nats().expect("a bus"),
        node.enclave().expect("an enclave"),
    );
    node.kill_node();
    assert!(!is_gone(bus));

    let checked = node.command(&["check"]).output().expect("ran");
    let told = String::from_utf8_lossy(&checked.stdout);
    let wanted = "`run` ends the nats-server that a killed node left behind";
    assert!(checked.status.success() && told.contains(wanted), "{told}");
    assert!(!is_gone(bus), "a check changes nothing");
    node.start();

    assert!(
        is_gone(bus) && is_gone(enclave),
        "the earlier ones are gone"
    );
    assert!(node.nats().is_some_and(|pid| pid != bus));
    let mut owner = Owner::enrolled(&node);
    owner.put("note", "x").expect("kept");
}

#[test]
fn children_that_die_are_started_again() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "x").expect("kept");
    let (bus, enclave) = (
        node.nats().expect("a bus"),
        node.enclave().expect("an enclave"),
    );
    let vaults = node.vaults();

    kill_now(enclave);
    wait::until("vaults die with the supervisor", || {
        vaults.iter().all(|pid| is_gone(*pid)).then_some(())
    });
    kill_now(bus);
    wait::until("both are back", || {
        let back = node.nats().is_some_and(|pid| pid != bus)
            && node.enclave().is_some_and(|pid| pid != enclave);
        back.then_some(())
    });
    node.wait_until_healthy();

    owner.come_back();
    assert_eq!(owner.value(kept.id).expect("kept"), "x");
}

#[test]
fn enclave_program_that_is_not_the_measured_one_is_noticed() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    owner.hang_up();
    node.stop();
    // One more byte behind the program runs the same, and measures differently.
    let own = vettid_tests::programs::program("vettid-enclave-emulated");
    let altered = node.folder().with_file_name("altered-enclave");
    let mut bytes = std::fs::read(&own).expect("the program");
    bytes.push(0);
    std::fs::write(&altered, bytes).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&altered, mode).expect("chmod");
    node.configure(|config| {
        let path = altered.display().to_string();
        vettid_tests::node::set(config, "enclave", "program", path.into());
    });

    let told = node.ask(&["check"]).expect_err("noticed");
    assert!(
        told.contains("network") || told.contains("measure"),
        "{told}"
    );
    node.start();
    // The app does not speak to it.
    let refused = owner.unlock().expect_err("refused");
    assert!(
        matches!(refused, vettid_tests::raw::Fault::Session(_)),
        "{refused}"
    );
}

#[test]
fn node_that_says_ready_hands_out_an_invitation_at_once() {
    let mut node = Node::made();
    node.start();

    node.ask(&["invitation", "create"])
        .expect("the very next command");
}
