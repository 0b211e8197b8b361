//! `audit.export`: a page of events with the signed head, to be checked outside.

use vettid_wire::operation::audit;

use crate::audit::{Audit, signed_head};
use crate::effect::{Again, Changing};
use crate::grant::FreshPin;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of the export. That it was exported is an event behind it.
pub(crate) enum Export {}

impl Operation for Export {
    type Request = audit::Export;
    type Grant = FreshPin;
    type Effect = Again;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        _: FreshPin,
        request: audit::Export,
    ) -> Result<audit::Exported, Stop> {
        let query = audit::Query {
            after: request.after,
            operation: None,
            limit: None,
        };
        let audit::Events { events, more } = on.change.audit(&query)?;
        let head = signed_head(**on.change, on.vault, on.now)?;
        Ok(audit::Exported { events, more, head })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{self, refused};
    use vettid_wire::refusal::Code;
    use vettid_wire::time::MINUTE;

    #[test]
    fn export_can_be_checked_without_the_vault() {
        let mut owner = fixture::owner();
        owner.put_note("one");

        let exported = owner.export_audit().expect("exported");

        let mut previous = [0; 32];
        for event in &exported.events {
            assert_eq!(event.hash, event.body.hash(&previous));
            previous = event.hash;
        }
        assert_eq!(previous, exported.head.hash);
        assert!(!exported.more);
        assert!(owner.audited("audit.export", true));
    }

    #[test]
    fn export_needs_a_fresh_pin() {
        let mut owner = fixture::owner();
        owner.clock.advance(6 * MINUTE);

        assert_eq!(owner.export_audit(), refused(Code::PinNeeded));
        assert!(owner.audited("audit.export", false));
    }
}
