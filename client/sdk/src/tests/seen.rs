//! What a device has seen of its vault, named before anything else is sent to it.

use std::time::Duration;

use vettid_wire::refusal::{Code, Refusal};

use super::bus::{Lab, Mishap, Shelf};
use super::connection::put;
use crate::error::{Error, Unreachable};

fn rolled_back() -> Refusal {
    Code::RolledBack.into()
}

/// Leads the device to the other copy of a log, with this many records more or fewer.
async fn other_copy(lab: &Lab, more: i64) {
    {
        let mut world = lab.world();
        world.vault.branch ^= 1;
        world.vault.head = world.vault.head.checked_add_signed(more).expect("records");
        world.vault.asked.clear();
        world.interrupt();
    }
    lab.heard().await;
}

fn asked(lab: &Lab) -> Vec<String> {
    lab.world().vault.asked.clone()
}

#[tokio::test(start_paused = true)]
async fn device_that_is_led_to_another_history_is_told_before_anything_is_done_in_it() {
    for more in [-1, 0, 1, 40] {
        let lab = Lab::new();
        let (owner, shelf) = lab.enrolled().await;
        let seen = shelf.head();
        other_copy(&lab, more).await;

        let written = owner.call(&put()).await;
        let unlocked = owner.unlock(&"123456".into()).await.map(drop);

        assert_eq!(written, Err(Error::Refused(rolled_back())), "{more}");
        assert_eq!(unlocked, Err(Error::Refused(rolled_back())), "{more}");
        assert_eq!(asked(&lab), ["vault.status", "vault.status"], "{more}");
        assert_eq!(lab.world().vault.times_done("item.put"), 0, "{more}");
        assert_eq!(shelf.head(), seen, "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn vault_without_any_log_is_none_of_which_something_was_seen() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    {
        let mut world = lab.world();
        world.vault.refuses = Some(Code::NotEnrolled);
        world.vault.asked.clear();
    }

    let outcome = lab.reopened(&shelf).call(&put()).await;

    assert_eq!(outcome, Err(Error::Refused(rolled_back())));
    assert_eq!(asked(&lab), ["vault.status"]);
}

#[tokio::test(start_paused = true)]
async fn device_that_is_led_back_goes_on() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    other_copy(&lab, 7).await;
    owner.call(&put()).await.expect_err("another history");

    other_copy(&lab, -7).await;

    assert!(owner.call(&put()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn vault_that_was_restored_to_an_older_state_is_asked_for_nothing_open_or_sealed() {
    for sealed in [false, true] {
        let lab = Lab::new();
        let (_, shelf) = lab.enrolled().await;
        {
            let mut world = lab.world();
            world.vault.head -= 1;
            world.vault.locked = sealed;
            world.vault.asked.clear();
        }

        let outcome = lab.reopened(&shelf).call(&put()).await;

        assert_eq!(outcome, Err(Error::Refused(rolled_back())), "{sealed}");
        assert_eq!(asked(&lab), ["vault.status"], "{sealed}");
    }
}

#[tokio::test(start_paused = true)]
async fn session_begins_with_the_newest_record_seen_and_goes_on_with_what_is_asked() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    owner.call(&put()).await.expect("written");
    {
        let mut world = lab.world();
        world.vault.asked.clear();
        world.vault.named.clear();
    }
    let seen = shelf.head();
    let frames = lab.world().frames;
    let owner = lab.reopened(&shelf);

    owner.call(&put()).await.expect("written");
    owner.call(&put()).await.expect("written");

    assert_eq!(asked(&lab), ["vault.status", "item.put", "item.put"]);
    let named = lab.world().vault.named.clone();
    let named: Vec<_> = named.iter().map(|head| head.map(|it| it.number)).collect();
    assert_eq!(named, [seen]);
    assert_eq!(lab.world().frames - frames, 3);
}

#[tokio::test(start_paused = true)]
async fn device_that_has_seen_nothing_asks_nothing() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    shelf.disk().kept.as_mut().expect("something").head = None;
    lab.world().vault.asked.clear();

    lab.reopened(&shelf).call(&put()).await.expect("written");

    assert_eq!(asked(&lab), ["item.put"]);
}

#[tokio::test(start_paused = true)]
async fn enrollment_names_nothing_before_the_vault_is_there() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    // Each request has a session of its own.
    for _ in 0..8 {
        lab.expect_mishap(Mishap::Closing);
    }

    let owner = crate::enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

    assert!(owner.is_ok(), "{owner:?}");
    let named = lab.world().vault.named.clone();
    assert!(
        !named.is_empty(),
        "the first session is with a release that is new"
    );
    assert!(named.iter().all(Option::is_none), "{named:?}");
}

