//! What others may take of a vault's database, and parts of a transaction that are undone.

use vettid_wire::Secret;
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId, MessageId, VaultId};
use vettid_wire::operation::feed;
use vettid_wire::operation::message::{Conversation, From, Receipt};
use vettid_wire::time::UnixMillis;

use crate::StoreError;
use crate::fixture::{NOW, Vault};
use crate::rows::message::{Body, NewMessage};
use crate::rows::outbox::Outgoing;
use crate::rows::taken::{Came, TAKEN};

const HERE: Conversation = Conversation::Connection(ConnectionId([1; 16]));

fn body(size: usize) -> Body {
    Body {
        text: Secret::new(vec![b'x'; size]),
        attachments: vec![],
    }
}

fn message<'a>(id: u8, sender: Option<u8>, body: &'a Body) -> NewMessage<'a> {
    NewMessage {
        id: MessageId([id; 16]),
        said: None,
        conversation: HERE,
        sender: sender.map(|sender| VaultId([sender; 32])),
        sent: NOW,
        received: Some(NOW),
        body,
        reply_to: None,
        receipt: None,
        disappear_after: None,
    }
}

#[test]
fn part_that_fails_is_undone_and_the_record_holds_the_rest() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.append_feed(NOW, feed::Kind::PinChanged, None));

    vault.commit(|change| {
        change.append_feed(NOW, feed::Kind::PinFailed, None)?;
        let failed = change.attempt(|| {
            change.append_feed(NOW, feed::Kind::PasswordChanged, None)?;
            change.mark_feed_read(u64::MAX, NOW)?;
            change.insert_message(&message(1, Some(7), &body(10)))?;
            Err::<(), _>(StoreError::Malformed)
        });
        assert_eq!(failed, Err(StoreError::Malformed));
        change.attempt(|| change.append_feed(NOW, feed::Kind::PinChanged, None))
    });

    let list = feed::List {
        after: 0,
        limit: None,
        unread: true,
    };
    let here = vault.database.view().feed(&list).expect("page");
    let restored = vault.restore().expect("restores").database;
    assert_eq!(here.entries.len(), 3);
    assert_eq!(restored.view().feed(&list), Ok(here));
    assert_eq!(restored.view().has_messages(&HERE), Ok(false));
}

#[test]
fn conversation_knows_so_many_deliveries_and_those_of_another_one_stay() {
    let mut vault = Vault::enrolled();
    let elsewhere = Conversation::Group(GroupId([1; 16]));
    let came = |number: u64| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Came {
            delivery: DeliveryId(id),
            tag: [1; 8],
        }
    };
    vault.commit(|change| change.take(&elsewhere, &came(1), NOW));

    for first in [0, TAKEN / 2] {
        vault.commit(|change| {
            for number in first..=first + TAKEN / 2 {
                if number > first || first == 0 {
                    change.take(&HERE, &came(number), NOW)?;
                }
            }
            Ok(())
        });
    }

    let view = vault.database.view();
    assert_eq!(view.is_taken(&HERE, &came(0)), Ok(false));
    assert_eq!(view.is_taken(&HERE, &came(1)), Ok(true));
    assert_eq!(view.is_taken(&HERE, &came(TAKEN)), Ok(true));
    assert_eq!(view.is_taken(&elsewhere, &came(1)), Ok(true));
    assert_eq!(view.is_taken(&elsewhere, &came(2)), Ok(false));
    let other = Came {
        tag: [2; 8],
        ..came(1)
    };
    assert_eq!(view.is_taken(&HERE, &other), Ok(false));
    let mut forgotten = 0;
    vault.commit(|change| {
        forgotten = change.forget_taken(NOW.plus(1), 100)?;
        Ok(())
    });
    assert_eq!(forgotten, 100);
}

#[test]
fn weight_of_a_conversation_is_what_others_have_said_and_is_kept() {
    let mut vault = Vault::enrolled();
    let weight = |vault: &Vault| vault.database.view().weight(&HERE).expect("reads");
    vault.commit(|change| change.insert_message(&message(1, None, &body(5_000))));
    assert_eq!(weight(&vault), 0);

    vault.commit(|change| change.insert_message(&message(2, Some(7), &body(5_000))));
    let full = weight(&vault);
    assert!((5_000..5_500).contains(&full), "{full}");
    let id = MessageId([2; 16]);
    vault.commit(|change| change.edit_message(&id, &body(1_000), NOW));
    assert_eq!(weight(&vault), full - 4_000);
    vault.commit(|change| change.remove_message(&id, NOW));

    let left = weight(&vault);
    assert!((1..500).contains(&left), "its row stays: {left}");
    assert_eq!(
        vault.database.view().weight_of(&HERE, &VaultId([7; 32])),
        Ok(left)
    );
    assert_eq!(
        vault.database.view().weight_of(&HERE, &VaultId([8; 32])),
        Ok(0)
    );
}

