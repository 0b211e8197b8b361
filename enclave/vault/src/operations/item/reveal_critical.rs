//! `item.reveal-critical`: one critical item with its values.

use vettid_wire::operation::item::{self, Field};
use vettid_wire::refusal::Code;

use super::find::{Shown, find};
use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;

/// One critical item with its values.
pub(crate) enum RevealCritical {}

impl Operation for RevealCritical {
    type Request = item::RevealCritical;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: item::RevealCritical,
    ) -> Result<item::Item, Stop> {
        let id = request.id;
        on.about(&id.0);
        let mut found = find(on.change, &id, request.version)?;
        let critical = found.body.critical.take().ok_or(Code::InvalidValue)?;
        let values = by
            .presence()
            .open_values(
                &id,
                critical.version,
                &found.body.field_ids(),
                &critical.sealed,
            )
            .map_err(|_| Code::Internal)?;
        let fields = std::mem::take(&mut found.body.fields);
        found.body.fields = fields
            .into_iter()
            .zip(values.values)
            .map(|(field, value)| Field {
                value: Some(value),
                ..field
            })
            .collect();
        Ok(found.into_item(Shown::Secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};

    #[test]
    fn values_come_back_after_a_restart() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1234");
        owner.reopen();
        owner.unlock().expect("unlocked");

        assert_eq!(owner.reveal_critical(id).expect("values"), ["1234"]);
        assert!(owner.audited("item.reveal-critical", true));
    }

    #[test]
    fn wrong_password_reveals_nothing_and_is_on_record() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1234");
        owner.password = "a wrong password".into();

        assert_eq!(owner.reveal_critical(id), refused(Code::WrongPassword));

        assert!(owner.audited("item.reveal-critical", false));
    }

    #[test]
    fn item_that_is_not_critical_is_not_revealed_here() {
        let mut owner = fixture::owner();
        let id = owner.put_secret("mail", "hunter2");

        assert_eq!(owner.reveal_critical(id), refused(Code::InvalidValue));
    }
}
