//! The audit chain: what an operation leaves in it, and its signed head.

use vettid_store::rows::audit::NewEvent;
use vettid_store::{Attempt, Change, View};
use vettid_wire::id::{DeviceId, VaultId};
use vettid_wire::operation::audit::AuditHead;
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use crate::call::Call;
use crate::identity;
use crate::stop::Stop;

/// What an operation leaves in the audit chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audit {
    /// An event when it was done, and one when it was refused to a device of the owner.
    Always,
    /// An event when it was done.
    Done,
    /// Nothing.
    Never,
}

impl Audit {
    /// As in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "done or refused",
            Self::Done => "done",
            Self::Never => "-",
        }
    }
}

/// Adds an event.
pub(crate) fn note(
    change: &Change<'_>,
    now: UnixMillis,
    operation: &str,
    device: Option<&DeviceId>,
    subject: Option<&[u8]>,
    done: bool,
) -> Result<(), Stop> {
    let event = NewEvent {
        at: now,
        operation,
        device,
        subject,
        done,
    };
    Ok(change.append_audit(&event)?)
}

/// Adds the event of a caller's request.
pub(crate) fn note_call(
    change: &Change<'_>,
    call: &Call<'_>,
    subject: Option<&[u8]>,
    done: bool,
    now: UnixMillis,
) -> Result<(), Stop> {
    let operation = &call.request.operation;
    note(change, now, operation, Some(&call.device), subject, done)
}

/// Adds the event of an attempt at PIN or password that came to nothing.
pub(crate) fn note_attempt(change: &Change<'_>, attempt: &Attempt) -> Result<(), Stop> {
    let Attempt {
        at,
        device,
        operation,
    } = attempt;
    note(change, *at, operation, Some(device), None, false)
}

/// Adds the event of a use of the credential that was charged and whose process ended before its
/// outcome was on record. Whether its password was right nobody knows; it did nothing.
pub(crate) fn note_interrupted_use(change: &Change<'_>) -> Result<(), Stop> {
    let Some(credential) = change.credential()? else {
        return Ok(());
    };
    let Some(attempt) = credential.under_way else {
        return Ok(());
    };
    note_attempt(change, &attempt)?;
    Ok(change.end_use(credential.attempts)?)
}

/// The head of the chain, signed by the vault's identity, with what leads from the vault's id to
/// the key that signed.
pub(crate) fn signed_head(
    view: View<'_>,
    vault: VaultId,
    at: UnixMillis,
) -> Result<AuditHead, Stop> {
    let head = view.audit_head()?;
    let key = view.identity_key()?.ok_or(Code::Internal)?;
    let place = (head.sequence, head.hash);
    Ok(AuditHead::new(
        vault,
        place,
        at,
        identity::chain(view)?,
        &key,
    ))
}
