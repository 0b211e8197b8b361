//! `item.list`: summaries, by name.

use vettid_wire::operation::item;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of summaries.
pub(crate) enum List {}

impl Operation for List {
    type Request = item::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: item::List) -> Result<item::Summaries, Stop> {
        Ok(on.view().items(&request)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, list_all};
    use vettid_wire::operation::item::{Category, Cursor};

    #[test]
    fn pages_join_in_the_order_of_names() {
        let mut owner = fixture::owner();
        for name in ["c", "A", "b"] {
            owner.put_note(name);
        }

        let first = item::List {
            limit: Some(2),
            ..list_all()
        };
        let first = owner.call(&first).expect("page");
        let last = &first.items[1];
        let after = Some(Cursor {
            name: last.name.clone(),
            id: last.id,
        });
        let second = owner
            .call(&item::List {
                after,
                ..list_all()
            })
            .expect("page");

        let names = |page: &item::Summaries| -> Vec<_> {
            page.items.iter().map(|item| item.name.clone()).collect()
        };
        assert_eq!(
            (names(&first), first.more),
            (vec!["A".into(), "b".into()], true)
        );
        assert_eq!((names(&second), second.more), (vec!["c".to_owned()], false));
    }

    #[test]
    fn list_narrows_by_category_tag_and_trash() {
        let mut owner = fixture::owner();
        let tagged = owner.put_tagged("tagged", &["bank"]);
        let removed = owner.put_note("removed");
        owner.remove(removed, 1, false).expect("removed");
        let mut ids = |list: &item::List| -> Vec<_> {
            owner
                .call(list)
                .expect("page")
                .items
                .iter()
                .map(|item| item.id)
                .collect()
        };

        assert_eq!(
            ids(&item::List {
                tag: Some("bank".into()),
                ..list_all()
            }),
            [tagged]
        );
        assert_eq!(
            ids(&item::List {
                removed: true,
                ..list_all()
            }),
            [removed]
        );
        let login = item::List {
            category: Some(Category::Login),
            ..list_all()
        };
        assert!(ids(&login).is_empty());
        assert!(
            ids(&item::List {
                favorite: true,
                ..list_all()
            })
            .is_empty()
        );
        assert_eq!(ids(&list_all()), [tagged]);
    }
}
