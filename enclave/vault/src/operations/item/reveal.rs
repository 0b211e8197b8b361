//! `item.reveal`: one secret item with its values.

use vettid_wire::operation::item::{self, Sensitivity};
use vettid_wire::refusal::Code;

use super::find::{Shown, find};
use crate::audit::Audit;
use crate::effect::{Again, Changing};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// One secret item with its values. Every time is an event.
pub(crate) enum Reveal {}

impl Operation for Reveal {
    type Request = item::Reveal;
    type Grant = App;
    type Effect = Again;
    const AUDIT: Audit = Audit::Always;

    fn run(on: &mut Changing<'_>, _: App, request: item::Reveal) -> Result<item::Item, Stop> {
        on.about(&request.id.0);
        let found = find(on.change, &request.id, request.version)?;
        if found.sensitivity() == Sensitivity::Critical {
            return Err(Code::InvalidValue.into());
        }
        Ok(found.into_item(Shown::Secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused, secret};
    use vettid_wire::operation::device::Role;

    #[test]
    fn values_are_shown_and_that_is_on_record() {
        let mut owner = fixture::owner();
        let id = owner.put_secret("mail", "hunter2");

        let item = owner
            .call(&item::Reveal { id, version: None })
            .expect("item");

        assert_eq!(item.draft.fields[0].value, Some(secret("hunter2")));
        assert!(owner.audited("item.reveal", true));
    }

    #[test]
    fn earlier_version_is_shown_as_it_was() {
        let mut owner = fixture::owner();
        let id = owner.put_secret("mail", "first");
        owner.replace_secret(id, 1, "mail", "second");

        let first = owner
            .call(&item::Reveal {
                id,
                version: Some(1),
            })
            .expect("item");
        let gone = owner.call(&item::Reveal {
            id,
            version: Some(9),
        });

        assert_eq!(
            (first.version, &first.draft.fields[0].value),
            (1, &Some(secret("first")))
        );
        assert_eq!(gone, refused(Code::NotFound));
    }

    #[test]
    fn critical_item_is_not_revealed_here() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1234");

        let refusal = owner.call(&item::Reveal { id, version: None });

        assert_eq!(refusal, refused(Code::InvalidValue));
        assert!(owner.audited("item.reveal", false));
    }

    #[test]
    fn desktop_reveals_nothing_and_its_attempt_is_on_record() {
        let mut owner = fixture::owner();
        let id = owner.put_secret("mail", "hunter2");
        owner.add_device(Role::Desktop);
        owner.use_other_device();

        let refusal = owner.call(&item::Reveal { id, version: None });

        assert_eq!(refusal, refused(Code::NotAllowed));
        assert!(owner.audited("item.reveal", false));
    }
}
