//! `credential.create`: sets the password and makes the vault's first record.

use vettid_crypto::{MacKey, SecretBytes};
use vettid_store::rows::audit::NewEvent;
use vettid_store::rows::transaction_key::TransactionKey;
use vettid_store::rows::vault::Vault;
use vettid_store::{Attempts, Change, Committed, Header, Tail};
use vettid_wire::operation::{credential, feed, vault};
use vettid_wire::refusal::Code;
use vettid_wire::request::{Credential, Operation as _, Outcome, OwnerSecret};

use crate::audit::Audit;
use crate::call::Call;
use crate::circle::Held;
use crate::connect::News;
use crate::connect::flow::Flow;
use crate::credential::{Secrets, seal_reply};
use crate::effect::{Turning, Turns, encode};
use crate::grant::Enrolling;
use crate::lifecycle::unlocked::{FreshPins, Refusals};
use crate::lifecycle::{Gate, Log, Staged, State, Unlocked};
use crate::mls::AtHand;
use crate::operation::Operation;
use crate::outside::Outside;
use crate::stop::Stop;
use crate::{kept, text};

/// Sets the password and makes the vault's first record: before it nothing of the vault is stored,
/// with it everything.
pub(crate) enum Create {}

impl Operation for Create {
    type Request = credential::Create;
    type Grant = Enrolling;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Done;

    fn run(
        on: &mut Turning<'_>,
        _: Enrolling,
        _: credential::Create,
    ) -> Result<credential::Created, Stop> {
        let State::Staged(staged) = &mut *on.state else {
            return Err(Code::NotEnrolled.into());
        };
        if staged.device.key != on.call.caller.device_key {
            return Err(Code::UnknownDevice.into());
        }
        let secret = on
            .call
            .open_proof(&spend(staged, on.call, &on.out)?.secret)?;
        text::password(&secret.password)?;
        let secrets = Secrets::first(&staged.vault, &secret.password, &mut on.out)?;
        let reply = credential::Created {
            vault: staged.vault,
            credential_key: secrets.contents.key.verifying_key().0,
        };
        let first = found(staged, on.call, &secrets, (&secret, &reply), &mut on.out)?;
        let State::Staged(staged) = std::mem::replace(on.state, State::Closed) else {
            return Err(Code::Internal.into());
        };
        *on.state = State::Unlocked(Box::new(open(
            *staged,
            first.genesis,
            on.call,
            &mut on.out,
        )?));
        on.out.host.enrolled();
        on.outcome = Some(first.outcome);
        on.credential = Some(first.credential);
        on.feed = Some(first.feed);
        Ok(reply)
    }
}

/// Takes a one-time key out of the staged pool: it is spent, whatever follows.
fn spend(staged: &mut Staged, call: &Call<'_>, out: &Outside<'_>) -> Result<TransactionKey, Stop> {
    let id = call.proof()?.transaction_key;
    let spent = Code::TransactionKeySpent;
    let index = staged
        .keys
        .iter()
        .position(|key| key.id == id)
        .ok_or(spent)?;
    let key = staged.keys.swap_remove(index);
    if key.expires > out.now {
        Ok(key)
    } else {
        Err(spent.into())
    }
}

/// What the first transaction made.
struct First {
    genesis: vettid_store::Changeset,
    outcome: Outcome,
    credential: Credential,
    feed: u64,
}

/// Runs the first transaction.
fn found(
    staged: &mut Staged,
    call: &Call<'_>,
    secrets: &Secrets,
    (secret, reply): (&OwnerSecret, &credential::Created),
    out: &mut Outside<'_>,
) -> Result<First, Stop> {
    let Staged {
        fresh,
        vault,
        identity,
        device,
        keys,
        at,
        ..
    } = staged;
    let (vault, device) = (*vault, device.id());
    let outcome = Outcome::Sealed(seal_reply(
        &secret.reply_key,
        call.request.id,
        &encode(reply),
        out,
    )?);
    let committed: Result<Committed<_>, Stop> = fresh.template.transaction(|change| {
        change.insert_vault(&Vault {
            id: vault,
            created: out.now,
        })?;
        change.succeed_identity(identity, None, *at)?;
        let mac_key = MacKey::generate(out.entropy);
        let credential = secrets.store_next(change, (&vault, &device), (&mac_key, true), out)?;
        for key in &*keys {
            change.insert_transaction_key(&device, key)?;
        }
        let feed = tell(change, &device, out)?;
        kept::keep(change, call, &outcome, Some(credential.version), out.now)?;
        Ok((credential, feed))
    });
    let Committed {
        value: (credential, feed),
        changeset,
    } = committed?;
    let genesis = changeset.ok_or(Code::Internal)?;
    Ok(First {
        genesis,
        outcome,
        credential,
        feed,
    })
}

