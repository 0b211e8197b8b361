//! The vault at the other end, or anybody who can deliver something, does its worst.

use proptest::prelude::*;
use vettid_crypto::SeededEntropy;
use vettid_wire::content::{
    Answer, Circle, Content, Hello, Named, Offer, Parcel, ReadOf, Sealed, Talk, Text,
};
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId, MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::invitation::{Card, CardField};
use vettid_wire::operation::message::{Conversation, Receipt};
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::{Secret, cbor, limits};

use crate::connect::{channel, healing};
use crate::fixture::{Net, Owner};

const NEVER: Option<Delivered> = Some(Delivered::Refused(NotTaken::Never));

fn delivery(number: u8) -> DeliveryId {
    DeliveryId([number; 16])
}

fn give(owner: &mut Owner, number: u8, parcel: &Parcel) -> Option<Delivered> {
    owner.receive_bytes(delivery(number), &cbor::encode(parcel))
}

fn say(owner: &mut Owner, id: ConnectionId, content: &Content) {
    owner.forge(|on| channel::say(on, &id, content, None).expect("said"));
}

fn said(id: u8, words: &str) -> Text {
    Text {
        id: MessageId([id; 16]),
        text: Secret::from(words),
        reply_to: None,
        attachments: vec![],
        disappear_after: None,
    }
}

/// Digest of everything that the vault holds.
fn records(owner: &Owner) -> u64 {
    owner.host.newest()
}

#[test]
fn garbage_is_never_taken_and_leaves_nothing() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let before = records(&net.owners[0]);
    let sealed = |connection| Sealed {
        connection,
        bytes: vec![7; 200],
    };
    let talk = |connection, generation| Talk {
        connection,
        generation,
        sequence: 9,
        message: vec![1, 2, 3],
        after: [0; 8],
        mark: [1; 8],
    };

    let nobody = ConnectionId([0; 16]);
    let parcels = [
        Parcel::Offer(Offer {
            connection: id,
            key: vec![1; 1216],
            nonce: [2; 32],
        }),
        Parcel::Answer(sealed(id)),
        Parcel::Welcome(sealed(nobody)),
        Parcel::Resume(sealed(id)),
        Parcel::Resume(sealed(nobody)),
        Parcel::Talk(talk(nobody, 0)),
        Parcel::Circle(Circle {
            group: GroupId([0; 16]),
            message: vec![1],
        }),
        Parcel::Hello(Hello {
            connection: nobody,
            token: [0; 32],
            home: vec![1, 2, 3],
        }),
    ];
    for parcel in parcels {
        assert_eq!(give(&mut net.owners[0], 1, &parcel), NEVER, "{parcel:?}");
    }
    let large = vec![0; limits::DELIVERY + 1];
    assert_eq!(net.owners[0].receive_bytes(delivery(1), &large), NEVER);
    assert_eq!(net.owners[0].receive_bytes(delivery(1), b""), NEVER);

    assert_eq!(records(&net.owners[0]), before);
}

#[test]
fn replayed_and_altered_deliveries_change_nothing() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    net.owners[1].say(id, "once");
    let sent = net.on_the_way().remove(0);
    net.run();

    assert_eq!(
        net.owners[0].receive(&sent),
        Some(Delivered::Applied),
        "a repeat is answered as before"
    );
    let outcome = net.owners[0].receive_bytes(delivery(5), &sent.body);
    assert_eq!(outcome, Some(Delivered::Applied), "by any delivery");
    // Something else under the same sequence says that somebody was restored; it is not applied.
    let Ok(Parcel::Talk(mut talk)) = cbor::decode(&sent.body) else {
        panic!("no talk");
    };
    talk.mark = [5; 8];
    let outcome = give(&mut net.owners[0], 6, &Parcel::Talk(talk));
    assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Busy)));

    assert_eq!(net.owners[0].lines(id), ["once"]);
}

#[test]
fn message_of_one_connection_is_none_of_another() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    net.owners[1].say(first, "for the first");
    let sent = net.on_the_way().remove(0);
    let Ok(Parcel::Talk(talk)) = cbor::decode(&sent.body) else {
        panic!("no talk");
    };

    let moved = Talk {
        connection: second,
        ..talk.clone()
    };
    let renumbered = Talk {
        sequence: talk.sequence + 1,
        ..talk.clone()
    };
    let outcome = give(&mut net.owners[0], 3, &Parcel::Talk(moved));
    assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Busy)));
    give(&mut net.owners[0], 4, &Parcel::Talk(renumbered));
    net.run();

    assert!(net.owners[0].lines(second).is_empty());
    assert_eq!(net.owners[0].lines(first), ["for the first"]);
}

#[test]
fn nothing_is_said_before_both_owners_have_approved() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);

    say(&mut net.owners[1], id, &Content::Text(said(1, "early")));
    net.run();
    assert!(net.owners[0].lines(id).is_empty());
    net.owners[1].approve(id).expect("approved");
    say(
        &mut net.owners[1],
        id,
        &Content::Text(said(2, "still early")),
    );
    net.run();

    assert!(net.owners[0].lines(id).is_empty());
    assert_eq!(net.owners[0].connection_state(id), State::Pending);
}

