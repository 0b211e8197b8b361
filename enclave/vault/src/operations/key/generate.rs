//! `key.generate`: makes a key whose private half is critical.

use vettid_crypto::owner_key::OwnerKey;
use vettid_wire::operation::key;

use super::stored;
use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;

/// Makes a key.
pub(crate) enum Generate {}

impl Operation for Generate {
    type Request = key::Generate;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: key::Generate,
    ) -> Result<key::Key, Stop> {
        stored::check_room(on, &request.label)?;
        let secret = OwnerKey::generate(stored::own(request.algorithm), on.entropy);
        stored::store(on, &by, &secret, request.label, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::limits;
    use vettid_wire::refusal::{Code, Refusal};

    #[test]
    fn key_of_every_algorithm_is_made_and_listed() {
        let mut owner = fixture::owner();
        for (algorithm, length) in [
            (key::Algorithm::Ed25519, 32),
            (key::Algorithm::P256, 33),
            (key::Algorithm::Secp256k1, 33),
            (key::Algorithm::X25519, 32),
        ] {
            let made = owner.generate_key(algorithm).expect("made");
            assert_eq!((made.algorithm, made.public.len()), (algorithm, length));
            assert!(!made.imported);
        }

        assert_eq!(owner.call(&key::List {}).expect("keys").keys.len(), 4);
    }

    #[test]
    fn label_that_is_none_or_too_long_is_refused() {
        let mut owner = fixture::owner();
        let request = |label: &str| key::Generate {
            algorithm: key::Algorithm::Ed25519,
            label: label.into(),
        };

        assert_eq!(
            owner.call_present(&request(""), None),
            refused(Code::InvalidValue)
        );
        let long = owner.call_present(&request(&"x".repeat(65)), None);
        assert_eq!(long, Err(Refusal::limit("key label", 64, 65)));
    }

    #[test]
    fn key_beyond_the_limit_is_refused() {
        let mut owner = fixture::owner();
        owner.fill_keys(limits::KEYS);

        let refusal = owner.generate_key(key::Algorithm::Ed25519);

        assert_eq!(refusal, Err(Refusal::limit("keys", 256, 257)));
    }
}
