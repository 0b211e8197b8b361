//! `item.put-critical`: creates or replaces a critical item.

use vettid_wire::cbor;
use vettid_wire::limits;
use vettid_wire::operation::item::{self, CriticalValues, Sensitivity};
use vettid_wire::refusal::Code;

use super::body::{Body, Critical};
use super::merge::merge;
use super::write::{Cover, base, write};
use super::{draft, value};
use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Creates or replaces a critical item. Secret input: its values, all of them.
pub(crate) enum PutCritical {}

impl Operation for PutCritical {
    type Request = item::PutCritical;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;
    const LIMIT: usize = 32 * 1024;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: item::PutCritical,
    ) -> Result<item::Written, Stop> {
        let item::PutCritical {
            id,
            base: version,
            draft,
        } = request;
        if draft.sensitivity != Sensitivity::Critical {
            return Err(Code::InvalidValue.into());
        }
        draft::check(&draft)?;
        let base = base(on, id, version, true)?;
        let body = merge(&draft, base.found.as_ref().map(|found| &found.body))?;
        let values: CriticalValues = by.presence().input()?;
        check_values(&body, &values)?;
        let fields = body.field_ids();
        let sealed =
            by.presence()
                .seal_values(&base.id, base.version, &fields, &values, on.entropy);
        let critical = Some(Critical {
            version: base.version,
            sealed,
        });
        let body = Body { critical, ..body };
        let cover = Cover {
            name: &draft.name,
            favorite: draft.favorite,
            tags: &draft.tags,
        };
        write(on, by.device(), (base.id, base.version), &cover, &body)
    }
}

/// Refuses values that are not one a field, of its kind, or together too large.
fn check_values(body: &Body, values: &CriticalValues) -> Result<(), Stop> {
    let size = cbor::encode(values).len();
    text::at_most("critical values", limits::CRITICAL_VALUES, size)?;
    if values.values.len() != body.fields.len() {
        return Err(Code::InvalidValue.into());
    }
    let pairs = body.fields.iter().zip(&values.values);
    pairs
        .into_iter()
        .try_for_each(|(field, value)| value::check(field.kind, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, critical_draft, critical_input, refused, secret};
    use vettid_wire::operation::item::{Draft, Field};
    use vettid_wire::refusal::Refusal;

    fn put(draft: Draft) -> item::PutCritical {
        item::PutCritical {
            id: None,
            base: None,
            draft,
        }
    }

    #[test]
    fn critical_values_are_nowhere_in_the_database() {
        let mut owner = fixture::owner();

        let id = owner.put_critical("safe", "combination 1234");

        let body = owner.stored_body(id);
        assert!(!body.windows(4).any(|window| window == b"1234"));
        assert_eq!(
            owner.reveal_critical(id).expect("values"),
            ["combination 1234"]
        );
        assert!(owner.audited("item.put-critical", true));
    }

    #[test]
    fn replaced_values_are_those_that_come_back() {
        let mut owner = fixture::owner();
        let id = owner.put_critical("safe", "1");
        let mut draft = critical_draft("safe");
        draft.fields[0].id = 1;

        let request = item::PutCritical {
            id: Some(id),
            base: Some(1),
            draft,
        };
        owner
            .call_present(&request, critical_input(&["2"]))
            .expect("replaced");

        assert_eq!(owner.reveal_critical(id).expect("values"), ["2"]);
        assert_eq!(owner.reveal_critical_version(id, 1).expect("values"), ["1"]);
    }

    #[test]
    fn values_that_do_not_fit_the_fields_are_refused() {
        let mut owner = fixture::owner();
        let invalid = refused(Code::InvalidValue);

        let two = owner.call_present(&put(critical_draft("x")), critical_input(&["1", "2"]));
        assert_eq!(two, invalid);
        let none = owner.call_present(&put(critical_draft("x")), None);
        assert_eq!(none, refused(Code::Malformed));
        let line = owner.call_present(&put(critical_draft("x")), critical_input(&["a\nb"]));
        assert_eq!(line, invalid);
        let large = "x".repeat(limits::CRITICAL_VALUES);
        let refusal = owner.call_present(&put(critical_draft("x")), critical_input(&[&large]));
        let limit = refusal.expect_err("too large").limit.expect("limit");
        assert_eq!(
            (limit.limit.as_str(), limit.max),
            ("critical values", 12 * 1024)
        );
    }

    #[test]
    fn draft_with_values_or_of_another_sensitivity_is_refused() {
        let mut owner = fixture::owner();
        let data = Draft {
            sensitivity: Sensitivity::Data,
            ..critical_draft("x")
        };
        assert_eq!(
            owner.call_present(&put(data), critical_input(&["1"])),
            refused(Code::InvalidValue)
        );
        let mut open = critical_draft("x");
        open.fields = vec![Field {
            value: Some(secret("1")),
            ..open.fields[0].clone()
        }];

        let refusal = owner.call_present(&put(open), critical_input(&["1"]));

        assert_eq!(refusal, refused(Code::InvalidValue));
    }

    #[test]
    fn data_item_does_not_become_critical() {
        let mut owner = fixture::owner();
        let id = owner.put_note("note");

        let request = item::PutCritical {
            id: Some(id),
            base: Some(1),
            draft: critical_draft("note"),
        };
        let refusal = owner.call_present(&request, critical_input(&["1"]));

        assert_eq!(refusal, refused(Code::InvalidValue));
    }

    #[test]
    fn refused_operation_renews_the_credential_all_the_same() {
        let mut owner = fixture::owner();
        let long = Draft {
            name: "x".repeat(129),
            ..critical_draft("x")
        };

        let refusal = owner.call_present(&put(long), critical_input(&["1"]));

        assert_eq!(refusal, Err(Refusal::limit("item name", 128, 129)));
        assert_eq!(owner.credential.as_ref().expect("credential").version, 2);
        assert!(owner.use_credential().is_ok());
    }
}
