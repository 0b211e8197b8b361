//! `item.put`: creates or replaces a data or secret item.

use vettid_wire::limits;
use vettid_wire::operation::item::{self, Sensitivity};
use vettid_wire::refusal::Code;

use super::draft;
use super::merge::merge;
use super::write::{Cover, base, write};
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::Device;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;

/// Creates or replaces a data or secret item.
pub(crate) enum Put {}

impl Operation for Put {
    type Request = item::Put;
    type Grant = Device;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const LIMIT: usize = limits::ITEM + SMALL;

    fn run(on: &mut Changing<'_>, by: Device, request: item::Put) -> Result<item::Written, Stop> {
        let item::Put {
            id,
            base: version,
            draft,
        } = request;
        if draft.sensitivity == Sensitivity::Critical {
            return Err(Code::InvalidValue.into());
        }
        draft::check(&draft)?;
        let base = base(on, id, version, false)?;
        let body = merge(&draft, base.found.as_ref().map(|found| &found.body))?;
        let cover = Cover {
            name: &draft.name,
            favorite: draft.favorite,
            tags: &draft.tags,
        };
        write(on, by.device(), (base.id, base.version), &cover, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, draft, field, refused};
    use vettid_wire::Secret;
    use vettid_wire::id::ItemId;
    use vettid_wire::operation::item::{Draft, Field};
    use vettid_wire::refusal::Refusal;

    fn put(id: Option<ItemId>, base: Option<u64>, draft: Draft) -> item::Put {
        item::Put { id, base, draft }
    }

    #[test]
    fn item_is_created_and_replaced_and_comes_back() {
        let mut owner = fixture::owner();
        let first = Draft {
            fields: vec![field("user", "ann")],
            ..draft("mail")
        };

        let written = owner.call(&put(None, None, first)).expect("created");
        let second = Draft {
            fields: vec![Field {
                id: 1,
                ..field("user", "bob")
            }],
            favorite: true,
            ..draft("post")
        };
        let replaced = owner
            .call(&put(Some(written.id), Some(1), second))
            .expect("replaced");

        assert_eq!((written.version, replaced.version), (1, 2));
        let item = owner.get(written.id).expect("item");
        assert_eq!(
            (item.draft.name.as_str(), item.draft.favorite),
            ("post", true)
        );
        assert_eq!(item.draft.fields[0].value, Some(Secret::from("bob")));
        assert!(owner.audited("item.put", true));
    }

    #[test]
    fn outdated_base_is_refused_with_the_version_that_is_current() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner
            .call(&put(Some(id), Some(1), draft("two")))
            .expect("replaced");

        let late = owner.call(&put(Some(id), Some(1), draft("late")));

        assert_eq!(late, Err(Refusal::conflict(2)));
        assert_eq!(owner.get(id).expect("item").draft.name, "two");
    }

    #[test]
    fn base_goes_with_an_item_and_only_with_one() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");

        let missing = owner.call(&put(Some(id), None, draft("x")));
        assert_eq!(missing, refused(Code::InvalidValue));
        assert_eq!(
            owner.call(&put(None, Some(1), draft("x"))),
            refused(Code::InvalidValue)
        );
        let unknown = owner.call(&put(Some(ItemId([0; 16])), Some(1), draft("x")));
        assert_eq!(unknown, refused(Code::NotFound));
    }

    #[test]
    fn critical_item_is_not_put_here_and_does_not_become_weaker() {
        let mut owner = fixture::owner();
        let critical = Draft {
            sensitivity: Sensitivity::Critical,
            ..draft("x")
        };
        assert_eq!(
            owner.call(&put(None, None, critical)),
            refused(Code::InvalidValue)
        );
        let id = owner.put_critical("safe", "1234");

        let weaker = owner.call(&put(Some(id), Some(1), draft("safe")));

        assert_eq!(weaker, refused(Code::InvalidValue));
    }

    #[test]
    fn item_in_the_trash_is_not_replaced() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");

        let replaced = owner.call(&put(Some(id), Some(1), draft("two")));

        assert_eq!(replaced, refused(Code::NotFound));
    }

    #[test]
    fn item_that_is_too_large_is_refused_with_its_size() {
        let mut owner = fixture::owner();
        let large = "x".repeat(33 * 1024);
        let fields = vec![field("a", &large), field("b", &large)];

        let refusal = owner.call(&put(
            None,
            None,
            Draft {
                fields,
                ..draft("x")
            },
        ));

        let limit = refusal.expect_err("too large").limit.expect("limit");
        assert_eq!(
            (limit.limit.as_str(), limit.max),
            ("body", (limits::ITEM + SMALL) as u64)
        );
        let fields = vec![field("a", &large), field("b", &large[..32 * 1024 - 600])];
        let refusal = owner.call(&put(
            None,
            None,
            Draft {
                fields,
                ..draft("x")
            },
        ));
        let limit = refusal.expect_err("too large").limit.expect("limit");
        assert_eq!(
            (limit.limit.as_str(), limit.max),
            ("item", limits::ITEM as u64)
        );
    }

    #[test]
    fn item_beyond_the_limit_is_refused_the_trash_counted() {
        let mut owner = fixture::owner();
        let id = owner.put_note("one");
        owner.remove(id, 1, false).expect("removed");
        owner.fill_items(limits::ITEMS - 1);

        let refusal = owner.call(&put(None, None, draft("one too many")));

        assert_eq!(refusal, Err(Refusal::limit("items", 2000, 2001)));
    }

    #[test]
    fn tags_beyond_the_limit_are_refused() {
        let mut owner = fixture::owner();
        owner.fill_tags(limits::TAGS);

        let tags = vec!["tag 0".to_owned(), "one more".to_owned()];
        let refusal = owner.call(&put(None, None, Draft { tags, ..draft("x") }));

        assert_eq!(refusal, Err(Refusal::limit("tags", 512, 513)));
    }

    #[test]
    fn record_of_a_small_item_is_little_more_than_the_item() {
        let mut owner = fixture::owner();
        let before = owner.host.log_bytes();

        let value = "x".repeat(1000);
        let fields = vec![field("text", &value)];
        owner
            .call(&put(
                None,
                None,
                Draft {
                    fields,
                    ..draft("name")
                },
            ))
            .expect("put");

        let record = owner.host.log_bytes() - before;
        assert!(record < 1600, "{record} bytes");
    }
}
