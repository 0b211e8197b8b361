//! Whoever falls behind catches up, and nothing is lost on the way without a word.

use vettid_wire::cbor;
use vettid_wire::content::{Circle, Content, GroupChange, Parcel};
use vettid_wire::id::{DeliveryId, GroupId, VaultId};
use vettid_wire::operation::connection;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::group;
use vettid_wire::operation::message::Conversation;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::{DAY, MINUTE};

use crate::Outbound;
use crate::circle::creator;
use crate::connect::channel;
use crate::effect::Changing;
use crate::fixture::{Net, Owner, text};
use crate::mls::{Keys, Mls, Suite};

fn to(net: &mut Net, vault: VaultId) -> Vec<Outbound> {
    let mut sent = net.on_the_way();
    sent.retain(|it| it.to == vault);
    sent
}

const LATER: Option<Delivered> = Some(Delivered::Refused(NotTaken::Busy));

#[test]
fn many_that_were_held_are_all_heard_though_later_ones_are_offered_first() {
    let (mut net, id, connections) = Net::circle(4, 2);
    let conversation = Conversation::Group(id);
    let last = net.owners[2].vault_id;
    // One more comes in, and the second member does not hear of that yet.
    net.cut_off.insert(last);
    let add = group::Add {
        id,
        member: connections[2],
    };
    net.owners[0].call(&add).expect("added");
    net.join([3], id);
    let change = to(&mut net, last);
    for number in 0..400 {
        net.owners[1]
            .call(&text(conversation, &number.to_string()))
            .expect("sent");
    }
    let mut held: Vec<_> = to(&mut net, last);
    held.retain(|it| !change.contains(it));
    assert_eq!(held.len(), 400);
    assert_eq!(net.owners[2].receive(&held[0]), LATER);

    for outbound in &change {
        net.owners[2].receive(outbound);
    }
    // As a mailbox is read: on from where it was, and then from the first that is held.
    let mut rest = held.split_off(300);
    rest.extend(held);
    let mut rounds = 0;
    while !rest.is_empty() && rounds < 10 {
        rest.retain(|outbound| match net.owners[2].receive(outbound) {
            Some(Delivered::Applied) => false,
            outcome => {
                assert_eq!(outcome, LATER);
                true
            }
        });
        rounds += 1;
    }

    let mut heard: Vec<usize> = net.owners[2]
        .lines_in(conversation)
        .iter()
        .map(|line| line.parse().expect("a number"))
        .collect();
    heard.sort_unstable();
    // A page of them is shown.
    assert_eq!(heard, (200..400).collect::<Vec<_>>());
}

/// The last of three members does not hear yet that a fourth one came in, nor what the second one
/// says then, so many messages. What waits for it: the change, and what was said.
fn lagging(messages: usize) -> (Net, GroupId, Vec<Outbound>, Vec<Outbound>) {
    let (mut net, id, connections) = Net::circle(4, 2);
    let last = net.owners[2].vault_id;
    net.cut_off.insert(last);
    let add = group::Add {
        id,
        member: connections[2],
    };
    net.owners[0].call(&add).expect("added");
    net.join([3], id);
    let change = to(&mut net, last);
    for number in 0..messages {
        let said = text(Conversation::Group(id), &number.to_string());
        net.owners[1].call(&said).expect("sent");
    }
    let mut held = to(&mut net, last);
    held.retain(|it| !change.contains(it));
    assert_eq!(held.len(), messages);
    net.lose_everything();
    (net, id, change, held)
}

/// Offers what is held once more, in order.
fn offer(net: &mut Net, held: &mut Vec<Outbound>) {
    held.retain(|outbound| match net.owners[2].receive(outbound) {
        Some(Delivered::Applied) => false,
        outcome => {
            assert_eq!(outcome, LATER);
            true
        }
    });
}

