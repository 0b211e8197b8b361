//! Mailboxes of closed vaults, and how they are emptied.

use super::fixture::{
    OWN, PEER, World, answer, deliver, handed, id, page_request, put_request, record,
};
use crate::delivery::{Act, OutOfTurn};
use crate::log_line::LogEvent;
use crate::slot::Slot;
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome};
use vettid_wire::peer::Delivered;

/// Stores these deliveries for vault 6, which is closed; the mailbox as its host has it.
fn stored(world: &mut World, numbers: &[u8]) -> Vec<Mail> {
    let mut mails = Vec::new();
    for (at, number) in (1..).zip(numbers) {
        world.hear_peer(PEER, deliver(6, *number));
        let (request, bytes) = put_request(&world.acts()).expect("put");
        world.stored(request, MailOutcome::Stored).expect("asked");
        world.acts();
        mails.push(Mail { number: at, bytes });
    }
    mails
}

/// Opens vault 6 in slot 1; the number of its first question.
fn unlock(world: &mut World) -> u64 {
    world.start(1, 6);
    let acts = world.claim(1, 6, &record(6, &[OWN], 1));
    page_request(&acts).expect("asks for the mailbox")
}

fn dropped(acts: &[Act]) -> Option<(u64, u64)> {
    acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::MailDrop { after, through, .. }) => Some((*after, *through)),
        _ => None,
    })
}

#[test]
fn a_mailbox_is_handed_over_in_order_and_forgotten_behind_the_newest_record() {
    let mut world = World::new();
    let mails = stored(&mut world, &[1, 2, 3]);
    let request = unlock(&mut world);

    world.page(request, &mails).expect("asked");

    let acts = world.acts();
    let out = handed(&acts, 1);
    let order: Vec<_> = out.iter().map(|(_, delivery)| *delivery).collect();
    assert_eq!(order, [id(1), id(2), id(3)]);
    let mut last = Vec::new();
    for (record, (ticket, _)) in [(11, out[0]), (13, out[1]), (12, out[2])] {
        last = world.received_after(
            1,
            ticket,
            record,
            Delivered::Applied,
            super::fixture::ALL_DURABLE,
        );
    }
    assert_eq!(dropped(&last), Some((13, 3)));
    let next = page_request(&last).expect("reads on");
    assert!(matches!(
        last.last(),
        Some(Act::Host(FromEnclave::MailRead { behind: 3, .. }))
    ));
    world.page(next, &[]).expect("asked");
    assert_eq!(world.acts(), []);
    world.hear_peer(PEER, deliver(6, 4));
    assert_eq!(handed(&world.acts(), 1).len(), 1);
}

#[test]
fn what_comes_while_a_mailbox_is_read_waits_behind_what_is_in_it() {
    let mut world = World::new();
    let mails = stored(&mut world, &[1]);
    let request = unlock(&mut world);
    world.hear_peer(PEER, deliver(6, 2));
    let (put, bytes) = put_request(&world.acts()).expect("into the mailbox");

    // Its last page is read before what was on its way has arrived.
    world.page(request, &mails).expect("asked");
    let (ticket, _) = handed(&world.acts(), 1)[0];
    let acts = world.received(1, ticket, Delivered::Applied);
    let next = page_request(&acts).expect("reads on");
    world.page(next, &[]).expect("asked");
    world.hear_peer(PEER, deliver(6, 3));
    let (put_3, bytes_3) = put_request(&world.acts()).expect("still into the mailbox");

    world.stored(put, MailOutcome::Stored).expect("asked");
    let acts = world.acts();
    assert_eq!(acts[0], Act::Peer(PEER, answer(2, Delivered::Stored)));
    let next = page_request(&acts).expect("reads what has arrived");
    world
        .page(next, &[Mail { number: 2, bytes }])
        .expect("asked");
    let [(ticket, second)] = handed(&world.acts(), 1)[..] else {
        panic!("one");
    };
    let acts = world.received(1, ticket, Delivered::Applied);
    let next = page_request(&acts).expect("reads on");
    world.page(next, &[]).expect("asked");
    world.stored(put_3, MailOutcome::Stored).expect("asked");
    let next = page_request(&world.acts()).expect("reads once more");
    let late = Mail {
        number: 3,
        bytes: bytes_3,
    };
    world.page(next, &[late]).expect("asked");
    let order: Vec<_> = handed(&world.acts(), 1)
        .into_iter()
        .map(|(_, delivery)| delivery)
        .collect();
    assert_eq!((second, order), (id(2), vec![id(3)]));
}

#[test]
fn what_the_host_altered_or_took_from_another_mailbox_reaches_no_vault() {
    let mut world = World::new();
    let mails = stored(&mut world, &[1, 2]);
    world.hear_peer(PEER, deliver(7, 3));
    let (_, foreign) = put_request(&world.acts()).expect("put");
    let request = unlock(&mut world);
    let mut altered = mails[0].clone();
    altered.bytes[50] ^= 1;
    let lies = [
        altered,
        Mail {
            number: 2,
            bytes: foreign,
        },
        Mail {
            number: 3,
            ..mails[1].clone()
        },
    ];

    world.page(request, &lies).expect("asked");

    let acts = world.acts();
    assert_eq!(handed(&acts, 1).len(), 1);
    let told = Act::Log(LogEvent::KeptAltered);
    assert_eq!(acts.iter().filter(|act| **act == told).count(), 2);
    let (ticket, delivery) = handed(&acts, 1)[0];
    assert_eq!(delivery, id(2));
    let acts = world.received(1, ticket, Delivered::Applied);
    assert_eq!(dropped(&acts), Some((0, 3)));
}

#[test]
fn a_page_out_of_order_too_long_or_never_asked_for_is_out_of_turn() {
    let mail = |number| Mail {
        number,
        bytes: vec![0; 100],
    };
    let lies: [Vec<Mail>; 3] = [
        vec![mail(2), mail(1)],
        vec![mail(0)],
        (1..=65).map(mail).collect(),
    ];
    assert_eq!(lies[2].len(), limits::MAIL_PAGE + 1);
    for lie in lies {
        let mut world = World::new();
        let request = unlock(&mut world);

        assert_eq!(world.page(request, &lie), Err(OutOfTurn));
        assert_eq!(world.page(request + 5, &[]), Err(OutOfTurn));
    }
}

#[test]
fn a_page_for_a_vault_that_was_closed_meanwhile_reaches_nobody() {
    let mut world = World::new();
    let mails = stored(&mut world, &[1]);
    let request = unlock(&mut world);
    world.with(|courier, cx| courier.ended(Slot::new(1), cx));
    world.acts();

    world.page(request, &mails).expect("asked once");

    assert_eq!(world.acts(), []);
}
