//! Host and enclave die at every step of what an owner does; then both come back.
//!
//! What was acknowledged is there, what was not is there whole or not at all, and the audit chain
//! verifies. A reply counts as acknowledged when nothing died before it could leave.

use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::operation::item::Put;
use vettid_wire::operation::vault::{ChangePin, Unlock};
use vettid_wire::operation::{audit, credential, feed};

use crate::Phase;
use crate::fixture::{self, Owner, draft, encode, field, list_all, secret};

/// Runs `act` with death at its first step, then at its second, until it survives. `check` is told
/// whether a reply was acknowledged. Returns how many deaths there were.
fn die_at_every_step(
    prepare: impl Fn() -> Owner,
    act: impl Fn(&mut Owner) -> bool,
    check: impl Fn(&mut Owner, bool),
) -> u32 {
    for step in 1..100 {
        let mut owner = prepare();
        owner.host.steps_left = Some(step);
        let acknowledged = act(&mut owner);
        let died = owner.host.is_dead();
        check(&mut owner, acknowledged && !died);
        if !died {
            return step - 1;
        }
    }
    panic!("more steps than any operation has");
}

fn verify(owner: &mut Owner) {
    let verdict = owner.call(&audit::Verify {}).expect("verdict");
    assert_eq!(verdict.broken_at, None);
}

fn names(owner: &mut Owner) -> Vec<String> {
    let page = owner.call(&list_all()).expect("page");
    page.items.into_iter().map(|item| item.name).collect()
}

#[test]
fn put() {
    let prepare = || {
        let mut owner = fixture::owner();
        owner.put_note("before");
        owner
    };
    let deaths = die_at_every_step(
        prepare,
        |owner| {
            let put = Put {
                id: None,
                base: None,
                draft: draft("new"),
            };
            owner.last_request = encode(owner.next_request_id(), &put);
            owner.try_send(&owner.last_request.clone()).is_some()
        },
        |owner, acknowledged| {
            owner.reopen();
            owner.unlock().expect("unlocked");
            let found = names(owner);
            assert!(
                found == ["before"] || found == ["before", "new"],
                "{found:?}"
            );
            assert!(!acknowledged || found.len() == 2);
            let bytes = owner.last_request.clone();
            owner.send(&bytes);
            assert_eq!(names(owner), ["before", "new"]);
            verify(owner);
        },
    );

    assert_eq!(deaths, 1);
}

#[test]
fn end_of_enrollment() {
    let deaths = die_at_every_step(
        fixture::staged,
        |owner| {
            let bytes = owner.create_request();
            owner.try_send(&bytes).is_some()
        },
        |owner, acknowledged| {
            if owner.host.newest() == 0 {
                assert!(!acknowledged);
                assert!(owner.host.chunks.is_empty(), "nothing is left");
                return;
            }
            owner.reopen();
            owner.unlock().expect("a whole vault");
            let report = owner.call(&credential::Version {}).expect("report");
            owner.credential = report.unconfirmed;
            owner.use_credential().expect("used");
            verify(owner);
        },
    );

    assert_eq!(deaths, 2);
}

#[test]
fn pin_change() {
    const NEW: &str = "654321";
    let deaths = die_at_every_step(
        fixture::owner,
        |owner| {
            let change = ChangePin {
                current: secret(fixture::PIN),
                replacement: secret(NEW),
            };
            let id = owner.next_request_id();
            owner.try_send(&encode(id, &change)).is_some()
        },
        |owner, acknowledged| {
            owner.reopen();
            let new = owner.unlock_with(NEW).is_ok();
            assert!(new || !acknowledged);
            owner.reopen();
            assert_eq!(owner.unlock().is_ok(), !new);
            owner.reopen();
            owner
                .unlock_with(if new { NEW } else { fixture::PIN })
                .expect("unlocked");
            assert_eq!(owner.audited("pin.change", true), new);
            assert_eq!(owner.feed_kinds().contains(&feed::Kind::PinChanged), new);
            verify(owner);
        },
    );

    assert_eq!(deaths, 3);
}

/// A PIN is tried at a vault that is open or locked; whatever dies, each attempt that is on the
/// account is in the audit chain once somebody gets in.
fn wrong_pin(prepare: impl Fn() -> Owner) -> u32 {
    die_at_every_step(
        prepare,
        |owner| {
            let (id, seen) = (owner.next_request_id(), owner.head);
            let pin = secret("000000");
            owner.try_send(&encode(id, &Unlock { pin, seen })).is_some()
        },
        |owner, acknowledged| {
            owner.reopen();
            let charged = owner.status().failed_attempts;
            assert!(charged == 1 || !acknowledged);

            let unlocked = owner.unlock().expect("unlocked");

            assert_eq!(unlocked.failed_attempts, charged);
            assert_eq!(owner.refused("vault.unlock"), charged);
            assert_eq!(owner.status().failed_attempts, 0);
            verify(owner);
        },
    )
}

#[test]
fn wrong_pin_at_a_locked_vault() {
    let locked = || {
        let mut owner = fixture::owner();
        owner.reopen();
        owner
    };

    assert_eq!(wrong_pin(locked), 2);
}

