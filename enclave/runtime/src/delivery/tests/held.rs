//! What a vault cannot take yet: it holds nothing up, stays with the host, and is given again.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use super::fixture::{
    OWN, PEER, World, answer, deliver, delivery, handed, id, page_request, put_request, record,
};
use crate::delivery::{Act, OutOfTurn, ToVault};
use crate::slot::Slot;
use vettid_wire::id::DeliveryId;
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome};
use vettid_wire::peer::{Delivered, NotTaken, PeerMessage};

const BUSY: Delivered = Delivered::Refused(NotTaken::Busy);

/// Ticks after which everything that rests is tried again.
const LONG: usize = 256;

fn numbered(number: u16) -> DeliveryId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    DeliveryId(id)
}

fn number(id: DeliveryId) -> u16 {
    u16::from_be_bytes([id.0[0], id.0[1]])
}

/// Stores deliveries 1 to `count` for vault 6, which is closed; its mailbox.
fn stored(world: &mut World, count: u16) -> Vec<Mail> {
    let mut mails = Vec::new();
    for at in 1..=count {
        let mut one = delivery(6, 0);
        one.id = numbered(at);
        world.hear_peer(PEER, PeerMessage::Deliver(one));
        let (request, bytes) = put_request(&world.acts()).expect("put");
        world.stored(request, MailOutcome::Stored).expect("asked");
        world.acts();
        let number = u64::from(at);
        mails.push(Mail { number, bytes });
    }
    mails
}

/// Opens vault 6 in slot 1; what that asks for.
fn unlock(world: &mut World) -> Vec<Act> {
    world.start(1, 6);
    world.claim(1, 6, &record(6, &[OWN], 1))
}

/// What the host may forget, each from behind a number through another.
fn dropped(acts: &[Act]) -> Vec<(u64, u64)> {
    let dropped = acts.iter().filter_map(|act| match act {
        Act::Host(FromEnclave::MailDrop {
            behind, through, ..
        }) => Some((*behind, *through)),
        _ => None,
    });
    dropped.collect()
}

fn asked_behind(acts: &[Act]) -> Option<u64> {
    acts.iter().find_map(|act| match act {
        Act::Host(FromEnclave::MailRead { behind, .. }) => Some(*behind),
        _ => None,
    })
}

/// An honest host, and vault 6 in slot 1.
struct Played {
    world: World,
    mailbox: Vec<Mail>,
    applied: Vec<u16>,
    reads: usize,
}

impl Played {
    fn with(count: u16) -> Self {
        let mut world = World::new();
        let mailbox = stored(&mut world, count);
        Self {
            world,
            mailbox,
            applied: Vec::new(),
            reads: 0,
        }
    }

    /// Goes on until nothing more is asked for. `takes` is the vault: what it has applied, what comes.
    fn play(&mut self, acts: Vec<Act>, takes: impl Fn(&[u16], u16) -> Delivered) {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Host(FromEnclave::MailRead {
                    request, behind, ..
                }) => {
                    self.reads += 1;
                    let page = self.mailbox.iter().filter(|mail| mail.number > behind);
                    let page: Vec<_> = page.take(limits::MAIL_PAGE).cloned().collect();
                    self.world.page(request, &page).expect("asked");
                    acts.extend(self.world.acts());
                }
                Act::Host(FromEnclave::MailDrop {
                    behind, through, ..
                }) => {
                    let forgotten = |mail: &Mail| mail.number > behind && mail.number <= through;
                    self.mailbox.retain(|mail| !forgotten(mail));
                }
                Act::Vault(
                    _,
                    ToVault::Inbound {
                        ticket, delivery, ..
                    },
                ) => {
                    let delivery = number(delivery);
                    let outcome = if self.applied.contains(&delivery) {
                        Delivered::Applied
                    } else {
                        takes(&self.applied, delivery)
                    };
                    if outcome == Delivered::Applied && !self.applied.contains(&delivery) {
                        self.applied.push(delivery);
                    }
                    acts.extend(self.world.received(1, ticket, outcome));
                }
                _ => {}
            }
        }
    }

    fn unlock(&mut self, takes: impl Fn(&[u16], u16) -> Delivered) {
        let acts = unlock(&mut self.world);
        self.play(acts, takes);
    }

    /// Lets ticks pass until everything that rests was tried again.
    fn rest(&mut self, takes: impl Fn(&[u16], u16) -> Delivered) {
        for _ in 0..=LONG {
            let acts = self.world.tick(1);
            self.play(acts, &takes);
        }
    }
}

