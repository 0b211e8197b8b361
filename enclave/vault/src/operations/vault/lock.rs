//! `vault.lock`: closes the vault for everybody.

use vettid_store::Room;
use vettid_wire::link::Closed;
use vettid_wire::operation::{Done, vault};

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Closes the vault for everybody.
pub(crate) enum Lock {}

impl Operation for Lock {
    type Request = vault::Lock;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: Device, _: vault::Lock) -> Result<Done, Stop> {
        on.close(Closed::Locked);
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use crate::fixture::{self, refused};
    use vettid_wire::refusal::Code;

    #[test]
    fn lock_ends_the_vault_and_leaves_an_event() {
        let mut owner = fixture::owner();

        owner.call(&vault::Lock {}).expect("locked");

        assert_eq!(owner.closed, Some(Closed::Locked));
        assert_eq!(owner.vault.state(), Phase::Unusable);
        owner.reopen();
        owner.unlock().expect("unlocked");
        assert!(owner.audited("vault.lock", true));
    }

    #[test]
    fn repeated_lock_does_not_lock_again() {
        let mut owner = fixture::owner();
        let id = owner.next_request_id();
        owner.call_as(id, &vault::Lock {}).expect("locked");
        owner.reopen();
        owner.unlock().expect("unlocked");

        owner.call_as(id, &vault::Lock {}).expect("repeated");

        assert_eq!(owner.closed, None);
        assert_eq!(owner.vault.state(), Phase::Unlocked);
    }

    #[test]
    fn sealed_vault_is_locked_already() {
        let mut owner = fixture::owner();
        owner.reopen();

        assert_eq!(owner.call(&vault::Lock {}), refused(Code::Locked));
    }
}
