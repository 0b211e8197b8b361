//! `key.public`: one key without its private half.

use vettid_wire::operation::key;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// One key.
pub(crate) enum Public {}

impl Operation for Public {
    type Request = key::Public;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: key::Public) -> Result<key::Key, Stop> {
        on.view()
            .key(&request.id)?
            .ok_or_else(|| Code::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::id::KeyId;

    #[test]
    fn known_key_is_shown_and_another_is_not_found() {
        let mut owner = fixture::owner();
        let made = owner.generate_key(key::Algorithm::X25519).expect("made");

        assert_eq!(owner.call(&key::Public { id: made.id }), Ok(made));
        let other = owner.call(&key::Public { id: KeyId([0; 16]) });
        assert_eq!(other, refused(Code::NotFound));
    }
}
