//! Groups of vaults that live in one database, each with a conversation of its own.

use openmls::prelude::{Capabilities, Lifetime};
use vettid_crypto::sign::SigningKey;
use vettid_wire::id::{ConnectionId, VaultId};
use vettid_wire::{Secret, limits};

use super::group::{always, capabilities};
use super::primitives::SHORT_KEYS;
use super::{Heard, Keys, Mls, NotMls, Suite, Window};
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
    Mls::of(on, ConnectionId([number; 16]))
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
        let joined = mls(on, number).join(&found.welcome, suite).expect("joined");
        assert_eq!(joined.id, GROUP);
        assert_eq!(joined.members.len(), usize::from(count));
    }
    found.welcome.len()
}

fn hear(on: &mut Changing<'_>, number: u8, message: &[u8]) -> Result<Heard, NotMls> {
    mls(on, number).hear(&GROUP, message, &|_, _| true, |_, _| true)
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
                assert_eq!(heard.said, Some(Secret::from("words")));
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
        assert_eq!(heard.said, Some(Secret::from("before")));
        assert!(hear(on, 2, &commit).expect("heard").said.is_none());
        let heard = hear(on, 2, &after).expect("heard");
        assert_eq!(heard.said, Some(Secret::from("after")));
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
        let removal = removal.expect("made").expect("a member");

        assert_eq!(hear(on, 1, &removal).map(drop), Err(NotMls::NotAllowed));
        let creator = VaultId([1; 32]);
        let heard = mls(on, 3).hear_change(&GROUP, &removal, &creator);
        assert_eq!(heard.map(drop), Err(NotMls::NotAllowed));
        let renewal = mls(on, 2).renew(&keys(2), &GROUP, b"").expect("renewed");
        let heard = mls(on, 1).hear(&GROUP, &renewal, &|_, _| true, |_, _| false);
        assert!(heard.is_err());
    });
}

#[test]
fn member_that_was_removed_opens_nothing_later() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 3);
        let out = VaultId([3; 32]);
        let removal = mls(on, 1).remove(&keys(1), &GROUP, &[out]);
        let removal = removal.expect("made").expect("a member");
        let later = mls(on, 1).say(&keys(1), &GROUP, b"", b"later");
        let later = later.expect("said");

        assert!(hear(on, 3, &later).is_err());
        let creator = VaultId([1; 32]);
        let heard = mls(on, 3).hear_change(&GROUP, &removal, &creator);
        assert!(heard.expect("heard").removed);
        assert!(hear(on, 3, &later).is_err());
        let heard = mls(on, 2).hear_change(&GROUP, &removal, &creator);
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

/// Does something as a vault does whose public keys are bytes that nothing can be sealed to.
fn with_short_keys<T>(f: impl FnOnce() -> T) -> T {
    SHORT_KEYS.set(true);
    let value = f();
    SHORT_KEYS.set(false);
    value
}

#[test]
fn key_package_that_nothing_can_be_sealed_to_is_not_taken() {
    for suite in [Suite::Classic, Suite::Hybrid] {
        fixture::owner().forge(|on| {
            gather(on, suite, 2);
            let package = with_short_keys(|| mls(on, 3).key_package(&keys(3), suite));
            let package = package.expect("package");

            assert!(mls(on, 1).owner_of(&package, suite).is_err());
            let added = mls(on, 1).add(&keys(1), &GROUP, &[package]);
            assert!(added.is_err());
            let good = mls(on, 3).key_package(&keys(3), suite).expect("package");
            assert!(mls(on, 1).add(&keys(1), &GROUP, &[good]).is_ok());
        });
    }
}

/// A short life would make whoever hears of it later lose the group, and what everybody is sent would
/// grow by what one member claims to be able to do.
#[test]
fn key_package_with_a_lifetime_or_capabilities_of_its_own_is_not_taken() {
    for suite in [Suite::Classic, Suite::Hybrid] {
        fixture::owner().forge(|on| {
            gather(on, suite, 2);
            // To the year 2100: that it ends at all is what counts.
            let short = Lifetime::init(0, 4_102_444_800);
            let few = Capabilities::new(None, Some(&[suite.number(); 3]), None, None, None);
            let many = Capabilities::new(None, Some(&[suite.number(); 5_000]), None, None, None);
            for odd in [
                (short, capabilities(suite)),
                (always(), few),
                (always(), many),
            ] {
                let package = mls(on, 3).key_package_as(&keys(3), suite, odd);
                let package = package.expect("package");
                assert!(mls(on, 1).owner_of(&package, suite).is_err());
                assert!(mls(on, 1).add(&keys(1), &GROUP, &[package]).is_err());
            }
        });
    }
}