/// The second member says something that nobody is given, and then something else.
fn skips(net: &mut Net, id: GroupId) -> Outbound {
    let conversation = Conversation::Group(id);
    let member = &mut net.owners[1];
    member.call(&text(conversation, "lost")).expect("sent");
    net.lose_everything();
    let member = &mut net.owners[1];
    member.call(&text(conversation, "heard")).expect("sent");
    let last = net.owners[2].vault_id;
    to(net, last).remove(0)
}

#[test]
fn whoever_joins_hears_what_follows_upon_something_that_was_never_given() {
    let (mut net, id, _) = Net::circle(3, 2);

    let heard = skips(&mut net, id);

    assert_eq!(net.owners[2].receive(&heard), Some(Delivered::Applied));
    assert_eq!(net.owners[2].lines_in(Conversation::Group(id)), ["heard"]);
}

#[test]
fn change_that_was_not_missing_holds_nothing_up() {
    let (mut net, id, connections) = Net::circle(4, 2);
    let add = group::Add {
        id,
        member: connections[2],
    };
    net.owners[0].call(&add).expect("added");
    net.join([3], id);

    let heard = skips(&mut net, id);

    assert_eq!(net.owners[2].receive(&heard), Some(Delivered::Applied));
}

#[test]
fn what_was_never_given_is_not_waited_for_when_nothing_else_that_is_held_can_be_taken() {
    let (mut net, id, change, mut held) = lagging(10);
    held.remove(5);
    offer(&mut net, &mut held);
    assert_eq!(held.len(), 9);
    for outbound in &change {
        net.owners[2].receive(outbound);
    }

    offer(&mut net, &mut held);
    assert_eq!(held.len(), 4);
    offer(&mut net, &mut held);

    assert!(held.is_empty());
    let lines = net.owners[2].lines_in(Conversation::Group(id));
    assert_eq!(lines, ["0", "1", "2", "3", "4", "6", "7", "8", "9"]);
}

#[test]
fn many_that_were_never_given_are_not_waited_for_either() {
    let (mut net, _, change, mut held) = lagging(210);
    held.drain(1..201);
    offer(&mut net, &mut held);
    for outbound in &change {
        net.owners[2].receive(outbound);
    }

    for _ in 0..3 {
        assert!(!held.is_empty());
        offer(&mut net, &mut held);
    }

    assert!(held.is_empty());
}

#[test]
fn nothing_is_waited_for_any_more_once_all_that_was_held_is_taken() {
    let (mut net, id, change, mut held) = lagging(3);
    offer(&mut net, &mut held);
    for outbound in &change {
        net.owners[2].receive(outbound);
    }
    offer(&mut net, &mut held);
    assert!(held.is_empty());

    let heard = skips(&mut net, id);

    assert_eq!(net.owners[2].receive(&heard), Some(Delivered::Applied));
}

#[test]
fn what_is_named_once_and_never_offered_again_is_waited_for_ten_minutes_at_most() {
    let (mut net, _, change, mut held) = lagging(10);
    offer(&mut net, &mut held);
    let forged = forged(&held[0]);
    let delivery = DeliveryId([1; 16]);
    assert_eq!(net.owners[2].receive_bytes(delivery, &forged), LATER);
    held.remove(5);
    for outbound in &change {
        net.owners[2].receive(outbound);
    }
    for _ in 0..10 {
        offer(&mut net, &mut held);
    }
    assert_eq!(held.len(), 4);

    net.advance(10 * MINUTE);
    offer(&mut net, &mut held);
    offer(&mut net, &mut held);

    assert!(held.is_empty());
}

/// What anybody makes of something that was said who has seen it.
fn forged(outbound: &Outbound) -> Vec<u8> {
    let Ok(Parcel::Circle(mut circle)) = cbor::decode(&outbound.body) else {
        panic!("not said in a group");
    };
    let last = circle.message.last_mut().expect("bytes");
    *last ^= 1;
    cbor::encode(&Parcel::Circle(circle))
}