#[test]
fn contents_beyond_their_bounds_are_passed_over_and_the_next_is_heard() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    let long = "x".repeat(limits::TEXT + 1);
    let foreign = MessageId([9; 16]);
    let named = |id| Named {
        sender: VaultId([9; 32]),
        id,
    };

    for content in [
        Content::Text(said(1, &long)),
        Content::Text(said(2, "")),
        Content::Text(Text {
            disappear_after: Some(u64::MAX),
            ..said(3, "forever")
        }),
        Content::Text(Text {
            text: Secret::new(vec![0xff, 0xfe]),
            ..said(4, "")
        }),
        Content::Edit {
            id: foreign,
            text: Secret::from("x"),
        },
        Content::Remove(foreign),
        Content::React {
            to: named(foreign),
            reaction: Some("x".into()),
        },
        Content::Read(vec![ReadOf {
            sender: None,
            ids: vec![foreign; 300],
        }]),
        Content::Home(vec![1, 2, 3]),
        Content::Approve,
        Content::Renew,
    ] {
        say(&mut net.owners[1], id, &content);
    }
    net.owners[1].say(id, "real");
    net.run();

    assert_eq!(net.owners[0].lines(id), ["real"]);
    assert_eq!(net.owners[0].connection_state(id), State::Active);
}

#[test]
fn peer_that_asks_for_commits_and_takes_none_does_not_fill_the_outbox() {
    let (mut net, _, connections) = Net::circle(2, 1);
    let id = connections[0];
    // The other vault commits again and again, and never says that it has heard an answer.
    for _ in 0..600 {
        net.owners[0].forge(|on| {
            let mut channel = on.change.channel(&id).expect("row").expect("keys");
            channel.renewing = Some(on.now);
            let connection = on.change.connection(&id).expect("row").expect("found");
            healing::answer(on, &connection, &mut channel).expect("answered");
        });
    }

    let waiting = net.owners[0].forge(|on| on.change.count_outbox_on(&id).expect("count"));
    assert!((200..=256).contains(&waiting), "{waiting}");
}

#[test]
fn nobody_changes_what_somebody_else_has_said() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    let own = net.owners[0].say(first, "of the owner");
    let other = net.owners[1].say(first, "of the first");
    net.run();

    for id in [own, other] {
        for (peer, connection) in [(1, first), (2, second)] {
            if (id, peer) == (other, 1) {
                continue;
            }
            let text = Secret::from("forged");
            say(
                &mut net.owners[peer],
                connection,
                &Content::Edit { id, text },
            );
            say(&mut net.owners[peer], connection, &Content::Remove(id));
            let forged = Text {
                id,
                ..said(0, "forged")
            };
            say(&mut net.owners[peer], connection, &Content::Text(forged));
        }
    }
    let reaction = Some("👎".to_owned());
    let own = Named {
        sender: net.owners[0].vault_id,
        id: own,
    };
    let react = Content::React {
        to: own,
        reaction: reaction.clone(),
    };
    say(&mut net.owners[2], second, &react);
    for sender in [None, Some(own.sender)] {
        let ids = vec![own.id];
        let read = Content::Read(vec![ReadOf { sender, ids }]);
        say(&mut net.owners[2], second, &read);
    }
    net.run();

    // Whoever uses an id again has said something else with it.
    assert_eq!(
        net.owners[0].lines(first),
        [">of the owner", "of the first", "forged"]
    );
    let message = net.owners[0].conversation(Conversation::Connection(first));
    assert!(message[0].reactions.is_empty());
    assert_eq!(message[0].receipt, Some(Receipt::Delivered));
    assert_eq!(net.owners[0].lines(second), ["forged", "forged"]);
}

