//! What one vault, or one node, may have of what all share.

use super::fixture::{
    Kept, NOW, OWN, PEER, World, answer, at, home, id, key, record, settled, vault,
};
use super::outbound::{LATER, at_peer, is_look_up, sender, sent_to};
use crate::delivery::{Act, Sent, Whereabouts};
use crate::slot::Slot;
use vettid_crypto::SeededEntropy;
use vettid_wire::cbor;
use vettid_wire::home::{self as wire_home, Home};
use vettid_wire::id::{DeliveryId, NodeId};
use vettid_wire::identity::{IdentityChain, Rotation};
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, SpoolOutcome, ToEnclave};
use vettid_wire::peer::Delivered;

#[test]
fn one_node_that_does_not_answer_takes_so_much_and_leaves_room_for_another() {
    let mut world = sender();
    let other = NodeId([3; 32]);
    world.courier.admitted(other);
    let kept = world.send(1, 6, 1, at_peer());
    let numbered = |number: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        DeliveryId(id)
    };
    let mut taken = 0;
    for number in 1..=1_100 {
        let sent = Sent {
            delivery: numbered(number),
            to: vault(6),
            home: at_peer(),
            expires: NOW.plus(1000),
            body: &[0; 10],
        };
        world
            .with(|courier, cx| courier.outbound(Slot::new(1), 0, sent, cx))
            .expect("honest");
        let Act::Host(FromEnclave::Spool {
            delivery, bytes, ..
        }) = world.act()
        else {
            panic!("not kept");
        };
        let kept = Kept {
            delivery,
            bytes,
            ..kept.clone()
        };
        taken += sent_to(&world.due(&kept)).len();
    }
    assert_eq!(taken, 1_024);

    let kept = world.send(1, 7, 2, Whereabouts::Node(at(other)));
    assert_eq!(sent_to(&world.due(&kept)), [other]);
    // Another vault has room there, too, for a few.
    world.open(2, 8);
    for number in 11..=14 {
        let kept = world.send(2, 6, number, at_peer());
        assert_eq!(sent_to(&world.due(&kept)), [PEER]);
    }
    for (slot, number) in [(1, 15), (2, 16)] {
        let kept = world.send(slot, 6, number, at_peer());
        assert_eq!(world.due(&kept), [settled(number, SpoolOutcome::Crowded)]);
    }
}

#[test]
fn no_more_is_under_way_to_a_node_than_its_link_holds() {
    let mut world = sender();
    let mut carried = 0;
    for number in 0..40 {
        let body = vec![number; limits::DELIVERY];
        let sent = Sent {
            delivery: id(number),
            to: vault(6),
            home: at_peer(),
            expires: NOW.plus(limits::DELIVERY_TIME),
            body: &body,
        };
        let kept = world.sent(1, sent);
        carried += sent_to(&world.due(&kept)).len();
    }
    assert_eq!(carried, 16);

    world.hear_peer(PEER, answer(1, Delivered::Applied));
    world.acts();

    let small = world.send(1, 6, 41, at_peer());
    assert_eq!(sent_to(&world.due(&small)), [PEER]);
    let large = vec![7; limits::DELIVERY];
    let sent = Sent {
        delivery: id(42),
        to: vault(6),
        home: at_peer(),
        expires: NOW.plus(limits::DELIVERY_TIME),
        body: &large,
    };
    let kept = world.sent(1, sent.clone());
    let crowded = SpoolOutcome::Crowded;
    assert_eq!(world.due(&kept), [settled(42, crowded)]);

    // What others have beyond that has a bound as well.
    let mut others = 0;
    for slot in 2..20 {
        world.open(slot, 100 + u8::try_from(slot).expect("small"));
        let sent = Sent {
            delivery: id(100 + u8::try_from(slot).expect("small")),
            ..sent.clone()
        };
        let kept = world.sent(slot, sent);
        others += sent_to(&world.due(&kept)).len();
    }
    assert_eq!(others, 8);
}

#[test]
fn one_vault_has_few_of_the_look_ups_that_are_under_way() {
    let mut world = World::new();
    world.open(1, 5);
    world.open(2, 6);
    let away = || Whereabouts::Node(at(NodeId([9; 32])));
    let mut asked = 0;
    for number in 100..130 {
        let kept = world.send(1, number, number, away());
        asked += world
            .due(&kept)
            .iter()
            .filter(|act| is_look_up(act))
            .count();
    }
    assert_eq!(asked, 16);

    let kept = world.send(2, 200, 200, away());
    assert!(world.due(&kept).iter().any(is_look_up));
}

#[test]
fn one_vault_has_few_nodes_dialed_that_do_not_answer() {
    let mut world = World::new();
    world.open(1, 5);
    world.open(2, 6);
    let dialed = |acts: &[Act]| {
        let dials = |act: &&Act| matches!(act, Act::Host(FromEnclave::Dial(_)));
        acts.iter().filter(dials).count()
    };
    let silent = |number| Whereabouts::Node(at(NodeId([number; 32])));
    let mut count = 0;
    for number in 100..130 {
        let kept = world.send(1, number, number, silent(number));
        let acts = world.due(&kept);
        count += dialed(&acts);
        let crowded = settled(number, SpoolOutcome::Crowded);
        assert_eq!(acts.contains(&crowded), number >= 116);
    }
    assert_eq!(count, 16);

    let kept = world.send(2, 200, 200, silent(200));
    assert_eq!(dialed(&world.due(&kept)), 1);
    // One of them was reached.
    world.courier.admitted(NodeId([100; 32]));
    let kept = world.send(1, 131, 131, silent(131));
    assert_eq!(dialed(&world.due(&kept)), 1);
}

