//! `kill -9` at every step of what an owner does: what was acknowledged is there, what comes back
//! verifies.
//!
//! A step is what the host sees: records that were appended, chunks that were stored. The kill
//! follows it as fast as a process can look; `VETTID_KILL_ROUNDS` repeats all of them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::thread;

use vettid_tests::items::{done, put_request, replace};
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::processes::kill_now;
use vettid_tests::progress::{Progress, Watch};
use vettid_tests::raw::{Fault, request_of};
use vettid_tests::wait::{closely, until};
use vettid_wire::Secret;
use vettid_wire::id::SpaceId;
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

/// How far an action has come when the victim is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many records are durable.
    Records(u64),
    /// A snapshot is being written.
    Chunk,
    /// The checkpoint that refers to it is durable.
    Checkpoint,
    /// The log in front of it is cut.
    Cut,
}

impl Step {
    fn is_reached(self, before: Progress, now: Progress) -> bool {
        let checkpoint = now.checkpoint > before.checkpoint;
        match self {
            Self::Records(count) => now.newest >= before.newest + count,
            // A chunk that was there for a moment only is known by what followed.
            Self::Chunk => now.chunks > before.chunks || checkpoint,
            Self::Checkpoint => checkpoint,
            Self::Cut => now.first > before.first,
        }
    }

    /// Whether an action is over when its reply has come.
    fn ends_with_the_reply(self) -> bool {
        matches!(self, Self::Records(_))
    }
}

/// Names how often all steps are gone through.
const ROUNDS: &str = "VETTID_KILL_ROUNDS";

