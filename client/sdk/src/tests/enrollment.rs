//! Enrollment, and what is left of it when the program ends at any of its steps.

use vettid_wire::refusal::Code;
use vettid_wire::time::DAY;

use super::bus::{Lab, Mishap, Shelf};
use super::vault::VAULT;
use crate::error::{Error, Unacceptable};
use crate::keystore::{KeystoreError, MemoryKeystore};
use crate::{Entry, enroll};

#[tokio::test(start_paused = true)]
async fn invitation_becomes_an_open_vault() {
    let lab = Lab::new();

    let (owner, shelf) = lab.enrolled().await;

    let state = shelf.state();
    assert_eq!(owner.vault(), Some(VAULT));
    assert!(state.enrollment.is_none() && state.pending.is_none());
    assert_eq!(state.credential.expect("a credential").version, 1);
    assert_eq!(state.remembered.release, 2);
    assert!(owner.status().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn enrollment_goes_on_after_a_crash_at_any_save() {
    for written in [false, true] {
        let mut crash_at = 1;
        loop {
            let (lab, shelf) = (Lab::new(), Shelf::default());
            shelf.disk().fails_at = Some((crash_at, written));
            let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
            shelf.disk().fails_at = None;
            if first.is_ok() {
                assert!(crash_at > 5, "only {crash_at} saves");
                break;
            }
            drop(first);

            let second = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

            let place = format!("save {crash_at}, written {written}");
            let complete = match second {
                Ok(_) => true,
                // The last save was the one that says so.
                Err(Error::Local(KeystoreError::AlreadyEnrolled)) => written,
                Err(error) => panic!("{place}: {error:?}"),
            };
            assert!(complete, "{place}");
            let world = lab.world();
            assert_eq!(world.vault.times_done("credential.create"), 1, "{place}");
            assert_eq!(
                shelf.state().credential.expect("a credential").version,
                world.vault.version,
                "{place}"
            );
            drop(world);
            crash_at += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn enrollment_survives_the_vault_process_at_each_request() {
    for mishap in [
        Mishap::ResetBefore,
        Mishap::ResetAfter,
        Mishap::DieAfter,
        Mishap::LoseReply,
    ] {
        for quiet in 0..2 {
            let (lab, shelf) = (Lab::new(), Shelf::default());
            // Closing after the first reply stands for a request that goes through.
            for _ in 0..quiet {
                lab.expect_mishap(Mishap::Closing);
            }
            lab.expect_mishap(mishap);

            let owner = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

            assert!(owner.is_ok(), "{mishap:?} after {quiet}: {owner:?}");
            assert_eq!(lab.world().vault.times_done("credential.create"), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn vault_that_was_staged_in_a_dead_process_is_staged_again() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    // The program ends when it has the one-time keys, and the vault process ends too.
    shelf.disk().fails_at = Some((5, true));
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err());
    shelf.disk().fails_at = None;
    lab.world().crash();

    let second = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

    assert!(second.is_ok(), "{second:?}");
    assert_eq!(lab.world().vault.times_done("credential.create"), 1);
}

#[tokio::test(start_paused = true)]
async fn finished_vault_that_is_locked_again_is_opened_to_fetch_its_credential() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    // The answer to credential.create comes, but cannot be kept.
    shelf.disk().fails_at = Some((7, false));
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err() && shelf.state().pending.is_some());
    shelf.disk().fails_at = None;
    lab.world().crash();

    let second = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

    assert!(second.is_ok(), "{second:?}");
    assert_eq!(lab.world().vault.times_done("credential.create"), 1);
    assert_eq!(
        shelf.state().credential.expect("a credential").version,
        lab.world().vault.version
    );
}

#[tokio::test(start_paused = true)]
async fn finished_vault_that_keeps_the_answer_no_more_gives_its_credential() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    shelf.disk().fails_at = Some((7, false));
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err() && shelf.state().pending.is_some());
    shelf.disk().fails_at = None;
    lab.world().vault.forget_replies();

    let second = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

    assert!(second.is_ok(), "{second:?}");
    assert_eq!(lab.world().vault.times_done("credential.create"), 1);
}

#[tokio::test(start_paused = true)]
async fn lost_answer_of_the_proof_is_settled_by_the_next_call() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    shelf.disk().fails_at = Some((7, false));
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err() && shelf.state().pending.is_some());
    shelf.disk().fails_at = None;
    // The vault that was seen is found, the answer fetched and the vault opened; it ends when it has done
    // what proves the password.
    for mishap in [
        Mishap::Passes,
        Mishap::Passes,
        Mishap::Passes,
        Mishap::DieAfter,
    ] {
        lab.expect_mishap(mishap);
    }
    let second = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(second.is_err() && shelf.state().pending.is_some());
    assert_eq!(lab.world().vault.times_done("password.change"), 1);

    let third = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

    assert!(third.is_ok(), "{third:?}");
    let held = shelf.state().credential.expect("a credential").version;
    assert_eq!(held, lab.world().vault.version);
}

/// The owner has entered something else the second time, and would keep that in mind.
#[tokio::test(start_paused = true)]
async fn what_is_entered_when_enrollment_goes_on_must_be_what_the_vault_has() {
    for last_save in [false, true] {
        let (lab, shelf) = (Lab::new(), Shelf::default());
        shelf.disk().fails_at = Some((if last_save { 8 } else { 7 }, false));
        let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
        assert!(first.is_err(), "{last_save}");
        assert_eq!(shelf.state().pending.is_none(), last_save);
        shelf.disk().fails_at = None;
        let other_pin = Entry {
            pin: "654321".into(),
            ..lab.entry()
        };
        let other_password = Entry {
            password: "nine paper herons".into(),
            ..lab.entry()
        };
        for entry in [other_pin, other_password] {
            let other = enroll(shelf.clone(), lab.clone(), lab.clock(), &entry).await;
            let told = Err(Error::Unacceptable(Unacceptable::EnteredBefore));
            assert_eq!(other.map(drop), told, "{last_save}");
        }

        let right = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;

        assert!(right.is_ok(), "{right:?}");
        assert_eq!(lab.world().vault.times_done("credential.create"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn used_invitation_is_refused_by_the_node() {
    let lab = Lab::new();
    lab.enrolled().await;

    let outcome = enroll(
        MemoryKeystore::default(),
        lab.clone(),
        lab.clock(),
        &lab.entry(),
    )
    .await;

    let error = outcome.expect_err("refused");
    assert_eq!(error.code(), "invitation-used");
    assert!(matches!(error, Error::NodeRefused(_)));
}

#[tokio::test(start_paused = true)]
async fn expired_invitation_is_not_tried() {
    let lab = Lab::new();
    let entry = lab.entry();
    lab.pass_time(2 * DAY);

    let outcome = enroll(MemoryKeystore::default(), lab.clone(), lab.clock(), &entry).await;

    assert_eq!(
        outcome.map(drop),
        Err(Unacceptable::InvitationExpired.into())
    );
}

#[tokio::test(start_paused = true)]
async fn device_that_has_a_vault_takes_no_other() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;

    let outcome = enroll(shelf, lab.clone(), lab.clock(), &lab.entry()).await;

    assert_eq!(
        outcome.map(drop),
        Err(KeystoreError::AlreadyEnrolled.into())
    );
}

#[tokio::test(start_paused = true)]
async fn another_invitation_replaces_one_that_made_nothing() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    lab.world().http_down = true;
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err());
    lab.world().http_down = false;
    let mut entry = lab.entry();
    entry.invitation.secret = vettid_wire::Secret::new(vec![8; 32]);

    assert!(
        enroll(shelf, lab.clone(), lab.clock(), &entry)
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn another_invitation_does_not_replace_one_whose_vault_may_exist() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    shelf.disk().fails_at = Some((7, false));
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err() && shelf.state().pending.is_some());
    shelf.disk().fails_at = None;
    let mut entry = lab.entry();
    entry.invitation.secret = vettid_wire::Secret::new(vec![8; 32]);

    let outcome = enroll(shelf, lab.clone(), lab.clock(), &entry).await;

    assert_eq!(
        outcome.map(drop),
        Err(KeystoreError::OtherEnrollment.into())
    );
}

#[tokio::test(start_paused = true)]
async fn unfinished_enrollment_is_no_device() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    lab.world().http_down = true;
    let first = enroll(shelf.clone(), lab.clone(), lab.clock(), &lab.entry()).await;
    assert!(first.is_err());

    let opened = crate::Owner::open(shelf, lab.clone(), lab.clock());

    assert_eq!(opened.map(drop), Err(KeystoreError::Unfinished.into()));
}

#[tokio::test(start_paused = true)]
async fn vault_that_was_set_up_before_refuses() {
    let (lab, shelf) = (Lab::new(), Shelf::default());
    lab.world().vault.exists = true;

    let outcome = enroll(shelf, lab.clone(), lab.clock(), &lab.entry()).await;

    assert_eq!(
        outcome.map(drop),
        Err(Error::Refused(Code::AlreadyEnrolled.into()))
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_pin_or_password_is_not_sent() {
    let lab = Lab::new();
    let mut short = lab.entry();
    short.pin = "12345".into();
    let mut weak = lab.entry();
    weak.password = "short".into();

    for (entry, why) in [(short, Unacceptable::Pin), (weak, Unacceptable::Password)] {
        let outcome = enroll(MemoryKeystore::default(), lab.clone(), lab.clock(), &entry).await;

        assert_eq!(outcome.map(drop), Err(why.into()));
    }
    assert_eq!(lab.world().connects, 0);
}