/// What a vault speaks with in a group.
fn keys(on: &Changing<'_>, id: GroupId) -> Keys {
    let group = on.change.group(&id).expect("row").expect("group");
    let seed = group.signer.expect("keys");
    let signer = seed
        .expose(|seed| vettid_crypto::sign::SigningKey::from_seed(seed.try_into().expect("seed")));
    Keys {
        vault: on.vault,
        signer,
    }
}

fn key_package(owner: &mut Owner, id: GroupId) -> Vec<u8> {
    owner.forge(|on| {
        let keys = keys(on, id);
        let mls = Mls::of(on, id);
        mls.key_package(&keys, Suite::Classic).expect("package")
    })
}

fn epoch(owner: &mut Owner, id: GroupId) -> u64 {
    owner.forge(|on| {
        let mls = Mls::of(on, id);
        mls.epoch(&id.0).expect("keys")
    })
}

/// Something that a member says so far ahead that nobody derives its key.
fn far_ahead(net: &mut Net, id: GroupId) -> Vec<u8> {
    let message = net.owners[1].forge(|on| {
        let keys = keys(on, id);
        let mls = Mls::of(on, id);
        let mut last = Vec::new();
        for _ in 0..2_002 {
            last = mls.say(&keys, &id.0, &id.0, b"x").expect("said");
        }
        last
    });
    cbor::encode(&Parcel::Circle(Circle { group: id, message }))
}

fn pass(net: &mut Net, time: u64) {
    net.advance(time);
    net.tick();
    net.run();
}

#[test]
fn member_that_wants_to_be_added_again_and_again_and_takes_nothing_is_not_welcomed_without_end() {
    let (mut net, id, connections) = Net::circle(2, 1);
    let member = net.owners[1].vault_id;
    net.cut_off.insert(member);

    for _ in 0..100 {
        let package = key_package(&mut net.owners[1], id);
        net.owners[0].forge(|on| {
            let members = on.change.group_members(&id).expect("rows");
            let mut wants = members
                .into_iter()
                .find(|it| it.vault == member)
                .expect("member");
            wants.package = Some(package);
            on.change.put_group_member(&id, &wants).expect("written");
        });
        pass(&mut net, 6 * MINUTE);
    }

    let waiting = net.owners[0].forge(|on| {
        let unsaid = on.change.unsaid_on(&connections[0]).expect("rows");
        let said = on.change.count_outbox_on(&connections[0]).expect("count");
        usize::try_from(said).expect("few") + unsaid.len()
    });
    assert!((60..=65).contains(&waiting), "{waiting}");
}

#[test]
fn creator_renews_its_keys_when_messages_go_on_further_than_they_reach() {
    let (mut net, id, _) = Net::circle(3, 2);
    let conversation = Conversation::Group(id);
    let before = epoch(&mut net.owners[0], id);
    let far = far_ahead(&mut net, id);
    let delivery = DeliveryId([1; 16]);
    assert_eq!(net.owners[0].receive_bytes(delivery, &far), LATER);

    pass(&mut net, MINUTE);

    for owner in &mut net.owners {
        assert_eq!(epoch(owner, id), before + 1);
    }
    let never = Some(Delivered::Refused(NotTaken::Never));
    assert_eq!(net.owners[0].receive_bytes(delivery, &far), never);
    net.owners[1]
        .call(&text(conversation, "heard"))
        .expect("sent");
    net.run();
    assert_eq!(net.owners[0].lines_in(conversation), ["heard"]);
    assert_eq!(net.owners[2].lines_in(conversation), ["heard"]);
    pass(&mut net, MINUTE);
    assert_eq!(epoch(&mut net.owners[0], id), before + 1);
}

