//! Tables, one noun after the other.

use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_crypto::{MacKey, SecretBytes};
use vettid_wire::Secret;
use vettid_wire::id::{DeviceId, KeyId, RequestId, TransactionKeyId};
use vettid_wire::operation::item::{Category, Cursor, List};
use vettid_wire::operation::key::{Algorithm, Key};
use vettid_wire::operation::tag::Tag;
use vettid_wire::operation::{audit, feed};
use vettid_wire::time::UnixMillis;

use crate::fixture::{self, DEVICE, NOW, Vault, item_id, next};
use crate::rows::audit::NewEvent;
use crate::rows::credential::{NextCredential, Unconfirmed};
use crate::rows::item::NextVersion;
use crate::rows::request::Answered;
use crate::rows::transaction_key::TransactionKey;
use crate::rows::vault;
use crate::{Attempt, Attempts, StoreError};

const OTHER: DeviceId = DeviceId([0x07; 32]);

pub(super) fn tag(name: &str) -> Tag {
    Tag {
        name: name.into(),
        color: None,
        description: None,
    }
}

fn body(text: &str) -> Secret {
    Secret::from(text)
}

fn list() -> List {
    List {
        category: None,
        tag: None,
        favorite: false,
        removed: false,
        after: None,
        limit: None,
    }
}

fn names(vault: &Vault, list: &List) -> Vec<String> {
    let page = vault.database.view().items(list).expect("lists");
    page.items.into_iter().map(|item| item.name).collect()
}

fn events(vault: &mut Vault, count: u64) {
    for number in 0..count {
        vault.commit(|change| {
            change.append_audit(&NewEvent {
                at: NOW.plus(number),
                operation: if number % 2 == 0 {
                    "item.put"
                } else {
                    "item.reveal"
                },
                device: (number > 0).then_some(&DEVICE),
                subject: Some(&[1, 2]),
                done: number % 3 != 0,
            })
        });
    }
}

#[test]
fn ten_earlier_versions_are_kept_each_with_its_content() {
    let mut vault = Vault::enrolled();
    for version in 1..=15_u64 {
        let (name, text) = (format!("name {version}"), body(&format!("body {version}")));
        vault.commit(|change| change.write_item(&next(1, version, &name, &[], &text)));
    }
    let view = vault.database.view();

    let versions = view.versions(&item_id(1)).expect("versions");

    let numbers: Vec<_> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (5..=15).rev().collect::<Vec<_>>());
    assert!(versions.iter().all(|version| version.device == DEVICE));
    let content = view.content(&item_id(1), 7).expect("reads").expect("kept");
    assert_eq!(
        (content.name.as_str(), content.body),
        ("name 7", body("body 7"))
    );
    assert_eq!(content.written, NOW.plus(7));
    assert_eq!(view.content(&item_id(1), 4), Ok(None));
    let (summary, created) = view.item(&item_id(1)).expect("reads").expect("there");
    assert_eq!(
        (summary.version, summary.updated, created),
        (15, NOW.plus(15), NOW.plus(1))
    );
}

#[test]
fn version_that_is_there_is_not_written_again() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.write_item(&next(1, 1, "a", &[], &body("x"))));
    let before = fixture::dump(&vault.database);

    let again = vault
        .database
        .transaction(|change| change.write_item(&next(1, 1, "b", &[], &body("y"))));

    assert!(matches!(again.err(), Some(StoreError::Engine(_))));
    assert_eq!(fixture::dump(&vault.database), before);
}

#[test]
fn list_is_by_name_in_pages_that_follow_each_other() {
    let mut vault = Vault::enrolled();
    for (number, name) in [(1, "b"), (2, "A"), (3, "a"), (4, "C"), (5, "b")] {
        vault.commit(|change| change.write_item(&next(number, 1, name, &[], &body("x"))));
    }
    let mut seen = Vec::new();
    let mut after = None;

    loop {
        let page = List {
            limit: Some(2),
            after: after.take(),
            ..list()
        };
        let page = vault.database.view().items(&page).expect("lists");
        seen.extend(page.items.iter().map(|item| item.id.0[0]));
        let last = page.items.last().expect("page");
        after = Some(Cursor {
            name: last.name.clone(),
            id: last.id,
        });
        if !page.more {
            break;
        }
    }

    assert_eq!(seen, [2, 3, 1, 5, 4]);
}

