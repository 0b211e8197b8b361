//! What one other vault takes leaves the others theirs: of a conversation, of the outbox, of a page.

use vettid_store::rows::group::{Group, GroupMember};
use vettid_store::rows::message::{Body, NewMessage};
use vettid_store::rows::outbox::Outgoing;
use vettid_wire::Secret;
use vettid_wire::id::{DeliveryId, GroupId, MessageId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::group;
use vettid_wire::operation::message::{self, Conversation, Failed, From};
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::{DAY, MINUTE, UnixMillis};

use crate::connect::said::Voice;
use crate::fixture::{Net, Owner, text};

fn number(number: usize) -> MessageId {
    let mut id = [0xee; 16];
    id[..8].copy_from_slice(&u64::try_from(number).expect("few").to_be_bytes());
    MessageId(id)
}

/// Somebody has said this much in a conversation, in bytes.
fn fill(owner: &mut Owner, conversation: Conversation, from: VaultId, bytes: usize) {
    let size = 800 * 1024;
    let body = Body {
        text: Secret::new(vec![b'x'; size]),
        attachments: vec![],
    };
    for index in 0..=bytes / size {
        owner.forge(|on| insert(on, conversation, from, (number(index), &body)));
    }
}

fn insert(
    on: &mut crate::effect::Changing<'_>,
    conversation: Conversation,
    from: VaultId,
    (id, body): (MessageId, &Body),
) {
    let now = on.now;
    let message = NewMessage {
        id,
        said: None,
        conversation,
        sender: Some(from),
        sent: now,
        received: Some(now),
        body,
        reply_to: None,
        receipt: None,
        disappear_after: None,
    };
    on.change.insert_message(&message).expect("kept");
}

#[test]
fn member_that_has_filled_a_group_keeps_nobody_else_from_saying_something() {
    let (mut net, id, _) = Net::circle(3, 2);
    let conversation = Conversation::Group(id);
    let greedy = net.owners[1].vault_id;
    // More is not taken of one of two.
    let most = limits::CONVERSATION / 2;
    fill(&mut net.owners[0], conversation, greedy, most);

    net.owners[2]
        .call(&text(conversation, "me too"))
        .expect("sent");
    let sent = net.on_the_way();
    let to_first: Vec<_> = sent
        .iter()
        .filter(|it| it.to == net.owners[0].vault_id)
        .collect();
    assert_eq!(net.owners[0].receive(to_first[0]), Some(Delivered::Applied));
    net.lose_everything();

    net.owners[1]
        .call(&text(conversation, "more"))
        .expect("sent");
    let sent = net.on_the_way();
    let more = sent.iter().find(|it| it.to == net.owners[0].vault_id);
    let outcome = net.owners[0].receive(more.expect("sent"));
    assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Full)));
}

#[test]
fn contacts_that_fill_a_vault_together_leave_room_for_its_owner_and_for_others() {
    let mut net = Net::of(5);
    let connections: Vec<_> = (1..5).map(|other| net.connect(0, other)).collect();
    // Three say as much as they can; what is in a vault otherwise is small.
    for (other, id) in connections.iter().enumerate().take(3) {
        let from = net.owners[other + 1].vault_id;
        let conversation = Conversation::Connection(*id);
        let size = 800 * 1024;
        let body = Body {
            text: Secret::new(vec![b'x'; size]),
            attachments: vec![],
        };
        let voice = Voice {
            conversation,
            from,
            at: UnixMillis(1),
        };
        for index in 0.. {
            let id = number(other * 1_000 + index);
            let room = net.owners[0].forge(|on| {
                let room = voice.has_room(on).expect("weighed");
                if room {
                    insert(on, conversation, from, (id, &body));
                }
                room
            });
            if !room {
                break;
            }
        }
    }

    let total = net.owners[0].forge(|on| on.change.weights().expect("weighed").0);
    let total = usize::try_from(total).expect("fits");
    let (half, all) = (limits::CONVERSATIONS / 2, limits::CONVERSATIONS);
    assert!((half..all).contains(&total), "{total}");
    net.owners[4].say(connections[3], "me too");
    net.run();
    assert_eq!(net.owners[0].lines(connections[3]), ["me too"]);
    net.owners[0].say(connections[3], "and I");
    net.run();
    assert_eq!(net.owners[4].lines(connections[3]), [">me too", "and I"]);
}

