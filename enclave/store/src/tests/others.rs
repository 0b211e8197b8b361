//! Tables about other owners, one noun after the other.

use vettid_crypto::sealed_box::BoxSecret;
use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId, InvitationId, MessageId, VaultId};
use vettid_wire::operation::connection::{Ended, List, Settings, State};
use vettid_wire::operation::invitation::{self, Card, Invitation};
use vettid_wire::operation::message::{Conversation, Failed, From, Receipt};
use vettid_wire::operation::{connection, feed, group, invitation as wire, message};
use vettid_wire::time::UnixMillis;

use crate::fixture::{NOW, Vault};
use crate::rows::channel::Channel;
use crate::rows::connection::Connection;
use crate::rows::early::Early;
use crate::rows::group::{Group, GroupMember};
use crate::rows::home::Home;
use crate::rows::invitation::Offered;
use crate::rows::message::{Body, NewMessage};
use crate::rows::mls::MlsKey;
use crate::rows::outbox::Outgoing;
use crate::rows::taken::Came;

fn id(number: u8) -> ConnectionId {
    ConnectionId([number; 16])
}

fn connection(number: u8, active: u64) -> Connection {
    Connection {
        id: id(number),
        state: State::Active,
        vault: VaultId([number; 32]),
        inviter: number.is_multiple_of(2),
        created: NOW,
        active: NOW.plus(active),
        card: Card::default(),
        safety_code: Some("012345".into()),
        verified: None,
        settings: Settings::default(),
        home: vec![1, 2, 3],
        progress: Some(Secret::from("progress")),
        token: Some([number; 32]),
        ended: Some(Ended::Late),
    }
}

fn channel(number: u8) -> Channel {
    Channel {
        connection: id(number),
        mls: [number; 16],
        generation: 3,
        signer: Secret::new(vec![1; 32]),
        peer: [2; 32],
        rotations: 1,
        resume: Secret::new(vec![3; 32]),
        sent: 4,
        marked: [9; 8],
        received: 5,
        heard: [8; 8],
        gap: None,
        owed: Some(NOW),
        healed: NOW,
        worn: 6,
        renewing: None,
        asked: Some(NOW),
        served: None,
        stated: NOW,
        resumed: NOW,
        told: 7,
        pending: Some(Secret::from("pending")),
        held: Some(NOW),
    }
}

fn outgoing(delivery: u8, connection: Option<u8>, body: u64) -> Outgoing {
    Outgoing {
        delivery: DeliveryId([delivery; 16]),
        vault: VaultId([1; 32]),
        connection: connection.map(id),
        sequence: connection.map(|_| u64::from(delivery)),
        message: Some(MessageId([delivery; 16])),
        expires: NOW.plus(u64::from(delivery)),
        said: Some(Secret::from("said")),
        body,
    }
}

fn list() -> List {
    List {
        state: None,
        archived: false,
        tag: None,
        after: None,
        limit: None,
    }
}

#[test]
fn home_is_replaced_and_comes_back() {
    let mut vault = Vault::enrolled();
    assert_eq!(vault.database.view().home(), Ok(None));
    for sequence in 1..=2 {
        let home = Home {
            sequence,
            expires: NOW,
            place: vec![1],
            record: vec![2],
        };
        vault.commit(|change| change.put_home(&home));
    }

    let home = vault.database.view().home().expect("reads").expect("one");
    assert_eq!(home.sequence, 2);
}

