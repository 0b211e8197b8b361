//! `vault.unlock`: proves the PIN, to open the vault or to prove it afresh.

use vettid_store::{Header, Room};
use vettid_wire::id::DeviceId;
use vettid_wire::link::Closed;
use vettid_wire::operation::{feed, vault};
use vettid_wire::refusal::Code;

use crate::audit::{self, Audit};
use crate::circle::Held;
use crate::connect::flow::Flow;
use crate::connect::{News, post};
use crate::effect::{Turning, Turns};
use crate::grant::Unlocking;
use crate::lifecycle::gate::{Charge, RightPin};
use crate::lifecycle::unlocked::{FreshPins, Refusals};
use crate::lifecycle::{State, Unlocked, checkpoint};
use crate::mls::AtHand;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Event of a vault that a later release has opened for the first time; its subject is the number.
const MOVED: &str = "release.moved";

/// Proves the PIN.
///
/// The order is: is the log as new as what was seen? may an attempt be made? is it charged durably?
/// is the PIN right? do snapshot and log make one chain? Only then one record gives the attempt back
/// and says in the audit chain that the vault was opened, and who failed to before.
pub(crate) enum Unlock {}

impl Operation for Unlock {
    type Request = vault::Unlock;
    type Grant = Unlocking;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(
        on: &mut Turning<'_>,
        by: Unlocking,
        request: vault::Unlock,
    ) -> Result<vault::Unlocked, Stop> {
        text::pin(&request.pin)?;
        on.state.check_freshness(request.seen.as_ref())?;
        let was_sealed = matches!(on.state, State::Sealed(_));
        let charge = match was_sealed {
            true => open(on, &request)?,
            false => prove_again(on, &request)?,
        };
        let (call, now) = (on.call, on.out.now);
        let open = on.state.unlocked()?;
        let failed_before = charge.before.failed;
        let suspect = last_to_fail(&open.gate.header);
        let moved = open.gate.header.moved_from.is_some();
        let release = open.gate.log.keys.running();
        let opened = open.commit_right_pin(charge, None, &mut on.out, |change, out| {
            audit::note_interrupted_use(change)?;
            audit::note_call(change, call, None, true, out.now)?;
            let mut feed = None;
            if moved {
                let (device, subject) = (Some(&call.device), release.to_be_bytes());
                audit::note(change, out.now, MOVED, device, Some(&subject), true)?;
                feed = Some(change.append_feed(out.now, feed::Kind::ReleaseMoved, None)?);
            }
            if failed_before > 0 {
                let kind = feed::Kind::PinFailed;
                feed = Some(change.append_feed(out.now, kind, suspect.as_ref())?);
            }
            Ok(feed)
        });
        if was_sealed && opened.is_err() {
            // A vault that was opened without a record of it must not stay open.
            on.close = Some(Closed::Locked);
        }
        on.feed = opened?;
        // Only what is on record counts.
        open.pins.prove(call, now);
        if was_sealed {
            open.news.outbound = post::waiting(open.view())?;
        }
        let view = open.view();
        Ok(vault::Unlocked {
            vault: open.gate.header.vault,
            transaction_keys_left: view.count_transaction_keys(by.device(), now)?,
            feed: view.newest_feed()?,
            failed_attempts: failed_before,
        })
    }
}

/// Device that tried a wrong PIN last, as far as the header lists it; those at an open vault are in
/// the audit chain already. The newest attempt is the right one.
fn last_to_fail(header: &Header) -> Option<DeviceId> {
    let (_right, wrong) = header.unaudited.split_last()?;
    wrong.last().map(|attempt| attempt.device)
}

/// Opens a sealed vault. Nothing is written of it yet but the charge.
fn open(on: &mut Turning<'_>, request: &vault::Unlock) -> Result<Charge, Stop> {
    let State::Sealed(sealed) = &mut *on.state else {
        return Err(Code::Internal.into());
    };
    let out = &mut on.out;
    let RightPin { key, charge } = sealed.gate.try_pin(&request.pin, on.call, out)?;
    let restored = match sealed.restore(&key, out) {
        Ok(restored) => restored,
        Err(Stop::Refused(why)) => {
            // The PIN was right, whatever its log turns out to be.
            sealed.gate.give_back(charge, out)?;
            return Err(why.into());
        }
        Err(Stop::Lost) => return Err(Stop::Lost),
    };
    let last_event = restored.database.view().audit_head()?.at;
    let State::Sealed(sealed) = std::mem::replace(on.state, State::Closed) else {
        return Err(Code::Internal.into());
    };
    let mut open = Unlocked {
        gate: sealed.gate,
        key,
        database: restored.database,
        pins: FreshPins::default(),
        last_event,
        next_upkeep: on.out.now,
        refusals: Refusals::default(),
        opened: on.out.now,
        next_answer: on.out.now,
        next_round: on.out.now,
        flow: Flow::default(),
        held: Held::default(),
        placed: false,
        news: News::default(),
        at_hand: AtHand::default(),
    };
    if restored.migrated {
        // Nothing can be written before this; without it the vault is not open.
        checkpoint::write(&mut open, &mut on.out).map_err(|_| Stop::Lost)?;
    }
    *on.state = State::Unlocked(Box::new(open));
    Ok(charge)
}