#[test]
fn removed_message_leaves_nothing_after_a_while_but_the_last_ones_stay() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| {
        for number in 1..=4 {
            change.insert_message(&message(number, Some(7), &body(10)))?;
        }
        for number in [1, 2, 4, 3] {
            let at = NOW.plus(u64::from(number));
            change.remove_message(&MessageId([number; 16]), at)?;
        }
        let member = VaultId([7; 32]);
        change.raise_receipt_of(&MessageId([1; 16]), &member, Receipt::Read)
    });
    let places = |vault: &Vault| {
        let view = vault.database.view();
        let page = view.messages(&HERE, From::Newest, None).expect("page");
        let places = page.messages.into_iter().map(|it| it.sequence);
        places.collect::<Vec<_>>()
    };
    let weight = |vault: &Vault| vault.database.view().weight(&HERE).expect("reads");
    let before = weight(&vault);

    vault.commit(|change| change.forget_removed(NOW.plus(2), 10).map(drop));
    assert_eq!(places(&vault), [2, 3, 4]);
    let receipt = vault.database.view().least_receipt(&MessageId([1; 16]));
    assert_eq!(receipt, Ok(None));
    vault.commit(|change| change.forget_removed(NOW.plus(9), 10).map(drop));

    // Places and changes are counted on from the last ones.
    assert_eq!(places(&vault), [3, 4]);
    assert_eq!(weight(&vault), before / 2);
    let newest = vault.database.view().newest_change();
    vault.commit(|change| {
        change
            .insert_message(&message(5, None, &body(10)))
            .map(drop)
    });
    assert_eq!(places(&vault), [3, 4, 5]);
    assert_eq!(
        vault.database.view().newest_change(),
        newest.map(|it| it + 1)
    );
}

#[test]
fn unread_ones_come_oldest_first_and_it_is_said_whether_more_follow() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| {
        for number in 1..=4 {
            let from = (number != 2).then_some(7);
            change.insert_message(&message(number, from, &body(10)))?;
        }
        Ok(())
    });
    let unread = |through, at_most| {
        let view = vault.database.view();
        let (found, more) = view.unread_through(&HERE, through, at_most).expect("reads");
        let places: Vec<_> = found.into_iter().map(|it| it.sequence).collect();
        (places, more)
    };

    assert_eq!(unread(4, 2), (vec![1, 3], true));
    assert_eq!(unread(4, 3), (vec![1, 3, 4], false));
    assert_eq!(unread(3, 2), (vec![1, 3], false));
}

#[test]
fn emptied_conversation_goes_in_parts_and_leaves_nothing_beside_it() {
    let mut vault = Vault::enrolled();
    for number in 1..=5 {
        vault.commit(|change| {
            change.insert_message(&message(number, Some(7), &body(10)))?;
            change.set_reaction(&MessageId([number; 16]), None, Some("+"))?;
            let member = VaultId([7; 32]);
            change.raise_receipt_of(&MessageId([number; 16]), &member, Receipt::Read)
        });
    }
    vault.database.build_message_index().expect("built");
    let one = vault.database.view().weight(&HERE).expect("reads") / 5;
    vault.commit(|change| change.clear_messages(&HERE, 4).map(drop));
    let left = |vault: &Vault| {
        let view = vault.database.view();
        let kept = |number: &u8| {
            let id = MessageId([*number; 16]);
            let beside = view.reactions(&id).expect("reads").len();
            let receipt = view.least_receipt(&id).expect("reads");
            assert_eq!(beside == 1, receipt.is_some(), "{number}");
            beside == 1
        };
        let rows = u32::try_from(view.message_ids().expect("reads").len()).expect("few");
        let weight = view.weight(&HERE).expect("reads") / one;
        let going = view.clearing().expect("reads").is_some();
        (
            (1..=5).filter(kept).collect::<Vec<_>>(),
            rows,
            weight,
            going,
        )
    };
    assert_eq!(left(&vault), (vec![1, 2, 3, 4, 5], 5, 5, true));

    for expected in [(vec![3, 4, 5], 3, 3, true), (vec![5], 1, 1, false)] {
        let of = vault.database.view().clearing().expect("reads");
        vault.commit(|change| change.clear_some(&of.expect("goes on"), 6));
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM said.{table}");
            let counted = vault
                .database
                .connection
                .query_row(&sql, [], |row| row.get::<_, u32>(0));
            counted.expect("counted")
        };
        assert_eq!([count("entries"), count("words")], [expected.1; 2]);
        assert_eq!(left(&vault), expected);
    }
    let before = crate::fixture::dump(&vault.database);
    vault.restart();
    assert_eq!(crate::fixture::dump(&vault.database), before);
}

