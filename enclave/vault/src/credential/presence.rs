//! A whole use of the credential, around one operation.

use vettid_crypto::{Label, MacKey, ReplyKey, SecretBytes, seal};
use vettid_store::{Attempts, Change, Room};
use vettid_wire::id::RequestId;
use vettid_wire::operation::feed;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Credential, Outcome, OwnerSecret};
use vettid_wire::{Secret, limits};

use super::blob::PasswordLock;
use super::spending::{Charged, spend};
use super::{Presence, Secrets};
use crate::call::Call;
use crate::effect::{Changing, Effect, Served, Traces, encode};
use crate::grant::{App, Device, Facts, Grant};
use crate::lifecycle::{State, Unlocked};
use crate::operation::Operation;
use crate::outside::Outside;
use crate::stop::Stop;
use crate::{attempts, audit, kept};

/// Changes the database with the owner present, and replaces the credential.
pub(crate) enum Present {}

impl Effect for Present {
    type On<'a> = Changing<'a>;
    const NAME: &'static str = "changes once, renews the credential";

    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        Device::earn(state.facts(call, out.now))?;
        if let Some(served) = kept::repeat(state.unlocked()?.view(), call)? {
            return Ok(served);
        }
        if let Err(refused) = App::earn(state.facts(call, out.now)) {
            state.unlocked()?.note_refusal(call, out, None)?;
            return Err(refused);
        }
        let request: O::Request = call.body()?;
        let facts = state.facts(call, out.now);
        let open = state.unlocked()?;
        let charged = spend(open, call, O::WHILE_FROZEN, out);
        let charged = match charged {
            Ok(Ok(charged)) => charged,
            Ok(Err(refused)) => {
                let outcome = Outcome::Refused(refused.refusal);
                return Ok(Served {
                    feed: refused.feed,
                    ..Served::new(outcome)
                });
            }
            Err(Stop::Refused(refusal)) => {
                open.note_refusal(call, out, None)?;
                return Err(refusal.into());
            }
            Err(Stop::Lost) => return Err(Stop::Lost),
        };
        present(open, call, charged, facts, O::ROOM, out, |on, facts| {
            let by = O::Grant::earn(facts)?;
            Ok(encode(&O::run(on, by, request)?))
        })
    }
}