#[test]
fn invitation_is_found_by_its_token_and_loses_its_secret_when_it_ends() {
    let mut vault = Vault::enrolled();
    let offered = Offered {
        invitation: Invitation {
            id: InvitationId([1; 16]),
            class: Class::Remote,
            label: Some("for Ann".into()),
            created: NOW,
            expires: NOW.plus(10),
            state: wire::State::Open,
            connection: None,
        },
        token: [2; 32],
        secret: Some(BoxSecret::from_bytes(&[3; 32])),
        card: Card::default(),
    };
    vault.commit(|change| change.insert_invitation(&offered));
    let view = vault.database.view();
    assert_eq!(view.count_open_invitations(NOW), Ok(1));
    assert_eq!(view.count_open_invitations(NOW.plus(10)), Ok(0));
    assert!(view.invitation_of(&[9; 32]).expect("reads").is_none());

    let used = invitation::State::Used;
    vault.commit(|change| change.end_invitation(&InvitationId([1; 16]), used, Some(&id(4))));

    let found = vault.database.view().invitation_of(&[2; 32]);
    let found = found.expect("reads").expect("there");
    assert!(found.secret.is_none());
    assert_eq!(found.invitation.connection, Some(id(4)));
    vault.commit(|change| change.expire_invitations(NOW.plus(99), NOW.plus(11)));
    assert_eq!(vault.database.view().invitations(), Ok(vec![]));
}

#[test]
fn connections_are_listed_by_activity_state_and_tag_in_pages() {
    let mut vault = Vault::enrolled();
    for (number, active) in [(1, 3), (2, 1), (3, 2)] {
        vault.commit(|change| change.put_connection(&connection(number, active)));
    }
    vault.commit(|change| change.set_connection_tags(&id(3), &["work".into(), "work".into()]));
    vault.commit(|change| {
        change.put_connection(&Connection {
            state: State::Revoked,
            ..connection(2, 1)
        })
    });
    let ids = |list: &List| {
        let (found, more) = vault.database.view().connections(list).expect("page");
        let ids: Vec<_> = found.iter().map(|it| it.id.0[0]).collect();
        (ids, more)
    };

    assert_eq!(ids(&list()), (vec![1, 3, 2], false));
    let first = List {
        limit: Some(2),
        ..list()
    };
    assert_eq!(ids(&first), (vec![1, 3], true));
    let rest = List {
        after: Some(connection::Cursor {
            active: NOW.plus(2),
            id: id(3),
        }),
        ..list()
    };
    assert_eq!(ids(&rest), (vec![2], false));
    let tagged = List {
        tag: Some("work".into()),
        ..list()
    };
    assert_eq!(ids(&tagged), (vec![3], false));
    assert_eq!(vault.database.view().count_connections(), Ok(2));
    let found = vault.database.view().connection(&id(3)).expect("reads");
    let expected = Connection {
        settings: Settings {
            tags: vec!["work".into()],
            ..Settings::default()
        },
        ..connection(3, 2)
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn channel_comes_back_and_goes_with_its_keys_and_what_waits() {
    let mut vault = Vault::enrolled();
    let key = MlsKey {
        conversation: &Conversation::Connection(id(1)),
        kind: 3,
        key: b"key",
    };
    vault.commit(|change| {
        change.put_channel(&channel(1))?;
        change.put_mls(&key, b"first")?;
        change.put_mls(&key, b"value")
    });
    let early = Early {
        delivery: DeliveryId([5; 16]),
        body: vec![6],
    };
    // A group of the same number has keys of its own.
    let group = Conversation::Group(GroupId([1; 16]));
    let of_group = MlsKey {
        conversation: &group,
        ..key
    };
    vault.commit(|change| change.put_mls(&of_group, b"of the group"));
    vault.commit(|change| change.insert_early(&id(1), 9, &early, NOW));
    let view = vault.database.view();
    assert_eq!(view.channel(&id(1)), Ok(Some(channel(1))));
    assert_eq!(view.mls(&key), Ok(Some(Secret::from("value"))));
    assert_eq!(view.count_early(&id(1)), Ok((1, 1)));
    assert_eq!(view.early(&id(1), 9), Ok(Some(early)));

    vault.commit(|change| change.remove_channel(&id(1)));

    let view = vault.database.view();
    assert_eq!(view.channel(&id(1)), Ok(None));
    assert_eq!(view.mls(&key), Ok(None));
    assert_eq!(view.mls(&of_group), Ok(Some(Secret::from("of the group"))));
    assert_eq!(view.count_early(&id(1)), Ok((0, 0)));
}

#[test]
fn outbox_is_in_order_and_a_shared_body_goes_with_its_last_entry() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| {
        let body = change.insert_body(b"shared")?;
        change.insert_outgoing(&outgoing(1, Some(1), body))?;
        change.insert_outgoing(&outgoing(2, None, body))?;
        change.insert_unsaid(&id(3), None, NOW, body)
    });
    let view = vault.database.view();
    let all = view.outbox(0, 10).expect("page");
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].outgoing, outgoing(1, Some(1), 1));
    assert_eq!(view.outbox(all[0].number, 10).expect("page").len(), 1);
    assert_eq!(view.count_waiting(&id(1)), Ok(1));
    assert_eq!(view.outbox_expired(NOW.plus(1), 10).expect("page").len(), 1);

    vault.commit(|change| change.mark_stored(all[0].number, NOW));
    assert_eq!(vault.database.view().count_waiting(&id(1)), Ok(0));
    assert_eq!(vault.database.view().outbox(0, 10).expect("page").len(), 1);
    for entry in &all {
        vault.commit(|change| change.remove_outgoing(entry));
    }
    assert!(vault.database.view().body(1).is_ok());
    let unsaid = vault.database.view().next_unsaid(NOW).expect("reads");
    let unsaid = unsaid.expect("one");
    assert_eq!((unsaid.connection, unsaid.body), (id(3), 1));
    vault.commit(|change| change.remove_unsaid(&unsaid));

    assert!(vault.database.view().body(1).is_err());
    assert_eq!(vault.database.view().next_unsaid(NOW), Ok(None));
}

