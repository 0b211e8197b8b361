//! What owners say to each other, and what becomes of it.

use vettid_wire::Secret;
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::limits;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed;
use vettid_wire::operation::message::{self, Conversation, Failed, From, Message, Receipt};
use vettid_wire::operation::vault;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{DAY, HOUR, MINUTE};

use crate::fixture::{Net, Owner, refused, text};

pub(super) fn talking() -> (Net, ConnectionId) {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    (net, id)
}

pub(super) fn get(owner: &mut Owner, id: MessageId) -> Message {
    owner.call(&message::Get { id }).expect("message")
}

pub(super) fn mark_read(owner: &mut Owner, id: ConnectionId) {
    let through = u64::MAX;
    let conversation = Conversation::Connection(id);
    owner
        .call(&message::MarkRead {
            conversation,
            through,
        })
        .expect("marked");
}

#[test]
fn message_comes_with_everything_that_it_carries() {
    let (mut net, id) = talking();
    let conversation = Conversation::Connection(id);
    let first = net.owners[1].say(id, "question");
    net.run();
    let answer = message::Send {
        reply_to: Some(first),
        ..text(conversation, "answer")
    };

    let sent = net.owners[0].call(&answer).expect("sent");
    net.run();

    let (own, there) = (
        get(&mut net.owners[0], sent.id),
        get(&mut net.owners[1], sent.id),
    );
    assert_eq!(there.reply_to, Some(first));
    assert_eq!(there.from, Some(net.owners[0].vault_id));
    assert_eq!((own.from, own.receipt), (None, Some(Receipt::Delivered)));
    assert_eq!((own.sequence, there.sequence), (2, 2));
    assert_eq!(net.owners[1].messages, Some(there.change));
    let connection = net.owners[1].connection(id);
    assert_eq!((connection.unread, connection.waiting), (1, 0));
}

#[test]
fn receipts_rise_from_waiting_over_stored_and_delivered_to_read() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    let sent = net.owners[0].say(id, "are you there?");
    assert_eq!(
        get(&mut net.owners[0], sent).receipt,
        Some(Receipt::Waiting)
    );
    assert_eq!(net.owners[0].connection(id).waiting, 1);

    net.run();
    assert_eq!(get(&mut net.owners[0], sent).receipt, Some(Receipt::Stored));
    net.owners[1].recover();
    net.drain_mail(1);
    net.owners[1].say(id, "yes");
    net.run();
    assert_eq!(
        get(&mut net.owners[0], sent).receipt,
        Some(Receipt::Delivered)
    );
    mark_read(&mut net.owners[1], id);
    net.run();

    assert_eq!(get(&mut net.owners[0], sent).receipt, Some(Receipt::Read));
    assert_eq!(net.owners[1].connection(id).unread, 0);
}

/// A message that waited in the mailbox of a vault which is open now and has taken it.
fn taken_from_the_mailbox() -> (Net, MessageId) {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    let sent = net.owners[0].say(id, "are you there?");
    net.run();
    assert_eq!(get(&mut net.owners[0], sent).receipt, Some(Receipt::Stored));
    net.owners[1].recover();
    net.drain_mail(1);
    net.run();
    assert_eq!(get(&mut net.owners[0], sent).receipt, Some(Receipt::Stored));
    (net, sent)
}

#[test]
fn what_waited_in_a_mailbox_is_delivered_a_few_seconds_after_it_was_taken() {
    let (mut net, sent) = taken_from_the_mailbox();

    net.advance(6_000);
    net.tick();
    net.run();

    let receipt = get(&mut net.owners[0], sent).receipt;
    assert_eq!(receipt, Some(Receipt::Delivered));
}

#[test]
fn what_waited_in_a_mailbox_is_delivered_as_soon_as_nothing_follows_and_told_once() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    let sent: Vec<_> = (0..3).map(|_| net.owners[0].say(id, "hello?")).collect();
    net.run();
    net.owners[1].recover();
    net.drain_mail(1);
    net.run();

    // A quiet vault looks at the time for the first time after so long.
    net.advance(2_000);
    net.owners[1].tick();

    assert_eq!(net.on_the_way().len(), 1);
    net.run();
    for sent in sent {
        let receipt = get(&mut net.owners[0], sent).receipt;
        assert_eq!(receipt, Some(Receipt::Delivered));
    }
    net.advance(2_000);
    net.tick();
    assert_eq!(net.on_the_way(), []);
}

