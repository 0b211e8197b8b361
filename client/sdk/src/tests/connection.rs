//! What is lost on the way, and what callers notice of it: nothing, or one clear error.

use std::time::Duration;

use tokio::time::Instant;
use vettid_wire::operation::item::{Category, Draft, Put, Sensitivity};
use vettid_wire::operation::vault::Status;
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, HOUR};

use super::bus::{Lab, Mishap};
use crate::error::{Error, Unreachable};

/// A change.
pub(super) fn put() -> Put {
    let draft = Draft {
        name: "a".into(),
        category: Category::Note,
        sensitivity: Sensitivity::Data,
        fields: Vec::new(),
        tags: Vec::new(),
        favorite: false,
        notes: None,
    };
    Put {
        id: None,
        base: None,
        draft,
    }
}

/// A change that meets a mishap is answered, and done once.
async fn done_once_despite(mishap: Mishap) {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    owner.status().await.expect("open");

    lab.expect_mishap(mishap);
    let written = owner.call(&put()).await;

    assert_eq!(written.map(|written| written.version), Ok(1), "{mishap:?}");
    assert_eq!(lab.world().vault.times_done("item.put"), 1, "{mishap:?}");
    assert!(lab.world().mishaps.is_empty());
}

#[tokio::test(start_paused = true)]
async fn change_is_done_once_whatever_is_lost() {
    for mishap in [
        Mishap::ResetBefore,
        Mishap::ResetAfter,
        Mishap::LoseReply,
        Mishap::AlterReply,
        Mishap::Closing,
    ] {
        done_once_despite(mishap).await;
    }
}

#[tokio::test(start_paused = true)]
async fn replies_in_the_wrong_order_end_the_session_and_nothing_else() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    owner.status().await.expect("open");

    lab.expect_mishap(Mishap::SwapReplies);
    let (first, second) = (put(), put());
    let (first, second) = tokio::join!(owner.call(&first), owner.call(&second));

    assert!(first.is_ok() && second.is_ok());
    assert_eq!(lab.world().vault.times_done("item.put"), 2);
}

