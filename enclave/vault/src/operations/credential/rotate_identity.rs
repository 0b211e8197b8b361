//! `credential.rotate-identity`: new credential key and identity; lifts a freeze.

use vettid_crypto::sign::SigningKey;
use vettid_store::Room;
use vettid_wire::identity::Rotation;
use vettid_wire::operation::{credential, feed};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::{cbor, limits};

use crate::audit::Audit;
use crate::connect::place;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;

/// Makes a new credential key and a new identity, which the one before vouches for; lifts a freeze.
///
/// The root of critical values stays: no copy of it has ever left the vault unsealed, and the layer
/// that a stolen credential opens with is destroyed at every use.
pub(crate) enum RotateIdentity {}

impl Operation for RotateIdentity {
    type Request = credential::RotateIdentity;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;
    const WHILE_FROZEN: bool = true;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        _: credential::RotateIdentity,
    ) -> Result<credential::Rotated, Stop> {
        let rotations = on.change.identities()?.len();
        if rotations > limits::ROTATIONS {
            return Err(Refusal::limit("rotations", limits::ROTATIONS, rotations).into());
        }
        let from = on.change.identity_key()?.ok_or(Code::Internal)?;
        let (to, key) = (
            SigningKey::generate(on.entropy),
            SigningKey::generate(on.entropy),
        );
        let number = u32::try_from(rotations)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let statement = Rotation::new(on.vault, number, &from, &to, on.now);
        on.change
            .succeed_identity(&to, Some(&cbor::encode(&statement)), on.now)?;
        let alarm = on.change.credential()?.ok_or(Code::Internal)?.alarm;
        on.change.freeze_credential(false, alarm)?;
        on.tell(feed::Kind::IdentityRotated, by.device())?;
        place::refresh(on)?;
        let rotated = credential::Rotated {
            identity_key: to.verifying_key().0,
            credential_key: key.verifying_key().0,
        };
        on.renew_key(by, key);
        Ok(rotated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::identity::IdentityChain;
    use vettid_wire::operation::audit;

    fn identity(owner: &mut fixture::Owner) -> IdentityChain {
        let verdict = owner.call(&audit::Verify {}).expect("verdict");
        verdict.head.identity
    }

    #[test]
    fn rotation_replaces_both_keys_and_keeps_the_vault() {
        let mut owner = fixture::owner();
        let before = identity(&mut owner).newest();

        let rotated = owner
            .call_present(&credential::RotateIdentity {}, None)
            .expect("rotated");

        let after = identity(&mut owner).newest();
        assert_ne!(before, after);
        assert_eq!(after, rotated.identity_key);
        let public = owner
            .vault
            .database()
            .view()
            .credential()
            .expect("row")
            .expect("one")
            .public;
        assert_eq!(public.0, rotated.credential_key);
        assert_eq!(owner.status().open.expect("open").vault, owner.vault_id);
        assert!(owner.feed_kinds().contains(&feed::Kind::IdentityRotated));
    }

    #[test]
    fn statements_lead_from_the_id_to_the_newest_key() {
        let mut owner = fixture::owner();
        for rotations in 0..3 {
            let chain = identity(&mut owner);
            assert_eq!(chain.rotations.len(), rotations);
            let current = chain.verify(&owner.vault_id).map(|key| key.0);
            assert_eq!(current, Ok(chain.newest()));

            let rotated = owner
                .call_present(&credential::RotateIdentity {}, None)
                .expect("rotated");

            assert_eq!(identity(&mut owner).newest(), rotated.identity_key);
        }
    }

    #[test]
    fn rotation_lifts_a_freeze_and_critical_values_survive_it() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1234");
        owner.call(&credential::ReportLost {}).expect("reported");
        assert_eq!(owner.reveal_critical(id), refused(Code::CredentialFrozen));

        owner
            .call_present(&credential::RotateIdentity {}, None)
            .expect("rotated");

        assert_eq!(owner.reveal_critical(id).expect("values"), ["1234"]);
    }

    #[test]
    fn thirty_third_rotation_is_refused() {
        let mut owner = fixture::owner();
        for _ in 0..limits::ROTATIONS {
            owner.refill_if_empty();
            owner
                .call_present(&credential::RotateIdentity {}, None)
                .expect("rotated");
        }

        owner.refill_if_empty();
        let refusal = owner.call_present(&credential::RotateIdentity {}, None);

        assert_eq!(refusal, Err(Refusal::limit("rotations", 32, 33)));
        let longest = identity(&mut owner);
        assert_eq!(longest.rotations.len(), limits::ROTATIONS);
        assert!(longest.verify(&owner.vault_id).is_ok());
    }
}
