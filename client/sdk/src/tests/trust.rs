//! Nodes that are not what they should be.

use vettid_attestation::AppraisalError;
use vettid_session::{Error as SessionError, PeerIncompatible};
use vettid_wire::Secret;
use vettid_wire::id::NodeId;
use vettid_wire::network::{NetworkError, ReleaseStatus};
use vettid_wire::operation::release::Offered;
use vettid_wire::operation::vault::Status;
use vettid_wire::refusal::Code;

use super::bus::{Lab, NOW, Shelf, node};
use super::enclave::{Enclave, network};
use crate::error::{Error, Unreachable};
use crate::trust::{TrustError, verdict};
use crate::{Actor, enroll};

/// Changes the node after enrollment; what another program makes of it.
async fn after_enrollment(change: impl FnOnce(&Lab)) -> (Lab, Option<Error>) {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    let requests = lab.world().vault.done.len();
    change(&lab);

    let outcome = lab.reopened(&shelf).call(&Status { seen: None }).await;

    if outcome.is_err() {
        assert_eq!(lab.world().vault.done.len(), requests, "something was sent");
    }
    (lab, outcome.err())
}

#[tokio::test(start_paused = true)]
async fn enclave_of_another_node_is_refused() {
    let other = NodeId([7; 32]);

    let (_, error) = after_enrollment(|lab| {
        lab.world().enclave = Enclave::new(other, 2, 2, NOW);
    })
    .await;

    assert_eq!(error, Some(TrustError::OtherNode(other).into()));
}

