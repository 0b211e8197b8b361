//! What items are found by.
//!
//! Names, tags and labels of every item; values and notes of data items only.

use vettid_crypto::Zeroizing;
use vettid_store::{Searchable, View};
use vettid_wire::id::ItemId;
use vettid_wire::operation::item::Sensitivity;

use super::body::Body;
use super::find::find;
use crate::effect::Changing;
use crate::stop::Stop;

/// Text that an item is found by, its name aside.
pub(crate) fn text(tags: &[String], body: &Body) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    let labels = body.fields.iter().map(|field| &field.label);
    for word in tags.iter().chain(labels) {
        text.push_str(word);
        text.push('\n');
    }
    if body.sensitivity == Sensitivity::Data {
        let values = body.fields.iter().filter_map(|field| field.value.as_ref());
        for value in values.chain(&body.notes) {
            value.expose(|value| text.push_str(&String::from_utf8_lossy(value)));
            text.push('\n');
        }
    }
    text
}

/// Lends what an item is found by.
pub(crate) fn with_searchable<T>(
    view: &View<'_>,
    id: &ItemId,
    f: impl FnOnce(&Searchable<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let found = find(view, id, None)?;
    let text = text(&found.summary.tags, &found.body);
    f(&Searchable {
        name: &found.name,
        text: &text,
    })
}

/// Indexes an item anew after it or its tags changed; takes it out if it is in the trash.
pub(crate) fn renew(on: &Changing<'_>, id: &ItemId) -> Result<(), Stop> {
    if !on.indexed {
        return Ok(());
    }
    let live = on
        .change
        .item(id)?
        .is_some_and(|(summary, _)| summary.removed.is_none());
    if !live {
        return Ok(on.change.unindex_item(id)?);
    }
    with_searchable(on.change, id, |searchable| {
        Ok(on.change.index_item(id, searchable)?)
    })
}

/// Indexes items anew.
pub(crate) fn renew_all(on: &Changing<'_>, ids: &[ItemId]) -> Result<(), Stop> {
    ids.iter().try_for_each(|id| renew(on, id))
}
