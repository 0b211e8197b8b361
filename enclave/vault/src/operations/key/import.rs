//! `key.import`: takes a key over.

use vettid_crypto::owner_key::OwnerKey;
use vettid_wire::Secret;
use vettid_wire::operation::key;
use vettid_wire::refusal::Code;

use super::stored;
use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;

/// Takes a key over. Secret input: its private half.
pub(crate) enum Import {}

impl Operation for Import {
    type Request = key::Import;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: key::Import,
    ) -> Result<key::Key, Stop> {
        stored::check_room(on, &request.label)?;
        let input: Secret = by.presence().input()?;
        let secret = input
            .expose(|bytes| {
                bytes
                    .try_into()
                    .ok()
                    .map(|bytes| OwnerKey::import(stored::own(request.algorithm), bytes))
            })
            .and_then(Result::ok)
            .ok_or(Code::InvalidValue)?;
        stored::store(on, &by, &secret, request.label, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_crypto::sign::SigningKey;
    use vettid_wire::cbor;

    fn import(algorithm: key::Algorithm) -> key::Import {
        key::Import {
            algorithm,
            label: "ssh".into(),
        }
    }

    fn input(bytes: &[u8]) -> Option<Secret> {
        Some(Secret::new(cbor::encode(&Secret::new(bytes.to_vec()))))
    }

    #[test]
    fn imported_key_has_the_public_half_that_it_had() {
        let mut owner = fixture::owner();

        let imported = owner
            .call_present(&import(key::Algorithm::Ed25519), input(&[7; 32]))
            .expect("imported");

        let public = SigningKey::from_seed(&[7; 32]).verifying_key().0;
        assert_eq!(imported.public, public);
        assert!(imported.imported);
    }

    #[test]
    fn bytes_that_are_no_private_key_are_refused() {
        let mut owner = fixture::owner();
        let invalid = refused(Code::InvalidValue);

        let short = owner.call_present(&import(key::Algorithm::Ed25519), input(&[7; 31]));
        assert_eq!(short, invalid);
        let zero = owner.call_present(&import(key::Algorithm::P256), input(&[0; 32]));
        assert_eq!(zero, invalid);
        let none = owner.call_present(&import(key::Algorithm::P256), None);
        assert_eq!(none, refused(Code::Malformed));
    }
}