/// First entries of audit chain and feed.
fn tell(
    change: &Change<'_>,
    device: &vettid_wire::id::DeviceId,
    out: &Outside<'_>,
) -> Result<u64, Stop> {
    let at = out.now;
    for operation in [vault::Enroll::NAME, credential::Create::NAME] {
        let device = Some(device);
        change.append_audit(&NewEvent {
            at,
            operation,
            device,
            subject: None,
            done: true,
        })?;
    }
    change.append_feed(at, feed::Kind::VaultCreated, None)?;
    Ok(change.append_feed(at, feed::Kind::DeviceAdded, Some(device))?)
}

/// Begins the log with the first header and the first transaction, in one record.
fn open(
    staged: Staged,
    genesis: vettid_store::Changeset,
    call: &Call<'_>,
    out: &mut Outside<'_>,
) -> Result<Unlocked, Stop> {
    let Staged {
        fresh,
        vault,
        key,
        lock,
        device,
        session,
        at,
        ..
    } = staged;
    let header = Header {
        vault,
        lock,
        devices: vec![device],
        attempts: Attempts::default(),
        unaudited: Vec::new(),
        created: out.now,
        time_floor: out.now,
        moved_from: None,
    };
    let mut log = Log {
        keys: fresh.keys,
        tail: Tail::genesis(fresh.space),
    };
    log.begin(&header, &genesis, &key, out)?;
    let mut pins = FreshPins::default();
    if call.caller.session == session {
        pins.prove(call, at);
    }
    let gate = Gate { header, log };
    let (last_event, next_upkeep) = (out.now, out.now);
    Ok(Unlocked {
        gate,
        key,
        database: fresh.template,
        pins,
        last_event,
        next_upkeep,
        refusals: Refusals::default(),
        opened: next_upkeep,
        next_answer: next_upkeep,
        next_round: next_upkeep,
        flow: Flow::default(),
        held: Held::default(),
        placed: false,
        news: News::default(),
        at_hand: AtHand::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use crate::fixture::{self, refused};

    #[test]
    fn password_finishes_enrollment_with_one_record_and_the_first_credential() {
        let mut owner = fixture::staged();

        let created = owner.create_credential().expect("created");

        assert_eq!(created.vault, owner.vault_id);
        assert_eq!(owner.vault.state(), Phase::Unlocked);
        assert_eq!(owner.host.newest(), 1);
        assert!(owner.host.enrolled);
        assert_eq!(owner.credential.as_ref().expect("credential").version, 1);
        assert_eq!(
            owner.feed_kinds(),
            [feed::Kind::VaultCreated, feed::Kind::DeviceAdded]
        );
        assert!(owner.use_credential().is_ok());
    }

    #[test]
    fn password_before_the_invitation_is_refused() {
        let mut owner = fixture::invited();

        assert_eq!(owner.create_credential(), refused(Code::NotEnrolled));
    }

    #[test]
    fn lost_answer_is_given_again_once_the_vault_is_open() {
        let mut owner = fixture::staged();
        let request = owner.create_request();
        let first = owner.send(&request);
        owner.reopen();

        let locked = owner.send(&request);
        owner.unlock().expect("unlocked");
        let again = owner.send(&request);

        assert_eq!(locked.outcome, Outcome::Refused(Code::Locked.into()));
        assert_eq!(again.outcome, first.outcome);
        assert_eq!(again.credential, first.credential);
        assert!(again.credential.is_some());
    }

    #[test]
    fn second_credential_is_refused() {
        let mut owner = fixture::owner();

        assert_eq!(owner.create_credential(), refused(Code::AlreadyEnrolled));
    }

    #[test]
    fn device_that_did_not_enroll_is_refused() {
        let mut owner = fixture::staged();
        owner.use_other_device();

        assert_eq!(owner.create_credential(), refused(Code::UnknownDevice));
    }

    #[test]
    fn weak_password_is_refused_and_its_one_time_key_is_spent() {
        let mut owner = fixture::staged();
        let key = owner.transaction_keys.last().expect("a key").id;
        owner.password = "short".into();
        assert_eq!(owner.create_credential(), refused(Code::InvalidValue));
        owner.password = fixture::PASSWORD.into();

        let again = owner.create_with_key(key);

        assert_eq!(again, refused(Code::TransactionKeySpent));
        assert!(owner.host.log.is_empty());
        assert!(owner.create_credential().is_ok());
    }

    #[test]
    fn repeated_creation_gets_the_kept_reply_and_the_credential_again() {
        let mut owner = fixture::staged();
        let bytes = owner.create_request();
        let first = owner.send(&bytes);

        let second = owner.send(&bytes);

        assert_eq!(first.outcome, second.outcome);
        assert_eq!(first.credential, second.credential);
        assert!(second.credential.is_some());
    }
}