#[test]
fn every_connection_is_told_that_its_messages_left_the_mailbox() {
    let others = 33;
    let mut net = Net::of(others + 1);
    let connections: Vec<_> = (1..=usize::from(others))
        .map(|other| (other, net.connect(0, other)))
        .collect();
    net.owners[0].reopen();
    for (other, id) in &connections {
        net.owners[*other].say(*id, "hello?");
    }
    net.run();
    net.owners[0].recover();
    net.drain_mail(0);
    net.run();
    net.advance(2_000);

    net.owners[0].tick();

    assert_eq!(net.on_the_way().len(), connections.len());
}

#[test]
fn what_came_while_a_vault_was_open_is_not_told_at_once() {
    let (mut net, id) = talking();
    net.advance(HOUR);
    net.tick();
    net.run();
    net.owners[0].say(id, "hello");
    net.run();

    net.advance(2_000);
    net.tick();

    assert_eq!(net.on_the_way(), []);
}

#[test]
fn what_waited_in_a_mailbox_is_delivered_when_its_vault_is_locked_at_once() {
    let (mut net, sent) = taken_from_the_mailbox();
    net.advance(1);

    net.owners[1].call(&vault::Lock {}).expect("locked");
    net.run();

    let receipt = get(&mut net.owners[0], sent).receipt;
    assert_eq!(receipt, Some(Receipt::Delivered));
}

#[test]
fn read_receipts_stay_away_when_their_owner_wants_that() {
    let (mut net, id) = talking();
    let settings = connection::Settings {
        no_read_receipts: true,
        ..connection::Settings::default()
    };
    net.owners[1]
        .call(&connection::Update { id, settings })
        .expect("updated");
    let sent = net.owners[0].say(id, "hello");
    net.run();

    mark_read(&mut net.owners[1], id);
    net.run();

    assert_eq!(
        get(&mut net.owners[0], sent).receipt,
        Some(Receipt::Delivered)
    );
}

#[test]
fn message_is_edited_reacted_to_and_removed_on_both_sides() {
    let (mut net, id) = talking();
    let sent = net.owners[0].say(id, "hallo");
    net.run();

    let text = Secret::from("hello");
    net.owners[0]
        .call(&message::Edit { id: sent, text })
        .expect("edited");
    let reaction = Some("👍".to_owned());
    let react = message::React { id: sent, reaction };
    net.run();
    net.owners[1].call(&react).expect("reacted");
    net.run();

    let (own, there) = (get(&mut net.owners[0], sent), get(&mut net.owners[1], sent));
    assert!(own.text == there.text && there.text == Some(Secret::from("hello")));
    assert!(own.edited.is_some() && there.edited.is_some());
    assert_eq!(own.reactions[0].from, Some(net.owners[1].vault_id));
    assert_eq!(there.reactions[0].from, None);
    let remove = message::Remove {
        id: sent,
        everywhere: true,
    };
    net.owners[0].call(&remove).expect("removed");
    net.run();
    for owner in &mut net.owners {
        let gone = get(owner, sent);
        assert!(gone.text.is_none() && gone.removed.is_some() && gone.reactions.is_empty());
    }
}

#[test]
fn message_of_the_other_owner_is_neither_edited_nor_removed_everywhere() {
    let (mut net, id) = talking();
    let sent = net.owners[0].say(id, "mine");
    net.run();

    let text = Secret::from("yours");
    let edit = net.owners[1].call(&message::Edit { id: sent, text });
    assert_eq!(edit, refused(Code::NotSender));
    let remove = |everywhere| message::Remove {
        id: sent,
        everywhere,
    };
    assert_eq!(net.owners[1].call(&remove(true)), refused(Code::NotSender));
    net.owners[1].call(&remove(false)).expect("removed here");
    net.run();

    assert!(get(&mut net.owners[0], sent).text.is_some());
    assert!(get(&mut net.owners[1], sent).text.is_none());
}