#[test]
fn list_filters_by_category_tag_favorite_and_trash() {
    let mut vault = Vault::enrolled();
    let (tags, text) = ([String::from("work")], body("x"));
    vault.commit(|change| {
        change.write_item(&next(1, 1, "tagged", &tags, &text))?;
        let card = NextVersion {
            category: Category::Card,
            ..next(2, 1, "card", &[], &text)
        };
        change.write_item(&card)?;
        change.write_item(&NextVersion {
            favorite: true,
            ..next(3, 1, "favorite", &[], &text)
        })?;
        change.write_item(&next(4, 1, "removed", &tags, &text))?;
        change.trash_item(&item_id(4), Some(NOW))
    });

    assert_eq!(names(&vault, &list()), ["card", "favorite", "tagged"]);
    assert_eq!(
        names(
            &vault,
            &List {
                category: Some(Category::Card),
                ..list()
            }
        ),
        ["card"]
    );
    assert_eq!(
        names(
            &vault,
            &List {
                tag: Some("work".into()),
                ..list()
            }
        ),
        ["tagged"]
    );
    assert_eq!(
        names(
            &vault,
            &List {
                favorite: true,
                ..list()
            }
        ),
        ["favorite"]
    );
    assert_eq!(
        names(
            &vault,
            &List {
                removed: true,
                ..list()
            }
        ),
        ["removed"]
    );
}

#[test]
fn item_goes_into_the_trash_once_and_comes_back() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.write_item(&next(1, 1, "a", &[], &body("x"))));
    let moved = |vault: &mut Vault, removed| {
        let moved = vault
            .database
            .transaction(|change| change.trash_item(&item_id(1), removed));
        moved.expect("commits").value
    };

    assert!(moved(&mut vault, Some(NOW)));
    assert!(!moved(&mut vault, Some(NOW.plus(1))));
    let count = vault.database.view().count_items().expect("counts");
    assert_eq!((count.live, count.removed), (0, 1));
    assert_eq!(vault.database.view().item_ids(), Ok(vec![]));
    assert!(moved(&mut vault, None));
    assert!(!moved(&mut vault, None));
}

#[test]
fn erased_item_leaves_no_version_and_no_tag() {
    let mut vault = Vault::enrolled();
    let empty = fixture::dump(&vault.database);
    let tags = [String::from("t")];
    vault.commit(|change| change.write_item(&next(1, 1, "a", &tags, &body("x"))));

    vault.commit(|change| {
        assert!(change.erase_item(&item_id(1))?);
        assert!(!change.erase_item(&item_id(1))?);
        change.remove_tag("t")
    });

    let rest: Vec<_> = fixture::dump(&vault.database);
    assert_eq!(
        rest.len(),
        empty.len() + 1,
        "only the device's number: {rest:?}"
    );
}

#[test]
fn resealed_content_replaces_the_body_alone() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.write_item(&next(1, 1, "a", &[], &body("x"))));

    vault.commit(|change| change.reseal_content(&item_id(1), 1, &body("y")));

    let content = vault
        .database
        .view()
        .content(&item_id(1), 1)
        .expect("reads")
        .expect("there");
    assert_eq!((content.name.as_str(), content.body), ("a", body("y")));
}

#[test]
fn tags_of_an_item_are_exactly_what_was_written_last() {
    let mut vault = Vault::enrolled();
    let (first, second) = (["a".to_owned(), "b".into()], ["b".to_owned(), "c".into()]);
    vault.commit(|change| change.write_item(&next(1, 1, "x", &first, &body("x"))));

    vault.commit(|change| change.write_item(&next(1, 2, "x", &second, &body("x"))));

    let view = vault.database.view();
    assert_eq!(view.item_tags(&item_id(1)), Ok(second.to_vec()));
    let counts: Vec<_> = view
        .tags()
        .expect("tags")
        .into_iter()
        .map(|counted| (counted.tag.name, counted.items))
        .collect();
    assert_eq!(counts, [("a".into(), 0), ("b".into(), 1), ("c".into(), 1)]);
    assert_eq!(view.count_tags(), Ok(3));
}

#[test]
fn tag_is_renamed_unless_the_name_is_taken() {
    let mut vault = Vault::enrolled();
    let tags = ["a".to_owned(), "b".into()];
    vault.commit(|change| change.write_item(&next(1, 1, "x", &tags, &body("x"))));

    vault.commit(|change| {
        assert!(!change.rename_tag("a", "b")?);
        assert!(!change.rename_tag("none", "d")?);
        assert!(change.rename_tag("a", "c")?);
        Ok(())
    });

    let view = vault.database.view();
    assert_eq!(
        view.item_tags(&item_id(1)),
        Ok(vec!["b".into(), "c".into()])
    );
    assert_eq!(view.tag("a"), Ok(None));
    assert_eq!(view.tag("c"), Ok(Some(tag("c"))));
}

