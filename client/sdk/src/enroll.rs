//! From an invitation to an open vault, in steps that survive the app.
//!
//! ```text
//!  new keys ─ saved ─▶ POST /v1/enroll ─ access, network file: verified, saved ─▶ attested session
//!    ─▶ vault.enroll {token, PIN} ─ one-time keys saved ─▶ credential.create {password} ─ saved
//! ```
//!
//! After a crash the same call goes on where the last one ended: HTTP is repeated with the same key,
//! `vault.enroll` is made again (it leaves nothing), `credential.create` is repeated under its id.
//! PIN and password are never stored; they are entered again.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use vettid_crypto::{InvitationSecret, SecretBytes, Zeroizing};
use vettid_wire::http::{Credentials, Enroll};
use vettid_wire::invitation::{Halves, Invitation};
use vettid_wire::operation::{credential, vault};
use vettid_wire::refusal::Code;
use vettid_wire::request::Outcome;
use vettid_wire::{Secret, cbor};

use crate::check;
use crate::clock::Clock;
use crate::error::{Error, Fault, Unacceptable, Unreachable};
use crate::keeper::Keeper;
use crate::keystore::{Enrollment, Kept, Keystore, KeystoreError, State};
use crate::owner::{Owner, repeated, start};
use crate::pass::{parse, renewal};
use crate::transport::Dial;
use crate::trust::{Anchor, Trust};

/// What an owner enters to enroll.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The invitation.
    pub invitation: Invitation,
    /// Name of this device.
    pub device_name: String,
    /// PIN of the new vault: 6 to 32 digits.
    pub pin: Secret,
    /// Password of the new vault: 8 to 1024 bytes.
    pub password: Secret,
}

/// Sets up a vault and this device as its first, or goes on with what an earlier call began.
pub async fn enroll(
    mut keystore: impl Keystore,
    dial: impl Dial,
    clock: Arc<dyn Clock>,
    entry: &Entry,
) -> Result<Owner, Error> {
    check::device_name(&entry.device_name)?;
    check::pin(&entry.pin)?;
    check::password(&entry.password)?;
    let kept = begin(&mut keystore, entry, clock.as_ref())?;
    let keeper = Arc::new(Keeper::new(Box::new(keystore), kept));
    connect(&keeper, &dial, clock.as_ref()).await?;
    let owner = start(Arc::clone(&keeper), dial, clock)?;
    set_up(&owner, entry).await?;
    keeper.change(|state| state.enrollment = None)?;
    Ok(owner)
}

/// Keys for a new enrollment, or those of the one under way.
fn begin(keystore: &mut impl Keystore, entry: &Entry, clock: &dyn Clock) -> Result<Kept, Error> {
    let invitation = &entry.invitation;
    if let Some(kept) = keystore.load()? {
        match &kept.state.enrollment {
            None => return Err(KeystoreError::AlreadyEnrolled.into()),
            Some(enrollment) if enrollment.secret == invitation.secret => return Ok(kept),
            // Its vault may exist by now.
            Some(_) if kept.state.pending.is_some() => {
                return Err(KeystoreError::OtherEnrollment.into());
            }
            Some(_) => {}
        }
    }
    if clock.now() > invitation.expires {
        return Err(Unacceptable::InvitationExpired.into());
    }
    let anchor = Anchor {
        address: invitation.address.clone(),
        network: invitation.network,
        node: invitation.node,
    };
    let enrollment = Enrollment {
        secret: invitation.secret.clone(),
        device_name: entry.device_name.clone(),
    };
    let state = State::generate(anchor, enrollment)?;
    keystore.save(&state)?;
    Ok(Kept { state, head: None })
}

/// Uses the invitation at the node, unless that was done.
async fn connect(keeper: &Keeper, dial: &impl Dial, clock: &dyn Clock) -> Result<(), Error> {
    if keeper.read(|state| state.bus.is_some()) {
        return Ok(());
    }
    let credentials = ask_node(keeper, dial, clock).await?;
    let (access, network_file) = parse(&credentials)?;
    let (anchor, remembered) = keeper.read(|state| (state.anchor.clone(), state.remembered));
    let remembered = Trust::new(anchor, remembered, &network_file)?.remembered();
    keeper.change(|state| {
        state.bus = Some(access);
        state.network_file = Some(Secret::new(network_file));
        state.remembered = remembered;
    })?;
    Ok(())
}

async fn ask_node(
    keeper: &Keeper,
    dial: &impl Dial,
    clock: &dyn Clock,
) -> Result<Credentials, Error> {
    let (address, token, user) = keeper.read(|state| {
        let half = halves(state)?.host;
        let token = half.expose(|bytes| BASE64URL_NOPAD.encode(bytes));
        Ok::<_, Error>((
            state.anchor.address.clone(),
            token,
            state.keys.bus()?.public_key(),
        ))
    })?;
    match dial.enroll(&address, Enroll { token, user }).await {
        // Used by this very key, if the answer was lost long enough ago: then it can be renewed.
        Err(Error::NodeRefused(reason)) => {
            let renewed = keeper.read(|state| renewal(state, clock.now()))?;
            let fallback = dial.renew(&address, renewed).await;
            fallback.map_err(|_| Error::NodeRefused(reason))
        }
        outcome => outcome,
    }
}