#[test]
fn message_that_was_removed_here_can_still_be_removed_everywhere_while_anything_is_left_of_it() {
    let (mut net, id) = talking();
    let late = net.owners[0].say(id, "mine");
    let sent = net.owners[0].say(id, "mine too");
    net.run();
    let remove = |id, everywhere| message::Remove { id, everywhere };
    for id in [late, sent] {
        net.owners[0].call(&remove(id, false)).expect("here");
    }
    let removed = get(&mut net.owners[0], sent).removed;
    assert_eq!(
        net.owners[0].call(&remove(sent, false)),
        refused(Code::MessageGone)
    );
    net.advance(MINUTE);

    net.owners[0].call(&remove(sent, true)).expect("everywhere");
    net.run();

    assert_eq!(get(&mut net.owners[0], sent).removed, removed);
    assert!(get(&mut net.owners[1], sent).removed.is_some());
    assert!(get(&mut net.owners[1], late).removed.is_none());
    net.advance(limits::REMOVED + MINUTE);
    net.tick();
    assert_eq!(
        net.owners[0].call(&remove(late, true)),
        refused(Code::MessageGone)
    );
}

#[test]
fn owner_is_told_of_changes_that_never_arrive() {
    let failed = feed::Kind::MessageFailed;
    for everywhere in [false, true] {
        let (mut net, id) = talking();
        let sent = net.owners[0].say(id, "as it was");
        net.run();
        net.cut_off.insert(net.owners[1].vault_id);

        if everywhere {
            let remove = message::Remove {
                id: sent,
                everywhere,
            };
            net.owners[0].call(&remove).expect("removed");
        } else {
            let edit = message::Edit {
                id: sent,
                text: Secret::from("as it should be"),
            };
            net.owners[0].call(&edit).expect("edited");
        }
        net.run();
        assert!(!net.owners[0].feed_kinds().contains(&failed));
        net.advance(limits::DELIVERY_TIME + 1);
        net.tick();

        assert_eq!(net.owners[0].feed_kinds().last(), Some(&failed));
        let message = get(&mut net.owners[0], sent);
        assert_eq!(message.failed.is_some(), !everywhere);
    }
}

#[test]
fn that_a_change_never_arrived_stays_said_when_the_message_is_read() {
    let (mut net, id) = talking();
    let sent = net.owners[0].say(id, "as it was");
    net.run();
    let to = net.owners[1].vault_id;
    net.cut_off.insert(to);
    let edit = message::Edit {
        id: sent,
        text: Secret::from("as it should be"),
    };
    net.owners[0].call(&edit).expect("edited");
    net.run();
    net.advance(limits::DELIVERY_TIME + 1);
    net.tick();
    net.cut_off.remove(&to);

    let seen = net.owners[1].conversation(Conversation::Connection(id));
    let read = message::MarkRead {
        conversation: Conversation::Connection(id),
        through: seen[0].sequence,
    };
    net.owners[1].call(&read).expect("read");
    net.run();

    let message = get(&mut net.owners[0], sent);
    assert_eq!(message.receipt, Some(Receipt::Read));
    assert_eq!(message.failed, Some(Failed::Expired));
}

#[test]
fn pages_go_by_place_in_both_directions_and_by_change() {
    let (mut net, id) = talking();
    for number in 1..=7 {
        net.owners[0].say(id, &number.to_string());
    }
    net.run();
    let conversation = Conversation::Connection(id);
    let page = |owner: &mut Owner, from| {
        let list = message::List {
            conversation,
            from,
            limit: Some(3),
        };
        let page = owner.call(&list).expect("page");
        let places: Vec<_> = page.messages.iter().map(|it| it.sequence).collect();
        (places, page.more)
    };

    let owner = &mut net.owners[1];
    assert_eq!(page(owner, From::Newest), (vec![5, 6, 7], true));
    assert_eq!(page(owner, From::Before(5)), (vec![2, 3, 4], true));
    assert_eq!(page(owner, From::Before(2)), (vec![1], false));
    assert_eq!(page(owner, From::Behind(5)), (vec![6, 7], false));
    let changes = message::Changes {
        behind: 5,
        limit: None,
    };
    assert_eq!(owner.call(&changes).expect("page").messages.len(), 2);
}

