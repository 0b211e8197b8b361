//! The home node with its enclave in a booted image: the same system around a program whose documents
//! a development root signs.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::booted::Network;
use vettid_tests::owner::Owner;
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::operation::connection::{self, Connection};
use vettid_wire::operation::invitation::{self, Card, CardField};

#[test]
fn what_an_owner_keeps_is_there_after_the_machine_has_lost_its_power() {
    let network = Network::of_image();
    let mut home = network.first();
    let mut owner = Owner::enrolled(&home.node);
    let kept = owner.put("note", "seven brass otters").expect("kept");
    let critical = owner.put_critical("key", "of the boat").expect("kept");

    assert_eq!(home.key_service.asked(), ["CreateKey", "GenerateDataKey"]);

    home.machine.cut_power();
    home.machine.start();
    home.machine.heartbeat();
    home.node.wait_until_healthy();
    owner.come_back();

    let used = ["DescribeKey", "GetKeyPolicy", "ListGrants", "Decrypt"];
    assert_eq!(home.key_service.asked(), used);
    assert_eq!(owner.value(kept.id).expect("kept"), "seven brass otters");
    let again = owner.critical_value(critical.id).expect("kept");
    assert_eq!(again, "of the boat");
}

#[test]
fn owners_at_two_machines_meet_after_the_machines_have_admitted_each_other() {
    let network = Network::of_image();
    let (here, there) = (network.first(), network.second());
    let (mut ada, mut ben) = (Owner::enrolled(&here.node), Owner::enrolled(&there.node));
    let create = invitation::Create {
        class: Class::Remote,
        life: None,
        card: card("Ada"),
        label: None,
    };
    let link = ada.call(&create).expect("created").link;

    let accept = invitation::Accept {
        link,
        card: card("Ben"),
        alias: None,
    };
    ben.call(&accept).expect("accepted");

    let at_ben = wait::until("the vaults have met", || met(&mut ben));
    let at_ada = wait::until("the vaults have met", || met(&mut ada));
    assert_eq!(at_ada.safety_code, at_ben.safety_code);
    assert_eq!((at_ada.card, at_ben.card), (card("Ben"), card("Ada")));
    for home in [&here, &there] {
        let peers = home.node.expect(&["peer", "list"]);
        assert_eq!(peers["peers"][0]["path"], "direct", "{peers}");
    }
}

/// The owner's only connection, once the other side is known.
fn met(owner: &mut Owner) -> Option<Connection> {
    let list = connection::List {
        state: None,
        archived: false,
        tag: None,
        after: None,
        limit: None,
    };
    let found = owner.call(&list).expect("listed").connections.pop();
    found.filter(|found| found.safety_code.is_some())
}

fn card(name: &str) -> Card {
    let field = CardField {
        name: "name".into(),
        value: Secret::from(name),
    };
    Card {
        fields: vec![field],
    }
}