/// Stages the vault and makes its first commit. A staged vault that was lost is staged again.
async fn set_up(owner: &Owner, entry: &Entry) -> Result<(), Error> {
    let _turn = owner.turn().await;
    let mut last = Error::Refused(Code::NotEnrolled.into());
    for _ in 0..STAGINGS {
        let is_complete = owner.keeper().read(|state| state.credential.is_some());
        if is_complete || finish_earlier(owner, entry).await? {
            return prove(owner, entry).await;
        }
        stage(owner, entry).await?;
        let created = owner.use_credential(&entry.password, &credential::Create {}, None);
        match created.await {
            Err(Error::Refused(refusal)) if refusal.code == Code::NotEnrolled => {}
            // It is found out whether it was done.
            Err(error @ Error::Unreachable(Unreachable::Since(_))) => last = error,
            outcome => return outcome.map(drop),
        }
    }
    Err(last)
}

/// Whether the vault that an earlier call set up has this PIN and password: the owner has entered them anew,
/// and would keep others in mind for good.
async fn prove(owner: &Owner, entry: &Entry) -> Result<(), Error> {
    let unlock = vault::Unlock {
        pin: entry.pin.clone(),
        seen: owner.keeper().head(),
    };
    let change = credential::ChangePassword {};
    let proven = async {
        owner.call(&unlock).await?;
        // What a call before this one has asked, and lost the answer to.
        owner.settle_in_turn().await?;
        let same = Some(Secret::new(cbor::encode(&entry.password)));
        owner.call_in_turn(&entry.password, &change, same).await
    };
    match proven.await {
        Err(Error::Refused(refusal))
            if matches!(refusal.code, Code::WrongPin | Code::WrongPassword) =>
        {
            Err(Unacceptable::EnteredBefore.into())
        }
        outcome => outcome.map(drop),
    }
}

async fn stage(owner: &Owner, entry: &Entry) -> Result<(), Error> {
    let (token, device_name, route) = owner.keeper().read(|state| {
        let enrollment = state
            .enrollment
            .as_ref()
            .ok_or(KeystoreError::AlreadyEnrolled)?;
        let access = state.bus.as_ref().ok_or(KeystoreError::Unfinished)?;
        let token = halves(state)?
            .vault
            .expose(|bytes| Secret::new(bytes.to_vec()));
        Ok::<_, Error>((token, enrollment.device_name.clone(), access.route))
    })?;
    let request = vault::Enroll {
        token,
        device_name,
        route,
        pin: entry.pin.clone(),
    };
    let enrolled = owner.call(&request).await?;
    let now = owner.now();
    owner.keeper().change(|state| {
        state.vault = Some(enrolled.vault);
        state.set_transaction_keys(enrolled.transaction_keys, now);
    })?;
    Ok(())
}

/// Repeats a `credential.create` whose answer was lost. `false`: it never happened.
async fn finish_earlier(owner: &Owner, entry: &Entry) -> Result<bool, Error> {
    let pending = owner.keeper().read(|state| state.pending.clone());
    let Some(pending) = pending else {
        return Ok(false);
    };
    for unlocked in [false, true] {
        let prepared = repeated(&pending).ok_or(Fault::Key)?;
        let reply = owner.ask_again(prepared).await?.reply;
        match &reply.outcome {
            Outcome::Refused(refusal) if refusal.code == Code::Locked && !unlocked => {
                let seen = owner.keeper().head();
                owner
                    .call(&vault::Unlock {
                        pin: entry.pin.clone(),
                        seen,
                    })
                    .await?;
            }
            Outcome::Refused(refusal) if refusal.code == Code::NotEnrolled => {
                owner.keep_answer(reply, None)?;
                return Ok(false);
            }
            // It was done longer ago than the vault keeps its answers, or the one who did it is another.
            Outcome::Refused(refusal) if refusal.code == Code::AlreadyEnrolled => {
                let refused = refusal.clone();
                owner.fetch_credential().await?;
                let is_there = owner.keeper().read(|state| state.credential.is_some());
                return if is_there {
                    Ok(true)
                } else {
                    Err(refused.into())
                };
            }
            Outcome::Refused(refusal) => return Err(refusal.clone().into()),
            Outcome::Done(_) | Outcome::Sealed(_) => {
                owner.keep_answer(reply, None)?;
                return Ok(true);
            }
        }
    }
    Err(Error::Refused(Code::Locked.into()))
}

fn halves(state: &State) -> Result<Halves, Error> {
    let enrollment = state
        .enrollment
        .as_ref()
        .ok_or(KeystoreError::AlreadyEnrolled)?;
    let secret: Zeroizing<[u8; 32]> = enrollment
        .secret
        .expose(|bytes| bytes.try_into().map(Zeroizing::new).map_err(|_| Fault::Key))?;
    Ok(Halves::of(&InvitationSecret::from_bytes(*secret)))
}

/// How often a vault is staged in one call.
const STAGINGS: usize = 3;
