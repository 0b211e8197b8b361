//! What one other vault can take of this one, and what its faults can hold up.

use vettid_store::rows::message::{Body, NewMessage};
use vettid_wire::Secret;
use vettid_wire::content::{Content, GroupChange, Text};
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::limits;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::group;
use vettid_wire::operation::message::{self, Conversation, Failed, Receipt};
use vettid_wire::peer::Delivered;
use vettid_wire::time::{DAY, MINUTE};

use crate::connect::channel;
use crate::fixture::Net;

fn talking() -> (Net, ConnectionId) {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    (net, id)
}

fn large(id: u8, size: usize) -> Content {
    Content::Text(Text {
        id: MessageId([id; 16]),
        text: Secret::new(vec![b'x'; size]),
        reply_to: None,
        attachments: vec![],
        disappear_after: None,
    })
}

#[test]
fn conversation_that_is_full_takes_no_more_and_others_do() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    let from = net.owners[1].vault_id;
    let size = 800 * 1024;
    let body = Body {
        text: Secret::new(vec![b'x'; size]),
        attachments: vec![],
    };
    let kept = |number: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&u64::try_from(number).expect("few").to_be_bytes());
        MessageId(id)
    };
    for number in 0..=limits::CONVERSATION / size {
        net.owners[0].forge(|on| {
            let now = on.now;
            let message = NewMessage {
                id: kept(number),
                said: None,
                conversation: Conversation::Connection(first),
                sender: Some(from),
                sent: now,
                received: Some(now),
                body: &body,
                reply_to: None,
                receipt: None,
                disappear_after: None,
            };
            on.change.insert_message(&message).expect("kept");
        });
    }

    let sent = net.owners[1].say(first, "one more");
    net.run();
    let failed = net.owners[1].call(&message::Get { id: sent });
    assert_eq!(failed.expect("there").failed, Some(Failed::Refused));
    net.owners[2].say(second, "of another");
    net.run();
    assert_eq!(net.owners[0].lines(second), ["of another"]);
    for number in 0..3 {
        let remove = message::Remove {
            id: kept(number),
            everywhere: false,
        };
        net.owners[0].call(&remove).expect("removed");
    }
    let sent = net.owners[1].say(first, "there is room again");
    net.run();

    let found = net.owners[1].call(&message::Get { id: sent });
    assert_eq!(found.expect("there").receipt, Some(Receipt::Delivered));
}

#[test]
fn what_comes_early_is_bounded_in_bytes() {
    let (mut net, id) = talking();
    net.owners[1].say(id, "missing");
    net.lose_everything();
    let size = 200 * 1024;
    for number in 0..10 {
        let content = large(number, size);
        net.owners[1].forge(|on| channel::say(on, &id, &content, None).expect("said"));
    }
    let sent = net.on_the_way();

    let taken = sent
        .iter()
        .filter(|outbound| net.owners[0].receive(outbound) == Some(Delivered::Stored))
        .count();

    assert_eq!(taken, limits::EARLY_BYTES / (size + 1024));
}

#[test]
fn blocked_vault_leaves_nothing() {
    let (mut net, id) = talking();
    net.owners[0]
        .call(&connection::Block { id })
        .expect("blocked");
    let records = net.owners[0].host.newest();

    for number in 0..5 {
        net.owners[1].say(id, &number.to_string());
    }
    net.answers.clear();
    net.run();

    assert_eq!(net.answers, [Delivered::Applied; 5]);
    assert_eq!(net.owners[0].host.newest(), records);
}

#[test]
fn owner_of_a_full_vault_blocks_and_ends_connections() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    net.owners[0].fill_room(vettid_store::Room::Ordinary);

    net.owners[0]
        .call(&connection::Block { id: first })
        .expect("blocked");
    net.owners[0]
        .call(&connection::Revoke { id: second })
        .expect("revoked");
    net.run();

    assert_eq!(net.owners[2].connection_state(second), State::Revoked);
}

#[test]
fn owner_of_a_full_vault_puts_members_out_and_leaves_groups() {
    let (mut net, id, _) = Net::circle(6, 5);
    let out = net.owners[1].vault_id;
    net.owners[0].fill_room(vettid_store::Room::Ordinary);

    let remove = group::Remove { id, member: out };
    net.owners[0].call(&remove).expect("removed");
    net.run();
    for other in 2..6 {
        let members = net.owners[other].forge(|on| {
            let mls = crate::mls::Mls::of(on, id);
            mls.members(&id.0).expect("members").len()
        });
        assert_eq!(members, 5, "{other}");
    }
    net.owners[2].fill_room(vettid_store::Room::Ordinary);
    net.owners[2].call(&group::Leave { id }).expect("left");
    net.run();

    let left = net.owners[0].call(&group::Get { id }).expect("group");
    assert_eq!(left.members.len(), 3);
    for owner in &mut net.owners {
        assert!(!owner.feed_kinds().contains(&Kind::ConnectionHealed));
    }
}

