//! Two nodes, an owner on each: how they meet and talk, over real processes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::raw::Fault;
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{self, Connection, State};
use vettid_wire::operation::invitation::{self, Card, CardField};
use vettid_wire::operation::message::{self, Conversation, Message, Receipt};
use vettid_wire::refusal::Code;

/// An owner and how it knows the other one.
struct Side {
    node: Node,
    owner: Owner,
    connection: ConnectionId,
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

fn the_only(owner: &mut Owner) -> Option<Connection> {
    let list = connection::List {
        state: None,
        archived: false,
        tag: None,
        after: None,
        limit: None,
    };
    owner.call(&list).expect("listed").connections.pop()
}

/// Waits until a connection is as wanted.
fn until(owner: &mut Owner, what: &str, wanted: impl Fn(&Connection) -> bool) -> Connection {
    wait::until(what, || the_only(owner).filter(|found| wanted(found)))
}

fn approve(side: &mut Side) {
    let id = side.connection;
    side.owner
        .call(&connection::Approve { id })
        .expect("approved");
}

fn say(side: &mut Side, text: &str) {
    let send = message::Send {
        conversation: Conversation::Connection(side.connection),
        text: Secret::from(text),
        reply_to: None,
        attachments: vec![],
        disappear_after: None,
    };
    side.owner.call(&send).expect("sent");
}

fn messages(side: &mut Side) -> Vec<Message> {
    let list = message::List {
        conversation: Conversation::Connection(side.connection),
        from: message::From::Newest,
        limit: None,
    };
    let mut messages = side.owner.call(&list).expect("listed").messages;
    messages.sort_by_key(|message| message.sequence);
    messages
}

fn texts(messages: &[Message]) -> Vec<String> {
    let text = |message: &Message| {
        let text = message.text.as_ref().expect("a text");
        text.expose(|text| String::from_utf8(text.to_vec()).expect("UTF-8"))
    };
    messages.iter().map(text).collect()
}

/// Waits until a side has these texts.
fn arrives(side: &mut Side, wanted: &[&str]) -> Vec<Message> {
    wait::until("what was said arrives", || {
        let found = messages(side);
        (texts(&found) == wanted).then_some(found)
    })
}

/// Two owners on two nodes who have met, and the digits that each saw.
fn met() -> (Side, Side) {
    let mut here = Node::federated();
    let mut there = Node::beside(&here);
    here.start();
    there.start();
    let (mut ada, mut ben) = (Owner::enrolled(&here), Owner::enrolled(&there));
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
        alias: Some("Ada".into()),
    };
    let id = ben.call(&accept).expect("accepted").connection;

    let pending = |found: &Connection| found.state == State::Pending;
    let at_ben = until(&mut ben, "the vaults have met", pending);
    let at_ada = until(&mut ada, "the vaults have met", pending);
    assert_eq!(at_ben.id, id);
    assert!(at_ada.safety_code.is_some());
    assert_eq!(at_ada.safety_code, at_ben.safety_code);
    assert_eq!((at_ada.card, at_ben.card), (card("Ben"), card("Ada")));
    let (ada, ben) = (
        Side {
            node: here,
            owner: ada,
            connection: at_ada.id,
        },
        Side {
            node: there,
            owner: ben,
            connection: at_ben.id,
        },
    );
    (ada, ben)
}

fn connected() -> (Side, Side) {
    let (mut ada, mut ben) = met();
    approve(&mut ada);
    approve(&mut ben);
    for side in [&mut ada, &mut ben] {
        until(&mut side.owner, "both have approved", |found| {
            found.state == State::Active
        });
    }
    (ada, ben)
}

#[test]
fn owners_on_two_nodes_meet_compare_digits_approve_and_talk() {
    let (mut ada, mut ben) = connected();

    say(&mut ada, "are you there?");
    arrives(&mut ben, &["are you there?"]);
    say(&mut ben, "I am");
    let all = arrives(&mut ada, &["are you there?", "I am"]);

    assert!(
        all[0].receipt >= Some(Receipt::Delivered),
        "{:?}",
        all[0].receipt
    );
    assert_eq!(
        all[1].from,
        Some(the_only(&mut ada.owner).expect("one").vault)
    );
}

#[test]
fn nothing_is_said_before_both_have_approved() {
    let (mut ada, mut ben) = met();
    approve(&mut ada);
    let send = message::Send {
        conversation: Conversation::Connection(ada.connection),
        text: Secret::from("too early"),
        reply_to: None,
        attachments: vec![],
        disappear_after: None,
    };

    match ada.owner.call(&send) {
        Err(Fault::Refused(refusal)) => assert_eq!(refusal.code, Code::NotConnected),
        other => panic!("{other:?}"),
    }
    assert_eq!(messages(&mut ben).len(), 0);
}

#[test]
fn what_is_said_to_a_closed_vault_on_a_killed_node_waits_for_it() {
    let (mut ada, mut ben) = connected();
    ben.node.kill_all();
    for text in ["one", "two", "three"] {
        say(&mut ada, text);
    }

    ben.node.start();
    ben.owner.come_back();

    arrives(&mut ben, &["one", "two", "three"]);
}
