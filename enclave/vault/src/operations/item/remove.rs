//! `item.remove`: into the trash, or destroyed for good.

use vettid_wire::operation::Done;
use vettid_wire::operation::item;
use vettid_wire::refusal::Code;

use super::{index, write};
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Moves an item into the trash, or destroys it with its history.
pub(crate) enum Remove {}

impl Operation for Remove {
    type Request = item::Remove;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: Device, request: item::Remove) -> Result<Done, Stop> {
        let id = request.id;
        on.about(&id.0);
        write::current(on, &id, request.base)?;
        let done = if request.forever {
            on.change.use_reserve();
            on.change.erase_item(&id)?
        } else {
            on.change.trash_item(&id, Some(on.now))?
        };
        if !done {
            return Err(Code::NotFound.into());
        }
        index::renew(on, &id)?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, list_all, refused};
    use vettid_wire::limits;
    use vettid_wire::refusal::Refusal;
    use vettid_wire::time::DAY;

    #[test]
    fn removed_item_leaves_the_list_and_waits_in_the_trash() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");

        owner.remove(id, 1, false).expect("removed");

        assert!(owner.call(&list_all()).expect("page").items.is_empty());
        let trash = owner
            .call(&item::List {
                removed: true,
                ..list_all()
            })
            .expect("page");
        assert_eq!(trash.items[0].id, id);
        assert_eq!(owner.remove(id, 1, false), refused(Code::NotFound));
    }

    #[test]
    fn destroyed_item_is_gone_with_its_history() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");

        owner.remove(id, 1, true).expect("destroyed");

        assert_eq!(owner.get(id), refused(Code::NotFound));
        assert_eq!(owner.call(&item::History { id }), refused(Code::NotFound));
    }

    #[test]
    fn version_that_is_not_current_is_not_removed() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.replace_note(id, 1, "two");

        assert_eq!(owner.remove(id, 1, false), Err(Refusal::conflict(2)));
        assert_eq!(owner.remove(id, 1, true), Err(Refusal::conflict(2)));
    }

    #[test]
    fn trash_is_emptied_after_thirty_days_and_not_before() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");

        owner.clock.advance(limits::TRASH);
        owner.tick();
        assert!(owner.get(id).is_ok());
        owner.clock.advance(DAY);
        owner.tick();

        assert_eq!(owner.get(id), refused(Code::NotFound));
        assert!(owner.audited("item.remove", true));
    }
}
