//! A host that drops, alters, swaps, replays or withholds what it stores.

use vettid_wire::operation::vault;
use vettid_wire::refusal::Code;
use vettid_wire::request::Head;

use crate::fixture::{self, Owner, encode, refused};
use crate::{Phase, Vault};
use vettid_wire::link::Closed;

/// An owner with a few records, whose process ended.
fn closed_vault() -> Owner {
    let mut owner = fixture::owner();
    for name in ["one", "two", "three", "four", "five"] {
        owner.put_note(name);
    }
    owner
}

fn unlock_unseen(owner: &mut Owner) -> Result<vault::Unlocked, vettid_wire::refusal::Refusal> {
    owner.call(&vault::Unlock {
        pin: fixture::secret(fixture::PIN),
        seen: None,
    })
}

#[test]
fn older_log_is_rolled_back_to_a_device_that_saw_more_and_nothing_is_charged() {
    let mut owner = closed_vault();
    let older = owner.host.clone();
    owner.put_note("six");
    owner.host = older;
    owner.reopen();
    let before = owner.host.newest();

    assert_eq!(owner.unlock(), refused(Code::RolledBack));

    assert_eq!(owner.host.newest(), before);
    assert_eq!(owner.status().failed_attempts, 0);
}

#[test]
fn older_log_is_rolled_back_to_everybody_when_this_boot_saw_more() {
    let mut owner = closed_vault();
    let older = owner.host.clone();
    owner.put_note("six");
    owner.host = older;
    owner.host.seen = owner.head;
    owner.reopen();

    assert_eq!(unlock_unseen(&mut owner), refused(Code::RolledBack));
    assert_eq!(
        owner.call(&vault::Status { seen: None }),
        refused(Code::RolledBack)
    );
    assert_eq!(owner.vault.state(), Phase::Unusable);
}

#[test]
fn other_history_of_the_same_length_is_rolled_back() {
    let mut owner = closed_vault();
    let fork = owner.host.clone();
    owner.put_note("six");
    let seen = owner.head;
    owner.host = fork;
    owner.head = None;
    owner.reopen();
    owner.unlock().expect("unlocked");
    owner.put_note("another six");
    owner.reopen();
    owner.head = seen;

    assert_eq!(owner.unlock(), refused(Code::RolledBack));
}

/// What is told to a device that has seen this record.
fn told(owner: &mut Owner, seen: Option<Head>) -> Option<Code> {
    let status = owner.call(&vault::Status { seen });
    status.err().map(|refusal| refusal.code)
}

#[test]
fn other_history_that_is_longer_is_told_before_anything_is_done_in_it() {
    let mut owner = closed_vault();
    let (common, fork) = (owner.head, owner.host.clone());
    owner.put_note("six");
    let seen = owner.head;
    owner.host = fork;
    owner.head = None;
    owner.reopen();
    owner.unlock().expect("unlocked");
    for name in ["another six", "seven", "eight", "nine"] {
        owner.put_note(name);
    }
    let newest = owner.head;
    assert!(newest.map(|head| head.number) > seen.map(|head| head.number + 3));
    let before = owner.host.newest();

    // Open, then sealed.
    for phase in [Phase::Unlocked, Phase::Sealed] {
        assert_eq!(owner.vault.state(), phase);
        assert_eq!(told(&mut owner, seen), Some(Code::RolledBack), "{phase:?}");
        for own in [None, common, newest] {
            assert_eq!(told(&mut owner, own), None, "{phase:?}");
        }
        owner.head = seen;
        assert_eq!(owner.unlock(), refused(Code::RolledBack), "{phase:?}");
        owner.head = newest;
        assert_eq!(owner.host.newest(), before);
        owner.reopen();
    }
}

#[test]
fn older_log_is_told_before_the_pin_is_asked_for() {
    let mut owner = closed_vault();
    let older = owner.host.clone();
    owner.put_note("six");
    let seen = owner.head;
    owner.host = older;
    owner.reopen();

    assert_eq!(told(&mut owner, seen), Some(Code::RolledBack));
    owner.host.log.clear();
    owner.reopen();
    assert_eq!(told(&mut owner, seen), Some(Code::RolledBack));
    assert_eq!(told(&mut owner, None), Some(Code::Damaged));
}

