//! `item.search`: full-text search.

use vettid_wire::limits;
use vettid_wire::operation::item;
use vettid_wire::refusal::Code;

use super::index::with_searchable;
use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Searches names, tags, labels and the values of data items. The first search builds the index.
pub(crate) enum Search {}

impl Operation for Search {
    type Request = item::Search;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        request: item::Search,
    ) -> Result<item::Summaries, Stop> {
        text::at_most("search", limits::SEARCH, request.text.len())?;
        on.database.build_index(|indexer| {
            let view = indexer.view();
            for id in view.item_ids()? {
                with_searchable(&view, &id, |searchable| Ok(indexer.add(&id, searchable)?))?;
            }
            Ok::<_, Stop>(())
        })?;
        let view = on.view();
        let found = request.text.expose(|text| {
            let text = std::str::from_utf8(text).map_err(|_| Code::InvalidValue)?;
            Ok::<_, Stop>(view.search(text, request.limit)?)
        })?;
        Ok(item::Summaries {
            items: view.summaries(&found)?,
            more: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, draft, field, refused};
    use vettid_wire::Secret;
    use vettid_wire::operation::item::Draft;
    use vettid_wire::refusal::Refusal;

    #[test]
    fn data_is_found_by_name_tag_label_value_and_notes() {
        let mut owner = fixture::owner();
        let id = owner.put(Draft {
            fields: vec![field("Kontonummer", "AT12 3456")],
            tags: vec!["bank".into()],
            notes: Some(Secret::from("Filiale Süd")),
            ..draft("Girokonto")
        });

        for text in ["giro", "bank", "kontonummer", "at12", "filiale sud"] {
            assert_eq!(owner.search(text), [id], "{text}");
        }
        assert!(owner.search("girokonto missing").is_empty());
    }

    #[test]
    fn secret_and_critical_values_are_never_found() {
        let mut owner = fixture::owner();
        let secret = owner.put_secret("mail", "hunter2");
        owner.put_critical("safe", "combination");
        owner.search("anything");
        let later = owner.put_secret("post", "hunter2");

        assert!(owner.search("hunter2").is_empty());
        assert!(owner.search("combination").is_empty());
        assert_eq!(owner.search("mail"), [secret]);
        assert_eq!(owner.search("post"), [later]);
    }

    #[test]
    fn index_follows_every_change_after_the_first_search() {
        let mut owner = fixture::owner();
        let id = owner.put_note("first");
        assert_eq!(owner.search("first"), [id]);

        owner.replace_note(id, 1, "second");
        assert!(owner.search("first").is_empty());
        assert_eq!(owner.search("second"), [id]);
        owner.remove(id, 2, false).expect("removed");
        assert!(owner.search("second").is_empty());
        owner.restore(id, 2, None).expect("restored");
        assert_eq!(owner.search("second"), [id]);
    }

    #[test]
    fn text_that_is_too_long_or_none_is_refused() {
        let mut owner = fixture::owner();
        let search = |bytes: Vec<u8>| item::Search {
            text: Secret::new(bytes),
            limit: None,
        };

        let long = owner.call(&search(vec![b'x'; 257]));
        assert_eq!(long, Err(Refusal::limit("search", 256, 257)));
        assert_eq!(owner.call(&search(vec![0xff])), refused(Code::InvalidValue));
    }
}