#[test]
fn search_finds_what_is_there_and_follows_every_change() {
    let (mut net, id) = talking();
    let sent = net.owners[0].say(id, "Über den Wolken");
    net.run();
    let search = |owner: &mut Owner, words: &str| {
        let search = message::Search {
            after: None,
            text: Secret::from(words),
            conversation: None,
            limit: None,
        };
        owner.call(&search).expect("found").messages.len()
    };

    assert_eq!(search(&mut net.owners[1], "uber wol"), 1);
    let text = Secret::from("bei Nacht");
    net.owners[0]
        .call(&message::Edit { id: sent, text })
        .expect("edited");
    net.owners[0].say(id, "nichts");
    net.run();
    assert_eq!(search(&mut net.owners[1], "wolken"), 0);
    assert_eq!(search(&mut net.owners[1], "nacht"), 1);
    assert_eq!(search(&mut net.owners[0], "nacht"), 1);
}

#[test]
fn text_that_is_too_long_empty_or_to_nobody_is_refused() {
    let (mut net, id) = talking();
    let conversation = Conversation::Connection(id);
    let long = "x".repeat(limits::TEXT + 1);

    let refusal = net.owners[0].call(&text(conversation, &long));
    assert_eq!(
        refusal,
        Err(Refusal::limit("text", limits::TEXT, limits::TEXT + 1))
    );
    let longest = "x".repeat(limits::TEXT);
    assert!(net.owners[0].call(&text(conversation, &longest)).is_ok());
    assert_eq!(
        net.owners[0].call(&text(conversation, "")),
        refused(Code::InvalidValue)
    );
    let nobody = Conversation::Connection(ConnectionId([0; 16]));
    assert_eq!(
        net.owners[0].call(&text(nobody, "x")),
        refused(Code::NotFound)
    );
    net.run();
    assert_eq!(net.owners[1].lines(id), [longest]);
}

#[test]
fn message_that_cannot_be_delivered_is_told_and_later_ones_are() {
    let (mut net, id) = talking();
    let vault = net.owners[1].vault_id;
    net.cut_off.insert(vault);
    let lost = net.owners[0].say(id, "lost");
    net.run();
    net.advance(limits::DELIVERY_TIME + MINUTE);
    net.lose_everything();
    net.tick();

    assert_eq!(get(&mut net.owners[0], lost).failed, Some(Failed::Expired));
    let kinds = net.owners[0].feed_kinds();
    assert!(kinds.contains(&feed::Kind::MessageFailed));
    net.cut_off.clear();
    net.owners[0].say(id, "found");
    net.run();

    assert_eq!(net.owners[1].lines(id), ["found"]);
}

#[test]
fn revocation_ends_both_sides_and_destroys_keys() {
    let (mut net, id) = talking();
    net.owners[0].say(id, "goodbye");

    net.owners[0]
        .call(&connection::Revoke { id })
        .expect("revoked");
    let keys = |owner: &mut Owner| owner.vault.database().view().channel(&id).expect("row");
    assert!(keys(&mut net.owners[0]).is_none());
    net.run();

    assert_eq!(net.owners[1].connection_state(id), State::Revoked);
    assert!(keys(&mut net.owners[1]).is_none());
    assert_eq!(net.owners[1].lines(id), ["goodbye"]);
    let kinds = net.owners[1].feed_kinds();
    assert!(kinds.contains(&feed::Kind::ConnectionRevoked));
    let refusal = net.owners[1].call(&text(Conversation::Connection(id), "wait"));
    assert_eq!(refusal, refused(Code::NotConnected));
}

#[test]
fn blocked_vault_notices_nothing_and_cannot_be_met_again() {
    let (mut net, id) = talking();
    net.owners[0]
        .call(&connection::Block { id })
        .expect("blocked");

    let sent = net.owners[1].say(id, "hello?");
    net.run();
    assert_eq!(
        get(&mut net.owners[1], sent).receipt,
        Some(Receipt::Delivered)
    );
    assert_eq!(net.owners[1].connection_state(id), State::Active);
    assert!(net.owners[0].lines(id).is_empty());
    let link = net.owners[0].invite();
    let again = net.owners[1].accept(link).expect("accepted");
    net.run();
    assert_eq!(net.owners[1].connection_state(again), State::Agreeing);
    assert_eq!(net.owners[0].connection_state(id), State::Blocked);
    let theirs = net.owners[1].invite();
    let blocked = refused(Code::OwnerBlocked);
    assert_eq!(net.owners[0].accept(theirs), blocked);

    net.owners[0]
        .call(&connection::Unblock { id })
        .expect("unblocked");
    let link = net.owners[0].invite();
    let again = net.owners[1].accept(link).expect("accepted");
    net.run();
    assert_eq!(net.owners[0].connection_state(again), State::Pending);
}

