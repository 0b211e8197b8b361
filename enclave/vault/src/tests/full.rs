//! A vault whose database has no room left.

use vettid_wire::id::ItemId;
use vettid_wire::limits;
use vettid_wire::operation::item::{Draft, Put};
use vettid_wire::operation::vault;
use vettid_wire::refusal::Refusal;
use vettid_wire::time::MINUTE;

use crate::fixture::{self, Owner, draft, field};

/// Puts version after version of large items until one is refused: the items, and the refusal.
fn fill(owner: &mut Owner) -> (Vec<ItemId>, Refusal) {
    let large = Draft {
        fields: vec![field("text", &"x".repeat(60_000))],
        ..draft("large")
    };
    let mut items = Vec::new();
    loop {
        let (mut id, mut base) = (None, None);
        for version in 1..=9 {
            owner.clock.advance(MINUTE);
            let mut draft = large.clone();
            draft.fields[0].id = u32::from(version > 1);
            match owner.call(&Put { id, base, draft }) {
                Ok(written) => (id, base) = (Some(written.id), Some(version)),
                Err(refusal) => return (items, refusal),
            }
        }
        items.extend(id);
    }
}

#[test]
fn full_vault_names_the_limit_and_can_be_opened_and_emptied() {
    let mut owner = fixture::owner();
    let (items, refusal) = fill(&mut owner);
    let limit = Refusal::limit("database", limits::DATABASE, limits::DATABASE);
    assert_eq!(refusal, limit);

    owner.call(&vault::Lock {}).expect("locked");
    owner.reopen();
    let opened = owner.unlock().expect("unlocked");
    owner.remove(items[0], 9, true).expect("destroyed");

    assert_eq!(opened.failed_attempts, 0);
    owner.put_note("there is room again");
    assert!(owner.audited("vault.unlock", true));
}