fn came(number: u8) -> Came {
    Came {
        delivery: DeliveryId([number; 16]),
        tag: [number; 8],
    }
}

#[test]
fn taken_deliveries_are_known_until_they_are_old() {
    let mut vault = Vault::enrolled();
    for number in 0..5 {
        let at = NOW.plus(u64::from(number));
        let here = Conversation::Connection(id(1));
        vault.commit(|change| change.take(&here, &came(number), at));
    }

    vault.commit(|change| change.forget_taken(NOW.plus(3), 2).map(drop));

    let view = vault.database.view();
    let here = Conversation::Connection(id(1));
    let known = (0..5).map(|number| view.is_taken(&here, &came(number)).expect("reads"));
    assert_eq!(known.collect::<Vec<_>>(), [false, false, true, true, true]);
}

fn write(vault: &mut Vault, number: u8, conversation: Conversation, sender: Option<VaultId>) {
    let body = Body {
        text: Secret::from(format!("text {number}").as_str()),
        attachments: vec![],
    };
    vault.commit(|change| {
        change.insert_message(&NewMessage {
            id: MessageId([number; 16]),
            said: None,
            conversation,
            sender,
            sent: NOW,
            received: sender.map(|_| NOW),
            body: &body,
            reply_to: None,
            receipt: sender.is_none().then_some(Receipt::Waiting),
            disappear_after: None,
        })
    });
}

#[test]
fn messages_have_places_in_their_conversation_and_numbers_over_all() {
    let mut vault = Vault::enrolled();
    let (one, two) = (
        Conversation::Connection(id(1)),
        Conversation::Group(GroupId([1; 16])),
    );
    for (number, conversation) in [(1, one), (2, two), (3, one)] {
        write(&mut vault, number, conversation, None);
    }
    vault.commit(|change| change.touch_message(&MessageId([1; 16])));

    let view = vault.database.view();
    let page = view.messages(&one, From::Newest, None).expect("page");
    let places: Vec<_> = page
        .messages
        .iter()
        .map(|it| (it.sequence, it.change))
        .collect();
    assert_eq!(places, [(1, 4), (2, 3)]);
    let changes = view.message_changes(2, None).expect("page").messages;
    let ids: Vec<_> = changes.iter().map(|it| it.id.0[0]).collect();
    assert_eq!(ids, [3, 1]);
    assert_eq!(view.newest_change(), Ok(4));
}

