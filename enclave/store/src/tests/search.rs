//! Search, and the traps of full-text tables beside changesets.

use vettid_wire::Secret;
use vettid_wire::id::ItemId;

use crate::fixture::{self, Vault, item_id, next};
use crate::{Database, Searchable, StoreError};

const ITEMS: [(u8, &str, &str); 4] = [
    (1, "Café de Flore", "espresso boulevard"),
    (2, "Bank", "account iban café"),
    (3, "Straße", "Berlin 10115"),
    (4, "mail@example.org", "x-ray"),
];

fn indexed() -> Vault {
    let mut vault = Vault::enrolled();
    index(&mut vault.database);
    vault
}

fn index(database: &mut Database) {
    database
        .build_index(|index| {
            for (number, name, text) in ITEMS {
                index.add(&item_id(number), &Searchable { name, text })?;
            }
            Ok::<_, StoreError>(())
        })
        .expect("index");
}

fn search(database: &Database, text: &str) -> Vec<ItemId> {
    database.view().search(text, None).expect("search")
}

fn found(text: &str) -> Vec<u8> {
    search(&indexed().database, text)
        .into_iter()
        .map(|id| id.0[0])
        .collect()
}

#[test]
fn words_are_found_by_their_beginning_without_case_or_diacritics() {
    assert_eq!(found("CAFE"), [1, 2]);
    assert_eq!(found("caf"), [1, 2]);
    assert_eq!(found("cafe flo"), [1]);
    assert_eq!(found("iban bank"), [2]);
    assert_eq!(found("afe"), []);
    assert_eq!(found("cafe berlin"), []);
    assert_eq!(found("101"), [3]);
    assert_eq!(found("straß"), [3]);
    assert_eq!(found("mail@example"), [4]);
}

#[test]
fn hit_in_the_name_comes_first_and_pages_are_bounded() {
    assert_eq!(found("caf"), [1, 2]);
    let vault = indexed();

    assert_eq!(
        vault.database.view().search("caf", Some(1)),
        Ok(vec![item_id(1)])
    );
    assert_eq!(vault.database.view().search("caf", Some(0)), Ok(vec![]));
}

#[test]
fn text_of_the_owner_is_never_query_syntax() {
    for text in [
        "",
        " ",
        "\"",
        "\"\"",
        "*",
        "-",
        "^",
        "NOT",
        "caf OR",
        "AND AND",
        "NEAR(",
        "NEAR(a b, 2)",
        "name : caf",
        "{name text} : caf",
        "a\" OR \"b",
        "'; DROP TABLE items; --",
        "(((",
        ")",
        "+",
        "\0",
        "caf\0flore",
        "\u{301}",
        "\u{93e}",
        "\u{200d}",
        "😀",
        "\u{fffd}",
    ] {
        search(&indexed().database, text);
    }
    assert_eq!(found("caf NOT flore"), [], "NOT is a word that no item has");
    assert_eq!(found("name:caf"), [], "so is name");
    assert_eq!(found("\"caf\" - flore*"), [1], "punctuation separates");
    assert_eq!(found("caf\0flore"), [1]);
}

#[test]
fn endless_text_is_cut() {
    let words = "caf ".repeat(100_000);

    assert_eq!(found(&words), [1, 2]);
    assert_eq!(found(&"é".repeat(10_000)), []);
}

#[test]
fn without_an_index_nothing_is_found_and_nothing_fails() {
    let mut vault = Vault::enrolled();
    let item = Searchable {
        name: "a",
        text: "b",
    };

    vault.commit(|change| change.index_item(&item_id(1), &item));
    vault.commit(|change| change.unindex_item(&item_id(1)));

    assert_eq!(search(&vault.database, "a"), []);
    assert!(!vault.database.is_indexed());
}

#[test]
fn changed_item_is_found_by_its_new_words_only() {
    let mut vault = indexed();

    vault.commit(|change| {
        change.index_item(
            &item_id(2),
            &Searchable {
                name: "Credit union",
                text: "savings",
            },
        )
    });

    assert_eq!(search(&vault.database, "bank"), []);
    assert_eq!(search(&vault.database, "sav"), [item_id(2)]);
    vault.commit(|change| change.unindex_item(&item_id(2)));
    assert_eq!(search(&vault.database, "sav"), []);
    vault.commit(|change| change.unindex_item(&item_id(2)));
}

#[test]
fn failed_transaction_leaves_the_index_as_it_was() {
    let mut vault = indexed();

    let failed = vault.database.transaction(|change| {
        change.index_item(
            &item_id(9),
            &Searchable {
                name: "ghost",
                text: "",
            },
        )?;
        change.unindex_item(&item_id(1))?;
        Err::<(), _>(StoreError::Full)
    });

    assert_eq!(failed.err(), Some(StoreError::Full));
    assert_eq!(search(&vault.database, "ghost"), []);
    assert_eq!(search(&vault.database, "flore"), [item_id(1)]);
}

#[test]
fn index_is_in_no_changeset_and_no_snapshot() {
    let mut vault = indexed();
    let only_index = vault.commit(|change| {
        change.index_item(
            &item_id(9),
            &Searchable {
                name: "unmistakable",
                text: "",
            },
        )
    });
    assert_eq!(only_index, 0);
    let body = Secret::from("x");
    vault.commit(|change| {
        change.write_item(&next(9, 1, "n", &[], &body))?;
        change.index_item(
            &item_id(9),
            &Searchable {
                name: "unmistakable",
                text: "",
            },
        )
    });

    vault.checkpoint();
    let restored = vault.restore().expect("restores").database;

    assert!(!restored.is_indexed());
    assert_eq!(fixture::dump(&restored), fixture::dump(&vault.database));
    assert!(!fixture::dump(&restored).concat().contains("words"));
    assert_eq!(
        search(&vault.database, "unmis"),
        [item_id(9)],
        "and it outlives a snapshot"
    );
}

#[test]
fn dropped_index_can_be_built_again() {
    let mut vault = indexed();

    vault.database.drop_index().expect("drops");
    assert_eq!(search(&vault.database, "caf"), []);
    vault.database.drop_index().expect("drops nothing");
    index(&mut vault.database);

    assert_eq!(search(&vault.database, "caf"), [item_id(1), item_id(2)]);
}

#[test]
fn index_that_cannot_be_filled_is_not_there() {
    let mut vault = Vault::enrolled();

    let failed = vault.database.build_index(|_| Err(StoreError::Malformed));

    assert_eq!(failed, Err(StoreError::Malformed));
    assert!(!vault.database.is_indexed());
    index(&mut vault.database);
    assert_eq!(search(&vault.database, "berlin"), [item_id(3)]);
}