#[test]
fn a_full_page_that_needs_what_is_behind_it_is_passed_by_and_given_again() {
    let mut played = Played::with(65);

    played.unlock(
        |applied, number| match number == 65 || applied.contains(&65) {
            true => Delivered::Applied,
            false => BUSY,
        },
    );

    let order: Vec<u16> = [65].into_iter().chain(1..=64).collect();
    assert_eq!(played.applied, order);
    assert_eq!((played.mailbox.len(), played.reads), (0, 4));
}

#[test]
fn what_is_held_stays_with_the_host_and_all_around_it_is_forgotten() {
    let mut played = Played::with(6);
    let request = page_request(&unlock(&mut played.world)).expect("asks");
    let page = played.mailbox.clone();
    played.world.page(request, &page).expect("asked");
    let out = handed(&played.world.acts(), 1);

    let never = Delivered::Refused(NotTaken::Never);
    let outcomes = [never, BUSY, BUSY, Delivered::Stored, BUSY, never];
    let mut acts = Vec::new();
    for ((ticket, _), outcome) in out.into_iter().zip(outcomes) {
        acts = played.world.received(1, ticket, outcome);
    }

    assert_eq!(dropped(&acts), [(0, 1), (3, 4), (5, 6)]);
    assert_eq!(asked_behind(&acts), Some(6));
}

#[test]
fn what_finds_no_room_in_a_full_vault_is_not_forgotten() {
    let mut played = Played::with(2);

    played.unlock(|_, _| Delivered::Refused(NotTaken::Full));
    assert_eq!(played.mailbox.len(), 2);
    played.rest(|_, _| Delivered::Applied);

    assert_eq!(
        (played.mailbox.len(), &played.applied[..]),
        (0, &[1, 2][..])
    );
}

#[test]
fn what_comes_later_goes_to_a_vault_that_holds_something_and_makes_it_be_tried_again() {
    let mut played = Played::with(1);
    let offered = Cell::new(0);
    let refuse = |_: &[u16], _| {
        offered.set(offered.get() + 1);
        BUSY
    };
    played.unlock(refuse);
    for (pause, times) in [(4, 2), (8, 3), (16, 4)] {
        for _ in 1..pause {
            assert_eq!(played.world.tick(1), []);
        }
        let acts = played.world.tick(1);
        played.play(acts, refuse);
        assert_eq!(offered.get(), times);
    }

    played.world.hear_peer(PEER, deliver(6, 9));
    let [(ticket, nine)] = handed(&played.world.acts(), 1)[..] else {
        panic!("handed over");
    };
    assert_eq!(nine, id(9));
    let told = [Act::Peer(PEER, answer(9, Delivered::Applied))];
    assert_eq!(played.world.received(1, ticket, Delivered::Applied), told);

    for _ in 0..4 {
        let acts = played.world.tick(1);
        played.play(acts, |_, _| Delivered::Applied);
    }
    assert_eq!((played.mailbox.len(), &played.applied[..]), (0, &[1][..]));
}