#[test]
fn receipt_never_goes_back_and_that_of_a_group_is_the_least() {
    let mut vault = Vault::enrolled();
    write(&mut vault, 1, Conversation::Connection(id(1)), None);
    let message = MessageId([1; 16]);
    vault.commit(|change| change.raise_receipt(&message, Receipt::Delivered));
    vault.commit(|change| change.raise_receipt(&message, Receipt::Stored));
    let receipt = |vault: &Vault| {
        let found = vault.database.view().message(&message).expect("reads");
        found.expect("there").receipt
    };
    assert_eq!(receipt(&vault), Some(Receipt::Delivered));

    let failed = |vault: &Vault| {
        let found = vault.database.view().message(&message).expect("reads");
        found.expect("there").failed
    };
    vault.commit(|change| change.fail_message(&message, Failed::Refused));
    vault.commit(|change| change.raise_least_receipt(&message, Receipt::Delivered));
    assert_eq!(failed(&vault), Some(Failed::Refused));
    vault.commit(|change| change.raise_least_receipt(&message, Receipt::Read));
    assert_eq!(receipt(&vault), Some(Receipt::Read));
    assert_eq!(failed(&vault), Some(Failed::Refused));

    for (vault_id, receipt) in [
        (1, Receipt::Read),
        (2, Receipt::Stored),
        (1, Receipt::Stored),
    ] {
        let member = VaultId([vault_id; 32]);
        vault.commit(|change| change.raise_receipt_of(&message, &member, receipt));
    }

    let least = vault.database.view().least_receipt(&message);
    assert_eq!(least, Ok(Some(Receipt::Stored)));
    vault.commit(|change| change.remove_receipt_of(&message, &VaultId([2; 32])));
    let least = vault.database.view().least_receipt(&message);
    assert_eq!(least, Ok(Some(Receipt::Read)));
}

#[test]
fn removed_message_keeps_its_place_and_nothing_that_it_said() {
    let mut vault = Vault::enrolled();
    let other = VaultId([7; 32]);
    let conversation = Conversation::Connection(id(1));
    write(&mut vault, 1, conversation, Some(other));
    let message = MessageId([1; 16]);
    vault.commit(|change| change.set_reaction(&message, Some(&other), Some("👍")));
    vault.commit(|change| change.set_reaction(&message, None, Some("x")));
    assert_eq!(vault.database.view().count_unread(&conversation), Ok(1));

    vault.commit(|change| change.remove_message(&message, NOW.plus(5)));

    let view = vault.database.view();
    let gone = view.message(&message).expect("reads").expect("there");
    assert_eq!((gone.text, gone.removed), (None, Some(NOW.plus(5))));
    assert!(gone.reactions.is_empty());
    assert_eq!(view.count_unread(&conversation), Ok(0));
    assert!(gone.change > gone.sequence);
}

#[test]
fn failed_and_read_messages_say_so() {
    let mut vault = Vault::enrolled();
    let conversation = Conversation::Connection(id(1));
    write(&mut vault, 1, conversation, None);
    write(&mut vault, 2, conversation, Some(VaultId([7; 32])));

    vault.commit(|change| change.fail_message(&MessageId([1; 16]), Failed::Expired));
    let soon = Some(NOW.plus(9));
    vault.commit(|change| change.mark_read(&MessageId([2; 16]), NOW, soon));

    let view = vault.database.view();
    let page = view.messages(&conversation, From::Behind(0), None);
    let [failed, read] = &page.expect("page").messages[..] else {
        panic!("two messages");
    };
    assert_eq!(failed.failed, Some(Failed::Expired));
    assert_eq!((read.read, read.disappears), (Some(NOW), soon));
    let due = |at| view.messages_to_disappear(at, 10).expect("reads").len();
    assert_eq!((due(NOW.plus(8)), due(NOW.plus(9))), (0, 1));
}

#[test]
fn connections_behind_one_that_has_moved_are_neither_skipped_nor_repeated() {
    let mut vault = Vault::enrolled();
    for (number, active) in [(1, 4), (2, 3), (3, 2), (4, 1)] {
        vault.commit(|change| change.put_connection(&connection(number, active)));
    }
    let rest = List {
        after: Some(connection::Cursor {
            active: NOW.plus(3),
            id: id(2),
        }),
        ..list()
    };

    vault.commit(|change| change.touch_connection(&id(2), NOW.plus(9)));

    let (found, more) = vault.database.view().connections(&rest).expect("page");
    let ids: Vec<_> = found.iter().map(|it| it.id.0[0]).collect();
    assert_eq!((ids, more), (vec![3, 4], false));
}