#[tokio::test(start_paused = true)]
async fn many_requests_share_one_session_and_few_frames() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let before = lab.world().sessions_opened;
    let frames = lab.world().frames;

    let calls = (0..64).map(|_| {
        let owner = owner.clone();
        tokio::spawn(async move { owner.call(&put()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("joined").expect("written");
    }

    assert_eq!(lab.world().sessions_opened, before);
    assert_eq!(lab.world().vault.times_done("item.put"), 64);
    let frames = lab.world().frames - frames;
    assert!(frames <= 8, "{frames} frames");
}

#[tokio::test(start_paused = true)]
async fn lost_handshake_is_made_again() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    let owner = lab.reopened(&shelf);

    lab.expect_mishap(Mishap::LoseHandshake);

    assert!(owner.status().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn broken_connection_is_resumed_with_a_session_of_its_own() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let sessions = lab.world().sessions_opened;
    let connects = lab.world().connects;

    lab.world().interrupt();
    owner.call(&put()).await.expect("written");

    assert_eq!(lab.world().sessions_opened, sessions + 1);
    assert_eq!(lab.world().connects, connects);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_the_bus_takes_no_longer_are_renewed_once() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    let owner = lab.reopened(&shelf);
    lab.world().revoked = true;
    let renewals = lab.world().renewals;

    owner.call(&put()).await.expect("written");

    assert_eq!(lab.world().renewals, renewals + 1);
}

#[tokio::test(start_paused = true)]
async fn node_that_resets_everything_is_given_up_with_a_clear_error() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;

    lab.world().resets = usize::MAX;
    let outcome = owner.call(&put()).await;

    assert_eq!(outcome, Err(Unreachable::Reset.into()));
    lab.world().resets = 0;
    assert!(owner.call(&put()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn pin_is_sent_at_most_twice() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    lab.world().crash();
    // In each new session the question that it begins with is answered.
    for _ in 0..3 {
        lab.expect_mishap(Mishap::Passes);
        lab.expect_mishap(Mishap::ResetBefore);
    }

    let outcome = owner.unlock(&"123456".into()).await;

    assert_eq!(outcome.map(drop), Err(Unreachable::Reset.into()));
    // Once into the session of the dead process, once into a new one.
    assert_eq!(lab.world().mishaps.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn locked_vault_is_a_refusal_and_the_pin_opens_it() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    lab.world().crash();

    // Its session is gone with the process, so that the request is sent twice.
    let unknown = owner.call(&put()).await;
    let refused = owner.call(&put()).await;
    let wrong = owner.unlock(&"000000".into()).await;
    let right = owner.unlock(&"123456".into()).await;

    let locked = vettid_wire::refusal::Refusal::from(Code::Locked);
    assert_eq!(unknown, Err(Unreachable::Since(locked.clone()).into()));
    assert_eq!(refused, Err(Error::Refused(locked)));
    assert_eq!(wrong.map(drop), Err(Error::Refused(Code::WrongPin.into())));
    assert!(right.is_ok());
    assert!(owner.call(&put()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_renewed_before_the_bus_is_dialed() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    lab.pass_time(3 * DAY);

    let owner = lab.reopened(&shelf);

    assert!(owner.call(&Status { seen: None }).await.is_ok());
    assert_eq!(lab.world().renewals, 1);
    assert!(shelf.state().bus.expect("access").expires > lab.world().now);
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_that_cannot_be_renewed_name_the_node() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    lab.pass_time(3 * DAY);
    lab.world().http_down = true;

    let outcome = lab.reopened(&shelf).status().await;

    assert_eq!(
        outcome.map(drop),
        Err(Unreachable::Http("http://node.test".into()).into())
    );
}

#[tokio::test(start_paused = true)]
async fn live_connection_gets_fresh_credentials_well_before_the_end() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    owner.status().await.expect("open");
    let connects = lab.world().connects;

    lab.pass_time(19 * HOUR);
    for _ in 0..2 {
        owner.status().await.expect("answered");
        tokio::task::yield_now().await;
    }

    assert_eq!(lab.world().renewals, 1);
    assert_eq!(lab.world().connects, connects);
    assert!(owner.status().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn old_session_is_replaced_when_its_time_is_up() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let sessions = lab.world().sessions_opened;

    lab.pass_time(DAY + HOUR);
    lab.reissue();

    assert!(owner.status().await.is_ok());
    assert!(lab.world().sessions_opened > sessions);
}

#[tokio::test(start_paused = true)]
async fn feed_is_announced_to_who_listens() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let mut feed = owner.feed().await.expect("watching");
    owner.status().await.expect("open");

    lab.world().announce(7);
    feed.changed().await.expect("announced");

    assert_eq!(*feed.borrow(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_was_announced_while_nobody_was_connected_is_caught_up_with() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let mut feed = owner.feed().await.expect("watching");

    lab.world().interrupt();
    lab.world().announce(7);
    feed.changed().await.expect("caught up");

    assert_eq!(*feed.borrow(), 7);
}

#[tokio::test(start_paused = true)]
async fn who_begins_to_listen_learns_how_far_the_feed_has_come() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    owner.status().await.expect("open");
    lab.world().announce(7);

    let mut feed = owner.feed().await.expect("watching");
    feed.changed().await.expect("told");

    assert_eq!(*feed.borrow(), 7);
}

#[tokio::test(start_paused = true)]
async fn node_that_starts_its_enclave_anew_is_waited_for() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    lab.world().resets = 5;

    assert!(owner.status().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn node_that_comes_back_to_its_bus_is_waited_for_and_a_change_is_done_once() {
    for was_open in [false, true] {
        let lab = Lab::new();
        let (owner, _) = lab.enrolled_with(was_open).await;
        lab.world().absent = 10;

        let written = owner.call(&put()).await;

        assert_eq!(written.map(|written| written.version), Ok(1), "{was_open}");
        assert_eq!(lab.world().vault.times_done("item.put"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn node_that_stays_away_from_its_bus_is_told_soon_and_whether_anything_was_sent() {
    for (was_open, told) in [
        (true, Unreachable::Unanswered),
        (false, Unreachable::Absent),
    ] {
        let lab = Lab::new();
        let (owner, _) = lab.enrolled_with(was_open).await;
        lab.world().absent = usize::MAX;

        let began = Instant::now();
        let failed = owner.status().await.unwrap_err();

        assert_eq!(failed, told.into());
        assert!(began.elapsed() < Duration::from_secs(12), "{was_open}");
    }
}

#[tokio::test(start_paused = true)]
async fn node_that_stays_away_from_its_bus_is_looked_for_ever_more_seldom() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    let mut feed = owner.feed().await.expect("watching");
    owner.status().await.expect("open");
    lab.world().interrupt();
    lab.world().absent = usize::MAX;

    let watched = tokio::time::timeout(Duration::from_secs(3_600), feed.changed()).await;

    assert!(watched.is_err(), "nothing came");
    let looks = usize::MAX - lab.world().absent;
    assert!((500..900).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn newest_head_is_kept_before_the_reply_is_heard() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;

    owner.call(&put()).await.expect("written");

    assert_eq!(shelf.head(), Some(lab.world().vault.head));
}