#[test]
fn what_never_becomes_possible_is_tried_ever_less_often_a_page_at_a_time() {
    let mut played = Played::with(1_000);
    played.unlock(|_, _| BUSY);
    // All pages and the end.
    assert_eq!(played.reads, 17);

    let mut reads = Vec::new();
    for _ in 0..4_000 {
        let before = played.reads;
        let acts = played.world.tick(1);
        played.play(acts, |_, _| BUSY);
        reads.push(played.reads - before);
    }

    assert_eq!(played.mailbox.len(), 1_000);
    // At the end of the mailbox the first page follows at once.
    assert!(reads.iter().all(|read| *read <= 2), "a page at once");
    assert!(reads.iter().sum::<usize>() < 25);
}

#[test]
fn little_overtakes_what_is_held() {
    // The first two wait for 10, and everything else is taken.
    let mut played = Played::with(300);

    played.unlock(
        |applied, number| match number > 2 || applied.contains(&10) {
            true => Delivered::Applied,
            false => BUSY,
        },
    );

    let overtaken = played.applied.iter().position(|number| *number == 1);
    assert_eq!(overtaken, Some(limits::MAIL_PAGE - 2));
    assert_eq!((played.mailbox.len(), played.applied.len()), (0, 300));
}

#[test]
fn a_process_without_room_is_given_the_rest_of_the_page_again_and_nothing_behind_it() {
    let mut played = Played::with(70);
    let request = page_request(&unlock(&mut played.world)).expect("asks");
    let page = played.mailbox[..limits::MAIL_PAGE].to_vec();
    played.world.page(request, &page).expect("asked");
    let out = handed(&played.world.acts(), 1);

    let mut acts = Vec::new();
    for (at, (ticket, _)) in (1..).zip(out) {
        acts = if at == 5 || at == 7 {
            let slot = Slot::new(1);
            let heard = played
                .world
                .with(|courier, cx| courier.unheard(slot, ticket, cx));
            heard.expect("given out");
            played.world.acts()
        } else {
            played.world.received(1, ticket, Delivered::Applied)
        };
    }

    assert_eq!(dropped(&acts), [(0, 4), (5, 6), (7, 64)]);
    assert_eq!(asked_behind(&acts), None);
    assert_eq!(asked_behind(&played.world.tick(1)), Some(4));
}

#[test]
fn what_arrives_in_the_mailbox_while_its_last_page_is_on_its_way_is_read() {
    let mut world = World::new();
    let request = page_request(&unlock(&mut world)).expect("asks");
    world.hear_peer(PEER, deliver(6, 1));
    let (put, bytes) = put_request(&world.acts()).expect("into the mailbox");
    // The page was read before, and is answered after, what is new was stored.
    world.stored(put, MailOutcome::Stored).expect("asked");
    world.acts();

    world.page(request, &[]).expect("asked");

    let request = page_request(&world.acts()).expect("reads once more");
    world
        .page(request, &[Mail { number: 1, bytes }])
        .expect("asked");
    assert_eq!(handed(&world.acts(), 1).len(), 1);
}

#[test]
fn whoever_keeps_something_on_its_way_into_a_mailbox_keeps_nobody_from_the_vault() {
    let mut world = World::new();
    let mut acts = unlock(&mut world);
    let mut under_way = VecDeque::new();
    let mut into_mailbox = 0;
    for number in 0..100 {
        world.hear_peer(PEER, deliver(6, number));
        let came = world.acts();
        if handed(&came, 1).len() == 1 {
            break;
        }
        under_way.push_back(put_request(&came).expect("into the mailbox").0);
        into_mailbox += 1;
        if let Some(request) = page_request(&acts) {
            world.page(request, &[]).expect("asked");
            world.acts();
        }
        // The host is always one behind.
        if under_way.len() > 1 {
            let put = under_way.pop_front().expect("one");
            world.stored(put, MailOutcome::Stored).expect("asked");
            acts = world.acts();
        }
    }

    assert!(into_mailbox < 30, "{into_mailbox}");
}

