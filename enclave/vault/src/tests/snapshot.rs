//! Snapshots: written when due, cut behind, and needed whole.

use vettid_wire::operation::item::{Draft, Put};
use vettid_wire::operation::{audit, vault};
use vettid_wire::refusal::Code;

use crate::fixture::{self, Owner, draft, field, refused};

/// An owner whose log has outgrown the database.
fn busy() -> Owner {
    let mut owner = fixture::owner();
    let large = "x".repeat(60_000);
    let id = owner.put_note("0");
    for version in 1..=20 {
        let mut fields = vec![field("text", &large)];
        fields[0].id = u32::from(version > 1);
        let draft = Draft {
            fields,
            ..draft(&version.to_string())
        };
        owner
            .call(&Put {
                id: Some(id),
                base: Some(version),
                draft,
            })
            .expect("put");
    }
    owner
}

#[test]
fn quiet_moment_writes_a_snapshot_and_cuts_the_log() {
    let mut owner = busy();
    let before = owner.host.log_bytes();

    owner.tick();

    assert!(owner.host.log_bytes() < before / 100);
    assert_eq!(owner.host.log.len(), 1);
    assert!(owner.host.chunks.len() > 1);
    owner.put_note("after");
    owner.reopen();
    owner.unlock().expect("unlocked");
    assert_eq!(owner.status().open.expect("open").items, 2);
    assert_eq!(
        owner.call(&audit::Verify {}).expect("verdict").broken_at,
        None
    );
}

#[test]
fn lock_writes_the_snapshot_that_is_due() {
    let mut owner = busy();

    owner.call(&vault::Lock {}).expect("locked");

    assert_eq!(owner.host.log.len(), 1);
    assert!(owner.host.chunks.len() > 1);
    owner.reopen();
    owner.unlock().expect("unlocked");
    assert_eq!(owner.status().open.expect("open").items, 1);
}

#[test]
fn lock_without_need_or_room_for_a_snapshot_locks_all_the_same() {
    let mut quiet = fixture::owner();
    quiet.call(&vault::Lock {}).expect("locked");
    assert!(quiet.host.chunks.is_empty());

    let mut owner = busy();
    owner.host.full = true;
    owner.call(&vault::Lock {}).expect("locked");
    owner.host.full = false;

    owner.reopen();
    owner.unlock().expect("unlocked");
    assert_eq!(owner.status().open.expect("open").items, 1);
}

#[test]
fn second_snapshot_replaces_the_first() {
    let mut owner = busy();
    owner.tick();
    let first: Vec<_> = owner.host.chunks.keys().copied().collect();
    for _ in 0..40 {
        let large = "y".repeat(60_000);
        let id = owner.put(Draft {
            fields: vec![field("text", &large)],
            ..draft("more")
        });
        owner.remove(id, 1, true).expect("destroyed");
    }

    owner.tick();

    assert!(
        first
            .iter()
            .all(|chunk| !owner.host.chunks.contains_key(chunk))
    );
    owner.reopen();
    assert!(owner.unlock().is_ok());
}

#[test]
fn host_that_cannot_store_chunks_costs_nothing_but_the_snapshot() {
    let mut owner = busy();
    owner.host.full = true;

    assert_eq!(owner.tick().close, None);

    owner.put_note("goes on");
    owner.host.full = false;
    owner.tick();
    assert_eq!(owner.host.log.len(), 1);
}

#[test]
fn missing_or_altered_chunk_is_damage_and_the_right_pin_is_not_charged() {
    let mut owner = busy();
    owner.tick();
    let whole = owner.host.chunks.clone();
    for chunk in whole.keys() {
        owner.host.chunks.clone_from(&whole);
        owner.host.chunks.remove(chunk);
        owner.reopen();
        assert_eq!(owner.unlock(), refused(Code::Damaged), "{chunk:?}");

        owner.host.chunks.clone_from(&whole);
        owner.host.chunks.get_mut(chunk).expect("chunk")[100] ^= 1;
        owner.reopen();
        assert_eq!(owner.unlock(), refused(Code::Damaged), "{chunk:?}");
    }
    assert_eq!(owner.status().failed_attempts, 0);

    owner.host.chunks = whole;
    owner.unlock().expect("whole again");
}

#[test]
fn chunk_that_cannot_be_read_now_is_no_damage() {
    let mut owner = busy();
    owner.tick();
    owner.reopen();
    owner.host.unreadable = true;
    assert_eq!(owner.unlock(), refused(Code::Unavailable));

    owner.host.unreadable = false;

    assert!(owner.unlock().is_ok());
}

#[test]
fn header_goes_on_in_the_checkpoint() {
    let mut owner = busy();
    let change = vault::ChangePin {
        current: fixture::secret(fixture::PIN),
        replacement: fixture::secret("654321"),
    };
    owner.unlock().expect("fresh");
    owner.call(&change).expect("changed");

    owner.tick();

    owner.reopen();
    assert_eq!(owner.unlock(), refused(Code::WrongPin));
    assert!(owner.unlock_with("654321").is_ok());
}

#[test]
fn log_that_never_finds_a_quiet_moment_is_cut_all_the_same() {
    let mut owner = fixture::owner();
    let large = "x".repeat(60_000);
    let mut most = 0;
    for _ in 0..400 {
        let id = owner.put(Draft {
            fields: vec![field("text", &large)],
            ..draft("busy")
        });
        owner.remove(id, 1, true).expect("destroyed");
        most = most.max(owner.host.log_bytes());
    }

    assert!(most < 20 * 1024 * 1024, "{most} bytes");
    assert!(owner.host.log_bytes() < most);
}