#[test]
fn merged_tag_is_gone_and_its_items_carry_the_other() {
    let mut vault = Vault::enrolled();
    let (one, both) = (["a".to_owned()], ["a".to_owned(), "b".into()]);
    vault.commit(|change| {
        change.write_item(&next(1, 1, "x", &one, &body("x")))?;
        change.write_item(&next(2, 1, "y", &both, &body("x")))
    });

    vault.commit(|change| {
        assert!(!change.merge_tag("a", "a")?);
        assert!(!change.merge_tag("a", "none")?);
        assert!(change.merge_tag("a", "b")?);
        Ok(())
    });

    let view = vault.database.view();
    assert_eq!(view.tagged_items("b"), Ok(vec![item_id(1), item_id(2)]));
    assert_eq!(view.tagged_items("a"), Ok(vec![]));
    assert_eq!(view.count_tags(), Ok(1));
}

#[test]
fn tag_keeps_its_items_when_its_color_changes() {
    let mut vault = Vault::enrolled();
    let tags = ["a".to_owned()];
    vault.commit(|change| change.write_item(&next(1, 1, "x", &tags, &body("x"))));
    let colored = Tag {
        color: Some("red".into()),
        description: Some("for work".into()),
        ..tag("a")
    };

    vault.commit(|change| change.put_tag(&colored));

    assert_eq!(vault.database.view().tag("a"), Ok(Some(colored)));
    assert_eq!(
        vault.database.view().tagged_items("a"),
        Ok(vec![item_id(1)])
    );
}

#[test]
fn vault_is_named_once() {
    let empty = crate::Database::template().expect("template");
    assert_eq!(empty.view().vault(), Ok(None));
    let mut vault = Vault::enrolled();
    let named = vault::Vault {
        id: fixture::header().vault,
        created: NOW,
    };

    let again = vault
        .database
        .transaction(|change| change.insert_vault(&named));

    assert!(again.is_err());
    assert_eq!(vault.database.view().vault(), Ok(Some(named)));
}