#[test]
fn vault_speaks_for_a_group_only_if_it_has_created_it() {
    use vettid_wire::content::GroupChange;
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    let create = vettid_wire::operation::group::Create {
        name: "ours".into(),
        members: vec![first],
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join([1], id);

    for change in [
        GroupChange::Over,
        GroupChange::Rename {
            name: "stolen".into(),
        },
        GroupChange::Leave,
        GroupChange::Join {
            key_package: vec![1],
            state: None,
        },
        GroupChange::Welcome {
            name: "stolen".into(),
            welcome: vec![1],
            members: vec![],
        },
        GroupChange::Commit {
            commit: vec![1],
            added: vec![],
        },
        GroupChange::Invite {
            name: "stolen".into(),
            seed: [1; 16],
        },
    ] {
        say(&mut net.owners[2], second, &Content::Group { id, change });
    }
    net.run();

    let group = net.owners[0].call(&vettid_wire::operation::group::Get { id });
    let group = group.expect("group");
    assert!(group.member && group.name == "ours" && group.members.len() == 1);
}

#[test]
fn identity_in_what_is_stated_is_not_believed_without_its_signature() {
    let mut net = Net::of(3);
    let link = net.owners[0].invite();
    let id = net.owners[1].accept(link).expect("accepted");
    // The hello arrives; the offer is kept away from the honest vault.
    let hello = net.on_the_way().remove(0);
    net.owners[0].receive(&hello);
    net.lose_everything();
    let offer = net.owners[0].forge(|on| {
        let connection = on.change.connection(&id).expect("row").expect("there");
        let progress = crate::connect::Progress::of(connection.progress.as_ref());
        match progress.expect("kept") {
            Some(crate::connect::Progress::ExpectAnswer { offer, .. }) => offer,
            other => panic!("{other:?}"),
        }
    });
    let offer: Offer = cbor::decode(&offer).expect("offer");

    // A third vault answers in the name of the one that said hello.
    let forged = Answer {
        identity: cbor::encode(&vettid_wire::identity::IdentityChain::of(
            &net.owners[2].device.verifying_key(),
        )),
        key_package: vec![1; 300],
        nonce: [1; 32],
        card: Card::default(),
        reply_key: Secret::new(vec![2; 32]),
    };
    let signed = vettid_wire::content::Signed {
        core: cbor::encode(&forged),
        signature: [3; 64],
    };
    let hello: Parcel = cbor::decode(&hello.body).expect("parcel");
    let Parcel::Hello(hello) = hello else {
        panic!("no hello");
    };
    let context: &[&[u8]] = &[&id.0, &cbor::encode(&hello), &cbor::encode(&offer)];
    let bytes = vettid_crypto::sealed_box::BoxPublic(offer.key)
        .seal(
            vettid_crypto::Label::ConnectSealed,
            context,
            &cbor::encode(&signed),
            &mut SeededEntropy::dangerous_new(1),
        )
        .expect("sealed");
    let parcel = Parcel::Answer(Sealed {
        connection: id,
        bytes,
    });

    assert_eq!(give(&mut net.owners[0], 8, &parcel), NEVER);
    assert_eq!(net.owners[0].connection_state(id), State::Agreeing);
}

#[test]
fn hello_cannot_take_the_id_of_another_connection() {
    let mut net = Net::of(3);
    let id = net.connect(0, 1);
    let link = net.owners[0].invite();
    net.owners[2].accept(link).expect("accepted");
    let sent = net.on_the_way().remove(0);
    let Ok(Parcel::Hello(hello)) = cbor::decode(&sent.body) else {
        panic!("no hello");
    };

    let stolen = Hello {
        connection: id,
        ..hello
    };
    assert_eq!(give(&mut net.owners[0], 6, &Parcel::Hello(stolen)), NEVER);

    let connection = net.owners[0].connection(id);
    assert_eq!(connection.state, State::Active);
    assert_eq!(connection.vault, net.owners[1].vault_id);
}

#[test]
fn flood_of_early_messages_is_bounded() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    net.owners[1].say(id, "missing");
    net.lose_everything();
    for number in 0..limits::EARLY + 20 {
        net.owners[1].say(id, &number.to_string());
    }
    let sent: Vec<_> = net.on_the_way();

    let taken = sent
        .iter()
        .filter(|outbound| net.owners[0].receive(outbound) == Some(Delivered::Stored))
        .count();

    assert_eq!(taken, limits::EARLY);
    assert!(net.owners[0].lines(id).is_empty());
}

#[test]
fn card_beyond_its_bounds_ends_the_attempt_of_whoever_shows_it() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    let id = net.owners[1].accept(link).expect("accepted");
    net.owners[1].forge(|on| {
        let mut connection = on.change.connection(&id).expect("row").expect("there");
        let Some(crate::connect::Progress::ExpectOffer {
            hello, commitment, ..
        }) = crate::connect::Progress::of(connection.progress.as_ref()).expect("kept")
        else {
            panic!("another state");
        };
        let field = CardField {
            name: "name".into(),
            value: Secret::new(vec![b'x'; limits::CARD_VALUE + 1]),
        };
        connection.progress = crate::connect::Progress::ExpectOffer {
            hello,
            commitment,
            card: Card {
                fields: vec![field],
            },
        }
        .keep();
        on.change.put_connection(&connection).expect("written");
    });
    net.run();

    assert_eq!(net.owners[0].connection_state(id), State::Agreeing);
    assert_eq!(net.owners[1].connection_state(id), State::Declined);
    assert_eq!(
        net.owners[0].connection(id).vault,
        VaultId(net.owners[1].vault_id.0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_altered_byte_of_a_delivery_is_taken(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut net = Net::of(2);
        let id = net.connect(0, 1);
        net.owners[1].say(id, "whole");
        let sent = net.on_the_way().remove(0);
        let mut body = sent.body.clone();
        let at = at.index(body.len());
        body[at] ^= flip;

        net.owners[0].receive_bytes(sent.delivery, &body);

        prop_assert!(net.owners[0].lines(id).is_empty(), "byte {}", at);
    }
}
