//! A conversation is emptied for its owner alone, whatever happens meanwhile.

use vettid_store::Room;
use vettid_wire::Secret;
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::operation::message::{self, Cleared, Conversation, Messages};
use vettid_wire::operation::vault;
use vettid_wire::refusal::{Code, Refusal};

use super::talk::{get, talking};
use crate::fixture::{Net, Owner, refused, text};

/// Both have said something, and owner 1 has searched.
fn spoken() -> (Net, ConnectionId, Vec<MessageId>) {
    let (mut net, id) = talking();
    let mut said = Vec::new();
    for words in ["first word", "second word", "third word"] {
        said.push(net.owners[0].say(id, words));
        net.run();
    }
    let own = net.owners[1].say(id, "own word");
    net.run();
    assert_eq!(found(&mut net.owners[1]), 4);
    said.push(own);
    (net, id, said)
}

fn clear(owner: &mut Owner, id: ConnectionId, through: u64) -> Result<(), Refusal> {
    let conversation = Conversation::Connection(id);
    let clear = message::Clear {
        conversation,
        through,
    };
    owner.call(&clear).map(drop)
}

fn found(owner: &mut Owner) -> usize {
    let search = message::Search {
        text: Secret::from("word"),
        conversation: None,
        limit: None,
        after: None,
    };
    owner.call(&search).expect("found").messages.len()
}

fn changes(owner: &mut Owner, behind: u64, limit: Option<u32>) -> Messages {
    let changes = message::Changes { behind, limit };
    owner.call(&changes).expect("changes")
}

fn newest(owner: &mut Owner) -> u64 {
    let open = owner
        .call(&vault::Status { seen: None })
        .expect("status")
        .open;
    open.expect("open").messages
}

/// Rows that the vault keeps of a conversation, shown or not.
fn rows(owner: &mut Owner) -> usize {
    owner
        .vault
        .database()
        .view()
        .message_ids()
        .expect("ids")
        .len()
}

#[test]
fn cleared_conversation_is_empty_here_and_as_it_was_there() {
    let (mut net, id, said) = spoken();
    let there = net.owners[0].lines(id);

    clear(&mut net.owners[1], id, u64::MAX).expect("cleared");
    net.run();

    let owner = &mut net.owners[1];
    assert!(owner.lines(id).is_empty());
    assert_eq!((found(owner), rows(owner)), (0, 0));
    assert_eq!(owner.connection(id).unread, 0);
    let gone = owner.call(&message::Get { id: said[0] });
    assert_eq!(gone.err(), Some(Code::NotFound.into()));
    let conversation = Conversation::Connection(id);
    let weight = owner.vault.database().view().weight(&conversation);
    assert_eq!(weight, Ok(0));
    assert_eq!(net.owners[0].lines(id), there);
    assert!(net.owners[1].audited("message.clear", true));
}

#[test]
fn what_is_said_later_stands_behind_what_was_cleared() {
    let (mut net, id, said) = spoken();
    let before = newest(&mut net.owners[1]);

    clear(&mut net.owners[1], id, u64::MAX).expect("cleared");
    let cleared = newest(&mut net.owners[1]);
    let later = net.owners[0].say(id, "later");
    // Nobody minds what is still said of what is gone.
    let edit = message::Edit {
        id: said[0],
        text: Secret::from("another word"),
    };
    net.owners[0].call(&edit).expect("edited");
    let reaction = Some("+".into());
    let react = message::React {
        id: said[3],
        reaction,
    };
    net.owners[0].call(&react).expect("reacted");
    net.run();

    assert!(before < cleared && cleared < newest(&mut net.owners[1]));
    assert_eq!(net.owners[1].lines(id), ["later"]);
    assert_eq!(get(&mut net.owners[1], later).sequence, 5);
}

#[test]
fn only_what_was_said_before_a_place_goes() {
    let (mut net, id, _) = spoken();

    clear(&mut net.owners[1], id, 2).expect("cleared");
    assert_eq!(net.owners[1].lines(id), ["third word", ">own word"]);
    // Again, and less far.
    clear(&mut net.owners[1], id, 1).expect("nothing to do");
    assert_eq!(
        newest(&mut net.owners[1]),
        changes(&mut net.owners[1], 0, None).newest().unwrap_or(0)
    );
    clear(&mut net.owners[1], id, 3).expect("cleared");

    assert_eq!(net.owners[1].lines(id), [">own word"]);
    assert_eq!(found(&mut net.owners[1]), 1);
    let nobody = ConnectionId([0; 16]);
    let refusal = clear(&mut net.owners[1], nobody, 1);
    assert_eq!(refusal, refused(Code::NotFound));
}

