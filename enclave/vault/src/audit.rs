//! The audit chain: what an operation leaves in it, and its signed head.

use vettid_crypto::Label;
use vettid_store::rows::audit::NewEvent;
use vettid_store::{Change, View};
use vettid_wire::id::{DeviceId, VaultId};
use vettid_wire::operation::audit::AuditHead;
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use crate::call::Call;
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

/// The head of the chain, signed by the vault's identity.
pub(crate) fn signed_head(
    view: View<'_>,
    vault: VaultId,
    at: UnixMillis,
) -> Result<AuditHead, Stop> {
    let head = view.audit_head()?;
    let key = view.identity_key()?.ok_or(Code::Internal)?;
    let (sequence, time) = (head.sequence.to_be_bytes(), at.0.to_be_bytes());
    let signature = key.sign(Label::AuditHead, &[&vault.0, &sequence, &head.hash, &time]);
    Ok(AuditHead {
        sequence: head.sequence,
        hash: head.hash,
        at,
        identity_key: key.verifying_key().0,
        signature: signature.0,
    })
}
