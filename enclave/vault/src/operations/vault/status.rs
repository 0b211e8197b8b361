//! `vault.status`: what can be said with or without the PIN.

use vettid_wire::operation::vault;
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use crate::audit::Audit;
use crate::connect::place::Here;
use crate::effect::{Turning, Turns};
use crate::grant::Unlocking;
use crate::lifecycle::{State, Unlocked};
use crate::operation::Operation;
use crate::stop::Stop;

/// Says what can be said with or without the PIN, unless the device has seen another history.
pub(crate) enum Status {}

impl Operation for Status {
    type Request = vault::Status;
    type Grant = Unlocking;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Turning<'_>,
        by: Unlocking,
        request: vault::Status,
    ) -> Result<vault::StatusReport, Stop> {
        let now = on.out.now;
        let header = on.state.header().ok_or(Code::NotEnrolled)?;
        on.state.check_freshness(request.seen.as_ref())?;
        let wait = header.attempts.not_before;
        let open = match &*on.state {
            State::Unlocked(open) => Some(describe(open, &by, now)?),
            _ => None,
        };
        Ok(vault::StatusReport {
            locked: open.is_none(),
            failed_attempts: header.attempts.failed,
            wait_until: (wait > now).then_some(wait),
            open,
        })
    }
}

fn describe(open: &Unlocked, by: &Unlocking, now: UnixMillis) -> Result<vault::OpenStatus, Stop> {
    let view = open.view();
    let credential = view.credential()?.ok_or(Code::Internal)?;
    let devices = open
        .gate
        .header
        .devices
        .iter()
        .filter(|device| device.revoked.is_none());
    Ok(vault::OpenStatus {
        vault: open.gate.header.vault,
        items: view.count_items()?.live,
        bytes: open.database.bytes()?,
        credential_version: credential.version,
        credential_frozen: credential.frozen,
        transaction_keys_left: view.count_transaction_keys(by.device(), now)?,
        feed: view.newest_feed()?,
        messages: view.newest_change()?,
        devices: u32::try_from(devices.count()).unwrap_or(u32::MAX),
        home: view.home()?.and_then(|home| Here::node_of(&home.place)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::time::SECOND;

    #[test]
    fn open_vault_tells_what_it_holds() {
        let mut owner = fixture::owner();
        owner.put_note("one");

        let status = owner.status();

        let open = status.open.expect("open");
        assert!(!status.locked);
        assert_eq!(
            (open.items, open.devices, open.credential_version),
            (1, 1, 1)
        );
        assert_eq!(
            (open.transaction_keys_left, open.credential_frozen),
            (19, false)
        );
        assert_eq!(open.vault, owner.vault_id);
        assert!(open.bytes > 0 && open.feed == 2);
    }

    #[test]
    fn vault_whose_node_others_reach_tells_how() {
        let home = |status: vault::StatusReport| status.open.expect("open").home;

        let placed = home(fixture::placed().status()).expect("a home");

        assert_eq!(placed.addresses, ["/ip4/192.0.2.1/tcp/4001"]);
        assert_eq!(home(fixture::owner().status()), None);
    }

    #[test]
    fn sealed_vault_tells_attempts_and_wait_and_nothing_else() {
        let mut owner = fixture::owner();
        owner.reopen();
        for _ in 0..3 {
            owner.unlock_with("000000").expect_err("wrong");
        }

        let status = owner.status();

        assert_eq!(
            (status.locked, status.failed_attempts, status.open),
            (true, 3, None)
        );
        assert_eq!(status.wait_until, Some(fixture::NOON.plus(30 * SECOND)));
    }

    #[test]
    fn vault_tells_a_device_that_has_seen_an_earlier_record_of_it() {
        let mut owner = fixture::owner();
        let earlier = owner.head;
        owner.put_note("one");
        for seen in [None, earlier, owner.head] {
            let status = owner.call(&vault::Status { seen }).expect("open");
            assert!(!status.locked, "{seen:?}");
        }
        let newest = owner.head;
        owner.reopen();

        for seen in [None, earlier, newest] {
            let status = owner.call(&vault::Status { seen }).expect("sealed");
            assert!(status.locked, "{seen:?}");
        }
    }

    #[test]
    fn fresh_vault_and_unknown_device_are_told_nothing() {
        assert_eq!(
            fixture::invited().call(&vault::Status { seen: None }),
            refused(Code::NotEnrolled)
        );
        let mut owner = fixture::owner();
        let seen = owner.head;
        assert_eq!(
            fixture::invited().call(&vault::Status { seen }),
            refused(Code::NotEnrolled)
        );
        owner.use_other_device();
        assert_eq!(
            owner.call(&vault::Status { seen: None }),
            refused(Code::UnknownDevice)
        );
    }
}
