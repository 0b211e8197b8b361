//! `credential.report-lost`: freezes credential operations.

use vettid_store::Room;
use vettid_wire::operation::{Done, credential, feed};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::FreshPin;
use crate::operation::Operation;
use crate::stop::Stop;

/// Freezes credential operations, until the identity is rotated with the current credential.
pub(crate) enum ReportLost {}

impl Operation for ReportLost {
    type Request = credential::ReportLost;
    type Grant = FreshPin;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, by: FreshPin, _: credential::ReportLost) -> Result<Done, Stop> {
        let alarm = on.change.credential()?.ok_or(Code::Internal)?.alarm;
        on.change.freeze_credential(true, alarm)?;
        on.tell(feed::Kind::CredentialLost, by.device())?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::time::MINUTE;

    #[test]
    fn reported_credential_is_frozen_and_items_stay_available() {
        let mut owner = fixture::owner();

        owner.call(&credential::ReportLost {}).expect("reported");

        assert_eq!(owner.use_credential(), refused(Code::CredentialFrozen));
        assert!(owner.feed_kinds().contains(&feed::Kind::CredentialLost));
        owner.put_note("still works");
    }

    #[test]
    fn report_without_a_fresh_pin_is_refused_and_noted() {
        let mut owner = fixture::owner();
        owner.clock.advance(6 * MINUTE);

        assert_eq!(
            owner.call(&credential::ReportLost {}),
            refused(Code::PinNeeded)
        );
        assert!(owner.audited("credential.report-lost", false));
        assert!(owner.use_credential().is_ok());
    }
}
