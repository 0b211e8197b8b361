//! `item.get`: one item; values of a data item only.

use vettid_wire::operation::item;

use super::find::{Shown, find};
use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// One item.
pub(crate) enum Get {}

impl Operation for Get {
    type Request = item::Get;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: item::Get) -> Result<item::Item, Stop> {
        Ok(find(&on.view(), &request.id, None)?.into_item(Shown::Data))
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{self, draft, field, refused, secret};
    use vettid_wire::id::ItemId;
    use vettid_wire::operation::item::{Draft, Sensitivity};
    use vettid_wire::refusal::Code;

    #[test]
    fn reading_writes_nothing() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        let before = owner.host.newest();

        owner.get(id).expect("item");

        assert_eq!(owner.host.newest(), before);
    }

    #[test]
    fn values_and_notes_of_secret_and_critical_items_are_withheld() {
        let mut owner = fixture::owner();
        let secret_item = Draft {
            sensitivity: Sensitivity::Secret,
            fields: vec![field("password", "hunter2")],
            notes: Some(secret("hidden")),
            ..draft("mail")
        };
        let first = owner.put(secret_item);
        let second = owner.put_critical("safe", "1234");

        for id in [first, second] {
            let item = owner.get(id).expect("item");
            assert_eq!(item.draft.fields.len(), 1);
            assert_eq!(
                (&item.draft.fields[0].value, &item.draft.notes),
                (&None, &None)
            );
        }
    }

    #[test]
    fn item_in_the_trash_says_so_and_an_unknown_one_is_not_found() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");

        assert_eq!(owner.get(id).expect("item").removed, Some(fixture::NOON));
        assert_eq!(owner.get(ItemId([0; 16])), refused(Code::NotFound));
    }
}