#[test]
fn messages_are_searched_with_an_index_that_follows() {
    let mut vault = Vault::enrolled();
    let conversation = Conversation::Connection(id(1));
    write(&mut vault, 1, conversation, None);
    vault.database.build_message_index().expect("built");
    vault.commit(|change| change.index_message(&MessageId([1; 16])));
    let found = |vault: &Vault, words: &str, place: Option<&Conversation>| {
        let view = vault.database.view();
        let found = view.search_messages(words, place, (None, None), NOW);
        found.expect("found").0.len()
    };
    assert_eq!(found(&vault, "tex", None), 1);
    let elsewhere = Conversation::Connection(id(2));
    assert_eq!(found(&vault, "tex", Some(&elsewhere)), 0);

    vault.commit(|change| {
        change.remove_message(&MessageId([1; 16]), NOW)?;
        change.index_message(&MessageId([1; 16]))
    });

    assert_eq!(found(&vault, "tex", None), 0);
}

#[test]
fn messages_found_behind_one_that_was_changed_or_removed_are_neither_skipped_nor_repeated() {
    let mut vault = Vault::enrolled();
    let conversation = Conversation::Connection(id(1));
    for number in 1..=5 {
        write(&mut vault, number, conversation, None);
    }
    vault.database.build_message_index().expect("built");
    let page = |vault: &Vault, after: Option<&message::Cursor>| {
        let view = vault.database.view();
        let found = view.search_messages("text", None, (after, Some(2)), NOW);
        let (found, more) = found.expect("found");
        let ids: Vec<_> = found.iter().map(|it| it.0[0]).collect();
        (ids, more)
    };
    assert_eq!(page(&vault, None), (vec![5, 4], true));
    let last = vault.database.view().message(&MessageId([4; 16]));
    let last = last.expect("reads").expect("there").cursor();

    let body = Body {
        text: Secret::from("text, changed"),
        attachments: vec![],
    };
    vault.commit(|change| {
        change.edit_message(&MessageId([4; 16]), &body, NOW)?;
        change.index_message(&MessageId([4; 16]))?;
        change.edit_message(&MessageId([2; 16]), &body, NOW)?;
        change.index_message(&MessageId([2; 16]))
    });
    assert_eq!(page(&vault, Some(&last)), (vec![3, 2], true));
    vault.commit(|change| {
        change.remove_message(&MessageId([4; 16]), NOW)?;
        change.index_message(&MessageId([4; 16]))
    });

    assert_eq!(page(&vault, Some(&last)), (vec![3, 2], true));
}

fn group() -> Group {
    Group {
        id: GroupId([1; 16]),
        name: "friends".into(),
        creator: None,
        seed: Some([7; 16]),
        member: true,
        invited: false,
        signer: Some(Secret::new(vec![2; 32])),
        told: true,
        behind: Some(NOW),
        ahead: Some(NOW),
        caught: Some(NOW.plus(1)),
        asked: Some(NOW),
        asks: 2,
        due: false,
        since: NOW,
        active: NOW,
    }
}

#[test]
fn groups_and_members_come_back() {
    let mut vault = Vault::enrolled();
    let group = group();
    let member = GroupMember {
        vault: VaultId([3; 32]),
        name: "Ann".into(),
        home: Some(vec![4]),
        key: None,
        package: Some(vec![5]),
        spent: Some([6; 32]),
        added: None,
    };
    vault.commit(|change| {
        change.put_group(&group)?;
        change.put_group_member(&group.id, &member)
    });

    let view = vault.database.view();
    assert_eq!(view.groups(), Ok(vec![group.clone()]));
    assert_eq!(view.group_members(&group.id), Ok(vec![member.clone()]));
    assert_eq!(view.groups_with_packages(NOW), Ok(vec![group.id]));
    assert_eq!(view.count_groups(), Ok(1));
    assert_eq!(view.count_group_members(&group.id), Ok(1));
    assert_eq!(view.homes_of_member(&member.vault), Ok(vec![Some(vec![4])]));
    vault.commit(|change| change.mark_gone(&group.id, &member.vault));
    let view = vault.database.view();
    assert_eq!(view.group_members(&group.id), Ok(vec![]));
    assert_eq!(view.group_members_gone(&group.id), Ok(vec![member.vault]));
    let mut gone = false;
    vault.commit(|change| {
        gone = change.remove_group_member(&group.id, &member.vault)?;
        Ok(())
    });
    assert!(gone);
}

