//! Requests about items with one field, and what came of them.

use vettid_wire::Secret;
use vettid_wire::id::RequestId;
use vettid_wire::operation::item;
use vettid_wire::request::{Outcome, Reply, Request};
use vettid_wire::{cbor, refusal};

use crate::raw::request_of;

/// A request that keeps a data item with one field.
#[must_use]
pub fn put(name: &str, value: &str) -> item::Put {
    item::Put {
        id: None,
        base: None,
        draft: draft(name, value, item::Sensitivity::Data),
    }
}

/// A request that replaces an item.
#[must_use]
pub fn replace(at: item::Written, name: &str, value: &str) -> item::Put {
    item::Put {
        id: Some(at.id),
        base: Some(at.version),
        ..put(name, value)
    }
}

/// What an owner writes, with one field.
#[must_use]
pub fn draft(name: &str, value: &str, sensitivity: item::Sensitivity) -> item::Draft {
    let kind = item::FieldKind::Multiline;
    let value = Some(Secret::from(value));
    item::Draft {
        name: name.to_owned(),
        category: item::Category::Note,
        sensitivity,
        fields: vec![item::Field {
            id: 0,
            label: "text".to_owned(),
            kind,
            value,
        }],
        tags: vec![],
        favorite: false,
        notes: None,
    }
}

/// The value of an item's one field.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn value_of(item: &item::Item) -> String {
    let value = item.draft.fields[0].value.as_ref().expect("a value");
    value.expose(|bytes| String::from_utf8(bytes.to_vec()).expect("text"))
}

/// A put under a fresh id, to be repeated.
#[must_use]
pub fn put_request(name: &str, value: &str) -> Request {
    request_of(&put(name, value))
}

/// The body of a reply that says that it was done.
///
/// # Panics
/// When it does not.
#[must_use]
pub fn done<R: cbor::Wire>(reply: &Reply) -> R {
    match &reply.outcome {
        Outcome::Done(body) => body.expose(|body| cbor::decode(body).expect("a reply")),
        other => panic!("not done: {other:?}"),
    }
}

/// Why a request was refused, if it was.
#[must_use]
pub fn refused(reply: &Reply) -> Option<refusal::Code> {
    match &reply.outcome {
        Outcome::Refused(refusal) => Some(refusal.code),
        Outcome::Done(_) | Outcome::Sealed(_) => None,
    }
}

/// A request under an id of the scenario's choice.
#[must_use]
pub fn under(id: RequestId, request: Request) -> Request {
    Request { id, ..request }
}
