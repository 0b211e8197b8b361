//! `tag.remove`: removes a tag from every item.

use vettid_wire::operation::{Done, tag};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::operations::item::index;
use crate::stop::Stop;

/// Removes a tag from every item.
pub(crate) enum Remove {}

impl Operation for Remove {
    type Request = tag::Remove;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: Device, request: tag::Remove) -> Result<Done, Stop> {
        let items = on.change.tagged_items(&request.name)?;
        if !on.change.remove_tag(&request.name)? {
            return Err(Code::NotFound.into());
        }
        index::renew_all(on, &items)?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};

    #[test]
    fn items_stay_without_the_tag() {
        let mut owner = fixture::owner();
        let id = owner.put_tagged("one", &["bank", "home"]);

        owner
            .call(&tag::Remove {
                name: "bank".into(),
            })
            .expect("removed");

        assert_eq!(owner.get(id).expect("item").draft.tags, ["home"]);
        let again = owner.call(&tag::Remove {
            name: "bank".into(),
        });
        assert_eq!(again, refused(Code::NotFound));
    }
}
