//! Wrong PINs and passwords, whoever tries them and however often the process restarts.

use vettid_wire::operation::feed;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{HOUR, SECOND};

use crate::fixture::{self, refused};

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