#[tokio::test(start_paused = true)]
async fn image_that_the_network_does_not_accept_is_refused() {
    let (_, error) = after_enrollment(|lab| {
        lab.world().enclave = Enclave::new(node(), 2, 9, NOW);
    })
    .await;

    assert!(
        matches!(
            error,
            Some(Error::Untrusted(TrustError::NotAccepted(
                AppraisalError::UnknownMeasurement(_)
            )))
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn older_release_than_seen_is_refused_and_a_newer_one_is_remembered() {
    let (_, older) = after_enrollment(|lab| {
        lab.world().enclave = Enclave::new(node(), 1, 1, NOW);
    })
    .await;
    let (lab, newer) = after_enrollment(|lab| {
        lab.world().enclave = Enclave::new(node(), 3, 3, NOW);
    })
    .await;

    assert_eq!(
        older,
        Some(
            TrustError::OlderRelease {
                seen: 2,
                offered: 1
            }
            .into()
        )
    );
    assert_eq!(newer, None);
    drop(lab);
}

#[tokio::test(start_paused = true)]
async fn release_is_remembered_across_programs() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    lab.world().enclave = Enclave::new(node(), 3, 3, NOW);
    lab.reopened(&shelf).status().await.expect("newer");

    lab.world().enclave = Enclave::new(node(), 2, 2, NOW);
    let outcome = lab.reopened(&shelf).status().await;

    assert_eq!(shelf.state().remembered.release, 3);
    assert_eq!(
        outcome.map(drop),
        Err(TrustError::OlderRelease {
            seen: 3,
            offered: 2
        }
        .into())
    );
}

#[tokio::test(start_paused = true)]
async fn later_release_that_does_not_show_the_vault_gets_no_pin_and_is_not_remembered() {
    // What a host can bring about at a release that does not have the vault.
    for code in [
        Code::OtherRelease,
        Code::Damaged,
        Code::RolledBack,
        Code::TooFast,
        Code::NotEnrolled,
        Code::Unavailable,
    ] {
        let lab = Lab::new();
        let (_, shelf) = lab.enrolled().await;
        {
            let mut world = lab.world();
            world.enclave = Enclave::new(node(), 3, 3, NOW);
            world.vault.refuses = Some(code);
            world.vault.asked.clear();
        }
        // A vault without any log is none of which something was seen.
        let told = match code {
            Code::NotEnrolled => Code::RolledBack,
            code => code,
        };
        let owner = lab.reopened(&shelf);

        for _ in 0..2 {
            let refused = owner.unlock(&Secret::from("123456")).await.map(drop);
            let refused = refused.expect_err("refused");
            assert!(
                matches!(&refused, Error::Refused(why) if why.code == told),
                "{refused}"
            );
        }
        let (was, to) = ("seven brass otters".into(), "nine paper herons".into());
        let changed = owner.change_password(&was, &to).await.map(drop);
        assert_eq!(changed, Err(Error::Refused(told.into())));
        assert!(
            !owner.has_pending(),
            "what was never sent is not sent later"
        );

        let asked = lab.world().vault.asked.clone();
        let nothing_else = asked.iter().all(|it| it == "vault.status");
        assert!(nothing_else && asked.len() >= 3, "{code:?}: {asked:?}");
        assert_eq!(shelf.state().remembered.release, 2, "{code:?}");
        {
            let mut world = lab.world();
            world.enclave = Enclave::new(node(), 2, 2, NOW);
            world.vault.refuses = None;
        }
        let back = lab.reopened(&shelf).status().await;
        back.expect("the release that has it");
    }
}

#[tokio::test(start_paused = true)]
async fn later_release_is_remembered_before_anything_but_a_question_is_sent_to_it() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    {
        let mut world = lab.world();
        world.enclave = Enclave::new(node(), 3, 3, NOW);
        world.vault.asked.clear();
    }

    // Refused or not: the vault is there.
    let unlocked = lab.reopened(&shelf).unlock(&Secret::from("000000")).await;
    assert!(unlocked.is_err());

    assert_eq!(shelf.state().remembered.release, 3);
    let asked = lab.world().vault.asked.clone();
    assert_eq!(asked, ["vault.status", "vault.unlock"]);
}

#[tokio::test(start_paused = true)]
async fn only_a_release_that_the_network_lists_as_active_is_approved() {
    for (status, altered, approved) in [
        (ReleaseStatus::Active, false, true),
        (ReleaseStatus::Active, true, false),
        (ReleaseStatus::Deprecated, false, false),
        (ReleaseStatus::Retired, false, false),
    ] {
        let lab = Lab::new();
        lab.world().network.reference_values[2].status = status;
        let (owner, _) = lab.enrolled().await;
        let mut offered = Offered::from(&lab.world().network.reference_values[2]);
        offered.pcr2[47] ^= u8::from(altered);
        let password = Secret::from("correct horse");

        let outcome = owner.approve_release(&password, offered).await.map(drop);

        let not_listed = TrustError::OfferedRelease(offered.release).into();
        assert_eq!(outcome.err() == Some(not_listed), !approved, "{status:?}");
        let asked = lab.world().vault.asked.clone();
        let sent = asked.iter().any(|operation| operation == "release.approve");
        assert_eq!(sent, approved, "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_vault_is_set_up_under_a_deprecated_release_and_one_that_is_there_goes_on() {
    let deprecate = |lab: &Lab| {
        let mut world = lab.world();
        world.network = network(2, NOW);
        world.network.reference_values[1].status = ReleaseStatus::Deprecated;
        world.enclave_epoch = 2;
    };
    let lab = Lab::new();
    deprecate(&lab);

    let refused = enroll(Shelf::default(), lab.clone(), lab.clock(), &lab.entry()).await;
    let (_, there) = after_enrollment(deprecate).await;

    let expected = Error::from(TrustError::DeprecatedRelease(2));
    assert_eq!(refused.map(drop), Err(expected));
    assert_eq!(lab.world().vault.done.len(), 0);
    assert_eq!(there, None);
}

#[tokio::test(start_paused = true)]
async fn evidence_of_another_session_is_refused() {
    let (_, error) = after_enrollment(|lab| lab.world().enclave.replays = true).await;

    assert!(
        matches!(
            error,
            Some(Error::Untrusted(
                TrustError::Evidence(_) | TrustError::NotBound
            ))
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn later_policy_is_fetched_and_followed() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    {
        let mut world = lab.world();
        world.network = network(2, NOW);
        world.enclave_epoch = 2;
    }

    lab.reopened(&shelf).status().await.expect("followed");

    assert_eq!(shelf.state().remembered.epoch, 2);
    assert_eq!(lab.world().renewals, 1);
}

#[tokio::test(start_paused = true)]
async fn enclave_in_another_epoch_than_its_network_file_opens_no_session() {
    let (_, error) = after_enrollment(|lab| lab.world().enclave_epoch = 2).await;

    assert_eq!(error, Some(Unreachable::Reset.into()));
}

#[tokio::test(start_paused = true)]
async fn older_policy_than_seen_is_refused() {
    let lab = Lab::new();
    {
        let mut world = lab.world();
        world.network = network(5, NOW);
        world.enclave_epoch = 5;
    }
    let (_, shelf) = lab.enrolled().await;
    {
        let mut world = lab.world();
        world.network = network(4, NOW);
        world.enclave_epoch = 4;
    }

    let outcome = lab.reopened(&shelf).status().await;

    assert_eq!(
        outcome.map(drop),
        Err(TrustError::OlderPolicy {
            seen: 5,
            offered: 4
        }
        .into())
    );
    assert_eq!(shelf.state().remembered.epoch, 5);
}

#[tokio::test(start_paused = true)]
async fn other_policy_of_the_same_epoch_is_refused() {
    let lab = Lab::new();
    let (_, shelf) = lab.enrolled().await;
    {
        let mut world = lab.world();
        world.network.release_floor = 2;
        world.now = world.now.plus(3 * 24 * 60 * 60 * 1000);
    }

    let outcome = lab.reopened(&shelf).status().await;

    assert_eq!(outcome.map(drop), Err(TrustError::SplitPolicy(1).into()));
}

#[tokio::test(start_paused = true)]
async fn network_file_of_another_network_is_refused_at_enrollment() {
    let lab = Lab::new();
    let entry = lab.entry();
    lab.world().network.threshold = 1;
    lab.world()
        .network
        .governance
        .push(vettid_wire::network::GovernanceKey([8; 32]));
    let shelf = Shelf::default();

    let outcome = enroll(shelf.clone(), lab.clone(), lab.clock(), &entry).await;

    assert_eq!(
        outcome.map(drop),
        Err(TrustError::Network(NetworkError::Foreign).into())
    );
    assert_eq!(lab.world().vault.done, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn rolled_back_vault_is_refused_by_whoever_notices_first() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let head = lab.world().vault.head;
    {
        let mut world = lab.world();
        world.vault.head = head - 2;
        world.vault.heedless = true;
        world.crash();
    }

    let unlocked = owner.unlock(&"123456".into()).await;
    lab.world().vault.locked = false;
    let other = lab.reopened(&shelf).status().await;

    assert_eq!(
        unlocked.map(drop),
        Err(Error::Refused(Code::RolledBack.into()))
    );
    assert_eq!(
        other.map(drop),
        Err(TrustError::RolledBack {
            seen: head,
            shown: head - 2
        }
        .into())
    );
    assert_eq!(shelf.head(), Some(head));
}

#[tokio::test(start_paused = true)]
async fn forked_vault_is_noticed() {
    let lab = Lab::new();
    let (owner, shelf) = lab.enrolled().await;
    let head = lab.world().vault.head;
    lab.world().vault.branch = 1;

    assert_eq!(
        owner.status().await.map(drop),
        Err(TrustError::Forked(head).into())
    );
    assert_eq!(shelf.head(), Some(head));
}

#[test]
fn debug_mode_has_a_name_of_its_own() {
    let ended =
        SessionError::PeerIncompatible(PeerIncompatible::NotAccepted(AppraisalError::DebugMode));

    let error = Error::from(verdict(&ended).expect("a verdict"));

    assert_eq!(
        error,
        TrustError::NotAccepted(AppraisalError::DebugMode).into()
    );
    assert_eq!(error.code(), "enclave-in-debug-mode");
    assert_eq!(error.actor(), Actor::Operator);
}