#[test]
fn connection_of_a_full_vault_waits_for_room_and_needs_no_new_keys() {
    let (mut net, id) = talking();
    net.owners[0].forge(|on| {
        let expires = on.now.plus(DAY);
        let content = vettid_wire::cbor::encode(&large(1, 1_000));
        let body = on.change.insert_body(&content).expect("written");
        on.change
            .insert_unsaid(&id, None, expires, body)
            .expect("written");
        // It is tried when the vault is full.
        let mut channel = on.change.channel(&id).expect("read").expect("keys");
        channel.held = Some(on.now.plus(MINUTE));
        on.change.put_channel(&channel).expect("written");
    });
    net.owners[0].fill_room(vettid_store::Room::Ordinary);
    let before = net.owners[0].forge(|on| on.now.plus(MINUTE));

    for _ in 0..5 {
        net.advance(2 * MINUTE);
        net.tick();
        net.run();
    }

    let view = net.owners[0].vault.database().view();
    let channel = view.channel(&id).expect("read").expect("keys");
    assert!(view.is_behind(&id).expect("read") && channel.held > Some(before));
    assert_eq!(channel.asked, None);
}

#[test]
fn what_a_node_has_lost_is_offered_again_and_comes() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    net.owners[0].say(id, "kept");
    net.run();
    net.lose_mail();
    net.owners[1].recover();

    net.advance(DAY + MINUTE);
    net.tick();
    net.run();

    assert_eq!(net.owners[1].lines(id), ["kept"]);
}

#[test]
fn what_a_node_has_kept_and_lost_for_too_long_is_told_and_what_follows_comes() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    let sent = net.owners[0].say(id, "lost");
    net.run();
    net.lose_mail();

    net.advance(limits::DELIVERY_TIME + MINUTE);
    net.tick();

    let found = net.owners[0].call(&message::Get { id: sent });
    assert_eq!(found.expect("there").failed, Some(Failed::Expired));
    assert!(net.owners[0].feed_kinds().contains(&Kind::MessageFailed));
    net.owners[1].recover();
    net.owners[0].say(id, "found");
    net.run();
    assert_eq!(net.owners[1].lines(id), ["found"]);
}

#[test]
fn what_cannot_be_sealed_holds_up_its_own_connection_alone() {
    let mut net = Net::of(4);
    let broken = net.connect(0, 1);
    let whole = net.connect(0, 2);
    let worn = net.connect(0, 3);
    let old = net.owners[0].say(whole, "disappears");
    net.run();
    net.owners[0].forge(|on| {
        // The keys of one connection are gone, whatever has done that.
        let here = Conversation::Connection(broken);
        on.change.remove_mls(&here).expect("removed");
        let expires = on.now.plus(10 * DAY);
        let (seed, name) = ([1; 16], "come");
        for connection in [broken, whole, broken, worn] {
            let content = Content::Group {
                id: crate::circle::id_of(&on.vault, &seed),
                change: GroupChange::Invite {
                    name: name.into(),
                    seed,
                },
            };
            let body = on.change.insert_body(&vettid_wire::cbor::encode(&content));
            let body = body.expect("written");
            on.change
                .insert_unsaid(&connection, None, expires, body)
                .expect("written");
        }
        on.change
            .set_disappears(&old, on.now.plus(MINUTE))
            .expect("written");
    });
    net.advance(3 * DAY);
    net.tick();
    net.run();

    for owner in [2, 3] {
        let list = group::List::default();
        let groups = net.owners[owner].call(&list).expect("groups").groups;
        assert_eq!(groups.len(), 1, "{owner}");
    }
    let gone = net.owners[0].call(&message::Get { id: old });
    assert!(gone.expect("there").removed.is_some());
    // The broken one was made anew.
    net.advance(2 * MINUTE);
    net.tick();
    net.run();
    net.owners[0].say(broken, "whole again");
    net.run();
    assert_eq!(net.owners[1].lines(broken), ["whole again"]);
}

#[test]
fn connection_ends_although_nothing_can_be_said_in_it() {
    let (mut net, id) = talking();
    net.owners[0].forge(|on| {
        let here = Conversation::Connection(id);
        on.change.remove_mls(&here).expect("removed");
    });

    net.owners[0]
        .call(&connection::Revoke { id })
        .expect("revoked");

    assert_eq!(net.owners[0].connection_state(id), State::Revoked);
}

#[test]
fn whoever_talks_and_takes_nothing_does_not_fill_the_outbox() {
    let (mut net, id) = talking();
    for _ in 0..300 {
        net.owners[1].say(id, "x");
        let sent = net.on_the_way();
        net.lose_everything();
        for outbound in sent {
            if outbound.to == net.owners[0].vault_id {
                net.owners[0].receive(&outbound);
            }
        }
        net.advance(MINUTE);
        net.owners[0].tick();
    }

    let waiting = net.owners[0].vault.database().view().count_outbox();
    assert!(waiting.expect("count") <= 260);
}
