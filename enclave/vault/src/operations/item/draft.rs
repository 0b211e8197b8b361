//! What a draft may be, before it is compared with what is there.

use std::collections::BTreeSet;

use vettid_wire::limits;
use vettid_wire::operation::item::Draft;
use vettid_wire::refusal::Code;

use super::value;
use crate::operations::tag;
use crate::stop::Stop;
use crate::text;

/// Refuses a draft that is malformed or too large in any part.
pub(crate) fn check(draft: &Draft) -> Result<(), Stop> {
    text::line("item name", limits::ITEM_NAME, &draft.name)?;
    text::at_most("item tags", limits::ITEM_TAGS, draft.tags.len())?;
    for name in &draft.tags {
        tag::check_name(name)?;
    }
    text::at_most("fields", limits::FIELDS, draft.fields.len())?;
    for field in &draft.fields {
        text::line("field label", limits::FIELD_LABEL, &field.label)?;
        if let Some(value) = &field.value {
            value::check(field.kind, value)?;
        }
    }
    if let Some(notes) = &draft.notes {
        text::at_most("notes", limits::NOTES, notes.len())?;
        value::check_notes(notes)?;
    }
    let ids: Vec<_> = draft
        .fields
        .iter()
        .map(|field| field.id)
        .filter(|id| *id > 0)
        .collect();
    if all_differ(&ids) && all_differ(&draft.tags) {
        Ok(())
    } else {
        Err(Code::InvalidValue.into())
    }
}

fn all_differ<T: Ord>(all: &[T]) -> bool {
    all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{draft, field};
    use vettid_wire::Secret;
    use vettid_wire::operation::item::{Field, FieldKind};
    use vettid_wire::refusal::Refusal;

    fn limited(name: &str, max: usize, size: usize) -> Result<(), Stop> {
        Err(Refusal::limit(name, max, size).into())
    }

    #[test]
    fn every_part_that_is_too_large_is_refused_by_name() {
        let good = draft("name");
        assert_eq!(check(&good), Ok(()));
        let with = |change: &dyn Fn(&mut Draft)| {
            let mut draft = good.clone();
            change(&mut draft);
            check(&draft)
        };

        assert_eq!(
            with(&|d| d.name = "x".repeat(129)),
            limited("item name", 128, 129)
        );
        let tags: Vec<_> = (0..17).map(|number| format!("t{number}")).collect();
        assert_eq!(
            with(&|d| d.tags = tags.clone()),
            limited("item tags", 16, 17)
        );
        assert_eq!(
            with(&|d| d.tags = vec!["x".repeat(33)]),
            limited("tag name", 32, 33)
        );
        let fields = vec![field("label", "x"); 65];
        assert_eq!(
            with(&|d| d.fields = fields.clone()),
            limited("fields", 64, 65)
        );
        let label = field(&"x".repeat(65), "x");
        assert_eq!(
            with(&|d| d.fields = vec![label.clone()]),
            limited("field label", 64, 65)
        );
        let notes = Secret::new(vec![b'x'; 16 * 1024 + 1]);
        assert_eq!(
            with(&|d| d.notes = Some(notes.clone())),
            limited("notes", 16384, 16385)
        );
    }

    #[test]
    fn doubled_tags_or_field_numbers_and_bad_text_are_refused() {
        let invalid = Err(Code::InvalidValue.into());
        let with = |change: &dyn Fn(&mut Draft)| {
            let mut draft = draft("name");
            change(&mut draft);
            check(&draft)
        };

        assert_eq!(with(&|d| d.name = "a\u{0}b".into()), invalid);
        assert_eq!(with(&|d| d.tags = vec!["a".into(), "a".into()]), invalid);
        let numbered = Field {
            id: 1,
            ..field("label", "x")
        };
        assert_eq!(with(&|d| d.fields = vec![numbered.clone(); 2]), invalid);
        let date = Field {
            kind: FieldKind::Date,
            ..field("label", "no date")
        };
        assert_eq!(with(&|d| d.fields = vec![date.clone()]), invalid);
        assert_eq!(with(&|d| d.notes = Some(Secret::new(vec![0xff]))), invalid);
    }
}
