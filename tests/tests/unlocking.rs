//! PINs: wrong ones, waiting, and what survives which restart.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::thread;

use vettid_tests::first_wait::FirstWait;
use vettid_tests::node::Node;
use vettid_tests::owner::{Owner, PIN};
use vettid_tests::processes::kill_now;
use vettid_tests::raw::{Fault, RawSession};
use vettid_wire::Secret;
use vettid_wire::operation::{item, vault};
use vettid_wire::refusal::Code;

const WRONG: &str = "000000";

fn code<T>(answer: Result<T, Fault>) -> Option<Code> {
    answer.err().and_then(|fault| fault.code())
}

/// Ends a part of a node, which comes back.
type Restart = fn(&mut Node);

/// Locks the vault and comes back to its locked door. The vault process that just ends says so, and
/// another is asked for.
fn lock(owner: &mut Owner) {
    owner.call(&vault::Lock {}).expect("locked");
    let status = vettid_tests::wait::until("the locked door", || {
        owner.hang_up();
        owner.status().ok()
    });
    assert_eq!((status.locked, status.open), (true, None));
}

/// A session of its own. A vault process that is just ending says so, and is asked once more.
fn opened(owner: &Owner) -> RawSession {
    vettid_tests::wait::until("a session", || match owner.app.open() {
        Ok(session) => Some(session),
        Err(fault) => {
            assert_eq!(fault, Fault::Reset, "nobody is left waiting");
            None
        }
    })
}

/// Tries a PIN; a vault process that is just ending is asked once more.
fn attempt(owner: &mut Owner, pin: &str) -> Result<vault::Unlocked, Fault> {
    vettid_tests::wait::until("an answer to a PIN", || match owner.try_pin(pin, None) {
        Err(fault) if fault.code().is_none() => None,
        answer => Some(answer),
    })
}

#[test]
fn locked_vault_serves_nothing_until_the_right_pin() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "behind the PIN").expect("kept");
    lock(&mut owner);

    assert_eq!(code(owner.value(kept.id)), Some(Code::Locked));
    assert_eq!(code(owner.put("more", "x")), Some(Code::Locked));
    assert_eq!(code(owner.feed()), Some(Code::Locked));
    assert_eq!(code(owner.refill()), Some(Code::Locked));
    owner.unlock().expect("the right PIN");
    assert_eq!(owner.value(kept.id).expect("open"), "behind the PIN");
}

#[test]
fn one_wrong_pin_is_counted_and_forgotten_after_the_right_one() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    lock(&mut owner);

    assert_eq!(code(attempt(&mut owner, WRONG)), Some(Code::WrongPin));
    assert_eq!(owner.status().expect("told").failed_attempts, 1);
    // Whoever tried it could not keep it from the owner by killing what knew of it.
    node.vaults().into_iter().for_each(kill_now);
    owner.hang_up();
    let unlocked = attempt(&mut owner, PIN).expect("the right PIN");
    assert_eq!(unlocked.failed_attempts, 1);
    assert_eq!(owner.audited("vault.unlock").expect("told"), [false, true]);
    lock(&mut owner);
    assert_eq!(
        attempt(&mut owner, PIN)
            .expect("the right PIN")
            .failed_attempts,
        0
    );
}

#[test]
fn three_wrong_pins_make_everybody_wait_across_every_restart() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    lock(&mut owner);
    assert_eq!(code(attempt(&mut owner, WRONG)), Some(Code::WrongPin));
    // The count itself survives a crash too: the second attempt is made in another process.
    node.vaults().into_iter().for_each(kill_now);
    owner.hang_up();
    assert_eq!(code(attempt(&mut owner, WRONG)), Some(Code::WrongPin));
    let wait = FirstWait::from_now();
    assert_eq!(code(attempt(&mut owner, WRONG)), Some(Code::WrongPin));

    let restarts: [(&str, Restart); 4] = [
        ("the right PIN, too early", |_| ()),
        ("after the vault process was killed", |node| {
            node.vaults().into_iter().for_each(kill_now);
        }),
        ("after the enclave was killed", |node| node.kill_enclave()),
        ("after everything was killed", |node| {
            node.kill_all();
            node.start();
        }),
    ];
    for (when, restart) in restarts {
        restart(&mut node);
        owner.hang_up();
        if !wait.lasts(attempt(&mut owner, PIN), when) {
            // The right PIN was taken, and with that the wrong ones are forgotten.
            return;
        }
    }
    assert_eq!(owner.status().expect("told").failed_attempts, 3);
}

#[test]
fn app_that_comes_while_the_vault_is_closing_is_answered_at_once() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    for _ in 0..10 {
        lock(&mut owner);

        let mut session = opened(&owner);

        session.unlock(PIN, None).expect("the right PIN");
    }
}

#[test]
fn wrong_pins_from_two_connections_at_once_are_counted_each() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    lock(&mut owner);
    let mut sessions = [opened(&owner), opened(&owner)];

    let codes: Vec<Option<Code>> = thread::scope(|scope| {
        let tries: Vec<_> = sessions
            .iter_mut()
            .map(|session| {
                scope.spawn(move || {
                    let mut attempt = || code(session.unlock(WRONG, None));
                    vec![attempt(), attempt(), attempt()]
                })
            })
            .collect();
        tries
            .into_iter()
            .flat_map(|tried| tried.join().expect("a thread"))
            .collect()
    });

    let count = |wanted| codes.iter().filter(|code| **code == Some(wanted)).count();
    assert_eq!(
        (count(Code::WrongPin), count(Code::Wait)),
        (3, 3),
        "{codes:?}"
    );
    assert_eq!(owner.status().expect("told").failed_attempts, 3);
}

#[test]
fn changing_the_pin_needs_the_current_one_and_keeps_everything() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "older than the PIN").expect("kept");
    let change = |owner: &mut Owner, current: &str, replacement: &str| {
        let (current, replacement) = (Secret::from(current), Secret::from(replacement));
        owner.call(&vault::ChangePin {
            current,
            replacement,
        })
    };

    // A PIN proven at the set-up or at an unlock counts as fresh; the current one is asked for anyway.
    attempt(&mut owner, PIN).expect("fresh");
    assert_eq!(
        code(change(&mut owner, WRONG, "735261")),
        Some(Code::WrongPin)
    );
    // A wrong one ends the freshness of the right one.
    assert_eq!(
        code(change(&mut owner, PIN, "735261")),
        Some(Code::PinNeeded)
    );
    attempt(&mut owner, PIN).expect("fresh again");
    assert!(matches!(
        code(change(&mut owner, PIN, "12")),
        Some(Code::InvalidValue | Code::LimitExceeded)
    ));
    change(&mut owner, PIN, "735261").expect("changed");
    owner.put("after", "the change").expect("kept");
    owner.pin = "735261".to_owned();
    node.kill_all();
    node.start();
    owner.hang_up();

    assert_eq!(
        code(attempt(&mut owner, PIN)),
        Some(Code::WrongPin),
        "the earlier PIN"
    );
    owner.unlock().expect("the new PIN");
    assert_eq!(owner.value(kept.id).expect("kept"), "older than the PIN");
    let list = item::List {
        category: None,
        tag: None,
        favorite: false,
        removed: false,
        after: None,
        limit: None,
    };
    assert_eq!(owner.call(&list).expect("listed").items.len(), 2);
    owner.verified_audit().expect("verified");
}

#[test]
fn any_other_pin_is_refused_while_the_vault_is_open_too() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);

    assert_eq!(code(owner.try_pin("999999", None)), Some(Code::WrongPin));
    owner.unlock().expect("the right PIN, again");
}