#[test]
fn a_vault_that_ends_with_something_held_is_given_it_again_when_it_is_unlocked() {
    let mut played = Played::with(3);
    played.unlock(|_, number| {
        if number == 2 {
            BUSY
        } else {
            Delivered::Applied
        }
    });
    assert_eq!(played.mailbox.len(), 1);
    played
        .world
        .with(|courier, cx| courier.ended(Slot::new(1), cx));
    played.world.acts();

    played.unlock(|_, _| Delivered::Applied);

    assert_eq!(
        (played.mailbox.len(), &played.applied[..]),
        (0, &[1, 3, 2][..])
    );
}

#[test]
fn a_host_that_goes_back_behind_what_was_passed_by_is_out_of_turn() {
    let mut played = Played::with(70);
    let request = page_request(&unlock(&mut played.world)).expect("asks");
    let page = played.mailbox[..limits::MAIL_PAGE].to_vec();
    played.world.page(request, &page).expect("asked");
    let mut acts = Vec::new();
    for (ticket, _) in handed(&played.world.acts(), 1) {
        acts = played.world.received(1, ticket, BUSY);
    }
    let request = page_request(&acts).expect("reads on");

    assert_eq!(played.world.page(request, &page), Err(OutOfTurn));
}

#[test]
fn a_mailbox_that_never_ends_takes_no_more_memory_than_one_page() {
    let mut played = Played::with(1);
    let bytes = played.mailbox[0].bytes.clone();
    let mut acts = unlock(&mut played.world);
    let mut number = 0;
    for round in 0..500_u32 {
        let request = page_request(&acts).expect("reads on");
        let items: Vec<_> = (0..limits::MAIL_PAGE)
            .map(|_| {
                number += 1;
                let bytes = bytes.clone();
                Mail { number, bytes }
            })
            .collect();
        played.world.page(request, &items).expect("asked");
        let out = handed(&played.world.acts(), 1);
        assert_eq!(out.len(), limits::MAIL_PAGE);
        assert_eq!(played.world.courier.tickets.len(), limits::MAIL_PAGE);
        for (ticket, _) in out {
            // Now and then it says that it has applied something, so that reading begins again.
            let outcome = if round % 7 == 6 {
                Delivered::Applied
            } else {
                BUSY
            };
            acts = played.world.received(1, ticket, outcome);
        }
        let asked = acts
            .iter()
            .filter(|act| page_request(std::slice::from_ref(*act)).is_some());
        assert_eq!(asked.count(), 1, "one question at a time");
    }
    assert_eq!(played.world.courier.tickets.len(), 0);
}

/// Everything that can be taken is taken and forgotten, and nothing else, whatever waits for what.
#[test]
fn whatever_waits_for_whatever_all_that_can_be_taken_is() {
    for seed in 1..=60_u64 {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            (state >> 33) % below
        };
        let count = u16::try_from(1 + random(400)).expect("small");
        // A third waits for another one, before or behind it; 0 and what is beyond never comes.
        let needs: BTreeMap<u16, u16> = (1..=count)
            .filter_map(|one| {
                let other = u16::try_from(random(u64::from(count) + 2)).expect("small");
                (random(3) == 0).then_some((one, other))
            })
            .collect();
        let mut played = Played::with(count);
        let takes = |applied: &[u16], number: u16| match needs.get(&number) {
            Some(other) if !applied.contains(other) => BUSY,
            _ => Delivered::Applied,
        };

        played.unlock(takes);
        for _ in 0..8 {
            played.rest(takes);
        }

        let mut possible: Vec<u16> = Vec::new();
        while let Some(next) = (1..=count)
            .find(|one| !possible.contains(one) && takes(&possible, *one) == Delivered::Applied)
        {
            possible.push(next);
        }
        possible.sort_unstable();
        let mut applied = played.applied.clone();
        applied.sort_unstable();
        assert_eq!(applied, possible, "seed {seed}");
        let left = usize::from(count) - possible.len();
        assert_eq!(played.mailbox.len(), left, "seed {seed}");
    }
}