#[test]
fn nobody_but_a_member_can_say_that_messages_go_on_further_than_keys_reach() {
    let (mut net, id, _) = Net::circle(3, 2);
    let far = far_ahead(&mut net, id);
    let Ok(Parcel::Circle(circle)) = cbor::decode(&far) else {
        panic!("not said in a group");
    };
    // Where the sender is sealed: behind version, format, group, epoch, kind and what is beside it.
    for place in 48..76 {
        let mut message = circle.message.clone();
        message[place] ^= 1;
        let forged = cbor::encode(&Parcel::Circle(Circle { group: id, message }));
        let delivery = DeliveryId([u8::try_from(place).expect("small"); 16]);
        let never = Some(Delivered::Refused(NotTaken::Never));
        assert_eq!(net.owners[2].receive_bytes(delivery, &forged), never);
    }

    let group = net.owners[2].forge(|on| on.change.group(&id).expect("row").expect("group"));
    assert_eq!((group.ahead, group.behind), (None, None));
    let delivery = DeliveryId([1; 16]);
    assert_eq!(net.owners[2].receive_bytes(delivery, &far), LATER);
    let group = net.owners[2].forge(|on| on.change.group(&id).expect("row").expect("group"));
    assert!(group.ahead.is_some() && group.behind.is_some());
}

#[test]
fn member_is_added_anew_once_a_day_for_what_is_too_far_ahead() {
    let (mut net, id, _) = Net::circle(3, 2);
    let before = epoch(&mut net.owners[0], id);
    let hear = |net: &mut Net, number| {
        let far = far_ahead(net, id);
        let delivery = DeliveryId([number; 16]);
        // What was held is taken in order first.
        net.advance(31 * MINUTE);
        assert_eq!(net.owners[2].receive_bytes(delivery, &far), LATER);
        pass(net, 11 * MINUTE);
        pass(net, 11 * MINUTE);
        epoch(&mut net.owners[0], id)
    };

    assert_eq!(hear(&mut net, 1), before + 1);
    assert_eq!(hear(&mut net, 2), before + 1);
    net.advance(DAY);
    assert_eq!(hear(&mut net, 3), before + 2);
}

#[test]
fn key_package_that_was_used_is_not_used_again_and_whoever_was_added_anew_is_told() {
    let (mut net, id, connections) = Net::circle(3, 2);
    net.advance(6 * MINUTE);
    let key_package = key_package(&mut net.owners[1], id);
    let join = |net: &mut Net| {
        let change = GroupChange::Join {
            key_package: key_package.clone(),
            state: None,
        };
        let content = Content::Group { id, change };
        net.owners[1].forge(|on| channel::say(on, &connections[0], &content, None).expect("said"));
        net.run();
        epoch(&mut net.owners[0], id)
    };

    let added = join(&mut net);
    net.advance(6 * MINUTE);
    let again = join(&mut net);
    net.advance(MINUTE);
    net.tick();
    net.run();

    assert_eq!(added, again);
    assert_eq!(epoch(&mut net.owners[0], id), added);
    assert!(net.owners[1].feed_kinds().contains(&Kind::GroupHealed));
    assert!(!net.owners[2].feed_kinds().contains(&Kind::GroupHealed));
}

#[test]
fn what_waited_is_applied_in_as_many_records_as_that_takes() {
    let mut net = Net::of(2);
    let connection = net.connect(0, 1);
    net.owners[1].say(connection, "missing");
    for _ in 0..60 {
        net.owners[1].say(connection, &"x".repeat(16 * 1024));
    }
    let sent = net.on_the_way();
    for outbound in &sent[1..] {
        assert_eq!(net.owners[0].receive(outbound), Some(Delivered::Stored));
    }

    assert_eq!(net.owners[0].receive(&sent[0]), Some(Delivered::Applied));

    assert_eq!(net.owners[0].lines(connection).len(), 61);
    for outbound in &sent {
        assert_eq!(net.owners[0].receive(outbound), Some(Delivered::Applied));
    }
    assert_eq!(net.owners[0].lines(connection).len(), 61);
}

