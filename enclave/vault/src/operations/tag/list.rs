//! `tag.list`: every tag with its count.

use vettid_wire::operation::tag;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists every tag.
pub(crate) enum List {}

impl Operation for List {
    type Request = tag::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, _: tag::List) -> Result<tag::Tags, Stop> {
        Ok(tag::Tags {
            tags: on.view().tags()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture;

    #[test]
    fn tags_count_items_outside_of_the_trash() {
        let mut owner = fixture::owner();
        let first = owner.put_tagged("one", &["bank", "home"]);
        owner.put_tagged("two", &["home"]);
        owner.remove(first, 1, false).expect("removed");

        assert_eq!(
            owner.tags(),
            [("bank".to_owned(), 0), ("home".to_owned(), 1)]
        );
    }
}