#[test]
fn keys_are_renewed_on_both_sides_by_a_rotation_of_either() {
    for owner in [0, 1] {
        let (mut net, id) = talking();
        net.advance(2 * HOUR);
        let keys = |net: &mut Net| -> Vec<_> {
            let channels = net.owners.iter_mut().map(|owner| {
                let view = owner.vault.database().view();
                view.channel(&id).expect("row").expect("keys").healed
            });
            channels.collect()
        };
        let before = keys(&mut net);

        net.owners[owner]
            .call(&connection::Rotate { id })
            .expect("rotated");
        net.owners[0].say(id, "meanwhile");
        net.owners[1].say(id, "meanwhile");
        net.run();

        let after = keys(&mut net);
        assert!(after[0] > before[0] && after[1] > before[1], "{owner}");
        net.owners[0].say(id, "after");
        net.owners[1].say(id, "after");
        net.run();
        assert_eq!(net.owners[0].lines(id).len(), 4);
        assert_eq!(net.owners[1].lines(id).len(), 4);
    }
}

#[test]
fn keys_in_use_heal_every_day_and_idle_ones_do_not() {
    let (mut net, id) = talking();
    net.owners[0].say(id, "hello");
    net.run();

    let healed = |net: &mut Net| -> Vec<_> {
        let views = net.owners.iter_mut().map(|owner| {
            let view = owner.vault.database().view();
            view.channel(&id).expect("row").expect("keys").healed
        });
        views.collect()
    };
    let another_day = |net: &mut Net| {
        net.advance(DAY + MINUTE);
        net.answers.clear();
        for _ in 0..3 {
            net.tick();
            net.run();
            net.advance(MINUTE);
        }
        healed(net)
    };
    let before = healed(&mut net);
    let after = another_day(&mut net);
    assert!(after[0] > before[0] && after[1] > before[1], "{after:?}");
    // Renewing them does not count as use.
    for _ in 0..2 {
        assert_eq!(another_day(&mut net), after);
    }
    assert!(net.answers.is_empty(), "{:?}", net.answers);
    net.owners[1].say(id, "still here");
    net.run();
    assert_eq!(net.owners[0].lines(id), [">hello", "still here"]);
}

#[test]
fn what_a_closed_vault_was_kept_is_acknowledged_without_an_answer_of_its_owner() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    let sent = net.owners[0].say(id, "when you can");
    net.run();
    net.owners[1].recover();
    net.drain_mail(1);

    for _ in 0..3 {
        net.advance(MINUTE);
        net.tick();
        net.run();
    }

    assert_eq!(
        get(&mut net.owners[0], sent).receipt,
        Some(Receipt::Delivered)
    );
    // Acknowledgements are not acknowledged.
    net.answers.clear();
    net.advance(MINUTE);
    net.tick();
    net.run();
    assert!(net.answers.is_empty());
    let outbox = net.owners[0].vault.database().view().count_outbox();
    assert_eq!(outbox, Ok(0));
}

#[test]
fn vault_that_moves_is_followed() {
    let (mut net, id) = talking();

    net.owners[1].place(77);
    net.run();

    let node = net.owners[0].connection(id).node;
    assert_eq!(node, vettid_wire::id::NodeId([77; 32]));
}

#[test]
fn locked_vault_loses_nothing_that_waited() {
    let (mut net, id) = talking();
    net.owners[1].reopen();
    for number in 0..20 {
        net.owners[0].say(id, &number.to_string());
    }
    net.run();
    assert_eq!(net.mail_of(1), 20);

    net.owners[1].recover();
    net.drain_mail(1);

    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(net.owners[1].lines(id), expected);
}