#[test]
fn groups_are_listed_by_activity_in_pages() {
    let mut vault = Vault::enrolled();
    for (number, active) in [(1, 3), (2, 1), (3, 2)] {
        let group = Group {
            id: GroupId([number; 16]),
            active: NOW.plus(active),
            ..group()
        };
        vault.commit(|change| change.put_group(&group));
    }

    let page = |vault: &Vault, after: Option<(u64, u8)>, limit| {
        let after = after.map(|(active, id)| group::Cursor {
            active: NOW.plus(active),
            id: GroupId([id; 16]),
        });
        let view = vault.database.view();
        let (found, more) = view
            .group_page(&group::List { after, limit })
            .expect("page");
        let ids: Vec<_> = found.iter().map(|it| it.id.0[0]).collect();
        (ids, more)
    };
    assert_eq!(page(&vault, None, None), (vec![1, 3, 2], false));
    assert_eq!(page(&vault, None, Some(2)), (vec![1, 3], true));
    assert_eq!(page(&vault, Some((2, 3)), Some(2)), (vec![2], false));

    // The last one of a page moves to the begin, and then it is forgotten.
    vault.commit(|change| change.touch_group(&GroupId([3; 16]), NOW.plus(9)));
    assert_eq!(page(&vault, Some((2, 3)), Some(2)), (vec![2], false));
    vault.commit(|change| change.remove_group(&GroupId([3; 16])));
    assert_eq!(page(&vault, Some((2, 3)), Some(2)), (vec![2], false));
}

#[test]
fn feed_entry_names_the_conversation_that_it_is_about() {
    let mut vault = Vault::enrolled();
    let about = Conversation::Connection(id(1));
    vault.commit(|change| {
        let kind = feed::Kind::ConnectionActive;
        change.append_feed_about(UnixMillis(1), kind, None, Some(&about))
    });

    let list = feed::List {
        after: 0,
        limit: None,
        unread: false,
    };
    let entries = vault.database.view().feed(&list).expect("page").entries;
    assert_eq!(entries.last().expect("one").conversation, Some(about));
}

#[test]
fn everything_about_others_survives_a_restart() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.put_connection(&connection(1, 1)));
    vault.commit(|change| change.put_channel(&channel(1)));
    write(&mut vault, 1, Conversation::Connection(id(1)), None);
    vault.commit(|change| {
        let body = change.insert_body(b"body")?;
        change.insert_outgoing(&outgoing(1, Some(1), body))
    });
    let before = crate::fixture::dump(&vault.database);

    vault.restart();

    assert_eq!(crate::fixture::dump(&vault.database), before);
}

#[test]
fn vault_from_before_connections_is_migrated_with_its_feed() {
    let schema = crate::migrate::Schema::CURRENT;
    let database = crate::Database::empty(schema, 1).expect("empty");
    let tail = crate::Tail::genesis(crate::fixture::SPACE).with_newest_schema(1);
    let vault = Vault::begun(database, tail, |change| {
        let insert = "INSERT INTO feed (sequence, at, kind) VALUES (1, 2, 8)";
        Ok(change.connection.execute_batch(insert)?)
    });

    let restored = vault.restore().expect("restores");

    assert!(restored.migrated);
    let list = feed::List {
        after: 0,
        limit: None,
        unread: false,
    };
    let entries = restored.database.view().feed(&list).expect("page").entries;
    assert_eq!(entries[0].kind, feed::Kind::VaultCreated);
    assert_eq!(entries[0].conversation, None);
    assert_eq!(restored.database.view().home(), Ok(None));
}
