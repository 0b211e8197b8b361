//! Two real enclave processes: sessions between them, deliveries between their vault processes,
//! mailboxes; hosts and vault processes that lie.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod rig;

use rig::net::{Net, vault_id};
use rig::{Device, Rig, space};
use vettid_wire::cbor;
use vettid_wire::home;
use vettid_wire::id::DeliveryId;
use vettid_wire::link::federation::{MailOutcome, NotAdmitted, Side, ToEnclave};
use vettid_wire::link::{Closed, Entry, FromHost};
use vettid_wire::network::{Network, SignedNetwork};
use vettid_wire::peer::{Delivered, NotTaken};

/// What a sending vault is told about a delivery.
fn done(delivery: DeliveryId, outcome: Delivered) -> Vec<u8> {
    [b"done..", &delivery.0[..], &cbor::encode(&outcome)].concat()
}

/// What a receiving vault tells its sessions.
fn got(number: u8) -> Vec<u8> {
    [b"got...", &[number; 16][..], &[number; 2_000][..]].concat()
}

fn close(net: &mut Net, node: usize, number: u8) {
    let space = space(number);
    net.nodes[node].rig.send(&FromHost::Close { space });
    assert_eq!(net.nodes[node].rig.closed(space), Closed::Asked);
}

/// Opens a vault's process again and unlocks it.
fn reopen(net: &mut Net, node: usize, number: u8) -> Device {
    let rig = &mut net.nodes[node].rig;
    rig.open(space(number), Entry::Existing);
    let mut device = Device::open(rig, space(number), 1);
    net.unlock(node, &mut device, number);
    device
}

#[test]
fn two_enclaves_admit_each_other_through_their_hosts() {
    let net = Net::connected();

    assert_eq!(net.nodes[0].admitted, [(1, net.id(1))]);
    assert_eq!(net.nodes[1].admitted, [(1, net.id(0))]);
}

#[test]
fn vaults_of_two_nodes_reach_each_other_both_ways() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(1, 6);

    let there = net.send(0, &mut a, (1, 6), 1);
    net.offer(0);
    assert_eq!(net.news(1, &mut b, b"got..."), got(1));
    assert_eq!(
        net.news(0, &mut a, b"done.."),
        done(there, Delivered::Applied)
    );
    let back = net.send(1, &mut b, (0, 5), 2);
    net.offer(1);
    assert_eq!(net.news(0, &mut a, b"got..."), got(2));
    assert_eq!(
        net.news(1, &mut b, b"done.."),
        done(back, Delivered::Applied)
    );

    net.until(|net| net.nodes.iter().all(|node| node.spool.is_empty()));
}

#[test]
fn what_a_host_has_not_stored_is_handed_on_again_while_its_vault_stays_open() {
    let mut net = Net::two();
    let mut a = net.unlocked(0, 5);
    let delivery = net.send(0, &mut a, (1, 6), 1);
    net.nodes[0].spool.clear();

    net.nodes[0].say(ToEnclave::Unkept { space: space(5) });

    net.until(|net| {
        let mut spool = net.nodes[0].spool.iter();
        spool.any(|kept| kept.delivery == delivery)
    });
}

#[test]
fn without_a_session_the_node_is_dialed_and_what_waits_is_carried_then() {
    let mut net = Net::two();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(1, 6);
    net.send(0, &mut a, (1, 6), 1);

    net.offer(0);
    net.until(|net| !net.nodes[0].admitted.is_empty());
    net.offer(0);

    assert_eq!(net.news(1, &mut b, b"got..."), got(1));
}