#[test]
fn name_of_a_member_is_one_line_or_nothing() {
    let mut net = Net::of(3);
    let connections: Vec<_> = (1..3).map(|other| net.connect(0, other)).collect();
    net.owners[0].forge(|on| {
        let found = on.change.connection(&connections[0]);
        let mut found = found.expect("row").expect("there");
        for field in &mut found.card.fields {
            field.value = vettid_wire::Secret::from("Ann\nverified by the node");
        }
        on.change.put_connection(&found).expect("written");
    });
    let create = group::Create {
        name: "friends".into(),
        members: connections.clone(),
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join(1..3, id);

    let found = net.owners[2].call(&group::Get { id }).expect("group");

    let first = net.owners[1].vault_id;
    let member = found.members.iter().find(|it| it.vault == first);
    assert_eq!(member.expect("there").name, "");
    let get = connection::Get { id: connections[0] };
    assert!(net.owners[0].call(&get).is_ok());
}

#[test]
fn what_no_member_can_have_said_keeps_nothing_away() {
    let (mut net, id, _) = Net::circle(3, 2);
    let conversation = Conversation::Group(id);
    let garbage = cbor::encode(&Parcel::Circle(Circle {
        group: id,
        message: b"no message".to_vec(),
    }));
    for number in 0..20_100_u32 {
        let mut delivery = [0xaa; 16];
        delivery[..4].copy_from_slice(&number.to_be_bytes());
        net.owners[0].receive_bytes(DeliveryId(delivery), &garbage);
    }

    net.owners[1]
        .call(&text(conversation, "hello"))
        .expect("sent");
    let first = net.owners[0].vault_id;
    let sent = to(&mut net, first);

    assert_eq!(net.owners[0].receive(&sent[0]), Some(Delivered::Applied));
}

#[test]
fn owner_is_told_of_whoever_cannot_be_added() {
    let (mut net, id, connections) = Net::circle(3, 2);
    net.advance(6 * MINUTE);
    let package = key_package(&mut net.owners[1], id);
    let before = epoch(&mut net.owners[0], id);
    net.owners[0].forge(|on| {
        let found = on.change.connection(&connections[0]);
        let vault = found.expect("row").expect("there").vault;
        let mut member = on
            .change
            .group_member(&id, &vault)
            .expect("row")
            .expect("in");
        member.package = Some(package);
        on.change.put_group_member(&id, &member).expect("written");
        creator::pass_by(on, &id).expect("passed by");
    });
    net.tick();
    net.run();

    assert_eq!(epoch(&mut net.owners[0], id), before);
    assert!(net.owners[0].feed_kinds().contains(&Kind::GroupNotAdded));
}

#[test]
fn groups_that_may_not_ask_yet_keep_none_waiting_that_may() {
    let (mut net, _, _) = Net::circle(2, 1);
    let creator = net.owners[0].vault_id;
    let ids: Vec<_> = (0..21)
        .map(|_| {
            let create = |on: &mut Changing<'_>| creator::create(on, "one".into(), &[]);
            net.owners[0].forge(create).expect("created")
        })
        .collect();
    let now = net.owners[1].forge(|on| {
        let like = on.change.groups().expect("read").remove(0);
        for (number, id) in ids.iter().enumerate() {
            let may_ask = number == 20;
            let group = vettid_store::rows::group::Group {
                id: *id,
                creator: Some(creator),
                member: false,
                // All have asked; the last one has done so later, and once.
                asked: Some(vettid_wire::time::UnixMillis(on.now.since(
                    vettid_wire::time::UnixMillis(match may_ask {
                        true => 30 * MINUTE,
                        false => 60 * MINUTE,
                    }),
                ))),
                asks: if may_ask { 0 } else { 7 },
                ..like.clone()
            };
            on.change.put_group(&group).expect("written");
        }
        on.now
    });

    let behind = crate::circle::member::behind(net.owners[1].vault.database().view(), now);

    assert_eq!(behind, Ok(vec![ids[20]]));
}
