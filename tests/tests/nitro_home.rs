//! The home node with its enclave in a booted image: the same system around a program whose documents
//! a development root signs.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use serde_json::json;
use vettid_tests::booted::{NEXT_RELEASE, Network};
use vettid_tests::owner::Owner;
use vettid_tests::release::Keeper;
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::operation::connection::{self, Connection};
use vettid_wire::operation::invitation::{self, Card, CardField};

#[test]
fn supervisor_of_an_open_vault_takes_at_most_24_mib() {
    let network = Network::of_image();
    let home = network.first();
    let _owner = Owner::enrolled(&home.node);

    let supervisor = home.supervisor_memory();

    assert!(supervisor > 0.0, "it was told");
    assert!(supervisor <= 24.0 * 1024.0 * 1024.0, "{supervisor} bytes");
}

#[test]
fn what_an_owner_keeps_is_there_after_the_machine_has_lost_its_power() {
    let network = Network::of_image();
    let mut home = network.first();
    let mut owner = Owner::enrolled(&home.node);
    let kept = owner.put("note", "seven brass otters").expect("kept");
    let critical = owner.put_critical("key", "of the boat").expect("kept");

    assert_eq!(home.key_service.asked(), ["CreateKey", "GenerateDataKey"]);

    home.reboot();
    home.node.wait_until_healthy();
    owner.come_back();

    let used = ["DescribeKey", "GetKeyPolicy", "ListGrants", "Decrypt"];
    assert_eq!(home.key_service.asked(), used);
    assert_eq!(owner.value(kept.id).expect("kept"), "seven brass otters");
    let again = owner.critical_value(critical.id).expect("kept");
    assert_eq!(again, "of the boat");
}

#[test]
fn a_vault_moves_from_one_image_to_the_next_with_its_owners_approval_and_never_back() {
    let network = Network::of_image();
    let mut home = network.first();
    let place = tempfile::tempdir().expect("a folder");
    let (ada, ben) = (place.path().join("ada"), place.path().join("ben"));
    let ada = Keeper::enrolled(&home.node, &ada);
    let ben = Keeper::enrolled(&home.node, &ben);
    let identity = home.node.expect(&["status"])["node"].clone();
    network.accept_next();
    let file = network.file();
    let file = file.to_str().expect("text");
    home.node.expect(&["network", "join", file]);

    let mut next = network.machine_of_next(&home);
    let link = next.link();
    let told = home
        .node
        .expect(&["release", "prepare", "--enclave", &link]);
    assert_eq!(told["accepted"], json!(true), "{told}");
    next.wait_for_end();
    home.reboot();
    home.node.wait_until_healthy();
    ada.unlock().expect("unlocked");
    let old = Keeper(ada.0.copied(&place.path().join("ada before the move")));
    ada.approve(NEXT_RELEASE);

    let next = network.machine_of_next(&home);
    let mut first = home.serve_with(next);

    ada.unlock().expect("moved");
    assert!(ada.has_note());
    assert_eq!(ben.unlock(), Err("other-release".to_owned()));
    assert_eq!(home.node.expect(&["status"])["node"], identity);
    // Each release has a key of its own, made at its first boot.
    let asked = home.key_service.asked();
    let keys = asked.iter().filter(|call| *call == "CreateKey").count();
    assert_eq!(keys, 2, "{asked:?}");

    first.start();
    first.heartbeat();
    home.serve_with(first);
    assert_eq!(ada.unlock(), Err("older-release".to_owned()));
    // Nor does it open for an app that does not remember.
    assert_eq!(old.unlock(), Err("other-release".to_owned()));
    ben.unlock().expect("the vault that stayed is served");
    assert!(ben.has_note());
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