#[test]
fn identity_succeeds_another_whose_seed_is_destroyed() {
    let mut vault = Vault::enrolled();
    let (first, second) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    assert!(
        vault
            .database
            .view()
            .identity_key()
            .expect("reads")
            .is_none()
    );
    vault.commit(|change| change.succeed_identity(&first, None, NOW));

    vault.commit(|change| change.succeed_identity(&second, Some(b"signed"), NOW.plus(1)));

    let view = vault.database.view();
    let current = view.identity_key().expect("reads").expect("there");
    assert_eq!(current.verifying_key(), second.verifying_key());
    let chain = view.identities().expect("reads");
    let publics: Vec<_> = chain.iter().map(|identity| identity.public).collect();
    assert_eq!(publics, [first.verifying_key(), second.verifying_key()]);
    assert_eq!(chain[1].statement.as_deref(), Some(&b"signed"[..]));
    assert_eq!((chain[0].number, chain[1].number), (1, 2));
    let seeds: i64 = view
        .connection
        .query_row("SELECT count(seed) FROM identities", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(seeds, 1);
}

#[test]
fn use_of_the_credential_replaces_blob_and_key() {
    let mut vault = Vault::enrolled();
    let (old, new) = (
        BoxSecret::from_bytes(&[1; 32]),
        BoxSecret::from_bytes(&[2; 32]),
    );
    let mut next = NextCredential {
        version: 1,
        public: VerifyingKey([3; 32]),
        cek: &old,
        digest: [4; 32],
        blob: b"first",
        device: DEVICE,
    };
    assert!(vault.database.view().credential().expect("reads").is_none());
    vault.commit(|change| change.insert_credential(&MacKey::from_bytes([5; 32]), &next));
    next = NextCredential {
        version: 2,
        cek: &new,
        digest: [6; 32],
        blob: b"second",
        ..next
    };

    vault.commit(|change| change.replace_credential(&next));

    let row = vault
        .database
        .view()
        .credential()
        .expect("reads")
        .expect("there");
    assert_eq!(
        (row.version, row.public, row.digest),
        (2, VerifyingKey([3; 32]), [6; 32])
    );
    assert!(row.cek.expose(|cek| *cek == [2; 32]));
    assert!(row.mac_key.expose(|key| *key == [5; 32]));
    let unconfirmed = Unconfirmed {
        device: DEVICE,
        blob: b"second".to_vec(),
    };
    assert_eq!(row.unconfirmed, Some(unconfirmed));
    assert_eq!(
        (row.frozen, row.alarm, row.attempts),
        (false, None, Attempts::default())
    );
    assert!(
        !fixture::dump(&vault.database)
            .concat()
            .contains(&format!("{:?}", [1_u8; 32]))
    );
    let again = vault
        .database
        .transaction(|change| change.insert_credential(&MacKey::from_bytes([0; 32]), &next));
    assert!(again.is_err());
}

#[test]
fn credential_is_confirmed_frozen_and_charged_apart_from_its_use() {
    let mut vault = Vault::enrolled();
    let cek = BoxSecret::from_bytes(&[1; 32]);
    let (public, digest) = (VerifyingKey([3; 32]), [4; 32]);
    let first = NextCredential {
        version: 1,
        public,
        cek: &cek,
        digest,
        blob: b"blob",
        device: DEVICE,
    };
    vault.commit(|change| change.insert_credential(&MacKey::from_bytes([5; 32]), &first));
    let attempts = Attempts {
        failed: 3,
        not_before: NOW,
    };

    let confirmed = vault.commit(|change| change.confirm_credential());
    vault.commit(|change| change.freeze_credential(true, Some(NOW)));
    let attempt = Attempt {
        at: NOW,
        device: DEVICE,
        operation: "key.sign".into(),
    };
    vault.commit(|change| change.begin_use(attempts, &attempt));

    let row = vault
        .database
        .view()
        .credential()
        .expect("reads")
        .expect("there");
    assert_eq!(
        (row.unconfirmed, row.frozen, row.alarm),
        (None, true, Some(NOW))
    );
    assert_eq!((row.version, row.attempts), (1, attempts));
    assert_eq!(row.under_way, Some(attempt));
    assert!(confirmed < 200, "{confirmed}");
    vault.commit(|change| change.end_use(Attempts::default()));
    let row = vault.database.view().credential().expect("reads");
    let row = row.expect("there");
    assert_eq!((row.attempts, row.under_way), (Attempts::default(), None));
    vault.commit(|change| change.freeze_credential(false, row.alarm));
    let row = vault
        .database
        .view()
        .credential()
        .expect("reads")
        .expect("there");
    assert_eq!((row.frozen, row.alarm), (false, Some(NOW)));
}

#[test]
fn transaction_key_is_spent_once_by_its_device_in_its_time() {
    let mut vault = Vault::enrolled();
    let id = |number| TransactionKeyId([number; 16]);
    let key = |number: u8| TransactionKey {
        id: id(number),
        secret: BoxSecret::from_bytes(&[number; 32]),
        expires: NOW.plus(u64::from(number)),
    };
    vault.commit(|change| {
        change.insert_transaction_key(&DEVICE, &key(1))?;
        change.insert_transaction_key(&DEVICE, &key(9))?;
        change.insert_transaction_key(&OTHER, &key(5))
    });
    let spend = |vault: &mut Vault, device, number, now| {
        let spent = vault
            .database
            .transaction(|change| change.spend_transaction_key(device, &id(number), now));
        spent
            .expect("commits")
            .value
            .map(|key: TransactionKey| key.secret.expose(|s| s[0]))
    };

    assert_eq!(spend(&mut vault, &DEVICE, 1, NOW.plus(1)), None, "expired");
    assert_eq!(
        spend(&mut vault, &DEVICE, 5, NOW),
        None,
        "of another device"
    );
    assert_eq!(
        spend(&mut vault, &DeviceId([1; 32]), 5, NOW),
        None,
        "of an unknown device"
    );
    assert_eq!(spend(&mut vault, &OTHER, 5, NOW), Some(5));
    assert_eq!(spend(&mut vault, &OTHER, 5, NOW), None, "spent");

    let view = vault.database.view();
    let left = view.transaction_keys(&DEVICE, NOW).expect("reads");
    assert_eq!(
        left.iter().map(|key| key.id).collect::<Vec<_>>(),
        [id(1), id(9)]
    );
    assert_eq!(view.count_transaction_keys(&DEVICE, NOW.plus(1)), Ok(1));
    assert_eq!(view.count_transaction_keys(&DeviceId([1; 32]), NOW), Ok(0));
    vault.commit(|change| change.remove_expired_transaction_keys(NOW.plus(1)));
    assert_eq!(
        vault
            .database
            .view()
            .count_transaction_keys(&DEVICE, UnixMillis(0)),
        Ok(1)
    );
    vault.commit(|change| change.remove_transaction_keys(&DEVICE));
    assert_eq!(
        vault
            .database
            .view()
            .count_transaction_keys(&DEVICE, UnixMillis(0)),
        Ok(0)
    );
}

#[test]
fn reply_is_found_by_device_and_request_until_it_is_forgotten() {
    let mut vault = Vault::enrolled();
    let answered = |at: u64| Answered {
        digest: [1; 32],
        reply: body("reply"),
        at: UnixMillis(at),
    };
    vault.commit(|change| {
        change.insert_answered(&DEVICE, &RequestId([1; 16]), &answered(10))?;
        change.insert_answered(&DEVICE, &RequestId([2; 16]), &answered(20))?;
        change.insert_answered(&OTHER, &RequestId([1; 16]), &answered(30))
    });
    let at = |vault: &Vault, device, number| {
        let found = vault
            .database
            .view()
            .answered(device, &RequestId([number; 16]));
        found.expect("reads").map(|answered| answered.at.0)
    };

    assert_eq!(at(&vault, &DEVICE, 1), Some(10));
    assert_eq!(at(&vault, &OTHER, 1), Some(30));
    assert_eq!(at(&vault, &OTHER, 2), None);
    assert_eq!(at(&vault, &DeviceId([1; 32]), 1), None);
    let again = vault
        .database
        .transaction(|change| change.insert_answered(&DEVICE, &RequestId([1; 16]), &answered(40)));
    assert!(again.is_err());
    vault.commit(|change| change.remove_answered(UnixMillis(100), 1));
    assert_eq!(
        (at(&vault, &DEVICE, 1), at(&vault, &DEVICE, 2)),
        (None, Some(20))
    );
    vault.commit(|change| change.remove_answered(UnixMillis(30), 100));
    assert_eq!(
        (at(&vault, &DEVICE, 2), at(&vault, &OTHER, 1)),
        (None, Some(30))
    );
}

#[test]
fn key_is_listed_without_its_private_half_and_removed_for_good() {
    let mut vault = Vault::enrolled();
    let key = |number: u8, imported| Key {
        id: KeyId([number; 16]),
        label: "signing".into(),
        algorithm: Algorithm::P256,
        public: vec![number; 33],
        created: UnixMillis(100 - u64::from(number)),
        imported,
    };
    vault.commit(|change| {
        change.insert_key(&key(1, false), b"sealed 1")?;
        change.insert_key(&key(2, true), b"sealed 2")
    });
    let view = vault.database.view();
    assert_eq!(view.keys(), Ok(vec![key(2, true), key(1, false)]));
    assert_eq!(view.key(&KeyId([1; 16])), Ok(Some(key(1, false))));
    assert_eq!(
        view.sealed_key(&KeyId([2; 16])),
        Ok(Some(b"sealed 2".to_vec()))
    );
    assert_eq!(view.count_keys(), Ok(2));

    vault.commit(|change| {
        change.reseal_key(&KeyId([1; 16]), b"resealed")?;
        assert!(change.remove_key(&KeyId([2; 16]))?);
        assert!(!change.remove_key(&KeyId([2; 16]))?);
        Ok(())
    });

    let view = vault.database.view();
    assert_eq!(
        view.sealed_key(&KeyId([1; 16])),
        Ok(Some(b"resealed".to_vec()))
    );
    assert_eq!(view.sealed_key(&KeyId([2; 16])), Ok(None));
}

#[test]
fn feed_is_read_by_sequence_and_marked() {
    let mut vault = Vault::enrolled();
    for number in 0..5 {
        vault.commit(|change| {
            let device = (number == 0).then_some(&DEVICE);
            change.append_feed(NOW.plus(number), feed::Kind::PinFailed, device)
        });
    }
    let page = |vault: &Vault, after, limit, unread| {
        let list = feed::List {
            after,
            limit,
            unread,
        };
        vault.database.view().feed(&list).expect("reads")
    };

    let first = page(&vault, 0, Some(2), false);
    assert!(first.more);
    assert_eq!(first.entries[0].device, Some(DEVICE));
    assert_eq!(
        (first.entries[1].sequence, first.entries[1].at),
        (2, NOW.plus(1))
    );
    vault.commit(|change| change.mark_feed_read(4, NOW.plus(9)));
    let unread = page(&vault, 0, None, true);
    assert_eq!(
        unread
            .entries
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<_>>(),
        [5]
    );
    assert_eq!(
        page(&vault, 3, None, false).entries[0].read,
        Some(NOW.plus(9))
    );
    assert_eq!(vault.database.view().newest_feed(), Ok(5));
}

#[test]
fn oldest_entries_leave_a_full_feed() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| {
        for _ in 0..5_003 {
            change.append_feed(NOW, feed::Kind::DeviceAdded, None)?;
        }
        Ok(())
    });

    let list = feed::List {
        after: 0,
        limit: Some(1),
        unread: false,
    };
    let oldest = vault.database.view().feed(&list).expect("reads");

    assert_eq!(oldest.entries[0].sequence, 4);
    assert_eq!(vault.database.view().newest_feed(), Ok(5_003));
}

