//! Which process gets what is for a vault.

use super::fixture::{
    ALL_DURABLE, NOW, OWN, PEER, World, deliver, handed, home, key, page_request, record, space,
    vault,
};
use crate::delivery::{Act, HomeClaim, Progress};
use crate::log_line::LogEvent;
use crate::slot::Slot;
use vettid_wire::home as wire_home;
use vettid_wire::home::Home;
use vettid_wire::limits;
use vettid_wire::link::federation::FromEnclave;
use vettid_wire::time::{DAY, SECOND};

fn is_refused(acts: &[Act]) -> bool {
    acts == [Act::Log(LogEvent::HomeRefused)]
}

#[test]
fn an_unlocked_vault_gets_its_mailbox_and_its_home_is_published_for_those_who_know_it() {
    let mut world = World::new();
    world.start(1, 5);
    let record = record(5, &[OWN], 3);

    let acts = world.claim(1, 5, &record);

    let mailbox = world.courier.keeper.mailbox(&vault(5));
    let space = space(5);
    let registered = Act::Host(FromEnclave::Mailbox { space, mailbox });
    assert_eq!(acts[0], registered);
    assert!(page_request(&acts).is_some());
    let Some(Act::Host(FromEnclave::PublishHome {
        location,
        record: sealed,
        ..
    })) = acts.last()
    else {
        panic!("{acts:?}");
    };
    assert_eq!(*location, wire_home::location(&vault(5)));
    assert_eq!(wire_home::open(&vault(5), sealed), Ok(record));
}

#[test]
fn a_process_that_shows_the_home_of_another_vault_gets_nothing() {
    let mut world = World::new();
    world.start(1, 5);
    // Genuine, current, of this very node: every contact of that vault has it.
    let stolen = record(6, &[OWN], 1);

    assert!(is_refused(&world.claim(1, 5, &stolen)));

    world.hear_peer(PEER, deliver(6, 1));
    assert!(handed(&world.acts(), 1).is_empty());
}

#[test]
fn a_claim_of_another_process_or_of_an_earlier_one_is_refused() {
    let mut world = World::new();
    world.start(1, 5);
    let record = record(5, &[OWN], 1);
    for (space, challenge) in [(space(6), [5 ^ 0x55; 32]), (space(5), [0; 32])] {
        let proof = wire_home::claim(&space, &challenge, &key(5)).0;
        let claim = HomeClaim {
            after: 0,
            record: &record,
            proof,
        };

        world
            .with(|courier, cx| courier.claim(Slot::new(1), &claim, ALL_DURABLE, cx))
            .expect("started");

        assert!(is_refused(&world.acts()));
    }
}

#[test]
fn a_home_elsewhere_forged_or_expired_is_refused() {
    let mut world = World::new();
    world.start(1, 5);
    let with = |change: fn(&mut Home)| {
        let mut home = home(5, &[OWN], 1);
        change(&mut home);
        home.sign(&key(5))
    };
    let mut altered = record(5, &[OWN], 1);
    let last = altered.len() - 1;
    altered[last] ^= 1;
    for bad in [
        record(5, &[PEER], 1),
        home(5, &[OWN], 1).sign(&key(6)),
        with(|home| home.expires = NOW),
        with(|home| home.identity.clear()),
        altered,
        vec![0; limits::HOME_RECORD],
        vec![],
    ] {
        assert!(is_refused(&world.claim(1, 5, &bad)));
    }
}

#[test]
fn a_vault_whose_clock_was_ahead_is_served_and_its_home_kept_no_longer_than_any() {
    let mut world = World::new();
    world.start(1, 5);
    let mut ahead = home(5, &[OWN], 1);
    ahead.expires = ahead.expires.plus(DAY);

    let acts = world.claim(1, 5, &ahead.sign(&key(5)));

    assert!(page_request(&acts).is_some());
    let kept = acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::PublishHome { expires, .. }) => Some(*expires),
        _ => None,
    });
    assert_eq!(kept, Some(NOW.plus(limits::HOME_TIME)));
}

#[test]
fn a_process_that_has_claimed_one_vault_claims_no_other() {
    let mut world = World::new();
    world.open(1, 5);
    let other = record(6, &[OWN], 9);
    let proof = wire_home::claim(&space(5), &[5 ^ 0x55; 32], &key(6)).0;
    let claim = HomeClaim {
        after: 0,
        record: &other,
        proof,
    };

    world
        .with(|courier, cx| courier.claim(Slot::new(1), &claim, ALL_DURABLE, cx))
        .expect("started");

    assert!(is_refused(&world.acts()));
}

#[test]
fn a_home_is_published_once_its_record_is_durable_and_only_a_newer_one_after_it() {
    let mut world = World::new();
    world.start(1, 5);
    let first = record(5, &[OWN], 2);
    let proof = wire_home::claim(&space(5), &[5 ^ 0x55; 32], &key(5)).0;
    let waiting = Progress {
        first_waiting: Some(4),
    };
    let is_published = |acts: &[Act]| {
        acts.iter()
            .any(|act| matches!(act, Act::Host(FromEnclave::PublishHome { .. })))
    };
    let claim = HomeClaim {
        after: 4,
        record: &first,
        proof,
    };

    world
        .with(|courier, cx| courier.claim(Slot::new(1), &claim, waiting, cx))
        .expect("started");
    assert!(!is_published(&world.acts()));
    world.with(|courier, cx| courier.durable(Slot::new(1), ALL_DURABLE, cx));
    assert!(is_published(&world.acts()));

    assert!(!is_published(&world.claim(1, 5, &record(5, &[OWN], 1))));
    assert!(is_published(&world.claim(1, 5, &record(5, &[OWN], 3))));
}

#[test]
fn a_process_that_has_ended_gets_nothing_more() {
    let mut world = World::new();
    world.open(1, 5);
    world.with(|courier, cx| courier.ended(Slot::new(1), cx));

    world.hear_peer(PEER, deliver(5, 1));

    assert!(handed(&world.acts(), 1).is_empty());
}

#[test]
fn a_process_that_claims_too_often_has_its_newest_home_published_in_its_turn() {
    let published = |acts: &[Act]| {
        let published = acts.iter().filter_map(|act| match act {
            Act::Host(FromEnclave::PublishHome { record, .. }) => {
                let record = wire_home::open(&vault(5), record).expect("sealed");
                Some(Home::claimed(&record).expect("record").sequence)
            }
            _ => None,
        });
        published.collect::<Vec<_>>()
    };
    let mut world = World::new();
    world.start(1, 5);
    for sequence in 1..=8 {
        let acts = world.claim(1, 5, &record(5, &[OWN], sequence));
        assert_eq!(published(&acts), [sequence]);
    }
    for sequence in 9..=20 {
        assert_eq!(world.claim(1, 5, &record(5, &[OWN], sequence)), []);
    }

    assert_eq!(published(&world.tick(SECOND - 1)), Vec::<u64>::new());
    assert_eq!(published(&world.tick(1)), [20]);
    assert_eq!(world.tick(SECOND), []);
}
