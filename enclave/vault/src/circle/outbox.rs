//! What may wait for members of groups. One that nobody reaches is passed by: it must not keep this
//! owner from talking to the others.

use vettid_store::View;
use vettid_wire::id::VaultId;
use vettid_wire::limits;
use vettid_wire::refusal::Refusal;

use crate::stop::Stop;

/// Deliveries that may wait for one member now: with many for all, only members for whom next to
/// nothing waits are told.
pub(super) fn most(view: View<'_>) -> Result<usize, Stop> {
    Ok(match count(view)? < limits::OUTBOX {
        true => limits::MEMBER_OUTBOX,
        false => limits::OUTBOX / limits::GROUP,
    })
}

/// Whether one delivery more may wait for a member.
pub(super) fn has_room(view: View<'_>, member: &VaultId, most: usize) -> Result<bool, Stop> {
    let waiting = usize::try_from(view.count_outbox_for(member)?).unwrap_or(usize::MAX);
    Ok(waiting < most)
}

/// Refuses to say anything to a group while too much waits for others.
pub(crate) fn check(view: View<'_>) -> Result<(), Stop> {
    let (waiting, max) = (count(view)?, 2 * limits::OUTBOX);
    match waiting < max {
        true => Ok(()),
        false => Err(Refusal::limit("outbox", max, waiting.saturating_add(1)).into()),
    }
}

fn count(view: View<'_>) -> Result<usize, Stop> {
    Ok(usize::try_from(view.count_outbox_in_groups()?).unwrap_or(usize::MAX))
}