/// The second half of a use: the credential is opened, the operation runs, the next credential
/// takes the place of the current one.
fn present(
    open: &mut Unlocked,
    call: &Call<'_>,
    charged: Charged,
    facts: Facts,
    room: Room,
    out: &mut Outside<'_>,
    run: impl FnOnce(&mut Changing<'_>, Facts) -> Result<Secret, Stop>,
) -> Result<Served, Stop> {
    let vault = open.gate.header.vault;
    let Some(secrets) = unlock(open, &charged, out)? else {
        return wrong_password(open, call, &charged, out);
    };
    let (
        OwnerSecret {
            reply_key, input, ..
        },
        credential,
    ) = (charged.secret, charged.credential);
    let presence = Presence::new(vault, &secrets.contents, input);
    let facts = Facts {
        presence: Some(presence),
        ..facts
    };
    let mut traces = Traces::default();
    let inside = open.inside();
    let served = open.commit_approving(room, out, |change, out| {
        let reply = run(&mut Changing::new(change, out, inside, &mut traces), facts)?;
        let renewed = secrets.renewed(&vault, std::mem::take(&mut traces.renewal), out)?;
        let outcome = Outcome::Sealed(seal_reply(&reply_key, call.request.id, &reply, out)?);
        let keys = (&credential.mac_key, false);
        let next = renewed.store_next(change, (&vault, &call.device), keys, out)?;
        conclude(change, call, &outcome, &next, traces.subject(), out)?;
        Ok(((outcome, next), traces.approved))
    });
    match served {
        Ok((outcome, next)) => {
            open.news.absorb(traces.news);
            Ok(Served {
                credential: Some(next),
                feed: traces.feed,
                ..Served::new(outcome)
            })
        }
        Err(Stop::Refused(refusal)) => {
            let subject = traces.subject();
            refuse(
                open,
                call,
                (&secrets, &credential.mac_key),
                subject,
                refusal,
                out,
            )
        }
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// The operation was refused. The credential was opened, so it is replaced all the same.
fn refuse(
    open: &mut Unlocked,
    call: &Call<'_>,
    (secrets, mac_key): (&Secrets, &MacKey),
    subject: Option<&[u8]>,
    refusal: Refusal,
    out: &mut Outside<'_>,
) -> Result<Served, Stop> {
    let vault = open.gate.header.vault;
    open.commit(Room::Reserve, out, |change, out| {
        let outcome = Outcome::Refused(refusal);
        let next = secrets.store_next(change, (&vault, &call.device), (mac_key, false), out)?;
        conclude(change, call, &outcome, &next, subject, out)?;
        Ok(Served {
            credential: Some(next),
            ..Served::new(outcome)
        })
    })
}

/// Opens the credential; none if the password is wrong.
fn unlock(
    open: &Unlocked,
    charged: &Charged,
    out: &mut Outside<'_>,
) -> Result<Option<Secrets>, Stop> {
    let (vault, version) = (open.gate.header.vault, charged.credential.version);
    let inner = charged
        .blob
        .open_outer(&vault, &charged.credential.cek)
        .map_err(|_| Code::CredentialInvalid)?;
    let (salt, cost) = inner.hashing();
    let hashed = out.hash(&charged.secret.password, &salt, cost)?;
    let lock = PasswordLock::new(&vault, &hashed, salt, cost);
    Ok(match inner.open(version, &vault, &lock) {
        Ok(contents) => Some(Secrets {
            version,
            contents,
            lock,
        }),
        Err(_) => None,
    })
}

/// Records a wrong password; tells the owner from the one on that costs a wait.
fn wrong_password(
    open: &mut Unlocked,
    call: &Call<'_>,
    charged: &Charged,
    out: &mut Outside<'_>,
) -> Result<Served, Stop> {
    let refusal = attempts::wrong(Code::WrongPassword, charged.attempts, out.now);
    open.commit(Room::Reserve, out, |change, out| {
        let feed = match charged.attempts.failed {
            failed if failed < limits::FREE_ATTEMPTS => None,
            _ => {
                let kind = feed::Kind::PasswordFailed;
                Some(change.append_feed(out.now, kind, Some(&call.device))?)
            }
        };
        change.end_use(charged.attempts)?;
        audit::note_call(change, call, None, false, out.now)?;
        let outcome = Outcome::Refused(refusal);
        kept::keep(change, call, &outcome, None, out.now)?;
        Ok(Served {
            feed,
            ..Served::new(outcome)
        })
    })
}

/// What every use ends with: the attempt taken back, an audit event, the kept reply.
fn conclude(
    change: &Change<'_>,
    call: &Call<'_>,
    outcome: &Outcome,
    next: &Credential,
    subject: Option<&[u8]>,
    out: &Outside<'_>,
) -> Result<(), Stop> {
    change.end_use(Attempts::default())?;
    let done = !matches!(outcome, Outcome::Refused(_));
    audit::note_call(change, call, subject, done, out.now)?;
    kept::keep(change, call, outcome, Some(next.version), out.now)
}

/// Seals a reply under the key that its caller enclosed.
pub(crate) fn seal_reply(
    reply_key: &Secret,
    request: RequestId,
    reply: &Secret,
    out: &mut Outside<'_>,
) -> Result<Vec<u8>, Stop> {
    let key = reply_key.expose(|key| key.try_into().map(ReplyKey::from_bytes));
    let key = key.map_err(|_| Refusal::from(Code::ProofInvalid))?;
    let label = Label::ReplyOutput;
    Ok(reply.expose(|reply| seal::seal(&key, label, &[&request.0], reply, out.entropy)))
}
