//! `item.otp`: the one-time code of now, without its seed.

use vettid_wire::operation::item::{self, Field, FieldKind, Sensitivity};
use vettid_wire::refusal::Code;

use super::find::find;
use super::otp_seed::OtpSeed;
use crate::audit::Audit;
use crate::effect::{Again, Changing};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// The one-time code of now. Every time is an event.
pub(crate) enum Otp {}

impl Operation for Otp {
    type Request = item::Otp;
    type Grant = App;
    type Effect = Again;
    const AUDIT: Audit = Audit::Always;

    fn run(on: &mut Changing<'_>, _: App, request: item::Otp) -> Result<item::OtpCode, Stop> {
        on.about(&request.id.0);
        let found = find(on.change, &request.id, None)?;
        if found.sensitivity() == Sensitivity::Critical {
            return Err(Code::InvalidValue.into());
        }
        let wanted = |field: &&Field| {
            field.kind == FieldKind::Otp && request.field.is_none_or(|id| id == field.id)
        };
        let field = found
            .body
            .fields
            .iter()
            .find(wanted)
            .ok_or(Code::NotFound)?;
        let seed = field.value.as_ref().ok_or(Code::NotFound)?;
        let seed = seed.expose(|seed| OtpSeed::parse(std::str::from_utf8(seed).ok()?));
        let code = seed.and_then(|seed| seed.code_at(on.now));
        code.ok_or_else(|| Code::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, draft, field, refused};
    use vettid_wire::operation::item::Draft;

    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn otp(label: &str) -> Field {
        Field {
            kind: FieldKind::Otp,
            ..field(label, SEED)
        }
    }

    #[test]
    fn code_of_now_comes_without_its_seed_and_is_on_record() {
        let mut owner = fixture::owner();
        let fields = vec![field("user", "ann"), otp("code")];
        let id = owner.put(Draft {
            sensitivity: Sensitivity::Secret,
            fields,
            ..draft("mail")
        });

        let code = owner.call(&item::Otp { id, field: None }).expect("code");

        let expected = OtpSeed::parse(SEED).and_then(|seed| seed.code_at(fixture::NOON));
        assert_eq!(Some(code), expected);
        assert!(owner.audited("item.otp", true));
    }

    #[test]
    fn field_without_a_seed_is_refused() {
        let mut owner = fixture::owner();
        let id = owner.put(Draft {
            fields: vec![field("user", "ann"), otp("code")],
            ..draft("x")
        });

        assert_eq!(
            owner.call(&item::Otp { id, field: Some(1) }),
            refused(Code::NotFound)
        );
        assert!(owner.call(&item::Otp { id, field: Some(2) }).is_ok());
        let note = owner.put_note("note");
        assert_eq!(
            owner.call(&item::Otp {
                id: note,
                field: None
            }),
            refused(Code::NotFound)
        );
    }

    #[test]
    fn seed_of_a_critical_item_stays_under_the_credential() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1234");

        assert_eq!(
            owner.call(&item::Otp { id, field: None }),
            refused(Code::InvalidValue)
        );
    }
}