#[test]
fn every_missing_record_is_noticed() {
    let whole = closed_vault().host;
    for number in 1..whole.newest() {
        let mut owner = closed_vault();
        owner.host.log.remove(&number);
        owner.reopen();

        assert_eq!(
            unlock_unseen(&mut owner),
            refused(Code::Damaged),
            "record {number}"
        );
        assert!(owner.admits());
    }
}

#[test]
fn record_that_is_altered_anywhere_is_noticed() {
    let whole = closed_vault().host;
    for (number, (_, record)) in &whole.log {
        for index in [0, 5, 20, 60, record.len() - 1] {
            let mut owner = closed_vault();
            owner.host.log.get_mut(number).expect("record").1[index] ^= 1;
            owner.reopen();

            let refusal = unlock_unseen(&mut owner);

            // The number of the release is one of the bytes.
            let code = refusal.expect_err("refused").code;
            assert!(
                matches!(code, Code::Damaged | Code::OtherRelease),
                "record {number}, byte {index}: {code:?}"
            );
        }
    }
}

#[test]
fn swapped_records_are_noticed() {
    let mut owner = closed_vault();
    let (third, fourth) = (owner.host.log[&3].clone(), owner.host.log[&4].clone());
    owner.host.log.insert(3, fourth);
    owner.host.log.insert(4, third);
    owner.reopen();

    assert_eq!(unlock_unseen(&mut owner), refused(Code::Damaged));
}

#[test]
fn log_or_record_of_another_vault_is_noticed() {
    let mut stranger = Owner::stranger();
    stranger.put_note("of a stranger");
    let stranger = stranger.host;
    let mut owner = closed_vault();
    owner.host.log.clone_from(&stranger.log);
    owner.reopen();
    assert_eq!(unlock_unseen(&mut owner), refused(Code::Damaged));

    let mut owner = closed_vault();
    owner.host.log.insert(2, stranger.log[&2].clone());
    owner.reopen();
    assert_eq!(unlock_unseen(&mut owner), refused(Code::Damaged));
}

#[test]
fn log_that_is_gone_is_rolled_back_to_who_has_seen_it_and_damaged_to_others() {
    let mut owner = closed_vault();
    owner.host.log.clear();
    owner.reopen();

    assert_eq!(owner.unlock(), refused(Code::RolledBack));
    assert_eq!(unlock_unseen(&mut owner), refused(Code::Damaged));
    assert_eq!(owner.host.newest(), 0);
}

#[test]
fn host_that_cannot_read_now_is_no_damage() {
    let mut owner = closed_vault();
    owner.host.unreadable = true;
    let template = vettid_store::Database::template().expect("template");
    let key = fixture::own_key(&owner.space, 1);
    let keys = crate::HeaderKeys::of(vettid_store::HeaderKey::new(1, key));
    let space = vettid_wire::id::SpaceId([0; 16]);

    let opened = Vault::existing(space, keys, template, &mut owner.host, &owner.clock);

    assert_eq!(opened.err(), Some(crate::Unreadable));
}

#[test]
fn second_writer_loses_and_its_vault_ends() {
    let mut owner = closed_vault();
    let mut other = owner.host.clone();
    owner.put_note("mine");
    std::mem::swap(&mut owner.host, &mut other);
    owner.host.log.insert(7, (false, vec![0; 100]));
    owner.host.log.insert(8, (false, vec![0; 100]));

    let id = owner.next_request_id();
    let seen = owner.head;
    let unlock = encode(
        id,
        &vault::Unlock {
            pin: fixture::secret(fixture::PIN),
            seen,
        },
    );
    let answer = owner.exchange(&unlock);

    assert_eq!(answer.close, Some(Closed::AppendRefused));
    assert!(answer.reply.is_empty());
    assert_eq!(owner.vault.state(), Phase::Unusable);
    assert!(!owner.admits());
}

#[test]
fn setting_a_vault_up_over_another_loses_the_first_append() {
    let existing = fixture::owner().host;
    let mut intruder = fixture::staged();
    intruder.host.log.clone_from(&existing.log);

    let bytes = intruder.create_request();
    intruder.exchange(&bytes);

    assert_eq!(intruder.host.log, existing.log);
    let id = intruder.next_request_id();
    let unlock = vault::Unlock {
        pin: fixture::secret(fixture::PIN),
        seen: None,
    };
    assert_eq!(
        intruder.exchange(&encode(id, &unlock)).close,
        Some(Closed::AppendRefused)
    );
}
