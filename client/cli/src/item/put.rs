//! `item put`: create an item, or change one.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::Secret;
use vettid_sdk::wire::operation::item::{
    Category, CriticalValues, Draft, Field, FieldKind, Get, Item, Put, PutCritical, Sensitivity,
};

use super::arguments::Put as Arguments;
use super::field::{Labeled, Valued};
use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::{SecretOptions, Secrets, whole_stdin};

/// Writes an item. Secrets: password, if the item is critical; then values in the order of
/// `--secret-field`; then notes.
pub(crate) async fn run(
    owner: &Owner,
    arguments: Arguments,
    secrets: &mut Secrets,
    options: SecretOptions,
) -> Result<Output, Failure> {
    check_stdin(&arguments, options)?;
    let current = match arguments.id {
        Some(id) => Some(owner.call(&Get { id }).await?),
        None => None,
    };
    let base = arguments
        .base
        .or_else(|| current.as_ref().map(|item| item.version));
    let id = arguments.id;
    let mut draft = outline(&arguments, current)?;
    check(&arguments, draft.sensitivity)?;
    let password = match draft.sensitivity {
        Sensitivity::Critical => Some(secrets.current("Password")?),
        Sensitivity::Data | Sensitivity::Secret => None,
    };
    fill(&mut draft, arguments, secrets)?;
    let written = match password {
        Some(password) => {
            let values = take_values(&mut draft)?;
            owner
                .put_critical(&password, &PutCritical { id, base, draft }, values)
                .await?
        }
        None => owner.call(&Put { id, base, draft }).await?,
    };
    let (id, version) = (written.id.to_string(), written.version);
    Ok(Output::new(
        format!("{id}  version {version}"),
        json!({ "id": id, "version": version }),
    ))
}

/// The item without new values: what it is now, as far as nothing else was said.
fn outline(arguments: &Arguments, current: Option<Item>) -> Result<Draft, Failure> {
    let mut draft = match current {
        Some(item) => item.draft,
        None => Draft {
            name: String::new(),
            category: Category::Other,
            sensitivity: Sensitivity::Secret,
            fields: Vec::new(),
            tags: Vec::new(),
            favorite: false,
            notes: None,
        },
    };
    if let Some(name) = &arguments.name {
        draft.name.clone_from(name);
    }
    if let Some(category) = arguments.category {
        draft.category = category.into();
    }
    if let Some(sensitivity) = arguments.sensitivity {
        draft.sensitivity = sensitivity.into();
    }
    if !arguments.tag.is_empty() {
        draft.tags.clone_from(&arguments.tag);
    }
    if let Some(favorite) = arguments.favorite {
        draft.favorite = favorite;
    }
    for label in &arguments.remove_field {
        let before = draft.fields.len();
        draft.fields.retain(|field| field.label != *label);
        if draft.fields.len() == before {
            return Err(Failure::usage(format!("the item has no field \"{label}\"")));
        }
    }
    Ok(draft)
}

/// Standard input holds the secrets or one value, not both.
fn check_stdin(arguments: &Arguments, options: SecretOptions) -> Result<(), Failure> {
    if arguments.field_stdin.is_some() && Secrets::takes_stdin(options) {
        let message = "standard input carries secrets: use --secrets-fd beside --field-stdin";
        return Err(Failure::usage(message));
    }
    Ok(())
}

/// What is on the command line can be seen by others, so it must not be worth hiding.
fn check(arguments: &Arguments, sensitivity: Sensitivity) -> Result<(), Failure> {
    let is_open = !arguments.field.is_empty() || arguments.notes.is_some();
    if sensitivity != Sensitivity::Data && is_open {
        return Err(Failure::Usage(
            "value-on-command-line",
            "values of a secret or critical item are never arguments: use --secret-field, \
             --field-stdin or --secret-notes"
                .into(),
        ));
    }
    Ok(())
}

fn fill(draft: &mut Draft, arguments: Arguments, secrets: &mut Secrets) -> Result<(), Failure> {
    for Valued { field, value } in arguments.field {
        set(draft, field, Secret::new(value.into_bytes()));
    }
    for field in arguments.secret_field {
        let value = secrets.current(&format!("Value of {}", field.label))?;
        set(draft, field, value);
    }
    if let Some(field) = arguments.field_stdin {
        let value = whole_stdin(&field.label)?;
        set(draft, field, value);
    }
    if let Some(notes) = arguments.notes {
        draft.notes = Some(Secret::new(notes.into_bytes()));
    }
    if arguments.secret_notes {
        draft.notes = Some(secrets.current("Notes")?);
    }
    Ok(())
}

/// Replaces the value of the field with that label, or adds one.
fn set(draft: &mut Draft, given: Labeled, value: Secret) {
    if let Some(field) = draft
        .fields
        .iter_mut()
        .find(|field| field.label == given.label)
    {
        field.kind = given.kind.unwrap_or(field.kind);
        field.value = Some(value);
        return;
    }
    draft.fields.push(Field {
        id: 0,
        label: given.label,
        kind: given.kind.unwrap_or(FieldKind::Text),
        value: Some(value),
    });
}

