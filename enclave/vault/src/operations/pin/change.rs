//! `pin.change`: replaces the PIN in one record.

use vettid_store::{Lock, Room};
use vettid_wire::operation::{Done, feed, vault};
use vettid_wire::refusal::Code;
use vettid_wire::request::Outcome;

use crate::audit::{self, Audit};
use crate::effect::{Turning, Turns, encode};
use crate::grant::FreshPin;
use crate::kept;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Replaces the PIN: new salt, new pepper, the vault key wrapped anew. The new header, the event and
/// the feed entry are one record: a crash leaves the one PIN without a trace, or the other with both.
pub(crate) enum Change {}

impl Operation for Change {
    type Request = vault::ChangePin;
    type Grant = FreshPin;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Turning<'_>, by: FreshPin, request: vault::ChangePin) -> Result<Done, Stop> {
        text::pin(&request.current)?;
        text::pin(&request.replacement)?;
        if request.current == request.replacement {
            return Err(Code::InvalidValue.into());
        }
        let (call, out) = (on.call, &mut on.out);
        let open = on.state.unlocked()?;
        let right = open.try_pin(&request.current, call, out)?;
        let (salt, cost) = (out.salt(), out.cost);
        let hashed = out.hash(&request.replacement, &salt, cost)?;
        let vault = &open.gate.header.vault;
        let lock = Lock::new(vault, &right.key, &hashed, salt, cost, out.entropy);
        on.feed = Some(
            open.commit_right_pin(right.charge, Some(lock), out, |change, out| {
                audit::note_call(change, call, None, true, out.now)?;
                kept::keep(
                    change,
                    call,
                    &Outcome::Done(encode(&Done {})),
                    None,
                    out.now,
                )?;
                let kind = feed::Kind::PinChanged;
                Ok(change.append_feed(out.now, kind, Some(by.device()))?)
            })?,
        );
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused, secret};
    use vettid_wire::time::MINUTE;

    fn change(current: &str, replacement: &str) -> vault::ChangePin {
        vault::ChangePin {
            current: secret(current),
            replacement: secret(replacement),
        }
    }

    #[test]
    fn replaced_pin_opens_and_the_one_before_does_not() {
        let mut owner = fixture::owner();
        let id = owner.put_note("kept");

        owner
            .call(&change(fixture::PIN, "654321"))
            .expect("changed");

        owner.reopen();
        assert_eq!(owner.unlock(), refused(Code::WrongPin));
        owner.unlock_with("654321").expect("unlocked");
        assert_eq!(owner.get(id).expect("item").draft.name, "kept");
        assert!(owner.audited("pin.change", true));
        assert!(owner.feed_kinds().contains(&feed::Kind::PinChanged));
    }

    #[test]
    fn wrong_current_pin_is_charged_and_changes_nothing() {
        let mut owner = fixture::owner();

        assert_eq!(
            owner.call(&change("000000", "654321")),
            refused(Code::WrongPin)
        );

        assert_eq!(owner.status().failed_attempts, 1);
        assert!(owner.audited("pin.change", false));
        owner.reopen();
        assert!(owner.unlock().is_ok());
    }

    #[test]
    fn pin_that_was_proven_too_long_ago_must_be_proven_again() {
        let mut owner = fixture::owner();
        owner.clock.advance(6 * MINUTE);

        assert_eq!(
            owner.call(&change(fixture::PIN, "654321")),
            refused(Code::PinNeeded)
        );
        assert!(owner.audited("pin.change", false));
    }

    #[test]
    fn same_or_malformed_replacement_is_refused_uncharged() {
        let mut owner = fixture::owner();

        for replacement in [fixture::PIN, "12345", "abcdef"] {
            let refusal = owner.call(&change(fixture::PIN, replacement));
            assert_eq!(refusal, refused(Code::InvalidValue));
        }
        assert_eq!(owner.status().failed_attempts, 0);
    }

    #[test]
    fn repeated_change_gets_the_kept_reply() {
        let mut owner = fixture::owner();
        let id = owner.next_request_id();
        owner
            .call_as(id, &change(fixture::PIN, "654321"))
            .expect("changed");

        owner
            .call_as(id, &change(fixture::PIN, "654321"))
            .expect("repeated");

        assert_eq!(owner.status().failed_attempts, 0);
    }
}