#[test]
fn audit_chain_verifies_and_is_read_in_pages() {
    let mut vault = Vault::enrolled();
    assert_eq!(
        vault
            .database
            .view()
            .check_audit()
            .map(|checked| checked.events),
        Ok(0)
    );
    events(&mut vault, 7);
    let view = vault.database.view();

    let checked = view.check_audit().expect("checks");

    assert_eq!(
        (checked.events, checked.broken_at, checked.head.sequence),
        (7, None, 7)
    );
    assert_eq!(checked.head.at, NOW.plus(6));
    let query = |after, operation: Option<&str>, limit| {
        let operation = operation.map(str::to_owned);
        view.audit(&audit::Query {
            after,
            operation,
            limit,
        })
        .expect("reads")
    };
    let page = query(2, None, Some(2));
    assert!(page.more);
    assert_eq!(
        page.events
            .iter()
            .map(|e| e.body.sequence)
            .collect::<Vec<_>>(),
        [3, 4]
    );
    let reveals = query(0, Some("item.reveal"), None);
    assert_eq!(
        reveals
            .events
            .iter()
            .map(|e| e.body.sequence)
            .collect::<Vec<_>>(),
        [2, 4, 6]
    );
    let first = query(0, None, Some(1)).events.remove(0);
    assert_eq!((first.body.device, first.body.done), (None, false));
    assert_eq!(query(1, None, Some(1)).events[0].body.device, Some(DEVICE));
}

