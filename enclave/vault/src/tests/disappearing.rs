//! Messages that disappear: from their time on nobody is shown what they said.

use vettid_wire::Secret;
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::limits;
use vettid_wire::operation::Done;
use vettid_wire::operation::message::{self, Conversation, Message};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{DAY, HOUR, MINUTE};

use super::talk::{get, mark_read, talking};
use crate::fixture::{Net, Owner, refused, text};

/// Both owners have a message that disappears an hour after it was read, and so much time has passed
/// without a round: owner 0 has said it, owner 1 has read it and reacted.
fn after(millis: u64) -> (Net, ConnectionId, MessageId) {
    let (mut net, id) = talking();
    let sent = disappearing(&mut net, id, "burning secret");
    mark_read(&mut net.owners[1], id);
    react(&mut net.owners[1], sent).expect("reacted");
    net.run();
    for owner in &mut net.owners {
        assert_eq!(found(owner), 1);
    }
    net.advance(millis);
    (net, id, sent)
}

fn react(owner: &mut Owner, id: MessageId) -> Result<Done, Refusal> {
    let reaction = Some("\u{1f525}".into());
    owner.call(&message::React { id, reaction })
}

/// How many messages hold the words.
fn found(owner: &mut Owner) -> usize {
    let search = message::Search {
        text: Secret::from("burning"),
        conversation: None,
        limit: None,
        after: None,
    };
    owner.call(&search).expect("found").messages.len()
}

fn is_gone(message: &Message) -> bool {
    let says = message.text.is_some()
        || !message.attachments.is_empty()
        || !message.reactions.is_empty()
        || message.reacted > 0;
    !says && message.removed.is_some()
}

/// Something that disappears an hour after it was read, said and delivered.
fn disappearing(net: &mut Net, id: ConnectionId, words: &str) -> MessageId {
    let send = message::Send {
        disappear_after: Some(HOUR),
        ..text(Conversation::Connection(id), words)
    };
    let sent = net.owners[0].call(&send).expect("sent").id;
    net.run();
    sent
}

#[test]
fn nobody_is_shown_a_message_whose_time_has_come() {
    let (mut net, id, sent) = after(HOUR);

    for owner in &mut net.owners {
        let got = get(owner, sent);
        assert!(is_gone(&got), "{got:?}");
        let listed = owner.conversation(Conversation::Connection(id));
        assert!(listed.iter().all(is_gone));
        let changes = message::Changes {
            behind: 0,
            limit: None,
        };
        let changed = owner.call(&changes).expect("changes").messages;
        assert!(changed.len() == 1 && changed.iter().all(is_gone));
        assert_eq!(found(owner), 0);
    }
}

#[test]
fn message_is_there_until_its_time_has_come() {
    let (mut net, _, sent) = after(HOUR - 1);

    for owner in &mut net.owners {
        assert!(!is_gone(&get(owner, sent)));
        assert_eq!(found(owner), 1);
    }
}

#[test]
fn nothing_is_done_with_a_message_whose_time_has_come() {
    let (mut net, _, sent) = after(HOUR);

    let edit = message::Edit {
        id: sent,
        text: Secret::from("burning still"),
    };
    assert_eq!(net.owners[0].call(&edit), refused(Code::MessageGone));
    for owner in &mut net.owners {
        assert_eq!(react(owner, sent), refused(Code::MessageGone));
    }
}

#[test]
fn what_is_still_said_of_a_message_whose_time_has_come_is_passed_over() {
    let (mut net, id, _) = after(HOUR);
    // Said just before, and heard behind the time.
    let conversation = Conversation::Connection(id);
    let send = message::Send {
        disappear_after: Some(HOUR),
        ..text(conversation, "second")
    };
    let sent = net.owners[0].call(&send).expect("sent").id;
    net.run();
    mark_read(&mut net.owners[1], id);
    net.run();
    let edit = message::Edit {
        id: sent,
        text: Secret::from("third"),
    };
    net.owners[0].call(&edit).expect("edited");
    react(&mut net.owners[0], sent).expect("reacted");
    net.advance(HOUR);

    let before = get(&mut net.owners[1], sent);
    net.run();

    assert_eq!(get(&mut net.owners[1], sent), before);
}

#[test]
fn disappearing_message_goes_on_both_sides_after_it_was_read() {
    let (mut net, id) = talking();
    let sent = disappearing(&mut net, id, "secret");
    net.advance(DAY);
    net.tick();
    assert!(get(&mut net.owners[1], sent).text.is_some());

    mark_read(&mut net.owners[1], id);
    net.run();
    net.advance(HOUR + MINUTE);
    net.tick();

    for owner in &mut net.owners {
        let gone = get(owner, sent);
        assert!(gone.text.is_none() && gone.removed.is_some());
    }
}

#[test]
fn disappearing_message_goes_at_its_sender_though_nobody_says_that_it_was_read() {
    let (mut net, id) = talking();
    let sent = disappearing(&mut net, id, "secret");

    net.advance(limits::DELIVERY_TIME + HOUR - MINUTE);
    net.tick();
    assert!(get(&mut net.owners[0], sent).text.is_some());
    net.advance(2 * MINUTE);
    net.tick();

    assert!(get(&mut net.owners[0], sent).text.is_none());
    assert!(get(&mut net.owners[1], sent).text.is_some(), "not read yet");
}