fn rounds() -> u64 {
    std::env::var(ROUNDS)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

/// Each of these steps as often as there are rounds, numbered.
fn each_of<const N: usize>(steps: [Step; N]) -> impl Iterator<Item = (usize, Step)> {
    (0..rounds()).flat_map(move |_| steps).enumerate()
}

/// Kills the victim; whatever has to start it again does so by itself, the node aside.
fn kill(node: &mut Node, victim: Victim) {
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

/// Runs `act` and kills the victim as soon as the step is reached; at its end at the latest.
fn interrupted<T: Send>(
    (node, victim): (&mut Node, Victim),
    space: SpaceId,
    step: Step,
    act: impl FnOnce() -> T + Send,
) -> T {
    let watch = Watch::of(node.folder(), space);
    let before = until("a look at the log", || watch.look());
    thread::scope(|scope| {
        let acting = scope.spawn(act);
        closely(|| {
            let over = step.ends_with_the_reply() && acting.is_finished();
            let reached = || Some(step.is_reached(before, watch.look()?));
            (over || reached()?).then_some(())
        })
        .unwrap_or_else(|| panic!("{step:?} was never reached"));
        drop(watch);
        kill(node, victim);
        acting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Puts, interrupted: every acknowledged one is there, none twice.
fn puts(node: &mut Node, owner: &mut Owner, victim: Victim) {
    let space = owner.app.space;
    let mut kept: Vec<(item::Written, String)> = vec![];
    for (number, step) in each_of([0, 1, 3, 6].map(Step::Records)) {
        let requests: Vec<(Request, String)> = (0..6)
            .map(|index| {
                let name = format!("{victim:?} {number} {index}");
                (put_request(&name, &name), name)
            })
            .collect();
        let put = interrupted((&mut *node, victim), space, step, || {
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
        kept.len(),
        "none twice, none lost"
    );
    owner.verified_audit().expect("verified");
}

/// PIN changes, interrupted: exactly one PIN opens the vault, and the new one if it was acknowledged.
fn pin_changes(node: &mut Node, owner: &mut Owner, victim: Victim) {
    let space = owner.app.space;
    let mut changes = 0;
    // One record charges the attempt, one holds the change.
    for (number, step) in each_of([0, 1, 2].map(Step::Records)) {
        owner.come_back();
        let next = format!("{:06}", 500_000 + number);
        let request = request_of(&vault::ChangePin {
            current: Secret::from(owner.pin.as_str()),
            replacement: Secret::from(next.as_str()),
        });
        let acknowledged = interrupted((&mut *node, victim), space, step, || {
            owner.try_once(&request).is_ok_and(|reply| {
                let Done {} = done(&reply);
                true
            })
        });
        // One attempt each is free: whichever PIN is wrong is forgiven with the one that is right.
        let earlier = std::mem::replace(&mut owner.pin, next);
        let opened = until("the vault answers", || {
            owner.reconnect();
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

/// Snapshots, interrupted: nothing acknowledged is lost across a cut log, and nothing is left over.
fn snapshots(node: &mut Node, owner: &mut Owner, victim: Victim) {
    let space = owner.app.space;
    let mut at = owner.put("large", "").expect("kept");
    let steps = [Step::Records(9), Step::Chunk, Step::Checkpoint, Step::Cut];
    for (number, step) in each_of(steps) {
        at = interrupted((&mut *node, victim), space, step, || {
            outgrow(owner, at, &number.to_string())
        });
        owner.come_back();
        assert!(is_newest(&owner.value(at.id).expect("kept"), number));
    }
    outgrow(owner, at, "undisturbed");
    let watch = Watch::of(node.folder(), space);
    until("one snapshot, and the log behind it", || {
        let now = watch.look()?;
        (now.snapshots == 1 && now.first == now.checkpoint && now.first > 1).then_some(())
    });
    owner.verified_audit().expect("verified");
}

/// Writes so much that a snapshot is due, which the vault takes in the first quiet moment.
fn outgrow(owner: &mut Owner, mut at: item::Written, name: &str) -> item::Written {
    for index in 0..26 {
        let value = format!("{name}.{index}.{}", "x".repeat(48 * 1024));
        at = done(&owner.insist(&request_of(&replace(at, "large", &value))));
    }
    at
}

fn is_newest(value: &str, number: usize) -> bool {
    value.starts_with(&format!("{number}.25."))
}

/// An action of an owner, with the victim killed at its steps.
type Action = fn(&mut Node, &mut Owner, Victim);

fn story(victim: Victim, act: Action) {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    act(&mut node, &mut owner, victim);
    // And once more from nothing but the disk.
    node.kill_all();
    node.start();
    owner.come_back();
    owner.verified_audit().expect("verified");
}

#[test]
fn app_learns_at_once_that_its_vault_or_the_enclave_died() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kills: [fn(&Node); 2] = [
        |node| node.vaults().into_iter().for_each(kill_now),
        |node| kill_now(until("an enclave", || node.enclave())),
    ];
    for kill in kills {
        let mut session = owner.hang_up().expect("a session");

        kill(&node);

        assert_eq!(session.end(), Fault::Reset);
        owner.come_back();
    }
}

#[test]
fn killed_vault_process_loses_no_acknowledged_put_and_repeats_none() {
    story(Victim::Vault, puts);
}

#[test]
fn killed_vault_process_leaves_one_pin_and_the_acknowledged_one() {
    story(Victim::Vault, pin_changes);
}

#[test]
fn killed_vault_process_loses_nothing_across_a_snapshot() {
    story(Victim::Vault, snapshots);
}

#[test]
fn killed_supervisor_loses_no_acknowledged_put_and_repeats_none() {
    story(Victim::Supervisor, puts);
}

#[test]
fn killed_supervisor_leaves_one_pin_and_the_acknowledged_one() {
    story(Victim::Supervisor, pin_changes);
}

#[test]
fn killed_supervisor_loses_nothing_across_a_snapshot() {
    story(Victim::Supervisor, snapshots);
}

#[test]
fn killed_node_loses_no_acknowledged_put_and_repeats_none() {
    story(Victim::Node, puts);
}

#[test]
fn killed_node_leaves_one_pin_and_the_acknowledged_one() {
    story(Victim::Node, pin_changes);
}

#[test]
fn killed_node_loses_nothing_across_a_snapshot() {
    story(Victim::Node, snapshots);
}

#[test]
fn killed_bus_loses_no_acknowledged_put_and_repeats_none() {
    story(Victim::Bus, puts);
}

#[test]
fn killed_bus_leaves_one_pin_and_the_acknowledged_one() {
    story(Victim::Bus, pin_changes);
}

#[test]
fn killed_bus_loses_nothing_across_a_snapshot() {
    story(Victim::Bus, snapshots);
}
