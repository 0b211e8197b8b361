//! What a draft makes of the version that it replaces.

use vettid_wire::Secret;
use vettid_wire::operation::item::{Draft, Field, Sensitivity};
use vettid_wire::refusal::Code;

use super::body::Body;
use crate::stop::Stop;

/// The next version's body.
///
/// A field with a number is one that is there; zero asks for a number that the item never gave
/// before. A value or notes that are absent stay as they are, unless the item would be kept less
/// well than before: then they must be given, or whoever may not reveal them could.
pub(crate) fn merge(draft: &Draft, current: Option<&Body>) -> Result<Body, Stop> {
    let mut next_field = current.map_or(1, |body| body.next_field);
    let keeps = current.filter(|body| body.sensitivity <= draft.sensitivity);
    let mut fields = Vec::with_capacity(draft.fields.len());
    for field in &draft.fields {
        let field = if field.id == 0 {
            let id = next_field;
            next_field = next_field.checked_add(1).ok_or(Code::InvalidValue)?;
            Field {
                id,
                ..field.clone()
            }
        } else {
            let there = current.map_or(&[][..], |body| &body.fields);
            there
                .iter()
                .find(|there| there.id == field.id)
                .ok_or(Code::InvalidValue)?;
            field.clone()
        };
        fields.push(with_value(field, draft.sensitivity, keeps)?);
    }
    let notes = match &draft.notes {
        Some(notes) if notes.is_empty() => None,
        Some(notes) => Some(notes.clone()),
        None => kept_notes(current, keeps)?,
    };
    let (category, sensitivity) = (draft.category, draft.sensitivity);
    Ok(Body {
        category,
        sensitivity,
        fields,
        notes,
        next_field,
        critical: None,
    })
}

/// The field with the value that it gets. Values of a critical item travel elsewhere.
fn with_value(field: Field, sensitivity: Sensitivity, keeps: Option<&Body>) -> Result<Field, Stop> {
    match (&field.value, sensitivity) {
        (None, Sensitivity::Critical) | (Some(_), Sensitivity::Data | Sensitivity::Secret) => {
            Ok(field)
        }
        (Some(_), Sensitivity::Critical) => Err(Code::InvalidValue.into()),
        (None, Sensitivity::Data | Sensitivity::Secret) => {
            let there = keeps.and_then(|body| body.fields.iter().find(|old| old.id == field.id));
            let kept = there
                .filter(|there| there.kind == field.kind)
                .ok_or(Code::InvalidValue)?;
            Ok(Field {
                value: kept.value.clone(),
                ..field
            })
        }
    }
}

fn kept_notes(current: Option<&Body>, keeps: Option<&Body>) -> Result<Option<Secret>, Stop> {
    let notes = current.and_then(|body| body.notes.as_ref());
    if notes.is_some() && keeps.is_none() {
        return Err(Code::InvalidValue.into());
    }
    Ok(notes.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{draft, field};
    use vettid_wire::operation::item::FieldKind;

    fn with_fields(fields: Vec<Field>) -> Draft {
        Draft {
            fields,
            ..draft("name")
        }
    }

    fn secret(draft: Draft) -> Draft {
        Draft {
            sensitivity: Sensitivity::Secret,
            ..draft
        }
    }

    fn invalid() -> Option<Stop> {
        Some(Code::InvalidValue.into())
    }

    #[test]
    fn number_of_a_removed_field_is_never_given_again() {
        let two = with_fields(vec![field("a", "1"), field("b", "2")]);
        let first = merge(&two, None).expect("first");
        assert_eq!(first.field_ids(), [1, 2]);

        let one = with_fields(vec![first.fields[0].clone()]);
        let second = merge(&one, Some(&first)).expect("second");
        let more = with_fields(vec![second.fields[0].clone(), field("c", "3")]);
        let third = merge(&more, Some(&second)).expect("third");

        assert_eq!(third.field_ids(), [1, 3]);
    }

    #[test]
    fn absent_value_and_notes_stay() {
        let notes = Some(Secret::from("notes"));
        let first = Draft {
            notes: notes.clone(),
            ..with_fields(vec![field("a", "1")])
        };
        let first = merge(&first, None).expect("first");
        let renamed = Field {
            id: 1,
            value: None,
            ..field("renamed", "")
        };

        let second = merge(&with_fields(vec![renamed]), Some(&first)).expect("second");

        assert_eq!(second.fields[0].value, Some(Secret::from("1")));
        assert_eq!(second.fields[0].label, "renamed");
        assert_eq!(second.notes, notes);
        let without = Draft {
            notes: Some(Secret::default()),
            ..draft("name")
        };
        assert_eq!(merge(&without, Some(&first)).expect("third").notes, None);
    }

    #[test]
    fn unknown_number_new_field_without_value_or_kept_value_of_another_kind_is_refused() {
        let first = merge(&with_fields(vec![field("a", "1")]), None).expect("first");

        for fields in [
            vec![Field {
                id: 7,
                ..field("a", "1")
            }],
            vec![Field {
                value: None,
                ..field("a", "")
            }],
            vec![Field {
                id: 1,
                value: None,
                kind: FieldKind::Date,
                ..field("a", "")
            }],
        ] {
            assert_eq!(merge(&with_fields(fields), Some(&first)).err(), invalid());
        }
        let foreign = with_fields(vec![Field {
            id: 1,
            ..field("a", "1")
        }]);
        assert_eq!(merge(&foreign, None).err(), invalid());
    }

    #[test]
    fn weaker_item_keeps_no_value_and_no_notes() {
        let notes = Some(Secret::from("notes"));
        let first = secret(Draft {
            notes,
            ..with_fields(vec![field("a", "1")])
        });
        let first = merge(&first, None).expect("first");
        let keep = vec![Field {
            id: 1,
            value: None,
            ..field("a", "")
        }];
        let give = vec![Field {
            id: 1,
            ..field("a", "1")
        }];

        assert_eq!(
            merge(&with_fields(keep.clone()), Some(&first)).err(),
            invalid()
        );
        assert_eq!(
            merge(&with_fields(give.clone()), Some(&first)).err(),
            invalid()
        );
        let all = Draft {
            notes: Some(Secret::from("n")),
            ..with_fields(give)
        };
        assert!(merge(&all, Some(&first)).is_ok());
        assert!(merge(&secret(with_fields(keep)), Some(&first)).is_ok());
    }

    #[test]
    fn critical_draft_has_no_values() {
        let critical = |draft: Draft| Draft {
            sensitivity: Sensitivity::Critical,
            ..draft
        };
        let with_value = critical(with_fields(vec![field("a", "1")]));
        let without = with_fields(vec![Field {
            value: None,
            ..field("a", "")
        }]);

        assert_eq!(merge(&with_value, None).err(), invalid());
        assert_eq!(
            merge(&critical(without), None).expect("body").field_ids(),
            [1]
        );
    }
}