/// Proves the PIN of an open vault once more: for five minutes, in this session.
fn prove_again(on: &mut Turning<'_>, request: &vault::Unlock) -> Result<Charge, Stop> {
    let open = on.state.unlocked()?;
    let right = open.try_pin(&request.pin, on.call, &mut on.out)?;
    Ok(right.charge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use crate::fixture::{self, refused};
    use vettid_wire::refusal::Refusal;
    use vettid_wire::time::{HOUR, MINUTE, SECOND};

    #[test]
    fn right_pin_opens_the_vault_with_everything_in_it() {
        let mut owner = fixture::owner();
        let id = owner.put_note("kept");
        owner.reopen();
        assert_eq!(owner.vault.state(), Phase::Sealed);

        let unlocked = owner.unlock().expect("unlocked");

        assert_eq!(unlocked.vault, owner.vault_id);
        assert_eq!(unlocked.failed_attempts, 0);
        assert_eq!(unlocked.transaction_keys_left, 19);
        assert_eq!(owner.get(id).expect("item").draft.name, "kept");
    }

    #[test]
    fn wrong_pin_is_refused_and_charged_before_it_is_tried() {
        let mut owner = fixture::owner();
        owner.reopen();
        let before = owner.host.newest();

        assert_eq!(owner.unlock_with("000000"), refused(Code::WrongPin));

        assert_eq!(owner.vault.state(), Phase::Sealed);
        assert_eq!(owner.host.newest(), before + 1);
        assert_eq!(owner.status().failed_attempts, 1);
    }

    #[test]
    fn attempts_survive_restarts_and_the_fourth_has_to_wait() {
        let mut owner = fixture::owner();
        for left in [None, None, Some(30)] {
            owner.reopen();
            let expected = Refusal {
                retry_after: left,
                ..Code::WrongPin.into()
            };
            assert_eq!(owner.unlock_with("000000"), Err(expected));
        }

        owner.reopen();

        assert_eq!(owner.unlock(), Err(Refusal::wait(30)));
        owner.clock.advance(30 * SECOND);
        let unlocked = owner.unlock().expect("unlocked");
        assert_eq!(unlocked.failed_attempts, 3);
        assert_eq!(owner.status().failed_attempts, 0);
    }

    #[test]
    fn clock_that_was_set_back_shortens_no_wait() {
        let mut owner = fixture::owner();
        for _ in 0..3 {
            owner.unlock_with("000000").expect_err("wrong");
        }
        owner.clock.set_back(HOUR);
        owner.reopen();

        assert_eq!(owner.unlock(), Err(Refusal::wait(30)));
        owner.clock.advance(29 * SECOND);
        assert_eq!(owner.unlock(), Err(Refusal::wait(1)));
        owner.clock.advance(SECOND);
        assert!(owner.unlock().is_ok());
    }

    #[test]
    fn failed_attempts_are_told_in_the_feed_after_the_unlock() {
        let mut owner = fixture::owner();
        owner.reopen();
        owner.unlock_with("000000").expect_err("wrong");

        owner.unlock().expect("unlocked");

        assert_eq!(owner.feed_kinds().last(), Some(&feed::Kind::PinFailed));
    }

    #[test]
    fn hundredth_wrong_attempt_is_the_last() {
        let mut owner = fixture::owner();
        owner.vault.header_mut().attempts.failed = 99;
        assert_eq!(
            owner.unlock_with("000000").expect_err("wrong").code,
            Code::WrongPin
        );
        owner.clock.advance(2 * HOUR);

        assert_eq!(owner.unlock(), refused(Code::Exhausted));
        owner.reopen();
        assert_eq!(owner.unlock(), refused(Code::Exhausted));
    }

    #[test]
    fn wrong_pin_on_an_open_vault_is_charged_and_ends_the_earlier_proof() {
        let mut owner = fixture::owner();
        assert!(owner.export_audit().is_ok());

        assert_eq!(owner.unlock_with("000000"), refused(Code::WrongPin));

        assert_eq!(owner.export_audit(), refused(Code::PinNeeded));
        assert_eq!(owner.status().failed_attempts, 1);
        assert!(owner.audited("vault.unlock", false));
        owner.unlock().expect("again");
        assert!(owner.export_audit().is_ok());
    }

    #[test]
    fn pin_is_fresh_for_five_minutes_and_in_its_session_only() {
        let mut owner = fixture::owner();
        owner.unlock().expect("proven");
        owner.session.0[0] ^= 1;
        assert_eq!(owner.export_audit(), refused(Code::PinNeeded));
        owner.session.0[0] ^= 1;

        owner.clock.advance(5 * MINUTE + 1);

        assert_eq!(owner.export_audit(), refused(Code::PinNeeded));
    }

    #[test]
    fn unregistered_device_is_refused_before_any_charge() {
        let mut owner = fixture::owner();
        owner.reopen();
        let before = owner.host.newest();
        owner.use_other_device();

        assert_eq!(owner.unlock(), refused(Code::UnknownDevice));
        assert_eq!(owner.host.newest(), before);
    }

    #[test]
    fn revoked_device_is_refused() {
        let mut owner = fixture::owner();
        owner.vault.header_mut().devices[0].revoked = Some(fixture::NOON);

        assert_eq!(owner.unlock(), refused(Code::UnknownDevice));
        assert!(!owner.admits());
    }

    #[test]
    fn text_that_is_no_pin_is_refused_uncharged() {
        let mut owner = fixture::owner();
        owner.reopen();

        assert_eq!(owner.unlock_with("secret"), refused(Code::InvalidValue));
        assert_eq!(owner.status().failed_attempts, 0);
    }
}
