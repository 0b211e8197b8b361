//! Items as text and JSON.

use serde_json::{Value, json};
use vettid_sdk::wire::Secret;
use vettid_sdk::wire::operation::item::{Category, Field, Item, Sensitivity, Summary};

use super::field::name_of;
use crate::output::{Output, table};
use crate::time;

/// One item.
pub(crate) fn item(item: &Item) -> Output {
    let draft = &item.draft;
    let fields: Vec<Value> = draft.fields.iter().map(field_to_json).collect();
    let json = json!({
        "id": item.id.to_string(),
        "version": item.version,
        "name": draft.name,
        "category": category(draft.category),
        "sensitivity": sensitivity(draft.sensitivity),
        "fields": fields,
        "tags": draft.tags,
        "favorite": draft.favorite,
        "notes": draft.notes.as_ref().map(text),
        "created": item.created.0,
        "updated": item.updated.0,
        "removed": item.removed.map(|at| at.0),
    });
    Output::new(item_text(item), json)
}

/// Items without their fields.
pub(crate) fn summaries(items: &[Summary]) -> Output {
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    let json: Vec<Value> = items.iter().map(summary_to_json).collect();
    Output::new(table(&rows), json!({ "items": json }))
}

/// A value as text; what is no UTF-8 is shown as such.
pub(crate) fn text(value: &Secret) -> String {
    value.expose(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn item_text(item: &Item) -> String {
    let draft = &item.draft;
    let mut lines = vec![
        format!(
            "{}  ({}, {})",
            draft.name,
            category(draft.category),
            sensitivity(draft.sensitivity)
        ),
        format!(
            "{}  version {}, {}",
            item.id,
            item.version,
            time::text(item.updated)
        ),
    ];
    if let Some(at) = item.removed {
        lines.push(format!("in the trash since {}", time::text(at)));
    }
    if !draft.tags.is_empty() {
        lines.push(format!("tags: {}", draft.tags.join(", ")));
    }
    let rows: Vec<Vec<String>> = draft
        .fields
        .iter()
        .map(|field| {
            let value = field.value.as_ref().map_or_else(|| "(hidden)".into(), text);
            vec![format!("  {}", field.label), value]
        })
        .collect();
    if !rows.is_empty() {
        lines.push(table(&rows));
    }
    if let Some(notes) = &draft.notes {
        lines.push(text(notes));
    }
    lines.join("\n")
}

fn field_to_json(field: &Field) -> Value {
    json!({
        "id": field.id,
        "label": field.label,
        "kind": name_of(field.kind),
        "value": field.value.as_ref().map(text),
    })
}

fn row(item: &Summary) -> Vec<String> {
    let favorite = if item.favorite { "*" } else { "" };
    vec![
        item.id.to_string(),
        item.name.clone(),
        category(item.category).into(),
        sensitivity(item.sensitivity).into(),
        item.tags.join(", "),
        favorite.into(),
    ]
}

fn summary_to_json(item: &Summary) -> Value {
    json!({
        "id": item.id.to_string(),
        "version": item.version,
        "name": item.name,
        "category": category(item.category),
        "sensitivity": sensitivity(item.sensitivity),
        "tags": item.tags,
        "favorite": item.favorite,
        "updated": item.updated.0,
        "removed": item.removed.map(|at| at.0),
    })
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::ApiKey => "api-key",
        Category::BankAccount => "bank-account",
        Category::Card => "card",
        Category::ContactPoint => "contact-point",
        Category::CryptoWallet => "crypto-wallet",
        Category::IdentityDocument => "identity-document",
        Category::Login => "login",
        Category::Medical => "medical",
        Category::Note => "note",
        Category::Other => "other",
        Category::Vehicle => "vehicle",
    }
}

const fn sensitivity(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Data => "data",
        Sensitivity::Secret => "secret",
        Sensitivity::Critical => "critical",
    }
}
