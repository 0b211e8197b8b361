//! `tag.put`: creates a tag or replaces its color and description.

use vettid_wire::limits;
use vettid_wire::operation::{Done, tag};
use vettid_wire::refusal::Code;

use super::{check_name, check_room};
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Creates a tag or replaces its color and description.
pub(crate) enum Put {}

impl Operation for Put {
    type Request = tag::Put;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: Device, request: tag::Put) -> Result<Done, Stop> {
        let tag = &request.tag;
        check_name(&tag.name)?;
        for (limit, text) in [
            ("tag color", &tag.color),
            ("tag description", &tag.description),
        ] {
            let text = text.as_deref().unwrap_or_default();
            text::at_most(limit, limits::TAG_TEXT, text.len())?;
            if text.contains(char::is_control) {
                return Err(Code::InvalidValue.into());
            }
        }
        check_room(on.change, std::slice::from_ref(&tag.name))?;
        on.change.put_tag(tag)?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::refusal::Refusal;

    fn put(name: &str, color: &str) -> tag::Put {
        let (name, color) = (name.to_owned(), Some(color.to_owned()));
        tag::Put {
            tag: tag::Tag {
                name,
                color,
                description: None,
            },
        }
    }

    #[test]
    fn tag_is_created_and_then_recolored() {
        let mut owner = fixture::owner();

        owner.call(&put("bank", "red")).expect("put");
        owner.call(&put("bank", "blue")).expect("put");

        let tags = owner.call(&tag::List {}).expect("tags").tags;
        assert_eq!(tags.len(), 1);
        assert_eq!(tags[0].tag.color.as_deref(), Some("blue"));
        assert!(owner.audited("tag.put", true));
    }

    #[test]
    fn malformed_name_or_text_is_refused() {
        let mut owner = fixture::owner();

        assert_eq!(owner.call(&put("Bank", "red")), refused(Code::InvalidValue));
        assert_eq!(
            owner.call(&put("bank", "r\ned")),
            refused(Code::InvalidValue)
        );
        let long = owner.call(&put("bank", &"x".repeat(129)));
        assert_eq!(long, Err(Refusal::limit("tag color", 128, 129)));
    }

    #[test]
    fn tag_beyond_the_limit_is_refused_and_those_there_can_be_changed() {
        let mut owner = fixture::owner();
        owner.fill_tags(limits::TAGS);

        assert_eq!(
            owner.call(&put("more", "red")),
            Err(Refusal::limit("tags", 512, 513))
        );
        assert!(owner.call(&put("tag 0", "red")).is_ok());
    }
}