/// A message to a large group has a row for each of its members.
#[test]
fn what_is_kept_beside_a_message_counts_in_a_part() {
    let mut vault = Vault::enrolled();
    for number in 1..=3 {
        vault.commit(|change| {
            change.insert_message(&message(number, None, &body(10)))?;
            for member in 0..10 {
                let member = VaultId([member; 32]);
                change.raise_receipt_of(&MessageId([number; 16]), &member, Receipt::Read)?;
            }
            Ok(())
        });
    }
    vault.commit(|change| change.clear_messages(&HERE, 3).map(drop));

    // Two messages are 22 rows; one goes, however many are beside it.
    for (at_most, left) in [(23, 1), (1, 0)] {
        let of = vault.database.view().clearing().expect("reads");
        vault.commit(|change| change.clear_some(&of.expect("goes on"), at_most));
        let rows = vault.database.view().message_ids().expect("reads").len();
        assert_eq!(rows, left, "{at_most}");
    }
    assert_eq!(vault.database.view().clearing(), Ok(None));
}

#[test]
fn what_was_emptied_takes_no_number_of_a_change_along() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| {
        change
            .insert_message(&message(1, None, &body(10)))
            .map(drop)
    });
    vault.commit(|change| change.clear_messages(&HERE, 1).map(drop));
    let newest = vault.database.view().newest_change();

    vault.commit(|change| {
        change
            .raise_receipt(&MessageId([1; 16]), Receipt::Read)
            .map(drop)
    });

    assert_eq!(vault.database.view().newest_change(), newest);
}

#[test]
fn message_is_found_by_what_its_sender_calls_it() {
    let mut vault = Vault::enrolled();
    let said = MessageId([1; 16]);
    vault.commit(|change| {
        change.insert_message(&message(1, Some(7), &body(1)))?;
        change.insert_message(&NewMessage {
            said: Some(said),
            ..message(2, Some(8), &body(1))
        })
    });

    let view = vault.database.view();
    let of = |sender: Option<u8>| {
        let sender = sender.map(|sender| VaultId([sender; 32]));
        view.message_of(&HERE, sender.as_ref(), &said)
    };
    assert_eq!(of(Some(7)), Ok(Some(said)));
    assert_eq!(of(Some(8)), Ok(Some(MessageId([2; 16]))));
    assert_eq!(of(None), Ok(None));
    let by = |sender: u8| Some((Some(VaultId([sender; 32])), said));
    assert_eq!(view.said_as(&MessageId([2; 16])), Ok(by(8)));
    assert_eq!(view.said_as(&said), Ok(by(7)));
    assert_eq!(view.said_as(&MessageId([3; 16])), Ok(None));
}

#[test]
fn everything_with_a_sequence_is_said_again_before_what_was_not_said() {
    let mut vault = Vault::enrolled();
    let connection = ConnectionId([1; 16]);
    let outgoing = |delivery: u8, sequence, body| Outgoing {
        delivery: DeliveryId([delivery; 16]),
        vault: VaultId([1; 32]),
        connection: Some(connection),
        sequence,
        message: None,
        expires: UnixMillis(u64::MAX >> 1),
        said: None,
        body,
    };
    vault.commit(|change| {
        let body = change.insert_body(b"body")?;
        change.insert_outgoing(&outgoing(1, Some(8), body))?;
        change.insert_outgoing(&outgoing(2, None, body))?;
        change.insert_unsaid(&connection, None, NOW, body)
    });

    vault.commit(|change| change.mark_again(&connection));

    let view = vault.database.view();
    let again = view.next_again(NOW).expect("reads").expect("one");
    assert_eq!(again.outgoing.delivery, DeliveryId([1; 16]));
    assert!(again.again && again.outgoing.sequence.is_none());
    assert_eq!(view.next_unsaid(NOW), Ok(None));
    assert_eq!(view.outbox(0, 10).expect("page").len(), 1);
    assert_eq!(view.is_behind(&connection), Ok(true));
    vault.commit(|change| change.remove_outgoing(&again));
    let unsaid = vault.database.view().next_unsaid(NOW).expect("reads");
    assert!(unsaid.is_some());
}
