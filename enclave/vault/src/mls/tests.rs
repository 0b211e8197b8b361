//! Groups of vaults that live in one database, each with a conversation of its own.

use vettid_crypto::sign::SigningKey;
use vettid_wire::id::VaultId;
use vettid_wire::limits;

use super::{Heard, Keys, Mls, NotMls, Suite};
use crate::effect::Changing;
use crate::fixture;

const GROUP: [u8; 16] = [7; 16];

fn keys(number: u8) -> Keys {
    Keys {
        vault: VaultId([number; 32]),
        signer: SigningKey::from_seed(&[number; 32]),
    }
}

fn mls<'a>(on: &'a mut Changing<'_>, number: u8) -> Mls<'a> {
    Mls::new(on.change, [number; 16], on.entropy)
}

/// A group that vault 1 has made of so many.
fn gather(on: &mut Changing<'_>, suite: Suite, count: u8) -> usize {
    mls(on, 1).found(&keys(1), &GROUP, suite).expect("founded");
    let packages: Vec<_> = (2..=count)
        .map(|number| {
            let package = mls(on, number).key_package(&keys(number), suite);
            package.expect("package")
        })
        .collect();
    let found = mls(on, 1).add(&keys(1), &GROUP, &packages).expect("added");
    for number in 2..=count {
        let joined = mls(on, number).join(&found.welcome).expect("joined");
        assert_eq!(joined.id, GROUP);
        assert_eq!(joined.members.len(), usize::from(count));
    }
    found.welcome.len()
}

fn hear(on: &mut Changing<'_>, number: u8, message: &[u8]) -> Result<Heard, NotMls> {
    mls(on, number).hear(&GROUP, message, None, |_, _| true)
}

#[test]
fn members_hear_each_other_once_with_what_goes_along() {
    for suite in [Suite::Classic, Suite::Hybrid] {
        fixture::owner().forge(|on| {
            gather(on, suite, 3);
            let message = mls(on, 2).say(&keys(2), &GROUP, b"along", b"words");
            let message = message.expect("said");

            for number in [1, 3] {
                let heard = hear(on, number, &message).expect("heard");
                assert_eq!(heard.from, VaultId([2; 32]));
                assert_eq!(heard.aad, b"along");
                assert_eq!(heard.said.as_deref(), Some(&b"words"[..]));
                let again = hear(on, number, &message);
                assert_eq!(again.map(drop), Err(NotMls::NotOpened));
            }
        });
    }
}

#[test]
fn renewal_changes_the_epoch_and_what_was_said_before_still_opens() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Hybrid, 2);
        let before = mls(on, 2).say(&keys(2), &GROUP, b"", b"before");
        let commit = mls(on, 1).renew(&keys(1), &GROUP, b"").expect("renewed");
        let after = mls(on, 1).say(&keys(1), &GROUP, b"", b"after");
        let after = after.expect("said");

        assert_eq!(hear(on, 2, &after).map(drop), Err(NotMls::Early));
        let heard = hear(on, 1, &before.expect("said")).expect("heard");
        assert_eq!(heard.said.as_deref(), Some(&b"before"[..]));
        assert!(hear(on, 2, &commit).expect("heard").said.is_none());
        let heard = hear(on, 2, &after).expect("heard");
        assert_eq!(heard.said.as_deref(), Some(&b"after"[..]));
        let secrets: Vec<_> = [1, 2]
            .map(|number| mls(on, number).export(&GROUP, "x").expect("secret"))
            .to_vec();
        assert_eq!(secrets[0], secrets[1]);
    });
}

#[test]
fn change_that_its_sender_may_not_make_is_refused() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 3);
        let removal = mls(on, 2).remove(&keys(2), &GROUP, &[VaultId([3; 32])]);
        let removal = removal.expect("made");

        assert_eq!(hear(on, 1, &removal).map(drop), Err(NotMls::NotAllowed));
        let creator = VaultId([1; 32]);
        let heard = mls(on, 3).hear(&GROUP, &removal, Some(&creator), |_, _| true);
        assert_eq!(heard.map(drop), Err(NotMls::NotAllowed));
        let renewal = mls(on, 2).renew(&keys(2), &GROUP, b"").expect("renewed");
        let heard = mls(on, 1).hear(&GROUP, &renewal, None, |_, _| false);
        assert!(heard.is_err());
    });
}

#[test]
fn member_that_was_removed_opens_nothing_later() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 3);
        let out = VaultId([3; 32]);
        let removal = mls(on, 1).remove(&keys(1), &GROUP, &[out]).expect("made");
        let later = mls(on, 1).say(&keys(1), &GROUP, b"", b"later");
        let later = later.expect("said");

        assert!(hear(on, 3, &later).is_err());
        let creator = VaultId([1; 32]);
        let heard = mls(on, 3).hear(&GROUP, &removal, Some(&creator), |_, _| true);
        assert!(heard.expect("heard").removed);
        assert!(hear(on, 3, &later).is_err());
        let heard = mls(on, 2).hear(&GROUP, &removal, Some(&creator), |_, _| true);
        assert!(!heard.expect("heard").removed);
        assert!(hear(on, 2, &later).is_ok());
    });
}

#[test]
fn key_package_of_another_suite_or_altered_is_not_taken() {
    fixture::owner().forge(|on| {
        let package = mls(on, 2).key_package(&keys(2), Suite::Classic);
        let package = package.expect("package");

        let owner = mls(on, 1)
            .owner_of(&package, Suite::Classic)
            .expect("owner");
        assert_eq!(owner.vault, VaultId([2; 32]));
        assert!(mls(on, 1).owner_of(&package, Suite::Hybrid).is_err());
        for at in [10, 40, package.len() - 1] {
            let mut altered = package.clone();
            altered[at] ^= 1;
            assert!(mls(on, 1).owner_of(&altered, Suite::Classic).is_err());
        }
    });
}

#[test]
fn forgotten_group_has_no_keys() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Hybrid, 2);
        let message = mls(on, 1).say(&keys(1), &GROUP, b"", b"x").expect("said");

        mls(on, 2).forget(&GROUP).expect("forgotten");

        assert_eq!(hear(on, 2, &message).map(drop), Err(NotMls::NoKeys));
    });
}

/// What a suite costs a group: the figures behind the choice of suites.
#[test]
fn welcome_of_the_largest_group_fits_a_delivery_in_the_classic_suite_only() {
    let growth = |suite| {
        fixture::owner().forge(|on| {
            let (few, many) = (3, 7);
            let small = gather(on, suite, few);
            for number in 1..=few {
                mls(on, number).forget(&GROUP).expect("forgotten");
            }
            let large = gather(on, suite, many);
            let each = (large - small) / usize::from(many - few);
            each * limits::GROUP
        })
    };

    let (classic, hybrid) = (growth(Suite::Classic), growth(Suite::Hybrid));

    assert!(classic < limits::DELIVERY / 2, "{classic}");
    assert!(hybrid > limits::DELIVERY, "{hybrid}");
}