#[test]
fn full_connection_holds_up_nothing_that_has_no_weight_and_tells_what_it_does_not_keep() {
    let mut net = Net::of(2);
    let connection = net.connect(0, 1);
    let conversation = Conversation::Connection(connection);
    let from = net.owners[1].vault_id;
    fill(&mut net.owners[0], conversation, from, limits::CONVERSATION);

    let sent = net.owners[1].say(connection, "one more");
    net.run();
    net.advance(2 * MINUTE);
    net.tick();
    net.run();
    let found = net.owners[1]
        .call(&message::Get { id: sent })
        .expect("there");
    assert_eq!(found.failed, Some(Failed::Refused));
    assert!(net.owners[1].feed_kinds().contains(&Kind::MessageFailed));
    net.owners[1]
        .call(&connection::Revoke { id: connection })
        .expect("revoked");
    net.run();

    assert_eq!(net.owners[0].connection_state(connection), State::Revoked);
}

#[test]
fn delivery_is_told_from_that_of_another_vault_under_the_same_id() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    net.owners[1].say(first, "mine");
    let mine = net.on_the_way().remove(0);
    net.lose_everything();
    net.owners[2].say(second, "other");
    let other = net.on_the_way().remove(0);

    net.owners[0].receive_bytes(mine.delivery, &other.body);
    net.owners[0].receive(&mine);

    assert_eq!(net.owners[0].lines(second), ["other"]);
    assert_eq!(net.owners[0].lines(first), ["mine"]);
}

#[test]
fn delivery_is_told_from_that_of_another_member_under_the_same_id() {
    let (mut net, id, _) = Net::circle(3, 2);
    let conversation = Conversation::Group(id);
    let mut said = |index: usize, words: &str| {
        net.owners[index]
            .call(&text(conversation, words))
            .expect("sent");
        let to = net.owners[0].vault_id;
        let sent = net.on_the_way().into_iter().find(|it| it.to == to);
        net.lose_everything();
        sent.expect("sent")
    };
    let (mine, other) = (said(1, "mine"), said(2, "other"));

    net.owners[0].receive_bytes(mine.delivery, &other.body);
    for _ in 0..2 {
        assert_eq!(net.owners[0].receive(&mine), Some(Delivered::Applied));
    }

    assert_eq!(net.owners[0].lines_in(conversation), ["other", "mine"]);
}

/// So much waits for a vault that nobody reaches.
fn pile_up(owner: &mut Owner, vault: VaultId, count: usize) {
    for start in (0..count).step_by(1_000) {
        owner.forge(|on| {
            let body = on.change.insert_body(b"piled up").expect("body");
            for index in start..count.min(start + 1_000) {
                let outgoing = Outgoing {
                    delivery: DeliveryId(number(index).0),
                    vault,
                    connection: None,
                    sequence: None,
                    message: None,
                    expires: on.now.plus(DAY),
                    said: None,
                    body,
                };
                on.change.insert_outgoing(&outgoing).expect("written");
            }
        });
    }
}

#[test]
fn member_that_nobody_reaches_is_skipped_and_the_others_are_told() {
    let (mut net, id, _) = Net::circle(3, 2);
    let conversation = Conversation::Group(id);
    let dead = net.owners[2].vault_id;
    pile_up(&mut net.owners[0], dead, limits::OUTBOX);

    let sent = net.owners[0]
        .call(&text(conversation, "still"))
        .expect("sent")
        .id;
    let on_the_way = net.on_the_way();

    let to: Vec<_> = on_the_way.iter().map(|it| it.to).collect();
    assert_eq!(to, [net.owners[1].vault_id]);
    net.run();
    assert_eq!(net.owners[1].lines_in(conversation), ["still"]);
    let found = net.owners[0]
        .call(&message::Get { id: sent })
        .expect("there");
    assert_eq!(found.failed, Some(Failed::Expired));
}

