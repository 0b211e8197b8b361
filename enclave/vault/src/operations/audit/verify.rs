//! `audit.verify`: checks the whole chain inside the vault.

use vettid_wire::operation::audit;

use crate::audit::{Audit, signed_head};
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Checks the whole chain.
pub(crate) enum Verify {}

impl Operation for Verify {
    type Request = audit::Verify;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, _: audit::Verify) -> Result<audit::Verdict, Stop> {
        let checked = on.view().check_audit()?;
        let head = signed_head(on.view(), on.header.vault, on.now)?;
        Ok(audit::Verdict {
            events: checked.events,
            broken_at: checked.broken_at,
            head,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use vettid_wire::operation::credential;

    #[test]
    fn chain_of_everything_that_was_done_verifies_and_its_head_is_signed() {
        let mut owner = fixture::owner();
        owner.put_note("one");
        owner
            .call_present(&credential::RotateIdentity {}, None)
            .expect("rotated");

        let verdict = owner.call(&audit::Verify {}).expect("verdict");

        let head = verdict.head;
        assert_eq!((verdict.broken_at, verdict.events), (None, head.sequence));
        assert_eq!(head.verify(owner.vault_id), Ok(()));
    }
}