#[test]
fn what_comes_for_a_closed_vault_waits_and_is_there_in_order_when_it_is_unlocked() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let b = net.unlocked(1, 6);
    drop(b);
    close(&mut net, 1, 6);
    for number in 1..=70 {
        net.send(0, &mut a, (1, 6), number);
    }

    net.offer(0);
    for number in 1..=70 {
        let stored = done(DeliveryId([number; 16]), Delivered::Stored);
        assert_eq!(net.news(0, &mut a, b"done.."), stored);
    }
    assert_eq!(net.nodes[1].waiting(), 70);
    let mut b = reopen(&mut net, 1, 6);
    net.until(|net| net.nodes[1].waiting() == 0);

    let (_, taken) = b.call(&mut net.nodes[1].rig, b"taken.");
    let taken = loop_past_news(&mut net, &mut b, taken);
    let expected: Vec<u8> = (1..=70).flat_map(|number| [number; 16]).collect();
    assert_eq!(taken, expected);
    // From now on it gets what comes directly.
    net.send(0, &mut a, (1, 6), 80);
    net.offer(0);
    assert_eq!(net.news(1, &mut b, b"got..."), got(80));
}

#[test]
fn a_full_page_that_waits_for_what_is_behind_it_keeps_nothing_from_its_vault() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    drop(net.unlocked(1, 6));
    close(&mut net, 1, 6);
    // The scripted vault takes none of these before the last.
    let numbers: Vec<u8> = (180..244).chain([255]).collect();
    for number in &numbers {
        net.send(0, &mut a, (1, 6), *number);
    }
    net.offer(0);
    net.until(|net| net.nodes[1].waiting() == 65);

    let mut b = reopen(&mut net, 1, 6);
    net.until(|net| net.nodes[1].waiting() == 0);

    let (_, taken) = b.call(&mut net.nodes[1].rig, b"taken.");
    let taken = loop_past_news(&mut net, &mut b, taken);
    let expected = [255].into_iter().chain(180..244);
    let expected: Vec<u8> = expected.flat_map(|number| [number; 16]).collect();
    assert_eq!(taken, expected);
}

/// The reply, when news of the drained mailbox came before it.
fn loop_past_news(net: &mut Net, device: &mut Device, mut message: Vec<u8>) -> Vec<u8> {
    while message.starts_with(b"got...") {
        message = device.hear(&mut net.nodes[1].rig).1;
    }
    message
}

#[test]
fn vaults_of_one_node_reach_each_other_without_a_session() {
    let mut net = Net::two();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(0, 6);

    let sent = net.send(0, &mut a, (0, 6), 1);
    net.offer(0);

    assert_eq!(net.news(0, &mut b, b"got..."), got(1));
    assert_eq!(
        net.news(0, &mut a, b"done.."),
        done(sent, Delivered::Applied)
    );
    assert!(net.nodes[0].admitted.is_empty());
}

#[test]
fn a_sender_that_was_closed_meanwhile_learns_the_outcome_when_it_is_unlocked() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(1, 6);
    let sent = net.send(0, &mut a, (1, 6), 1);
    close(&mut net, 0, 5);

    net.offer(0);
    assert_eq!(net.news(1, &mut b, b"got..."), got(1));
    net.until(|net| net.nodes[0].spool.is_empty() && net.nodes[0].waiting() == 1);
    let mut a = reopen(&mut net, 0, 5);

    assert_eq!(
        net.news(0, &mut a, b"done.."),
        done(sent, Delivered::Applied)
    );
}

#[test]
fn refusals_end_a_delivery_or_have_it_offered_again() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(1, 6);
    b.call(&mut net.nodes[1].rig, b"refusebusy");
    let sent = net.send(0, &mut a, (1, 6), 1);

    net.offer(0);
    b.call(&mut net.nodes[1].rig, b"refusenever");
    net.until(|net| {
        net.offer(0);
        net.nodes[0].spool.is_empty()
    });

    let never = Delivered::Refused(NotTaken::Never);
    assert_eq!(net.news(0, &mut a, b"done.."), done(sent, never));
}

#[test]
fn a_vault_that_is_at_no_node_it_was_said_to_be_is_looked_up() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(0, 6);
    // It is at this node; the sender was told the other one.
    let sent = net.send(0, &mut a, (1, 6), 1);

    net.until(|net| {
        net.offer(0);
        net.nodes[0].spool.is_empty()
    });

    assert_eq!(net.news(0, &mut b, b"got..."), got(1));
    assert_eq!(
        net.news(0, &mut a, b"done.."),
        done(sent, Delivered::Applied)
    );
}

