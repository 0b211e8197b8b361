//! A vault whose node is reached now here, now there.

use vettid_wire::id::ConnectionId;
use vettid_wire::time::MINUTE;

use crate::KnownHome;
use crate::connect::Known;
use crate::fixture::Net;

/// Two owners with a connection; the second cannot be reached now.
fn parted() -> (Net, ConnectionId) {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let away = net.owners[1].vault_id;
    net.cut_off.insert(away);
    (net, id)
}

/// Where the second owner knows the first to be.
fn known(net: &mut Net, id: ConnectionId) -> KnownHome {
    let view = net.owners[1].vault.database().view();
    let found = view.connection(&id).expect("read").expect("there");
    Known::decode(&found.home).expect("a home").handed_on()
}

#[test]
fn contact_that_is_away_hears_of_a_flapping_place_once_and_of_the_newest_when_it_is_back() {
    let (mut net, id) = parted();
    for change in 0..5_000_u16 {
        let address = if change % 2 == 0 { 11 } else { 12 };
        net.owners[0].place_at(1, address);
        if change % 500 == 0 {
            net.advance(MINUTE);
            net.tick();
        }
    }
    let outbox = net.owners[0].vault.database().view().count_outbox();
    assert_eq!(outbox, Ok(1));
    let away = net.owners[1].vault_id;
    let to_it = net.on_the_way().into_iter().filter(|it| it.to == away);
    assert_eq!(to_it.count(), 1);
    let newest = net.owners[0].home.clone().expect("a home");

    net.cut_off.clear();
    net.run();
    net.advance(MINUTE);
    net.tick();
    net.run();

    assert_eq!(known(&mut net, id), KnownHome::Record(newest));
    let outbox = net.owners[0].vault.database().view().count_outbox();
    assert_eq!(outbox, Ok(0));
}

#[test]
fn contact_for_whom_much_waits_hears_of_a_place_once_there_is_room() {
    let (mut net, id) = parted();
    for number in 0..300 {
        net.owners[0].say(id, &number.to_string());
    }

    net.owners[0].place_at(1, 11);

    let outbox = net.owners[0].vault.database().view().count_outbox();
    assert_eq!(outbox, Ok(300));
    let newest = net.owners[0].home.clone().expect("a home");
    net.cut_off.clear();
    net.run();
    net.advance(MINUTE);
    net.tick();
    net.run();
    assert_eq!(known(&mut net, id), KnownHome::Record(newest));
}

#[test]
fn what_waits_is_handed_on_again_at_the_first_place_after_an_unlock_alone() {
    let (mut net, id) = parted();
    net.owners[0].say(id, "waits");
    let owner = &mut net.owners[0];
    owner.reopen();
    owner.unlock().expect("unlocked");
    owner.outbound.clear();

    owner.place_at(1, 11);

    let handed_on = std::mem::take(&mut owner.outbound);
    assert_eq!(handed_on.len(), 2);
    owner.place_at(1, 12);
    assert!(owner.outbound.is_empty());
}

#[test]
fn what_was_not_stored_is_handed_on_again_when_asked_for() {
    let (mut net, id) = parted();
    let owner = &mut net.owners[0];
    owner.say(id, "not stored");
    owner.outbound.clear();

    owner.hand_on();

    assert_eq!(owner.outbound.len(), 1);
}
