//! `item.restore`: out of the trash, or back to an earlier version.

use vettid_wire::operation::item;
use vettid_wire::refusal::Code;

use super::body::Body;
use super::find::find;
use super::index;
use super::write::{Cover, current, write};
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Brings an item out of the trash, or an earlier version back as the next one.
///
/// A version that comes back is kept at least as well as the one that it replaces.
pub(crate) enum Restore {}

impl Operation for Restore {
    type Request = item::Restore;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(
        on: &mut Changing<'_>,
        by: Device,
        request: item::Restore,
    ) -> Result<item::Written, Stop> {
        let item::Restore { id, base, version } = request;
        on.about(&id.0);
        let now = current(on, &id, base)?;
        let Some(version) = version else {
            if !on.change.trash_item(&id, None)? {
                return Err(Code::NotFound.into());
            }
            index::renew(on, &id)?;
            return Ok(item::Written { id, version: base });
        };
        let earlier = find(on.change, &id, Some(version))?;
        let sensitivity = earlier.sensitivity();
        let next_field = now.body.next_field;
        let body = Body {
            sensitivity,
            next_field,
            ..earlier.body
        };
        let cover = Cover {
            name: &earlier.name,
            favorite: now.summary.favorite,
            tags: &now.summary.tags,
        };
        let next = base.checked_add(1).ok_or(Code::Internal)?;
        write(on, by.device(), (id, next), &cover, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, draft, field, refused};
    use vettid_wire::operation::item::{Draft, Field, Sensitivity};
    use vettid_wire::refusal::Refusal;

    #[test]
    fn item_comes_out_of_the_trash_as_it_was() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");

        let restored = owner.restore(id, 1, None).expect("restored");

        assert_eq!(restored.version, 1);
        assert_eq!(owner.get(id).expect("item").removed, None);
        assert_eq!(owner.restore(id, 1, None), refused(Code::NotFound));
    }

    #[test]
    fn earlier_version_comes_back_as_the_next_one() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.replace_note(id, 1, "two");

        let restored = owner.restore(id, 2, Some(1)).expect("restored");

        assert_eq!(restored.version, 3);
        assert_eq!(owner.get(id).expect("item").draft.name, "one");
    }

    #[test]
    fn field_numbers_go_on_behind_a_restored_version() {
        let mut owner = fixture::owner();
        let id = owner.put(Draft {
            fields: vec![field("a", "1")],
            ..draft("x")
        });
        let more = Draft {
            fields: vec![
                Field {
                    id: 1,
                    ..field("a", "1")
                },
                field("b", "2"),
            ],
            ..draft("x")
        };
        owner
            .call(&item::Put {
                id: Some(id),
                base: Some(1),
                draft: more,
            })
            .expect("two fields");
        owner.restore(id, 2, Some(1)).expect("restored");

        let again = Draft {
            fields: vec![
                Field {
                    id: 1,
                    ..field("a", "1")
                },
                field("c", "3"),
            ],
            ..draft("x")
        };
        owner
            .call(&item::Put {
                id: Some(id),
                base: Some(3),
                draft: again,
            })
            .expect("another");

        let fields = owner.get(id).expect("item").draft.fields;
        assert_eq!(
            fields.iter().map(|field| field.id).collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn data_that_became_secret_does_not_become_readable_by_going_back() {
        let mut owner = fixture::owner();
        let id = owner.put(Draft {
            fields: vec![field("a", "hidden")],
            ..draft("x")
        });
        owner.replace_secret(id, 1, "x", "hidden");

        owner.restore(id, 2, Some(1)).expect("restored");

        let item = owner.get(id).expect("item");
        assert_eq!(item.draft.sensitivity, Sensitivity::Secret);
        assert_eq!(item.draft.fields[0].value, None);
    }

    #[test]
    fn critical_version_that_comes_back_still_opens() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1");
        owner.replace_critical(id, 1, "safe", "2");

        owner.restore(id, 2, Some(1)).expect("restored");

        assert_eq!(owner.reveal_critical(id).expect("values"), ["1"]);
        assert_eq!(owner.reveal_critical_version(id, 2).expect("values"), ["2"]);
    }

    #[test]
    fn outdated_base_or_version_that_is_gone_is_refused() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.replace_note(id, 1, "two");

        assert_eq!(owner.restore(id, 1, Some(1)), Err(Refusal::conflict(2)));
        assert_eq!(owner.restore(id, 2, Some(9)), refused(Code::NotFound));
    }
}
