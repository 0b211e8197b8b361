//! `tag.merge`: moves every item of one tag to another.

use vettid_wire::operation::{Done, tag};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::operations::item::index;
use crate::stop::Stop;

/// Moves every item of one tag to another and removes the first.
pub(crate) enum Merge {}

impl Operation for Merge {
    type Request = tag::Merge;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: Device, request: tag::Merge) -> Result<Done, Stop> {
        let tag::Merge { name, into } = &request;
        if name == into {
            return Err(Code::InvalidValue.into());
        }
        let items = on.change.tagged_items(name)?;
        if !on.change.merge_tag(name, into)? {
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

    fn merge(name: &str, into: &str) -> tag::Merge {
        tag::Merge {
            name: name.into(),
            into: into.into(),
        }
    }

    #[test]
    fn items_of_both_tags_end_under_the_one_that_stays() {
        let mut owner = fixture::owner();
        let both = owner.put_tagged("both", &["bank", "money"]);
        let one = owner.put_tagged("one", &["bank"]);
        owner.search("bank");

        owner.call(&merge("bank", "money")).expect("merged");

        for id in [both, one] {
            assert_eq!(owner.get(id).expect("item").draft.tags, ["money"]);
        }
        assert_eq!(owner.tags(), [("money".to_owned(), 2)]);
        assert!(owner.search("bank").is_empty());
    }

    #[test]
    fn tag_is_not_merged_into_itself_or_with_one_that_is_not_there() {
        let mut owner = fixture::owner();
        owner.put_tagged("one", &["bank"]);

        assert_eq!(
            owner.call(&merge("bank", "bank")),
            refused(Code::InvalidValue)
        );
        assert_eq!(owner.call(&merge("bank", "other")), refused(Code::NotFound));
        assert_eq!(owner.call(&merge("other", "bank")), refused(Code::NotFound));
    }
}