/// The values of a critical item: they travel with the password. All of them must be given.
fn take_values(draft: &mut Draft) -> Result<CriticalValues, Failure> {
    let values: Option<Vec<Secret>> = draft
        .fields
        .iter_mut()
        .map(|field| field.value.take())
        .collect();
    values
        .map(|values| CriticalValues { values })
        .ok_or_else(|| {
            Failure::usage(
                "every value of a critical item is given anew: name each with --secret-field",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        put: Arguments,
        #[command(flatten)]
        secrets: SecretOptions,
    }

    fn arguments(line: &[&str]) -> Arguments {
        Line::try_parse_from([&["put"], line].concat())
            .expect("arguments")
            .put
    }

    fn drafted(line: &[&str], secrets: &str, current: Option<Item>) -> Result<Draft, Failure> {
        let arguments = arguments(line);
        let mut draft = outline(&arguments, current)?;
        check(&arguments, draft.sensitivity)?;
        fill(&mut draft, arguments, &mut Secrets::of(secrets))?;
        Ok(draft)
    }

    fn values(draft: &Draft) -> Vec<(String, Option<Secret>)> {
        draft
            .fields
            .iter()
            .map(|field| (field.label.clone(), field.value.clone()))
            .collect()
    }

    fn item(draft: Draft) -> Item {
        let at = vettid_sdk::wire::time::UnixMillis(0);
        let id = vettid_sdk::wire::id::ItemId([1; 16]);
        Item {
            id,
            version: 4,
            draft,
            created: at,
            updated: at,
            removed: None,
        }
    }

    const SECRET: &[&str] = &["--name", "bank", "--sensitivity", "secret"];

    #[test]
    fn secret_values_are_read_in_the_order_of_their_fields() {
        let line = [
            SECRET,
            &["--secret-field", "password:pass", "--secret-field", "pin"],
        ];
        let draft = drafted(&line.concat(), "hunter2\n1234\n", None).unwrap();

        assert_eq!(
            values(&draft),
            [
                ("pass".into(), Some("hunter2".into())),
                ("pin".into(), Some("1234".into()))
            ]
        );
        assert_eq!(draft.fields[0].kind, FieldKind::Password);
    }

    #[test]
    fn value_of_a_secret_item_is_no_argument() {
        for open in [["--field", "pass=hunter2"], ["--notes", "hunter2"]] {
            let refused = drafted(&[SECRET, &open].concat(), "", None).unwrap_err();

            assert_eq!(refused.exit_code(), 2);
            assert!(!refused.message().contains("hunter2"));
        }
    }

    #[test]
    fn change_keeps_what_was_not_named() {
        let line = [SECRET, &["--tag", "money", "--secret-field", "pass"]].concat();
        let mut kept = drafted(&line, "old\n", None).unwrap();
        kept.fields[0].id = 9;
        kept.fields[0].value = None;

        let id = "01".repeat(16);
        let line = ["--id", &id, "--secret-field", "otp:code"];
        let draft = drafted(&line, "JBSWY3DP\n", Some(item(kept))).unwrap();

        assert_eq!(
            (draft.name.as_str(), draft.tags.as_slice()),
            ("bank", &["money".into()][..])
        );
        assert_eq!(draft.fields[0].id, 9);
        assert_eq!(
            values(&draft),
            [
                ("pass".into(), None),
                ("code".into(), Some("JBSWY3DP".into()))
            ]
        );
    }

    #[test]
    fn critical_item_is_written_with_all_its_values() {
        let line = [
            "--name",
            "seed",
            "--sensitivity",
            "critical",
            "--secret-field",
            "words",
        ];
        let mut draft = drafted(&line, "abandon\n", None).unwrap();

        assert_eq!(take_values(&mut draft).unwrap().values, ["abandon".into()]);
        assert_eq!(draft.fields[0].value, None);
        assert!(take_values(&mut draft).is_err());
    }

    #[test]
    fn field_that_is_not_there_cannot_be_dropped() {
        let kept = drafted(SECRET, "", None).unwrap();
        let id = "01".repeat(16);

        let refused = drafted(&["--id", &id, "--remove-field", "x"], "", Some(item(kept)));

        assert_eq!(
            refused.unwrap_err().message(),
            "the item has no field \"x\""
        );
    }

    #[test]
    fn standard_input_holds_secrets_or_one_value() {
        let arguments = arguments(&[SECRET, &["--field-stdin", "key"]].concat());
        let both = SecretOptions {
            secrets_stdin: true,
            secrets_fd: None,
        };
        let descriptor = SecretOptions {
            secrets_stdin: false,
            secrets_fd: Some(3),
        };

        assert_eq!(check_stdin(&arguments, both).unwrap_err().exit_code(), 2);
        assert_eq!(check_stdin(&arguments, descriptor), Ok(()));
    }
}