#[test]
fn creator_takes_somebody_in_however_much_waits_for_a_member_of_another_group() {
    let mut net = Net::of(3);
    let connections: Vec<_> = (1..3).map(|other| net.connect(0, other)).collect();
    let dead = VaultId([9; 32]);
    pile_up(&mut net.owners[0], dead, limits::OUTBOX);

    let create = group::Create {
        name: "friends".into(),
        members: connections,
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join(1..3, id);

    for owner in &mut net.owners {
        let found = owner.call(&group::Get { id }).expect("group");
        assert!(found.member && found.members.len() == 2);
    }
}

#[test]
fn pages_of_messages_hold_what_a_reply_holds_whatever_others_add() {
    let (mut net, id, _) = Net::circle(2, 1);
    let conversation = Conversation::Group(id);
    let from = net.owners[1].vault_id;
    let body = Body {
        text: Secret::new(format!("common {}", "x".repeat(8_000)).into_bytes()),
        attachments: vec![],
    };
    for index in 0..200 {
        net.owners[0].forge(|on| {
            insert(on, conversation, from, (number(index), &body));
            for member in 0..=255 {
                let reaction = Some("thirty-two bytes of a reaction..");
                let by = VaultId([member; 32]);
                let set = on.change.set_reaction(&number(index), Some(&by), reaction);
                set.expect("written");
            }
        });
    }

    let mut behind = 0;
    let mut seen = 0;
    loop {
        let changes = message::Changes {
            behind,
            limit: None,
        };
        let page = net.owners[0].call(&changes).expect("a page");
        seen += page.messages.len();
        behind = page.messages.last().expect("some").change;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, 200);
    let list = message::List {
        conversation,
        from: From::Newest,
        limit: None,
    };
    assert!(net.owners[0].call(&list).expect("a page").more);
    let (mut found, mut after) = (0, None);
    loop {
        let search = message::Search {
            text: Secret::from("common"),
            conversation: None,
            limit: None,
            after,
        };
        let page = net.owners[0].call(&search).expect("a page");
        found += page.messages.len();
        after = page.messages.last().map(message::Message::cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, 200);
}

#[test]
fn reactions_are_shown_up_to_a_number_and_that_of_this_owner_first() {
    let (mut net, id, _) = Net::circle(2, 1);
    let conversation = Conversation::Group(id);
    let sent = net.owners[0]
        .call(&text(conversation, "hello"))
        .expect("sent")
        .id;
    net.owners[0].forge(|on| {
        for member in 0..100 {
            let by = VaultId([member; 32]);
            let set = on.change.set_reaction(&sent, Some(&by), Some("+"));
            set.expect("written");
        }
    });
    let react = message::React {
        id: sent,
        reaction: Some("own".into()),
    };
    net.owners[0].call(&react).expect("reacted");

    let found = net.owners[0]
        .call(&message::Get { id: sent })
        .expect("there");

    assert_eq!(found.reacted, 101);
    assert_eq!(found.reactions.len(), 64);
    assert_eq!(found.reactions[0].reaction, "own");
}

#[test]
fn groups_are_listed_in_pages_that_a_reply_holds() {
    let mut net = Net::of(1);
    for number in 0..60 {
        net.owners[0].forge(|on| {
            let group = GroupId([number; 16]);
            on.change.put_group(&kept(group, on.now)).expect("written");
            for member in 0..=254 {
                let member = GroupMember {
                    vault: VaultId([member; 32]),
                    name: "n".repeat(limits::ALIAS),
                    home: None,
                    key: Some([1; 32]),
                    package: None,
                    spent: None,
                    added: None,
                };
                on.change
                    .put_group_member(&group, &member)
                    .expect("written");
            }
        });
    }

    let (mut listed, mut after) = (0, None);
    loop {
        let list = group::List { after, limit: None };
        let page = net.owners[0].call(&list).expect("a page");
        listed += page.groups.len();
        after = page.groups.last().map(|it| group::Cursor {
            active: it.active,
            id: it.id,
        });
        if !page.more {
            break;
        }
    }
    assert_eq!(listed, 60);
}

fn kept(id: GroupId, now: UnixMillis) -> Group {
    Group {
        id,
        name: "friends".into(),
        creator: None,
        seed: None,
        member: true,
        invited: false,
        signer: None,
        told: true,
        behind: None,
        ahead: None,
        caught: None,
        asked: None,
        asks: 0,
        due: false,
        since: now,
        active: now,
    }
}