#[test]
fn a_process_that_claims_the_home_of_another_vault_gets_nothing_of_it() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    net.unlocked(1, 6);
    close(&mut net, 1, 6);
    let mut thief = net.vault(1, 7);
    // Its own identity, with the genuine home record of vault 6.
    thief.call(&mut net.nodes[1].rig, b"home..\x07\x06");
    net.until(|net| {
        let logged = net.nodes[1].rig.logged();
        logged.contains(&"home of a vault refused".to_owned())
    });

    net.send(0, &mut a, (1, 6), 1);
    net.offer(0);

    let stored = done(DeliveryId([1; 16]), Delivered::Stored);
    assert_eq!(net.news(0, &mut a, b"done.."), stored);
    assert!(!net.nodes[1].spaces.contains_key(&space(7)));
    assert_eq!(net.nodes[1].waiting(), 1);
}

#[test]
fn a_home_is_found_by_those_who_know_the_vault_and_names_where_the_node_is() {
    let mut net = Net::two();
    let addresses = vec!["/ip4/192.0.2.7/tcp/4001".to_owned()];
    let mut device = net.vault(0, 5);
    net.nodes[0].say(ToEnclave::Reachable {
        addresses: addresses.clone(),
    });
    let (_, told) = device.call(&mut net.nodes[0].rig, b"where.");
    assert_eq!(told, addresses[0].as_bytes());

    net.unlock(0, &mut device, 5);

    assert_ne!(home::location(&vault_id(5)), vault_id(5).0);
    assert_eq!(net.nodes[0].spaces.len(), 1);
}

#[test]
fn a_peer_whose_host_is_not_the_attested_one_is_refused() {
    let mut net = Net::two();
    net.nodes[0].peer = vec![9; 38];

    net.connect(0, 1);

    net.until(|net| !net.nodes[1].refused.is_empty());
    assert_eq!(net.nodes[1].refused, [(1, NotAdmitted::Identity)]);
    assert!(net.nodes.iter().all(|node| node.admitted.is_empty()));
}

fn newer(rig: &Rig, change: impl FnOnce(&mut Network)) -> Vec<u8> {
    let (network, governance) = &rig.signed;
    let mut network = network.clone();
    network.epoch += 1;
    change(&mut network);
    cbor::encode(&SignedNetwork(vec![network.sign(governance)]))
}

#[test]
fn a_newer_network_file_ends_all_sessions_and_new_ones_are_under_it() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let file = newer(&net.nodes[0].rig, |_| {});

    for node in &mut net.nodes {
        node.say(ToEnclave::Network(file.clone()));
    }

    net.until(|net| net.nodes.iter().all(|node| !node.refused.is_empty()));
    assert_eq!(net.nodes[0].refused, [(1, NotAdmitted::Replaced)]);
    assert!(a.is_reset(&mut net.nodes[0].rig));
    net.connect(1, 0);
    net.until(|net| net.nodes.iter().all(|node| node.admitted.len() == 2));
    // Devices that know the newer file come in again.
    let rig = &mut net.nodes[0].rig;
    let network = SignedNetwork::verify(&file).expect("network");
    rig.verifier.policy = vettid_attestation::Policy::of_network(&network).expect("policy");
    let mut again = Device::open(rig, space(5), 2);
    assert!(again.echoes(rig));
}

#[test]
fn a_network_file_that_is_older_foreign_or_unsigned_changes_nothing() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let rig = &net.nodes[0].rig;
    let foreign = newer(rig, |network| network.threshold = 0);
    let files = [
        newer(rig, |network| network.epoch -= 1),
        foreign,
        newer(rig, |network| network.release_floor = 99),
        b"no file".to_vec(),
    ];
    for (number, file) in (1..).zip(files) {
        net.nodes[0].say(ToEnclave::Network(file));
        net.until(|net| {
            let logged = net.nodes[0].rig.logged();
            let refused = logged.iter().filter(|line| *line == "network file refused");
            refused.count() == number
        });
    }

    assert!(net.nodes[0].refused.is_empty());
    assert!(a.echoes(&mut net.nodes[0].rig));
}

