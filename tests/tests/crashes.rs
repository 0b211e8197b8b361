//! `kill -9` at seeded moments: what was acknowledged is there, what comes back verifies.
//!
//! `VETTID_KILL_ROUNDS` raises the number of kills per action.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::thread;
use std::time::{Duration, Instant};

use vettid_tests::items::{done, put_request, replace};
use vettid_tests::node::Node;
use vettid_tests::noise::below;
use vettid_tests::owner::{HASTY, Owner};
use vettid_tests::processes::kill_now;
use vettid_tests::raw::request_of;
use vettid_tests::wait::until;
use vettid_wire::Secret;
use vettid_wire::operation::{Done, item, vault};
use vettid_wire::refusal::Code;
use vettid_wire::request::Request;

/// What is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Victim {
    Bus,
    Node,
    Supervisor,
    Vault,
}

/// Names how often each action is interrupted.
const ROUNDS: &str = "VETTID_KILL_ROUNDS";

fn rounds() -> u64 {
    std::env::var(ROUNDS)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3)
}

/// Kills the victim after `delay`, beside whatever else goes on; ready to be used again on return.
fn kill(node: &mut Node, victim: Victim, delay: Duration) {
    thread::sleep(delay);
    match victim {
        Victim::Bus => kill_now(until("a bus", || node.nats())),
        Victim::Supervisor => kill_now(until("an enclave", || node.enclave())),
        Victim::Vault => node.vaults().into_iter().for_each(kill_now),
        Victim::Node => {
            node.kill_node();
            node.start();
        }
    }
}

/// Runs `act` while the victim is killed at a seeded moment of what `typical` says it takes.
fn interrupted<T: Send>(
    node: &mut Node,
    victim: Victim,
    seed: u64,
    typical: Duration,
    act: impl FnOnce() -> T + Send,
) -> T {
    let window = u64::try_from(typical.as_micros()).expect("short") * 5 / 4;
    let delay = Duration::from_micros(below(seed, window));
    thread::scope(|scope| {
        let acting = scope.spawn(act);
        kill(node, victim, delay);
        acting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let since = Instant::now();
    let value = act();
    (value, since.elapsed())
}

/// Puts, interrupted: every acknowledged one is there, none twice.
fn puts(node: &mut Node, owner: &mut Owner, victim: Victim) {
    let (_, typical) = timed(|| owner.put("warm", "up").expect("kept"));
    let mut kept: Vec<(item::Written, String)> = vec![];
    for round in 0..rounds() {
        let seed = 100 * round + victim as u64;
        let requests: Vec<(Request, String)> = (0..6)
            .map(|index| {
                let name = format!("{victim:?} {round} {index}");
                (put_request(&name, &name), name)
            })
            .collect();
        let put = interrupted(node, victim, seed, typical * 6, || {
            requests
                .iter()
                .map(|(request, name)| (done(&owner.insist(request)), name.clone()))
                .collect::<Vec<(item::Written, String)>>()
        });
        kept.extend(put);
    }
    owner.come_back();
    for (written, name) in &kept {
        assert_eq!(written.version, 1, "{name}: carried out twice");
        assert_eq!(&owner.value(written.id).expect("acknowledged"), name);
    }
    let count = owner.status().expect("status").open.expect("open").items;
    assert_eq!(
        usize::try_from(count).expect("few"),
        kept.len() + 1,
        "none twice, none lost"
    );
    owner.verified_audit().expect("verified");
}

/// PIN changes, interrupted: exactly one PIN opens the vault, and the new one if it was acknowledged.
fn pin_changes(node: &mut Node, owner: &mut Owner, victim: Victim) {
    let mut changes = 0;
    for round in 0..rounds() {
        owner.come_back();
        let next = format!("{:06}", 500_000 + 100 * round + victim as u64);
        let request = request_of(&vault::ChangePin {
            current: Secret::from(owner.pin.as_str()),
            replacement: Secret::from(next.as_str()),
        });
        let acknowledged = interrupted(
            node,
            victim,
            31 * round + 7,
            Duration::from_millis(700),
            || {
                owner.try_once(&request).is_ok_and(|reply| {
                    let Done {} = done(&reply);
                    true
                })
            },
        );
        // One attempt each is free: whichever PIN is wrong is refunded by the one that is right.
        owner.hang_up();
        let earlier = std::mem::replace(&mut owner.pin, next);
        let opened = until("the vault answers", || {
            if owner.session_within(HASTY).is_err() {
                return None;
            }
            match owner.unlock() {
                Ok(_) => Some(true),
                Err(fault) if fault.code() == Some(Code::WrongPin) => Some(false),
                Err(fault) => {
                    assert_eq!(fault.code(), None, "{fault}");
                    None
                }
            }
        });
        changes += usize::from(opened);
        if !opened {
            assert!(!acknowledged, "an acknowledged change was lost");
            owner.pin = earlier;
            owner.come_back();
        }
        // A PIN that is valid came with its event, or it is not valid.
        let done = owner.audited("pin.change").expect("told");
        assert_eq!(done.into_iter().filter(|done| *done).count(), changes);
    }
    owner.verified_audit().expect("verified");
}

/// Writes until snapshots come, interrupted: nothing acknowledged is lost across a cut log.
fn snapshots(node: &mut Node, owner: &mut Owner, victim: Victim) {
    owner.come_back();
    let large = |round: u64, index: u64| format!("{round}.{index}.{}", "x".repeat(48 * 1024));
    let mut at = owner.put("large", &large(0, 0)).expect("kept");
    for round in 1..=rounds() {
        // A log of 1 MiB makes a snapshot due; the vault takes it in the first quiet moment.
        let last = interrupted(
            node,
            victim,
            17 * round,
            Duration::from_millis(2_500),
            || {
                for index in 0..26 {
                    let request = request_of(&replace(at, "large", &large(round, index)));
                    at = done(&owner.insist(&request));
                }
                at
            },
        );
        owner.come_back();
        assert_eq!(owner.value(last.id).expect("kept"), large(round, 25));
    }
    owner.verified_audit().expect("verified");
}

fn story(victim: Victim) {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let actions: [fn(&mut Node, &mut Owner, Victim); 3] = [puts, pin_changes, snapshots];
    for act in actions {
        act(&mut node, &mut owner, victim);
        // A node that begins anew restarts what dies without the patience it has learned.
        node.stop();
        node.start();
        owner.come_back();
    }
    // And once more from nothing but the disk.
    node.kill_all();
    node.start();
    owner.come_back();
    owner.verified_audit().expect("verified");
}

#[test]
fn killed_vault_process_loses_nothing_that_was_acknowledged() {
    story(Victim::Vault);
}

#[test]
fn killed_supervisor_loses_nothing_that_was_acknowledged() {
    story(Victim::Supervisor);
}

#[test]
#[ignore = "does not hold every time on a loaded machine; to be found out"]
fn killed_node_loses_nothing_that_was_acknowledged() {
    story(Victim::Node);
}

#[test]
#[ignore = "does not hold every time on a loaded machine; to be found out"]
fn killed_bus_loses_nothing_that_was_acknowledged() {
    story(Victim::Bus);
}
