//! Calls with the owner's proof, and what a crash in the middle of one leaves.

use vettid_wire::id::ItemId;
use vettid_wire::operation::credential::RotateIdentity;
use vettid_wire::operation::item::RevealCritical;
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, HOUR};

use super::bus::{Lab, Mishap, Shelf};
use crate::error::{Error, Unreachable};
use crate::{Owner, SettledOutcome};

const PASSWORD: &str = "seven brass otters";
/// The question that a session begins with is answered, and what follows it is not.
const LOST: &[Mishap] = &[Mishap::Passes, Mishap::LoseReply];

fn held(shelf: &Shelf) -> u64 {
    shelf.state().credential.expect("a credential").version
}

/// `password.change` whose answer the program does not live to hear.
async fn interrupted(lab: &Lab, shelf: &Shelf, mishaps: &[Mishap]) {
    let owner = lab.reopened(shelf);
    for mishap in mishaps {
        lab.expect_mishap(*mishap);
    }
    lab.world().resets = 0;
    let (current, replacement) = (PASSWORD.into(), "nine paper herons".into());
    let call = owner.change_password(&current, &replacement);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), call).await;
    assert!(ended.is_err(), "answered: {ended:?}");
    assert!(shelf.state().pending.is_some());
}

async fn change_password(owner: &Owner) -> Result<(), Error> {
    owner
        .change_password(&PASSWORD.into(), &"nine paper herons".into())
        .await
        .map(drop)
}

#[tokio::test(start_paused = true)]
async fn new_credential_is_kept_before_the_call_returns() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    assert_eq!(held(&shelf), 1);

    change_password(&owner).await.expect("changed");

    assert_eq!(held(&shelf), 2);
    assert!(shelf.state().pending.is_none());
}