#[test]
fn renewal_to_keys_that_nothing_can_be_sealed_to_is_refused_and_leaves_nothing() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Hybrid, 2);
        let renewal = with_short_keys(|| mls(on, 2).renew(&keys(2), &GROUP, b""));
        if let Ok(renewal) = renewal {
            assert!(hear(on, 1, &renewal).is_err());
        }

        assert!(mls(on, 1).renew(&keys(1), &GROUP, b"").is_ok());
    });
}

#[test]
fn member_that_is_added_again_takes_its_own_place() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 3);
        let again = Keys {
            vault: VaultId([3; 32]),
            ..keys(33)
        };
        let other = mls(on, 3).key_package(&again, Suite::Classic);
        let other = other.expect("package");

        let found = mls(on, 1).add(&keys(1), &GROUP, &[other]).expect("added");

        let heard = mls(on, 2).hear_change(&GROUP, &found.commit, &VaultId([1; 32]));
        assert!(!heard.expect("heard").removed);
        let members = mls(on, 2).members(&GROUP).expect("members");
        assert_eq!(members.len(), 3);
        mls(on, 3).forget(&GROUP).expect("forgotten");
        let joined = mls(on, 3).join(&found.welcome, Suite::Classic);
        assert_eq!(joined.expect("joined").members.len(), 3);
    });
}

#[test]
fn change_that_comes_as_words_or_late_leaves_the_keys_that_open_it() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 3);
        let creator = VaultId([1; 32]);
        let change = mls(on, 1).remove(&keys(1), &GROUP, &[VaultId([3; 32])]);
        let change = change.expect("made").expect("a member");

        let words = mls(on, 2).hear_words(&GROUP, &change, Window::Usual);
        assert_eq!(words.map(drop), Err(NotMls::NotOpened));
        // Who may not change anything does not use the key up either.
        let other = mls(on, 2).hear_change(&GROUP, &change, &VaultId([9; 32]));
        assert_eq!(other.map(drop), Err(NotMls::NotAllowed));
        assert!(mls(on, 2).hear_change(&GROUP, &change, &creator).is_ok());

        let again = mls(on, 2).hear_change(&GROUP, &change, &creator);
        assert_eq!(again.map(drop), Err(NotMls::Late));
    });
}

#[test]
fn keys_of_a_connection_are_not_derived_far_ahead_and_never_in_an_earlier_state() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Hybrid, 2);
        let mut last = Vec::new();
        for _ in 0..300 {
            last = mls(on, 2).say(&keys(2), &GROUP, b"", b"x").expect("said");
        }

        assert_eq!(hear(on, 1, &last).map(drop), Err(NotMls::Ahead));
        mls(on, 1).renew(&keys(1), &GROUP, b"").expect("renewed");
        assert_eq!(hear(on, 1, &last).map(drop), Err(NotMls::NotOpened));
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

#[test]
fn message_that_does_not_fit_can_still_be_opened_where_it_does() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Hybrid, 2);
        let message = mls(on, 2).say(&keys(2), &GROUP, b"along", b"words");
        let message = message.expect("said");

        let elsewhere = mls(on, 1).hear(&GROUP, &message, &|_, aad| aad == b"other", |_, _| true);
        assert_eq!(elsewhere.map(drop), Err(NotMls::NotAllowed));

        let heard = hear(on, 1, &message).expect("heard");
        assert_eq!(heard.said, Some(Secret::from("words")));
    });
}

#[test]
fn message_is_ahead_where_others_are_to_come_first() {
    fixture::owner().forge(|on| {
        gather(on, Suite::Classic, 2);
        let mut say = |words: &[u8]| {
            mls(on, 2)
                .say(&keys(2), &GROUP, &GROUP, words)
                .expect("said")
        };
        let (first, second) = (say(b"first"), say(b"second"));
        let mut hear = |message: &[u8], window| {
            let heard = mls(on, 1).hear_words(&GROUP, message, window);
            heard.map(|heard| heard.said.expect("words"))
        };

        assert_eq!(hear(&second, Window::Ordered), Err(NotMls::Ahead));
        assert_eq!(hear(&first, Window::Ordered), Ok(Secret::from("first")));
        assert_eq!(hear(&second, Window::Ordered), Ok(Secret::from("second")));
        let mut say = |words: &[u8]| {
            mls(on, 2)
                .say(&keys(2), &GROUP, &GROUP, words)
                .expect("said")
        };
        say(b"lost");
        let fourth = say(b"fourth");
        let heard = mls(on, 1).hear_words(&GROUP, &fourth, Window::Usual);
        assert_eq!(
            heard.map(|heard| heard.said),
            Ok(Some(Secret::from("fourth")))
        );
    });
}
