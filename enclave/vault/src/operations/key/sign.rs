//! `key.sign`: signs a message with a key.

use vettid_crypto::owner_key::OwnerKeyError;
use vettid_wire::limits;
use vettid_wire::operation::key;
use vettid_wire::refusal::Code;

use super::stored;
use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Signs a message.
pub(crate) enum Sign {}

impl Operation for Sign {
    type Request = key::Sign;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;
    const LIMIT: usize = limits::SIGN_MESSAGE + 1024;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: key::Sign,
    ) -> Result<key::Signed, Stop> {
        on.about(&request.id.0);
        text::at_most("message", limits::SIGN_MESSAGE, request.message.len())?;
        let key = on.change.key(&request.id)?.ok_or(Code::NotFound)?;
        let sealed = on.change.sealed_key(&request.id)?.ok_or(Code::NotFound)?;
        let secret = by
            .presence()
            .open_key(&request.id, stored::own(key.algorithm), &sealed)
            .map_err(|_| Code::Internal)?;
        let signature = request
            .message
            .expose(|message| secret.sign(message))
            .map_err(|error| match error {
                OwnerKeyError::DoesNotSign => Code::KeyUnsuitable,
                OwnerKeyError::Malformed => Code::Internal,
            })?;
        Ok(key::Signed { signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused, secret};
    use vettid_crypto::sign::{Signature, VerifyingKey};
    use vettid_wire::id::KeyId;
    use vettid_wire::refusal::Refusal;

    #[test]
    fn signature_verifies_by_the_public_half_also_after_a_restart() {
        let mut owner = fixture::owner();
        let made = owner.generate_key(key::Algorithm::Ed25519).expect("made");
        owner.reopen();
        owner.unlock().expect("unlocked");

        let request = key::Sign {
            id: made.id,
            message: secret("pay"),
        };
        let signed = owner.call_present(&request, None).expect("signed");

        let public = VerifyingKey(made.public.try_into().expect("32 bytes"));
        let signature = Signature(signed.signature.try_into().expect("64 bytes"));
        assert_eq!(public.verify_structure(b"pay", &signature), Ok(()));
        assert!(owner.audited("key.sign", true));
    }

    #[test]
    fn agreement_key_unknown_key_and_long_message_are_refused() {
        let mut owner = fixture::owner();
        let made = owner.generate_key(key::Algorithm::X25519).expect("made");
        let sign = |id, message: &str| key::Sign {
            id,
            message: secret(message),
        };

        let unsuitable = owner.call_present(&sign(made.id, "m"), None);
        assert_eq!(unsuitable, refused(Code::KeyUnsuitable));
        let unknown = owner.call_present(&sign(KeyId([0; 16]), "m"), None);
        assert_eq!(unknown, refused(Code::NotFound));
        let long = "x".repeat(limits::SIGN_MESSAGE + 1);
        let too_long = owner.call_present(&sign(made.id, &long), None);
        assert_eq!(
            too_long,
            Err(Refusal::limit("message", 32 * 1024, 32 * 1024 + 1))
        );
    }
}
