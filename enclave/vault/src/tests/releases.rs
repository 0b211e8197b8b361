//! A vault moves to a later release by its owner's approval, never back, and no crash is in between.

use vettid_crypto::{SealingKey, SecretBytes};
use vettid_store::HeaderKey;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::{audit, release};
use vettid_wire::record::release_of;
use vettid_wire::refusal::{Code, Refusal};

use crate::HeaderKeys;
use crate::fixture::{self, Owner, own_key, refused};

const OFFERED: release::Offered = offered(2);

const fn offered(number: u8) -> release::Offered {
    release::Offered {
        release: number as u32,
        pcr0: [number; 48],
        pcr1: [1; 48],
        pcr2: [2; 48],
    }
}

fn own(owner: &Owner, number: u8) -> HeaderKey {
    HeaderKey::new(u32::from(number), own_key(&owner.space, number))
}

fn shared(from: u8, to: u8) -> SealingKey {
    SealingKey::from_bytes([from * 16 + to; 32])
}

/// The first release, which has handed over to the second and offers it.
fn first(owner: &Owner) -> HeaderKeys {
    HeaderKeys::of(own(owner, 1)).offering(OFFERED, shared(1, 2))
}

/// The second release, which was handed over to by the first.
fn second(owner: &Owner) -> HeaderKeys {
    HeaderKeys::of(own(owner, 2)).with_earlier(1, shared(1, 2))
}

/// An owner with a note, at the first release, who may approve the second.
fn owner_with_a_choice() -> Owner {
    let mut owner = fixture::owner();
    owner.put_note("mine");
    let releases = first(&owner);
    owner.reopen_at(releases);
    owner.unlock().expect("unlocked");
    owner
}

fn approve(owner: &mut Owner, offered: release::Offered) -> Result<(), Refusal> {
    let approve = release::Approve { offered };
    owner.call_present(&approve, None).map(|_| ())
}

fn status(owner: &mut Owner) -> (u32, Option<u32>, Option<u32>) {
    let status = owner.call(&release::Status {}).expect("status");
    let offered = status.offered.map(|offered| offered.release);
    (status.running, offered, status.approved)
}

fn opens(owner: &mut Owner, keys: HeaderKeys) -> Result<u32, Refusal> {
    owner.reopen_at(keys);
    owner
        .unlock()
        .map(|_| owner.status().open.expect("open").items)
}

/// Releases that headers of the log are sealed for, oldest first.
fn sealed_for(owner: &Owner) -> Vec<u32> {
    let records = owner.host.log.values();
    records
        .filter_map(|(_, record)| release_of(record))
        .collect()
}

#[test]
fn owner_sees_what_runs_and_what_is_offered() {
    let mut owner = owner_with_a_choice();

    assert_eq!(status(&mut owner), (1, Some(2), None));

    approve(&mut owner, OFFERED).expect("approved");

    assert_eq!(status(&mut owner), (1, Some(2), Some(2)));
    assert!(owner.feed_kinds().contains(&Kind::ReleaseApproved));
    owner.reopen();
    assert_eq!(owner.unlock(), refused(Code::OtherRelease), "no shared key");
}

#[test]
fn only_what_is_offered_can_be_approved_to_the_last_register() {
    let mut owner = owner_with_a_choice();
    let mut altered = OFFERED;
    altered.pcr2[47] ^= 1;

    for other in [altered, offered(3), offered(1)] {
        assert_eq!(approve(&mut owner, other), refused(Code::Conflict));
    }
    owner.password = "wrong password".into();
    assert_eq!(approve(&mut owner, OFFERED), refused(Code::WrongPassword));

    assert_eq!(status(&mut owner), (1, Some(2), None));
    assert!(!sealed_for(&owner).contains(&2));
    let mut without = fixture::owner();
    assert_eq!(approve(&mut without, OFFERED), refused(Code::NotFound));
}

#[test]
fn approval_is_of_one_image_and_not_of_another_with_the_same_number() {
    let mut owner = owner_with_a_choice();
    approve(&mut owner, OFFERED).expect("approved");

    let other = HeaderKeys::of(own(&owner, 2)).with_earlier(1, shared(1, 5));
    assert_eq!(opens(&mut owner, other), refused(Code::Damaged));
    let keys = HeaderKeys::of(own(&owner, 1))
        .with_later(HeaderKey::new(2, shared(1, 5)))
        .with_later(HeaderKey::new(2, shared(1, 2)));
    assert_eq!(opens(&mut owner, keys), Ok(1));
    assert_eq!(status(&mut owner), (1, None, Some(2)));
    let keys = second(&owner);
    assert_eq!(opens(&mut owner, keys), Ok(1));
}

#[test]
fn vault_that_was_not_let_go_opens_at_its_own_release_alone() {
    let mut owner = owner_with_a_choice();

    let releases = second(&owner);
    assert_eq!(opens(&mut owner, releases), refused(Code::OtherRelease));

    let releases = first(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(1));
}