#[tokio::test(start_paused = true)]
async fn question_that_was_looked_at_or_lost_keeps_no_request_back() {
    for (code, then) in [
        (Code::Malformed, &["vault.status", "item.put"][..]),
        // Whether the vault has what was seen was not looked at.
        (Code::TooFast, &["vault.status"]),
        (Code::Unavailable, &["vault.status"]),
    ] {
        let lab = Lab::new();
        let (_, shelf) = lab.enrolled().await;
        {
            let mut world = lab.world();
            world.vault.refuses = Some(code);
            world.vault.asked.clear();
        }

        let outcome = lab.reopened(&shelf).call(&put()).await;

        assert_eq!(outcome, Err(Error::Refused(code.into())));
        assert_eq!(asked(&lab), then, "{code:?}");
    }
    for mishap in [
        Mishap::ResetBefore,
        Mishap::ResetAfter,
        Mishap::LoseReply,
        Mishap::AlterReply,
        Mishap::Closing,
    ] {
        let lab = Lab::new();
        let (_, shelf) = lab.enrolled().await;
        lab.expect_mishap(mishap);

        let written = lab.reopened(&shelf).call(&put()).await;

        assert!(written.is_ok(), "{mishap:?}");
        assert_eq!(lab.world().vault.times_done("item.put"), 1, "{mishap:?}");
        assert!(lab.world().mishaps.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn request_that_was_sent_before_the_other_history_may_have_been_done() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let (was, to) = ("seven brass otters".into(), "nine paper herons".into());
    lab.expect_mishap(Mishap::LoseReply);

    let call = owner.change_password(&was, &to);
    let lead_away = async {
        while !lab.world().mishaps.is_empty() {
            tokio::task::yield_now().await;
        }
        other_copy(&lab, 3).await;
    };
    let (outcome, ()) = tokio::join!(call, lead_away);

    let since = Unreachable::Since(rolled_back()).into();
    assert_eq!(outcome.map(drop), Err(since));
    assert!(shelf.state().pending.is_some(), "it is settled later");
}

#[tokio::test(start_paused = true)]
async fn request_that_was_never_sent_is_not_sent_later() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let keys = shelf.state().transaction_keys.len();
    other_copy(&lab, 3).await;
    let (was, to) = ("seven brass otters".into(), "nine paper herons".into());

    let outcome = owner.change_password(&was, &to).await;

    assert_eq!(outcome.map(drop), Err(Error::Refused(rolled_back())));
    assert!(shelf.state().pending.is_none());
    assert_eq!(shelf.state().transaction_keys.len(), keys);
}

#[tokio::test(start_paused = true)]
async fn who_listens_hears_nothing_of_another_history() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let mut feed = owner.feed().await.expect("watching");
    owner.status().await.expect("open");
    lab.world().vault.feed = 9;
    other_copy(&lab, 3).await;

    let told = tokio::time::timeout(Duration::from_secs(60), feed.changed()).await;

    assert!(told.is_err(), "nothing of it");
    other_copy(&lab, -3).await;
    let caught_up = tokio::time::timeout(Duration::from_secs(60), feed.changed()).await;
    assert!(caught_up.is_ok());
    assert_eq!(*feed.borrow(), 9);
}
