//! The first half of a use: everything that needs no password, in one durable record.

use vettid_crypto::digest;
use vettid_store::rows::credential::Credential;
use vettid_store::{Attempt, Attempts, Change, Room};
use vettid_wire::operation::feed;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Outcome, OwnerSecret};

use super::Blob;
use crate::call::Call;
use crate::lifecycle::Unlocked;
use crate::outside::Outside;
use crate::stop::Stop;
use crate::{attempts, audit, kept};

/// A use whose attempt is charged.
#[derive(Debug)]
pub(crate) struct Charged {
    pub(crate) secret: OwnerSecret,
    pub(crate) blob: Blob,
    pub(crate) credential: Credential,
    pub(crate) attempts: Attempts,
}

/// A use that is refused, and what the owner is told in the feed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) feed: Option<u64>,
}

/// Spends the one-time key, judges the credential, and charges an attempt at the password. When it
/// returns, that is durable, and the reply to a refusal is kept.
///
/// A key that is not there leaves no trace but in the audit chain.
pub(crate) fn spend(
    open: &mut Unlocked,
    call: &Call<'_>,
    while_frozen: bool,
    out: &mut Outside<'_>,
) -> Result<Result<Charged, Refused>, Stop> {
    let credential = open.view().credential()?.ok_or(Code::Internal)?;
    if credential.frozen && !while_frozen {
        return Err(Code::CredentialFrozen.into());
    }
    let judged = open.commit(Room::Reserve, out, |change, out| {
        audit::note_interrupted_use(change)?;
        let id = &call.proof()?.transaction_key;
        let key = change
            .spend_transaction_key(&call.device, id, out.now)?
            .ok_or(Code::TransactionKeySpent)?;
        let judged = judge(change, call, credential, &key.secret, out)?;
        if let Err(Refused { refusal, .. }) = &judged {
            audit::note_call(change, call, None, false, out.now)?;
            kept::keep(
                change,
                call,
                &Outcome::Refused(refusal.clone()),
                None,
                out.now,
            )?;
        }
        Ok(judged)
    })?;
    out.host.settle()?;
    Ok(judged)
}

fn judge(
    change: &Change<'_>,
    call: &Call<'_>,
    credential: Credential,
    key: &vettid_crypto::sealed_box::BoxSecret,
    out: &mut Outside<'_>,
) -> Result<Result<Charged, Refused>, Stop> {
    let refused = |refusal: Refusal| {
        Ok(Err(Refused {
            refusal,
            feed: None,
        }))
    };
    let bytes = &call.proof()?.credential;
    let Some(blob) = Blob::genuine(bytes, &credential.mac_key) else {
        return refused(Code::CredentialInvalid.into());
    };
    if digest::sha256(bytes) != credential.digest {
        return alarm(change, call, &credential, out).map(Err);
    }
    let secret = match call.open_proof(key) {
        Ok(secret) => secret,
        Err(Stop::Refused(refusal)) => return refused(refusal),
        Err(Stop::Lost) => return Err(Stop::Lost),
    };
    let attempts = match attempts::charge(credential.attempts, out.now) {
        Ok(attempts) => attempts,
        Err(refusal) => return refused(refusal),
    };
    let attempt = Attempt {
        at: out.now,
        device: call.device,
        operation: call.request.operation.clone(),
    };
    change.begin_use(attempts, &attempt)?;
    change.confirm_credential()?;
    Ok(Ok(Charged {
        secret,
        blob,
        credential,
        attempts,
    }))
}

/// This vault made the copy, and it is not the current one: somebody may hold a clone.
fn alarm(
    change: &Change<'_>,
    call: &Call<'_>,
    credential: &Credential,
    out: &mut Outside<'_>,
) -> Result<Refused, Stop> {
    change.freeze_credential(true, Some(out.now))?;
    let feed = change.append_feed(out.now, feed::Kind::CloneAlarm, Some(&call.device))?;
    let refusal = Refusal {
        current: Some(credential.version),
        ..Code::CredentialStale.into()
    };
    Ok(Refused {
        refusal,
        feed: Some(feed),
    })
}
