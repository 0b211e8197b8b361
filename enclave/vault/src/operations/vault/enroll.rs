//! `vault.enroll`: proves the invitation and stages a vault in memory.

use vettid_crypto::sign::SigningKey;
use vettid_crypto::{SecretBytes, VaultKey, digest};
use vettid_store as store;
use vettid_wire::id::VaultId;
use vettid_wire::limits;
use vettid_wire::operation::device::Role;
use vettid_wire::operation::vault;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Turning, Turns};
use crate::grant::Enrolling;
use crate::lifecycle::{Fresh, Staged, State};
use crate::operation::Operation;
use crate::stop::Stop;
use crate::{text, transaction_keys};

/// Proves the invitation and stages a vault in memory. Asked again, it begins again.
pub(crate) enum Enroll {}

impl Operation for Enroll {
    type Request = vault::Enroll;
    type Grant = Enrolling;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Done;

    fn run(
        on: &mut Turning<'_>,
        _: Enrolling,
        request: vault::Enroll,
    ) -> Result<vault::Enrolled, Stop> {
        let token_hash = match &*on.state {
            State::Fresh(fresh) => fresh.token_hash,
            State::Staged(staged) => staged.fresh.token_hash,
            _ => return Err(Code::AlreadyEnrolled.into()),
        };
        if !digest::same(&request.token.expose(digest::sha256), &token_hash) {
            return Err(Code::InvitationInvalid.into());
        }
        text::line("device name", limits::DEVICE_NAME, &request.device_name)?;
        text::pin(&request.pin)?;
        if request.route != on.call.caller.route {
            return Err(Code::InvalidValue.into());
        }
        let staged = Staging::make(on, &request)?;
        let reply = vault::Enrolled {
            vault: staged.vault,
            transaction_keys: transaction_keys::public(&staged.keys),
        };
        stage(on.state, staged)?;
        Ok(reply)
    }
}

/// What is staged, beside what the fresh vault was made with.
struct Staging {
    vault: VaultId,
    identity: SigningKey,
    key: VaultKey,
    lock: store::Lock,
    device: store::Device,
    keys: Vec<store::rows::transaction_key::TransactionKey>,
    session: vettid_wire::id::SessionId,
    at: vettid_wire::time::UnixMillis,
}

impl Staging {
    fn make(on: &mut Turning<'_>, request: &vault::Enroll) -> Result<Self, Stop> {
        let (salt, cost, at) = (on.out.salt(), on.out.cost, on.out.now);
        let hashed = on.out.hash(&request.pin, &salt, cost)?;
        let entropy = &mut *on.out.entropy;
        let identity = SigningKey::generate(entropy);
        let vault = VaultId::of(&identity.verifying_key());
        let key = VaultKey::generate(entropy);
        let lock = store::Lock::new(&vault, &key, &hashed, salt, cost, entropy);
        let keys = (0..limits::TRANSACTION_KEYS)
            .map(|_| transaction_keys::mint(entropy, at))
            .collect();
        let device = store::Device {
            name: request.device_name.clone(),
            role: Role::App,
            key: on.call.caller.device_key,
            route: request.route,
            added: at,
            revoked: None,
        };
        let session = on.call.caller.session;
        Ok(Self {
            vault,
            identity,
            key,
            lock,
            device,
            keys,
            session,
            at,
        })
    }
}

fn stage(state: &mut State, staging: Staging) -> Result<(), Stop> {
    let fresh: Fresh = match std::mem::replace(state, State::Closed) {
        State::Fresh(fresh) => *fresh,
        State::Staged(staged) => staged.fresh,
        other => {
            *state = other;
            return Err(Code::AlreadyEnrolled.into());
        }
    };
    let Staging {
        vault,
        identity,
        key,
        lock,
        device,
        keys,
        session,
        at,
    } = staging;
    *state = State::Staged(Box::new(Staged {
        fresh,
        vault,
        identity,
        key,
        lock,
        device,
        session,
        keys,
        at,
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use crate::fixture::{self, refused};
    use vettid_wire::id::DeviceRoute;
    use vettid_wire::refusal::Refusal;
    use vettid_wire::time::MINUTE;

    #[test]
    fn invitation_stages_a_vault_and_stores_nothing() {
        let mut owner = fixture::invited();

        let enrolled = owner.call(&owner.enroll_request()).expect("enrolled");

        assert_eq!(enrolled.transaction_keys.len(), limits::TRANSACTION_KEYS);
        assert_eq!(owner.vault.state(), Phase::Staged);
        assert!(owner.host.log.is_empty());
    }

    #[test]
    fn other_token_is_refused() {
        let mut owner = fixture::invited();
        let request = vault::Enroll {
            token: fixture::secret("other token"),
            ..owner.enroll_request()
        };

        assert_eq!(owner.call(&request), refused(Code::InvitationInvalid));
        assert_eq!(owner.vault.state(), Phase::Fresh);
    }

    #[test]
    fn pin_that_is_none_or_route_of_another_device_is_refused() {
        let mut owner = fixture::invited();
        let good = owner.enroll_request();

        let pin = vault::Enroll {
            pin: fixture::secret("12345"),
            ..good.clone()
        };
        assert_eq!(owner.call(&pin), refused(Code::InvalidValue));
        let route = vault::Enroll {
            route: DeviceRoute([0xee; 16]),
            ..good.clone()
        };
        assert_eq!(owner.call(&route), refused(Code::InvalidValue));
        let name = vault::Enroll {
            device_name: "x".repeat(65),
            ..good
        };
        assert_eq!(
            owner.call(&name),
            Err(Refusal::limit("device name", 64, 65))
        );
    }

    #[test]
    fn enrolling_again_before_the_end_begins_again() {
        let mut owner = fixture::invited();
        let first = owner.call(&owner.enroll_request()).expect("first");

        let second = owner.call(&owner.enroll_request()).expect("second");

        assert_ne!(first.vault, second.vault);
    }

    #[test]
    fn enrolling_a_vault_that_exists_is_refused_open_or_sealed() {
        let mut owner = fixture::owner();
        assert_eq!(
            owner.call(&owner.enroll_request()),
            refused(Code::AlreadyEnrolled)
        );

        owner.reopen();

        assert_eq!(owner.call(&owner.enroll_request()), refused(Code::Locked));
        owner.use_other_device();
        assert_eq!(
            owner.call(&owner.enroll_request()),
            refused(Code::AlreadyEnrolled)
        );
    }

    #[test]
    fn enrollment_that_is_abandoned_ends_after_thirty_minutes_and_leaves_nothing() {
        let mut owner = fixture::invited();
        owner.call(&owner.enroll_request()).expect("enrolled");

        owner.clock.advance(30 * MINUTE + 1);
        let closed = owner.tick().close;

        assert_eq!(closed, Some(vettid_wire::link::Closed::EnrollmentExpired));
        assert!(owner.host.log.is_empty());
        assert_eq!(
            owner.call(&owner.enroll_request()),
            refused(Code::NotEnrolled)
        );
    }

    #[test]
    fn request_after_thirty_minutes_ends_the_enrollment() {
        let mut owner = fixture::invited();
        owner.clock.advance(30 * MINUTE + 1);

        assert_eq!(
            owner.call(&owner.enroll_request()),
            refused(Code::NotEnrolled)
        );
        assert_eq!(
            owner.closed,
            Some(vettid_wire::link::Closed::EnrollmentExpired)
        );
    }
}
