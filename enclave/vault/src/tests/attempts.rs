//! Wrong PINs and passwords, whoever tries them and however often the process restarts.

use vettid_crypto::{PinKey, SecretBytes};
use vettid_store::{Attempt, Lock};
use vettid_wire::limits;
use vettid_wire::operation::device::Role;
use vettid_wire::operation::{feed, vault};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{HOUR, SECOND};

use crate::fixture::{self, refused};
use crate::lifecycle::gate::Charge;

const WRONG: &str = "a wrong password";

#[test]
fn three_wrong_passwords_are_free_and_then_the_right_one_has_to_wait() {
    let mut owner = fixture::owner();
    owner.password = WRONG.into();
    for retry_after in [None, None, Some(30)] {
        let expected = Refusal {
            retry_after,
            ..Code::WrongPassword.into()
        };
        assert_eq!(owner.use_credential(), Err(expected));
    }
    owner.password = fixture::PASSWORD.into();

    assert_eq!(owner.use_credential(), Err(Refusal::wait(30)));
    owner.clock.advance(30 * SECOND);

    assert!(owner.use_credential().is_ok());
    owner.password = WRONG.into();
    assert_eq!(owner.use_credential(), refused(Code::WrongPassword));
}

#[test]
fn wrong_passwords_survive_a_restart_and_a_clock_that_was_set_back() {
    let mut owner = fixture::owner();
    owner.password = WRONG.into();
    for _ in 0..3 {
        owner.use_credential().expect_err("wrong");
    }
    owner.clock.set_back(HOUR);
    owner.reopen();
    owner.unlock().expect("unlocked");
    owner.password = fixture::PASSWORD.into();

    assert_eq!(owner.use_credential(), Err(Refusal::wait(30)));
}

#[test]
fn owner_is_told_of_wrong_passwords_from_the_third_on() {
    let mut owner = fixture::owner();
    owner.password = WRONG.into();
    owner.use_credential().expect_err("wrong");
    owner.use_credential().expect_err("wrong");
    assert!(!owner.feed_kinds().contains(&feed::Kind::PasswordFailed));

    owner.use_credential().expect_err("wrong");
    let told = owner.told;

    assert_eq!(told, Some(3));
    assert_eq!(owner.feed_kinds().last(), Some(&feed::Kind::PasswordFailed));
}

#[test]
fn attempt_that_has_to_wait_costs_its_one_time_key_and_no_hash() {
    let mut owner = fixture::owner();
    owner.password = WRONG.into();
    for _ in 0..3 {
        owner.use_credential().expect_err("wrong");
    }
    let (hashes, keys) = (owner.host.hashes, owner.status().open.expect("open"));

    assert_eq!(owner.use_credential(), Err(Refusal::wait(30)));

    let left = owner.status().open.expect("open").transaction_keys_left;
    assert_eq!(left, keys.transaction_keys_left - 1);
    assert_eq!(owner.host.hashes, hashes);
}

#[test]
fn two_sessions_share_one_account_of_wrong_pins() {
    let mut owner = fixture::owner();
    owner.reopen();
    for number in 0..3 {
        owner.session.0[0] = number;
        assert_eq!(
            owner.unlock_with("000000").expect_err("wrong").code,
            Code::WrongPin
        );
    }
    owner.session.0[0] = 9;

    assert_eq!(owner.unlock_with("000001"), Err(Refusal::wait(30)));
}

#[test]
fn right_pin_makes_up_for_the_wrong_ones() {
    let mut owner = fixture::owner();
    owner.unlock_with("000000").expect_err("wrong");
    owner.unlock_with("000000").expect_err("wrong");

    assert_eq!(owner.unlock().expect("right").failed_attempts, 2);

    owner.reopen();
    owner.unlock_with("000000").expect_err("wrong");
    assert_eq!(owner.status().failed_attempts, 1);
}

#[test]
fn waiting_is_refused_without_a_record() {
    let mut owner = fixture::owner();
    owner.reopen();
    for _ in 0..3 {
        owner.unlock_with("000000").expect_err("wrong");
    }
    let before = owner.host.newest();

    assert_eq!(owner.unlock(), Err(Refusal::wait(30)));

    assert_eq!(owner.host.newest(), before);
}

/// An owner with a second device, both locked out.
fn locked_with_two_devices() -> fixture::Owner {
    let mut owner = fixture::owner();
    owner.add_device(Role::App);
    owner.unlock().expect("writes the header");
    owner.reopen();
    owner
}

