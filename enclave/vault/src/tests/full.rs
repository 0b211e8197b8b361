//! A vault whose database has no room left.

use vettid_store::Room;
use vettid_wire::limits;
use vettid_wire::link::Closed;
use vettid_wire::operation::item::{Draft, Put};
use vettid_wire::operation::vault;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::MINUTE;

use crate::fixture::{self, Owner, draft, field, refused};

fn full() -> Refusal {
    Refusal::limit("database", limits::DATABASE, limits::DATABASE)
}

fn put(owner: &mut Owner) -> Result<(), Refusal> {
    let draft = Draft {
        fields: vec![field("text", &"x".repeat(20_000))],
        ..draft("one more")
    };
    let put = Put {
        id: None,
        base: None,
        draft,
    };
    owner.call(&put).map(drop)
}

#[test]
fn full_vault_names_the_limit_and_can_be_opened_and_emptied() {
    let mut owner = fixture::owner();
    let id = owner.put_secret("large", &"x".repeat(60_000));
    owner.fill_room(Room::Ordinary);
    assert_eq!(put(&mut owner), Err(full()));

    owner.call(&vault::Lock {}).expect("locked");
    owner.reopen();
    owner.unlock().expect("unlocked");
    owner.remove(id, 1, true).expect("destroyed");

    put(&mut owner).expect("there is room again");
    assert!(owner.audited("vault.unlock", true));
}

#[test]
fn refusal_of_a_full_vault_says_why_and_not_that_it_is_full() {
    let mut owner = fixture::owner();
    owner.fill_room(Room::Ordinary);
    owner.clock.advance(6 * MINUTE);

    assert_eq!(owner.export_audit(), refused(Code::PinNeeded));
}

#[test]
fn unlock_that_cannot_be_recorded_leaves_no_open_vault() {
    let mut owner = fixture::owner();
    owner.fill_room(Room::Reserve);

    // Pages that are not full take a few events more.
    let unlocked = (0..50).map(|_| {
        owner.reopen();
        owner.unlock()
    });
    let refusal = unlocked.filter_map(Result::err).next();

    assert_eq!(refusal, Some(full()));
    assert_eq!(owner.closed, Some(Closed::Locked));
    owner.reopen();
    assert!(owner.status().open.is_none());
}
