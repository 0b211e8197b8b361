//! Replies that are kept so that a repeated request gets the same answer.
//!
//! The credential is not part of what is kept: a repeat is given the current one while its device
//! may not have it yet, and never an older one, which would only raise an alarm.

use vettid_store::rows::request::Answered;
use vettid_store::{Change, View};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::refusal::Code;
use vettid_wire::request::{Credential, Outcome};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor};

use crate::call::Call;
use crate::effect::Served;
use crate::stop::Stop;

/// What is kept.
#[derive(Decode, Encode)]
#[cbor(map)]
struct Kept {
    #[n(0)]
    outcome: Outcome,
    /// Version of the credential that went with it.
    #[n(1)]
    credential: Option<u64>,
}

/// Keeps what came of a call, in the transaction that made it.
pub(crate) fn keep(
    change: &Change<'_>,
    call: &Call<'_>,
    outcome: &Outcome,
    credential: Option<u64>,
    now: UnixMillis,
) -> Result<(), Stop> {
    let kept = Kept {
        outcome: outcome.clone(),
        credential,
    };
    let reply = Secret::new(cbor::encode(&kept));
    let answered = Answered {
        digest: call.digest(),
        reply,
        at: now,
    };
    Ok(change.insert_answered(&call.device, &call.request.id, &answered)?)
}

/// What came of a call when it was made before; none if it was not.
pub(crate) fn repeat(view: View<'_>, call: &Call<'_>) -> Result<Option<Served>, Stop> {
    let Some(answered) = view.answered(&call.device, &call.request.id)? else {
        return Ok(None);
    };
    if answered.digest != call.digest() {
        return Err(Code::RequestIdReused.into());
    }
    let kept: Kept = answered
        .reply
        .expose(|reply| cbor::decode_exact(reply))
        .map_err(|_| Stop::from(Code::Internal))?;
    let credential = match kept.credential {
        Some(version) => unconfirmed(view, call)?.filter(|current| current.version == version),
        None => None,
    };
    Ok(Some(Served {
        credential,
        ..Served::new(kept.outcome)
    }))
}

/// The current credential, if the caller's device was sent it last and may not have it.
pub(crate) fn unconfirmed(view: View<'_>, call: &Call<'_>) -> Result<Option<Credential>, Stop> {
    let Some(credential) = view.credential()? else {
        return Ok(None);
    };
    let version = credential.version;
    Ok(credential
        .unconfirmed
        .filter(|sent| sent.device == call.device)
        .map(|sent| Credential {
            version,
            blob: sent.blob,
        }))
}
