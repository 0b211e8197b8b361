//! `tag.rename`: gives a tag another name that is not taken.

use vettid_wire::operation::{Done, tag};
use vettid_wire::refusal::Code;

use super::check_name;
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::operations::item::index;
use crate::stop::Stop;

/// Gives a tag another name.
pub(crate) enum Rename {}

impl Operation for Rename {
    type Request = tag::Rename;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: Device, request: tag::Rename) -> Result<Done, Stop> {
        let tag::Rename { name, replacement } = &request;
        check_name(replacement)?;
        on.change.tag(name)?.ok_or(Code::NotFound)?;
        let items = on.change.tagged_items(name)?;
        if !on.change.rename_tag(name, replacement)? {
            return Err(Code::Conflict.into());
        }
        index::renew_all(on, &items)?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};

    fn rename(name: &str, replacement: &str) -> tag::Rename {
        tag::Rename {
            name: name.into(),
            replacement: replacement.into(),
        }
    }

    #[test]
    fn items_follow_the_new_name_in_get_and_search() {
        let mut owner = fixture::owner();
        let id = owner.put_tagged("one", &["bank"]);
        owner.search("bank");

        owner.call(&rename("bank", "money")).expect("renamed");

        assert_eq!(owner.get(id).expect("item").draft.tags, ["money"]);
        assert_eq!(owner.search("money"), [id]);
        assert!(owner.search("bank").is_empty());
    }

    #[test]
    fn taken_malformed_or_unknown_names_are_refused() {
        let mut owner = fixture::owner();
        owner.put_tagged("one", &["bank", "home"]);

        assert_eq!(owner.call(&rename("bank", "home")), refused(Code::Conflict));
        assert_eq!(
            owner.call(&rename("bank", "Home")),
            refused(Code::InvalidValue)
        );
        assert_eq!(owner.call(&rename("other", "new")), refused(Code::NotFound));
    }
}