#[tokio::test(start_paused = true)]
async fn credential_that_cannot_be_kept_is_not_called_a_success_and_not_lost() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    // The request is saved; what it brings is not.
    let saves = shelf.disk().saves;
    shelf.disk().fails_at = Some((saves + 3, false));

    let outcome = change_password(&owner).await;
    shelf.disk().fails_at = None;
    let settled = lab
        .reopened(&shelf)
        .settle()
        .await
        .expect("settled")
        .expect("something");

    assert!(matches!(outcome, Err(Error::Local(_))), "{outcome:?}");
    assert_eq!(settled.outcome, SettledOutcome::Done);
    assert_eq!(held(&shelf), lab.world().vault.version);
    assert_eq!(lab.world().vault.times_done("password.change"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_to_a_node_that_is_away_is_not_settled_later() {
    for was_open in [false, true] {
        let lab = Lab::new();
        let (owner, shelf) = lab.enrolled_with(was_open).await;
        let keys = shelf.state().transaction_keys.len();
        lab.world().absent = usize::MAX;

        let told = change_password(&owner).await.expect_err("nobody there");

        // What was sent may have come through.
        assert_eq!(owner.has_pending(), was_open, "{told}");
        let left = keys - usize::from(was_open);
        assert_eq!(shelf.state().transaction_keys.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_reply_is_repeated_by_the_next_program_and_not_made_anew() {
    for mishaps in [LOST, &[Mishap::LoseHandshake]] {
        let lab = Lab::new();
        let (_, shelf) = lab.enrolled().await;
        interrupted(&lab, &shelf, mishaps).await;

        let settled = lab
            .reopened(&shelf)
            .settle()
            .await
            .expect("settled")
            .expect("something");

        assert_eq!(settled.operation, "password.change");
        assert_eq!(settled.outcome, SettledOutcome::Done);
        assert_eq!(
            lab.world().vault.times_done("password.change"),
            1,
            "{mishaps:?}"
        );
        assert_eq!(held(&shelf), 2);
        assert!(shelf.state().pending.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn unlocking_settles_what_was_interrupted() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    interrupted(&lab, &shelf, LOST).await;
    lab.world().crash();
    let owner = lab.reopened(&shelf);

    assert_eq!(
        owner.settle().await,
        Err(Error::Refused(Code::Locked.into()))
    );
    assert!(owner.has_pending());
    owner.unlock(&"123456".into()).await.expect("unlocked");

    assert!(!owner.has_pending());
    assert_eq!(held(&shelf), 2);
}

#[tokio::test(start_paused = true)]
async fn request_that_was_done_before_the_vault_was_sealed_is_settled_and_not_called_refused() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let locked = Error::Unreachable(Unreachable::Since(Code::Locked.into()));
    lab.expect_mishap(Mishap::DieAfter);

    assert_eq!(change_password(&owner).await, Err(locked.clone()));

    assert!(owner.has_pending());
    owner.unlock(&"123456".into()).await.expect("unlocked");
    assert!(!owner.has_pending());
    assert_eq!(held(&shelf), 2);
    assert_eq!(lab.world().vault.times_done("password.change"), 1);
    let (current, replacement) = ("nine paper herons".into(), PASSWORD.into());
    let changed = owner.change_password(&current, &replacement).await;
    assert!(changed.is_ok(), "{changed:?}");

    // The same without a credential: it is not known, and not said, that it was not done.
    lab.expect_mishap(Mishap::DieAfter);
    let remove = crate::wire::operation::tag::Remove { name: "x".into() };
    assert_eq!(owner.call(&remove).await.map(drop), Err(locked));
    let refused = Err(Error::Refused(Code::Locked.into()));
    assert_eq!(owner.call(&remove).await.map(drop), refused);
}

#[tokio::test(start_paused = true)]
async fn request_that_the_vault_has_forgotten_is_not_repeated() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    interrupted(&lab, &shelf, LOST).await;
    lab.pass_time(DAY + HOUR);

    let settled = lab
        .reopened(&shelf)
        .settle()
        .await
        .expect("settled")
        .expect("something");

    assert_eq!(settled.outcome, SettledOutcome::Forgotten);
    assert_eq!(held(&shelf), 2);
    assert_eq!(lab.world().vault.times_done("password.change"), 1);
}

#[tokio::test(start_paused = true)]
async fn wrong_password_is_a_refusal_and_leaves_nothing_pending() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;

    let outcome = owner
        .call_with_owner(&"not the password".into(), &RotateIdentity {}, None)
        .await;

    assert_eq!(
        outcome.map(drop),
        Err(Error::Refused(Code::WrongPassword.into()))
    );
    assert!(shelf.state().pending.is_none());
    assert_eq!(held(&shelf), 1);
}

#[tokio::test(start_paused = true)]
async fn stale_credential_is_a_refusal() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let copy = Shelf::default();
    copy.disk().kept = shelf.disk().kept.clone();
    change_password(&owner).await.expect("changed");

    let stale = lab.reopened(&copy);
    stale
        .call(&crate::wire::operation::transaction_keys::Refill {})
        .await
        .expect("keys");
    copy.disk()
        .kept
        .as_mut()
        .expect("kept")
        .state
        .transaction_keys
        .clear();
    let outcome = change_password(&lab.reopened(&copy)).await;

    assert_eq!(outcome, Err(Error::Refused(Code::CredentialStale.into())));
    // With the current one the identity can be rotated, and the alarm ends.
    assert_eq!(held(&copy), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_used_once_and_fetched_when_they_run_low() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let first = shelf.state().transaction_keys;

    change_password(&owner).await.expect("changed");

    let left = shelf.state().transaction_keys;
    assert!(!left.contains(&first[0]));
    assert_eq!(lab.world().vault.times_done("transaction-keys.refill"), 1);
}

#[tokio::test(start_paused = true)]
async fn pool_that_the_vault_has_forgotten_is_replaced() {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    lab.world().vault.forgets_keys = true;

    change_password(&owner).await.expect("changed");

    assert_eq!(lab.world().vault.times_done("password.change"), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_keys_are_not_used() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    let held = shelf.state().transaction_keys;
    lab.pass_time(31 * DAY);

    change_password(&lab.reopened(&shelf))
        .await
        .expect("changed");

    assert!(
        held.iter()
            .all(|key| !shelf.state().transaction_keys.contains(key))
    );
}

#[tokio::test(start_paused = true)]
async fn calls_with_the_owner_run_one_after_another() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let password = PASSWORD.into();

    let request = RevealCritical {
        id: ItemId([1; 16]),
        version: None,
    };
    let (first, second) = tokio::join!(
        owner.call_with_owner(&password, &request, None),
        owner.call_with_owner(&password, &request, None),
    );

    // This vault has no such item, but it opens the credential to look.
    assert_eq!((first.is_err(), second.is_err()), (true, true));
    assert_eq!(held(&shelf), 3);
}