#[test]
fn altered_or_missing_event_is_where_the_chain_breaks() {
    for (sql, place) in [
        ("UPDATE audit SET operation = 'x' WHERE sequence = 3", 3),
        ("UPDATE audit SET device = NULL WHERE sequence = 4", 4),
        ("UPDATE audit SET refused = 1 WHERE sequence = 6", 6),
        ("DELETE FROM audit WHERE sequence = 5", 5),
        ("DELETE FROM audit WHERE sequence = 1", 1),
    ] {
        let mut vault = Vault::enrolled();
        events(&mut vault, 7);
        vault
            .database
            .connection
            .execute_batch(sql)
            .expect("alters");

        let checked = vault.database.view().check_audit().expect("checks");

        assert_eq!(checked.broken_at, Some(place), "{sql}");
    }
}

#[test]
fn current_item_comes_with_its_content_and_tags() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| change.write_item(&next(1, 1, "plain", &[], &body("one"))));
    vault.commit(|change| change.write_item(&next(2, 1, "old", &[], &body("old"))));
    let tags = ["b".to_owned(), "a".to_owned()];
    vault.commit(|change| change.write_item(&next(2, 2, "tagged", &tags, &body("two"))));
    let view = vault.database.view();

    for (id, version, text, tags) in [(1, 1, "one", &[][..]), (2, 2, "two", &["a", "b"])] {
        let (summary, created, content) =
            view.current(&item_id(id)).expect("reads").expect("there");
        assert_eq!(summary.tags, tags);
        assert_eq!(content.body, body(text));
        let alone = view.content(&item_id(id), version).expect("reads");
        assert_eq!(Some(content), alone);
        assert_eq!(
            view.item(&item_id(id)).expect("reads"),
            Some((summary, created))
        );
    }
    assert_eq!(view.current(&item_id(3)), Ok(None));
}