#[test]
fn device_that_was_away_is_told_with_one_change() {
    let (mut net, id, _) = spoken();
    let other = net.owners[1].say(id, "stays");
    net.run();
    let behind = newest(&mut net.owners[1]);

    clear(&mut net.owners[1], id, 4).expect("cleared");

    let told = changes(&mut net.owners[1], behind, None);
    let conversation = Conversation::Connection(id);
    let cleared = Cleared {
        conversation,
        through: 4,
        change: behind + 1,
    };
    assert_eq!(
        (told.messages, told.cleared, told.more),
        (vec![], vec![cleared], false)
    );
    assert_eq!(net.owners[1].messages, Some(behind + 1));
    // One that knows nothing sees what is there, and then what was cleared.
    let owner = &mut net.owners[1];
    let first = changes(owner, 0, Some(1));
    let ids: Vec<_> = first.messages.iter().map(|it| it.id).collect();
    assert_eq!((ids, first.more), (vec![other], false));
    assert_eq!(first.cleared, [cleared]);
    assert!(changes(owner, cleared.change, None).newest().is_none());
}

#[test]
fn pages_of_changes_keep_the_order_of_messages_and_what_was_cleared() {
    let mut net = Net::of(4);
    let ids: Vec<_> = (1..4).map(|other| net.connect(0, other)).collect();
    for id in &ids {
        net.owners[0].say(*id, "goes");
        net.owners[0].say(*id, "stays");
        clear(&mut net.owners[0], *id, 1).expect("cleared");
    }
    net.run();

    let (mut behind, mut seen) = (0, Vec::new());
    loop {
        let page = changes(&mut net.owners[0], behind, Some(2));
        seen.extend(page.messages.iter().map(|it| it.change));
        seen.extend(page.cleared.iter().map(|it| it.change));
        behind = page.newest().unwrap_or(behind);
        if !page.more {
            break;
        }
        assert_eq!(seen.iter().max(), Some(&behind));
    }

    seen.sort_unstable();
    assert_eq!(seen.len(), 6);
    assert_eq!(seen.last(), Some(&newest(&mut net.owners[0])));
}

/// The record is written that says so, and nothing follows.
fn only_said(owner: &mut Owner, id: ConnectionId, through: u64) {
    let conversation = Conversation::Connection(id);
    owner.forge(|on| {
        let cleared = on.change.clear_messages(&conversation, through);
        assert_eq!(cleared, Ok(true));
    });
}

#[test]
fn rows_go_also_when_the_process_ends_in_between() {
    let (mut net, id, _) = spoken();
    let owner = &mut net.owners[1];
    only_said(owner, id, 3);
    assert_eq!(rows(owner), 4);

    owner.recover();

    assert_eq!(rows(owner), 1);
    assert_eq!(owner.lines(id), [">own word"]);
}

#[test]
fn nothing_is_found_while_rows_are_still_to_go() {
    let (mut net, id, _) = spoken();
    let owner = &mut net.owners[1];
    only_said(owner, id, 4);

    let search = message::Search {
        text: Secret::from("word"),
        conversation: None,
        limit: Some(1),
        after: None,
    };
    let page = owner.call(&search).expect("found");
    assert_eq!((page.messages, page.more), (vec![], false));
}

#[test]
fn nothing_is_shown_while_rows_are_still_to_go() {
    let (mut net, id, said) = spoken();
    let owner = &mut net.owners[1];
    let newest = newest(owner);
    // Each answer comes before rows go that were marked last.
    only_said(owner, id, 1);
    let gone = owner.call(&message::Get { id: said[0] });
    assert_eq!(gone.err(), Some(Code::NotFound.into()));
    only_said(owner, id, 2);
    assert_eq!(owner.lines(id), ["third word", ">own word"]);
    only_said(owner, id, 3);
    assert_eq!(owner.connection(id).unread, 0);
    only_said(owner, id, 4);
    assert_eq!(found(owner), 0);
    assert_eq!(rows(owner), 0);

    let later = owner.say(id, "later");
    assert_eq!(get(owner, later).sequence, 5);
    only_said(owner, id, 5);
    assert_eq!(changes(owner, newest, None).messages, vec![]);
}

#[test]
fn full_vault_can_be_emptied_of_what_others_have_said() {
    let (mut net, id, _) = spoken();
    let owner = &mut net.owners[1];
    let long = "x".repeat(16_000);
    for _ in 0..8 {
        owner.say(id, &long);
    }
    owner.fill_room(Room::Ordinary);
    let refusal = owner.call(&text(Conversation::Connection(id), &long)).err();
    assert!(refusal.is_some_and(|why| why.code == Code::LimitExceeded));

    clear(owner, id, u64::MAX).expect("cleared");

    assert!(
        owner
            .call(&text(Conversation::Connection(id), &long))
            .is_ok()
    );
}