#[test]
fn wrong_pin_at_an_open_vault() {
    assert_eq!(wrong_pin(fixture::owner), 3);
}

#[test]
fn wrong_password() {
    let deaths = die_at_every_step(
        fixture::owner,
        |owner| {
            owner.password = "a wrong password".into();
            let id = owner.next_request_id();
            let request = owner.present_request(id, &credential::RotateIdentity {}, None);
            owner.password = fixture::PASSWORD.into();
            owner.try_send(&request).is_some()
        },
        |owner, acknowledged| {
            owner.reopen();
            owner.unlock().expect("unlocked");
            let credential = owner.vault.database().view().credential();
            let charged = credential.expect("row").expect("one").attempts.failed;
            assert!(charged == 1 || !acknowledged);
            assert_eq!(owner.refused("credential.rotate-identity"), charged);
            verify(owner);
        },
    );

    assert_eq!(deaths, 3);
}

#[test]
fn password_change() {
    const NEW: &str = "another password";
    let deaths = die_at_every_step(
        fixture::owner,
        |owner| {
            let input = Secret::new(cbor::encode(&secret(NEW)));
            let id = owner.next_request_id();
            let request = owner.present_request(id, &credential::ChangePassword {}, Some(input));
            let acknowledged = owner.try_send(&request).is_some();
            owner.last_request = request;
            acknowledged
        },
        |owner, acknowledged| {
            owner.reopen();
            owner.unlock().expect("unlocked");
            let report = owner.call(&credential::Version {}).expect("report");
            assert!(report.version == 2 || !acknowledged);
            assert_eq!(report.alarm, None);
            if report.version == 2 {
                owner.credential = report.unconfirmed;
                owner.password = NEW.into();
            }
            owner
                .use_credential()
                .expect("the one password or the other");
            verify(owner);
        },
    );

    assert_eq!(deaths, 3);
}

#[test]
fn credential_use_spends_its_key_once_whatever_happens() {
    let deaths = die_at_every_step(
        || {
            let mut owner = fixture::owner();
            owner.put_critical("safe", "1234");
            owner
        },
        |owner| {
            let id = owner.next_request_id();
            let request = owner.present_request(id, &credential::RotateIdentity {}, None);
            let acknowledged = owner.try_send(&request).is_some();
            owner.last_request = request;
            acknowledged
        },
        |owner, acknowledged| {
            owner.reopen();
            owner.unlock().expect("unlocked");
            let before = owner.call(&credential::Version {}).expect("report").version;
            assert!(before == 3 || !acknowledged);
            let bytes = owner.last_request.clone();
            owner.send(&bytes);
            let after = owner.call(&credential::Version {}).expect("report");
            assert!(after.version <= 3 && !after.frozen);
            owner.credential = after.unconfirmed.or_else(|| owner.credential.take());
            let id = owner.call(&list_all()).expect("page").items[0].id;
            assert_eq!(owner.reveal_critical(id).expect("values"), ["1234"]);
            verify(owner);
        },
    );

    assert_eq!(deaths, 3);
}

#[test]
fn unlock() {
    let deaths = die_at_every_step(
        || {
            let mut owner = fixture::owner();
            owner.put_note("kept");
            owner.reopen();
            owner
        },
        |owner| owner.unlock_or_die(),
        |owner, acknowledged| {
            owner.reopen();
            let charged = owner.status().failed_attempts;
            assert!(charged == 0 || !acknowledged);
            owner.unlock().expect("unlocked");
            assert_eq!(names(owner), ["kept"]);
            // The interrupted one was charged and never undone: that is on record as what it is.
            assert_eq!(owner.refused("vault.unlock"), charged);
            verify(owner);
        },
    );

    assert_eq!(deaths, 3);
}

#[test]
fn snapshot() {
    let prepare = || {
        let mut owner = fixture::owner();
        let large = "x".repeat(60_000);
        let mut last = None;
        for number in 0..20 {
            let draft = vettid_wire::operation::item::Draft {
                fields: vec![field("text", &large)],
                ..draft(&format!("version {number}"))
            };
            let (id, base) = match last {
                None => (None, None),
                Some((id, version)) => (Some(id), Some(version)),
            };
            let written = owner.call(&Put {
                id,
                base,
                draft: renumber(draft, number),
            });
            let written = written.expect("put");
            last = Some((written.id, written.version));
        }
        owner
    };

    let deaths = die_at_every_step(
        prepare,
        |owner| {
            owner.tick();
            false
        },
        |owner, _| {
            owner.reopen();
            assert_eq!(owner.vault.state(), Phase::Sealed);
            owner.unlock().expect("unlocked");
            assert_eq!(names(owner), ["version 19"]);
            verify(owner);
        },
    );

    assert!(deaths >= 5, "{deaths}");
}

/// The field of a replacement is the one that is there.
fn renumber(
    mut draft: vettid_wire::operation::item::Draft,
    number: u32,
) -> vettid_wire::operation::item::Draft {
    for field in &mut draft.fields {
        field.id = number.min(1);
    }
    draft
}
