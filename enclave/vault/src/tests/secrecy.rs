//! What those learn who carry what vaults say, and those who steal keys.

use vettid_wire::cbor;
use vettid_wire::content::Parcel;
use vettid_wire::operation::connection;
use vettid_wire::operation::message::{self, Conversation};
use vettid_wire::peer::Delivered;
use vettid_wire::time::HOUR;

use crate::fixture::{Net, Owner};
use crate::mls::{Mls, NotMls};

fn contains(body: &[u8], words: &str) -> bool {
    body.windows(words.len())
        .any(|part| part == words.as_bytes())
}

#[test]
fn nothing_of_a_card_or_message_is_readable_on_its_way() {
    let mut net = Net::of(2);
    let mut carried = Vec::new();
    let mut watch = |net: &mut Net| {
        loop {
            carried.extend(net.on_the_way());
            if !net.step() {
                break;
            }
        }
    };

    let link = net.owners[0].invite();
    let id = net.owners[1].accept(link).expect("accepted");
    watch(&mut net);
    for owner in &mut net.owners {
        owner.approve(id).expect("approved");
    }
    watch(&mut net);
    net.owners[0].say(id, "meet me at noon");
    watch(&mut net);

    assert_eq!(net.owners[1].lines(id), ["meet me at noon"]);
    assert!(carried.len() >= 7);
    for outbound in carried {
        for words in ["invited", "owner of", "meet me"] {
            assert!(!contains(&outbound.body, words), "{words}");
        }
    }
}

#[test]
fn profile_leaves_only_sealed_and_only_after_the_key_is_shown() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    net.owners[1].accept(link).expect("accepted");

    let first: Parcel = cbor::decode(&net.on_the_way()[0].body).expect("parcel");
    assert!(matches!(first, Parcel::Hello(_)));
    net.step();
    let second: Parcel = cbor::decode(&net.on_the_way()[0].body).expect("parcel");

    assert!(matches!(second, Parcel::Offer(_)));
    assert!(
        net.owners[0]
            .call(&connection::List {
                state: None,
                archived: false,
                tag: None,
                after: None,
                limit: None,
            })
            .expect("list")
            .connections
            .iter()
            .all(|connection| connection.card.fields.is_empty())
    );
}

#[test]
fn what_was_read_cannot_be_opened_with_the_keys_of_today() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    net.owners[1].say(id, "burn after reading");
    let sent = net.on_the_way().remove(0);
    net.run();
    let Ok(Parcel::Talk(talk)) = cbor::decode(&sent.body) else {
        panic!("no talk");
    };

    let heard = net.owners[0].forge(|on| {
        let channel = on.change.channel(&id).expect("row").expect("keys");
        let mls = Mls::of(on, id);
        mls.hear(&channel.mls, &talk.message, &|_, _| true, |_, _| false)
            .map(drop)
    });

    assert_eq!(heard, Err(NotMls::NotOpened));
}

#[test]
fn thief_of_a_vaults_state_reads_nothing_after_both_sides_have_renewed() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let mut thief = Owner::nth(1);
    thief.host = net.owners[0].host.clone();
    net.advance(2 * HOUR);
    net.owners[0]
        .call(&connection::Rotate { id })
        .expect("rotated");
    let mut carried = Vec::new();
    loop {
        carried.extend(net.on_the_way());
        if !net.step() {
            break;
        }
    }
    net.owners[1].say(id, "for the owner only");
    carried.extend(net.on_the_way());
    net.run();

    thief.recover();
    let to_owner = carried
        .iter()
        .filter(|outbound| outbound.to == net.owners[0].vault_id);
    let taken = to_owner
        .map(|outbound| thief.receive(outbound))
        .filter(|outcome| *outcome == Some(Delivered::Applied))
        .count();

    assert_eq!(net.owners[0].lines(id), ["for the owner only"]);
    assert!(thief.lines(id).is_empty(), "{taken} were taken");
}

#[test]
fn messages_of_like_length_look_alike() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let mut sizes = Vec::new();
    for words in ["x", "yes", "no, and never again", &"y".repeat(80)] {
        net.owners[0].say(id, words);
        sizes.push(net.on_the_way()[0].body.len());
        net.run();
    }

    assert!(sizes.windows(2).all(|two| two[0] == two[1]), "{sizes:?}");
    // A reaction and a receipt are no shorter than a message.
    let message = net.owners[0].say(id, "last");
    net.run();
    let react = message::React {
        id: message,
        reaction: Some("👍".to_owned()),
    };
    net.owners[1].call(&react).expect("reacted");
    let read = message::MarkRead {
        conversation: Conversation::Connection(id),
        through: u64::MAX,
    };
    net.owners[1].call(&read).expect("read");
    let others = net.on_the_way();
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|it| it.body.len() == sizes[0]));
}

#[test]
fn longer_messages_differ_by_whole_steps_only() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let mut sizes = std::collections::BTreeSet::new();
    for length in (1..2_000).step_by(111) {
        net.owners[0].say(id, &"z".repeat(length));
        sizes.insert(net.on_the_way()[0].body.len());
        net.run();
    }

    assert!(sizes.len() <= 9, "{sizes:?}");
}
