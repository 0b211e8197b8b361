//! `key.remove`: destroys a key for good.

use vettid_store::Room;
use vettid_wire::operation::{Done, key};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::FreshPin;
use crate::operation::Operation;
use crate::stop::Stop;

/// Destroys a key.
pub(crate) enum Remove {}

impl Operation for Remove {
    type Request = key::Remove;
    type Grant = FreshPin;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: FreshPin, request: key::Remove) -> Result<Done, Stop> {
        on.about(&request.id.0);
        if on.change.remove_key(&request.id)? {
            Ok(Done {})
        } else {
            Err(Code::NotFound.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused, secret};
    use vettid_wire::time::MINUTE;

    #[test]
    fn destroyed_key_signs_no_more() {
        let mut owner = fixture::owner();
        let made = owner.generate_key(key::Algorithm::Ed25519).expect("made");

        owner.call(&key::Remove { id: made.id }).expect("removed");

        let request = key::Sign {
            id: made.id,
            message: secret("m"),
        };
        assert_eq!(owner.call_present(&request, None), refused(Code::NotFound));
        assert_eq!(
            owner.call(&key::Remove { id: made.id }),
            refused(Code::NotFound)
        );
    }

    #[test]
    fn key_is_not_destroyed_without_a_fresh_pin() {
        let mut owner = fixture::owner();
        let made = owner.generate_key(key::Algorithm::Ed25519).expect("made");
        owner.clock.advance(6 * MINUTE);

        assert_eq!(
            owner.call(&key::Remove { id: made.id }),
            refused(Code::PinNeeded)
        );
        assert_eq!(owner.call(&key::List {}).expect("keys").keys.len(), 1);
    }
}