#[test]
fn a_host_that_answers_what_was_never_asked_or_names_unknown_links_is_cut_off() {
    let lies = [
        ToEnclave::Frame {
            link: 1,
            bytes: vec![0; 100],
        },
        ToEnclave::Closed { link: 7 },
        ToEnclave::MailStored {
            request: 1,
            outcome: MailOutcome::Stored,
        },
        ToEnclave::MailPage {
            request: 9,
            items: vec![],
        },
        ToEnclave::Homes {
            request: 1,
            records: vec![],
        },
        ToEnclave::Reachable {
            addresses: vec![String::new(); 9],
        },
        ToEnclave::Open {
            link: 0,
            peer: vec![1; 38],
            node: vettid_wire::id::NodeId([1; 32]),
            side: Side::Initiator,
        },
    ];
    for lie in lies {
        let mut rig = Rig::start();

        rig.send(&FromHost::Federation(lie.clone()));

        assert_eq!(rig.exit_code(), Some(3), "{lie:?}");
    }
}

#[test]
fn what_a_host_alters_swaps_or_replays_reaches_no_vault_twice_or_wrongly() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    let mut b = net.unlocked(1, 6);
    net.send(0, &mut a, (1, 6), 1);
    let kept = net.nodes[0].spool[0].clone();
    net.offer(0);
    assert_eq!(net.news(1, &mut b, b"got..."), got(1));
    net.until(|net| net.nodes[0].spool.is_empty());

    // Replayed after it was settled, altered, and as another delivery.
    let mut altered = kept.bytes.clone();
    altered[100] ^= 1;
    for (delivery, bytes) in [
        (kept.delivery, kept.bytes.clone()),
        (DeliveryId([2; 16]), altered),
        (DeliveryId([3; 16]), kept.bytes.clone()),
    ] {
        let lane = kept.lane;
        net.nodes[0].say(ToEnclave::Due {
            lane,
            delivery,
            bytes,
        });
    }
    net.until(|net| {
        let logged = net.nodes[0].rig.logged();
        let altered = logged.iter().filter(|line| line.contains("altered"));
        altered.count() == 2
    });

    // The vault knows what it has.
    let sent = net.send(0, &mut a, (1, 6), 4);
    net.offer(0);
    assert_eq!(net.news(1, &mut b, b"got..."), got(4));
    let _ = sent;
    let (_, taken) = b.call(&mut net.nodes[1].rig, b"taken.");
    assert_eq!(taken, [[1; 16], [4; 16]].concat());
}

#[test]
fn the_mail_of_one_vault_in_the_mailbox_of_another_reaches_nobody() {
    let mut net = Net::connected();
    let mut a = net.unlocked(0, 5);
    for number in [6, 7] {
        net.unlocked(1, number);
        close(&mut net, 1, number);
    }
    net.send(0, &mut a, (1, 6), 1);
    net.send(0, &mut a, (1, 7), 2);
    net.offer(0);
    net.until(|net| net.nodes[1].waiting() == 2);
    // The host exchanges the two mailboxes.
    let names: Vec<_> = net.nodes[1].mailboxes.keys().copied().collect();
    let first = net.nodes[1].mailboxes.remove(&names[0]).expect("one");
    let second = net.nodes[1].mailboxes.insert(names[1], first).expect("two");
    net.nodes[1].mailboxes.insert(names[0], second);

    let mut b = reopen(&mut net, 1, 6);

    net.until(|net| {
        let logged = net.nodes[1].rig.logged();
        logged.iter().any(|line| line.contains("altered"))
    });
    let (_, taken) = b.call(&mut net.nodes[1].rig, b"taken.");
    assert!(taken.is_empty() || taken == b"taken.");
}