#[test]
fn wrong_pins_at_a_locked_vault_are_in_the_audit_chain_with_their_time_and_device() {
    let mut owner = locked_with_two_devices();
    let first = owner.device_id();
    owner.unlock_with("000000").expect_err("wrong");
    owner.clock.advance(SECOND);
    owner.use_other_device();
    let other = owner.device_id();
    owner.unlock_with("000001").expect_err("wrong");
    owner.reopen();
    owner.clock.advance(SECOND);
    owner.use_first_device();

    owner.unlock().expect("unlocked");

    let events = owner.events("vault.unlock");
    let told: Vec<_> = events
        .iter()
        .rev()
        .take(3)
        .rev()
        .map(|event| (event.at, event.device, event.done))
        .collect();
    let at = |seconds| fixture::NOON.plus(seconds * SECOND);
    assert_eq!(
        told,
        [
            (at(0), Some(first), false),
            (at(1), Some(other), false),
            (at(2), Some(first), true)
        ]
    );
    let list = feed::List {
        after: 0,
        limit: None,
        unread: false,
    };
    let entries = owner.call(&list).expect("feed").entries;
    let last = entries.last().map(|entry| (entry.kind, entry.device));
    assert_eq!(last, Some((feed::Kind::PinFailed, Some(other))));
}

#[test]
fn attempts_are_told_once() {
    let mut owner = fixture::owner();
    for _ in 0..2 {
        owner.reopen();
        owner.unlock_with("000000").expect_err("wrong");
        owner.unlock().expect("unlocked");
        owner.unlock().expect("again");
    }

    assert_eq!(owner.refused("vault.unlock"), 2);
}

#[test]
fn every_attempt_that_can_be_made_is_in_the_audit_chain() {
    let mut owner = fixture::owner();
    owner.reopen();
    for _ in 1..limits::ATTEMPT_CAP {
        owner.unlock_with("000000").expect_err("wrong");
        owner.clock.advance(HOUR);
    }

    let unlocked = owner.unlock().expect("the hundredth");

    assert_eq!(unlocked.failed_attempts, 99);
    assert_eq!(owner.refused("vault.unlock"), 99);
}

#[test]
fn right_pin_that_opens_nothing_costs_no_attempt_and_keeps_the_wrong_ones() {
    let mut owner = fixture::owner();
    owner.snapshot();
    owner.reopen();
    owner.unlock_with("000000").expect_err("wrong");
    let chunks = std::mem::take(&mut owner.host.chunks);

    for _ in 0..5 {
        assert_eq!(owner.unlock(), refused(Code::Damaged));
    }

    assert_eq!(owner.status().failed_attempts, 1);
    owner.host.chunks = chunks;
    owner.reopen();
    assert_eq!(owner.unlock().expect("healed").failed_attempts, 1);
    assert_eq!(owner.refused("vault.unlock"), 1);
}

#[test]
fn wrong_pin_of_a_change_is_in_the_audit_chain_as_that() {
    let mut owner = fixture::owner();
    let change = vault::ChangePin {
        current: fixture::secret("000000"),
        replacement: fixture::secret("654321"),
    };

    owner.call(&change).expect_err("wrong");

    assert_eq!(owner.refused("pin.change"), 1);
    assert_eq!(owner.refused("vault.unlock"), 0);
    assert_eq!(owner.status().failed_attempts, 1);
}

#[test]
fn unlock_and_pin_change_append_a_charge_and_one_record() {
    let mut owner = fixture::owner();
    owner.reopen();
    let before = owner.host.newest();
    owner.unlock().expect("unlocked");
    let unlocked = owner.host.newest();
    let change = vault::ChangePin {
        current: fixture::secret(fixture::PIN),
        replacement: fixture::secret("654321"),
    };

    owner.call(&change).expect("changed");

    assert_eq!(unlocked - before, 2);
    assert_eq!(owner.host.newest() - unlocked, 2);
}

#[test]
fn refusal_behind_a_right_pin_gives_the_attempt_back_and_changes_nothing_else() {
    let mut owner = fixture::owner();
    owner.unlock_with("000000").expect_err("wrong");
    let device = owner.device_id();

    let refusal = owner.act(|open, out| {
        let header = &mut open.gate.header;
        let before = header.attempts;
        header.attempts.failed += 1;
        header.unaudited.push(Attempt {
            at: out.now,
            device,
            operation: "pin.change".into(),
        });
        let (salt, cost) = (out.salt(), out.cost);
        let other = PinKey::from_bytes([1; 32]);
        let lock = Lock::new(&header.vault, &open.key, &other, salt, cost, out.entropy);
        open.commit_right_pin(Charge { before }, Some(lock), out, |change, out| {
            change.append_feed(out.now, feed::Kind::PinChanged, None)?;
            Err::<(), _>(Code::Internal.into())
        })
    });

    assert_eq!(refusal, Err(Code::Internal.into()));
    assert_eq!(owner.status().failed_attempts, 1);
    assert!(!owner.feed_kinds().contains(&feed::Kind::PinChanged));
    owner.reopen();
    assert_eq!(owner.unlock().expect("the PIN stays").failed_attempts, 1);
    assert_eq!(owner.refused("pin.change"), 0);
}