#[test]
fn approved_vault_opens_at_both_until_it_has_moved_and_never_goes_back() {
    let mut owner = owner_with_a_choice();
    approve(&mut owner, OFFERED).expect("approved");

    let releases = first(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(1));
    owner.put_note("written before the move");
    let releases = second(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(2));

    assert_eq!(status(&mut owner), (2, None, None));
    let feed = owner.feed_kinds();
    let moved = feed.iter().filter(|kind| **kind == Kind::ReleaseMoved);
    assert_eq!(moved.count(), 1);
    let query = audit::Query {
        after: 0,
        operation: Some("release.moved".to_owned()),
        limit: None,
    };
    let events = owner.call(&query).expect("events").events;
    let subjects: Vec<_> = events.into_iter().map(|event| event.body.subject).collect();
    assert_eq!(subjects, [Some(vec![0, 0, 0, 2])]);
    let releases = first(&owner);
    assert_eq!(opens(&mut owner, releases), refused(Code::OtherRelease));
    // What both share is of no use any more.
    let releases = HeaderKeys::of(own(&owner, 1)).with_later(HeaderKey::new(2, shared(1, 2)));
    assert_eq!(opens(&mut owner, releases), refused(Code::OtherRelease));
    let releases = HeaderKeys::of(own(&owner, 2));
    assert_eq!(
        opens(&mut owner, releases),
        Ok(2),
        "nothing of the earlier one is needed"
    );
    let again = owner.feed_kinds();
    let moved = again.iter().filter(|kind| **kind == Kind::ReleaseMoved);
    assert_eq!(moved.count(), 1, "told once");
}

#[test]
fn a_wrong_pin_at_the_later_release_moves_the_vault_and_counts() {
    let mut owner = owner_with_a_choice();
    approve(&mut owner, OFFERED).expect("approved");
    let releases = second(&owner);
    owner.reopen_at(releases);

    assert_eq!(owner.unlock_with("000000"), refused(Code::WrongPin));

    let releases = first(&owner);
    assert_eq!(opens(&mut owner, releases), refused(Code::OtherRelease));
    let releases = second(&owner);
    owner.reopen_at(releases);
    let unlocked = owner.unlock().expect("unlocked");
    assert_eq!(unlocked.failed_attempts, 1);
    assert!(owner.feed_kinds().contains(&Kind::ReleaseMoved));
}

#[test]
fn snapshots_of_an_approved_vault_open_at_the_later_release() {
    let mut owner = owner_with_a_choice();
    approve(&mut owner, OFFERED).expect("approved");

    owner.snapshot();

    assert_eq!(sealed_for(&owner), [2]);
    let releases = second(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(1));
}

#[test]
fn a_release_may_be_left_out() {
    let mut owner = owner_with_a_choice();
    approve(&mut owner, OFFERED).expect("approved");
    let both = |owner: &Owner| {
        HeaderKeys::of(own(owner, 1))
            .with_later(HeaderKey::new(2, shared(1, 2)))
            .offering(offered(3), shared(1, 3))
    };
    let releases = both(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(1));
    assert_eq!(status(&mut owner), (1, Some(3), Some(2)));

    approve(&mut owner, offered(3)).expect("approved");

    let releases = second(&owner);
    assert_eq!(opens(&mut owner, releases), refused(Code::OtherRelease));
    let third = HeaderKeys::of(own(&owner, 3))
        .with_earlier(2, shared(2, 3))
        .with_earlier(1, shared(1, 3));
    assert_eq!(opens(&mut owner, third), Ok(1));
    assert_eq!(status(&mut owner), (3, None, None));
}

#[test]
fn after_a_crash_at_any_record_the_vault_opens_at_one_release_or_at_both() {
    let mut owner = owner_with_a_choice();
    let before = owner.host.newest();
    approve(&mut owner, OFFERED).expect("approved");
    let approved = owner.host.newest();
    let releases = second(&owner);
    assert_eq!(opens(&mut owner, releases), Ok(1));
    let (whole, moved) = (owner.host.clone(), owner.host.newest());

    let mut seen = Vec::new();
    for length in before..=moved {
        let mut at = |keys: HeaderKeys| {
            owner.host = whole.clone();
            owner.host.log.retain(|number, _| *number <= length);
            owner.head = None;
            opens(&mut owner, keys)
        };
        let space = fixture::owner();
        let outcome = (at(first(&space)).is_ok(), at(second(&space)).is_ok());
        assert!(outcome.0 || outcome.1, "record {length} of {moved}");
        seen.push((length, outcome));
    }

    for (length, outcome) in seen {
        let expected = match length {
            // The use of the credential is charged in a record of its own.
            _ if length < approved => (true, false),
            _ if length == approved => (true, true),
            _ => (false, true),
        };
        assert_eq!(outcome, expected, "record {length}, approved in {approved}");
    }
}