#[test]
fn records_that_are_none_are_checked_once_and_not_more_than_a_vault_may_have_checked() {
    let mut world = sender();
    world.open(2, 8);
    let forged = |sequence| {
        let forged = home(6, &[PEER], sequence);
        Whereabouts::Record(forged.sign(&key(7)))
    };
    let offered = |world: &mut World, slot, home| {
        let kept = world.send(slot, 6, 1, home);
        world.due(&kept).pop()
    };
    let failed = Some(settled(1, LATER));
    for _ in 0..600 {
        assert_eq!(offered(&mut world, 1, forged(0)), failed);
    }
    let last = (1..600).find(|sequence| offered(&mut world, 1, forged(*sequence)) != failed);
    assert_eq!(last, Some(512));

    let crowded = Some(settled(1, SpoolOutcome::Crowded));
    assert_eq!(offered(&mut world, 1, forged(1_000)), crowded);
    let good = || Whereabouts::Record(record(6, &[PEER], 1));
    assert_eq!(offered(&mut world, 1, good()), crowded);
    world.now = NOW.plus(10);
    let kept = world.send(1, 6, 2, good());
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

#[test]
fn record_that_is_no_newer_than_the_known_one_is_not_checked() {
    let mut world = sender();
    let known = world.send(1, 6, 1, Whereabouts::Record(record(6, &[PEER], 9_999)));
    assert_eq!(sent_to(&world.due(&known)), [PEER]);
    for sequence in 0..600 {
        let older = Whereabouts::Record(record(6, &[OWN], sequence));
        let kept = world.send(1, 6, 2, older);
        assert_eq!(sent_to(&world.due(&kept)), [PEER]);
        world.hear_peer(PEER, answer(2, Delivered::Stored));
        world.acts();
    }

    let other = Whereabouts::Record(record(7, &[PEER], 1));
    let kept = world.send(1, 7, 3, other);
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

/// A record of vault 6 that says where it is by a chain of so many statements, which are in place but
/// signed by nobody.
fn forged_chain(statements: u32, sequence: u64) -> Home {
    let signer = key(7);
    let to = signer.verifying_key().0;
    let first = key(6).verifying_key().0;
    let rotations = (2..2 + statements).map(|number| Rotation {
        vault: vault(6),
        number,
        from: if number == 2 { first } else { to },
        to,
        at: NOW,
        by_from: [0; 64],
        by_to: [0; 64],
    });
    let chain = IdentityChain {
        first,
        rotations: rotations.collect(),
    };
    Home {
        identity: cbor::encode(&chain),
        ..home(6, &[PEER], sequence)
    }
}

#[test]
fn record_that_is_refused_for_what_it_says_costs_no_checks() {
    let mut world = sender();
    let failed = Some(settled(1, LATER));
    let foreign = cbor::encode(&IdentityChain::of(&key(7).verifying_key()));
    let misplaced = |sequence| {
        let mut chain: IdentityChain =
            cbor::decode(&forged_chain(32, sequence).identity).expect("a chain");
        chain.rotations.remove(30);
        cbor::encode(&chain)
    };
    for sequence in (0..800).step_by(4) {
        let with = |identity, sequence| Home {
            identity,
            ..home(6, &[PEER], sequence)
        };
        for forged in [
            with(foreign.clone(), sequence),
            with(misplaced(sequence), sequence + 1),
            forged_chain(33, sequence + 2),
            home(6, &[PEER; 5], sequence + 3),
        ] {
            let told = Whereabouts::Record(forged.sign(&key(7)));
            let kept = world.send(1, 6, 1, told);
            assert_eq!(world.due(&kept).pop(), failed);
        }
    }

    let good = Whereabouts::Record(record(6, &[PEER], 1));
    let kept = world.send(1, 6, 2, good);

    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

#[test]
fn good_record_is_checked_before_forged_ones_that_take_all_checks() {
    let mut world = sender();
    let mut acts = Vec::new();
    // All but seven times 65.
    for sequence in 0..57 {
        let forged = home(6, &[PEER], sequence).sign(&key(7));
        let kept = world.send(1, 6, 1, Whereabouts::Record(forged));
        acts.extend(world.due(&kept));
    }
    let kept = world.send(1, 6, 2, Whereabouts::Node(at(NodeId([9; 32]))));
    acts.extend(world.due(&kept));
    let request = acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::FindHome { request, .. }) => Some(*request),
        _ => None,
    });
    let sealed = |record: &[u8]| {
        let mut entropy = SeededEntropy::dangerous_new(3);
        wire_home::seal(&vault(6), record, &mut entropy).into()
    };
    let forged = (1..8).map(|sequence| sealed(&forged_chain(32, sequence).sign(&key(7))));
    let records = forged.chain([sealed(&record(6, &[PEER], 1))]).collect();
    let request = request.expect("a look-up");

    world
        .hear(ToEnclave::Homes { request, records })
        .expect("asked");

    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}
