//! One version of an item as it is stored, and as it is shown.

use vettid_store::View;
use vettid_wire::cbor;
use vettid_wire::id::ItemId;
use vettid_wire::operation::item::{Draft, Field, Item, Sensitivity, Summary};
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use super::body::Body;
use crate::stop::Stop;

/// One version of an item.
#[derive(Debug)]
pub(crate) struct Found {
    /// The item as it is now.
    pub(crate) summary: Summary,
    created: UnixMillis,
    version: u64,
    /// Name that this version has.
    pub(crate) name: String,
    written: UnixMillis,
    pub(crate) body: Body,
}

/// Which values are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// Those of data items.
    Data,
    /// All that are not critical.
    Secret,
}

/// Finds the current version of an item, or another one.
pub(crate) fn find(view: &View<'_>, id: &ItemId, version: Option<u64>) -> Result<Found, Stop> {
    let (summary, created, current) = view.current(id)?.ok_or(Code::NotFound)?;
    let content = match version {
        Some(version) if version != current.version => {
            view.content(id, version)?.ok_or(Code::NotFound)?
        }
        _ => current,
    };
    let version = content.version;
    let body = content
        .body
        .expose(|body| cbor::decode_exact(body))
        .map_err(|_| Stop::from(Code::Internal))?;
    let (name, written) = (content.name, content.written);
    Ok(Found {
        summary,
        created,
        version,
        name,
        written,
        body,
    })
}

impl Found {
    /// Sensitivity of what is shown: the stricter of the item's and this version's.
    pub(crate) fn sensitivity(&self) -> Sensitivity {
        self.summary.sensitivity.max(self.body.sensitivity)
    }

    /// The item as a caller may see it.
    pub(crate) fn into_item(self, shown: Shown) -> Item {
        let sensitivity = self.sensitivity();
        let visible = shown == Shown::Secret || sensitivity == Sensitivity::Data;
        let Self {
            summary,
            created,
            version,
            name,
            written,
            body,
        } = self;
        let fields: Vec<Field> = if visible {
            body.fields
        } else {
            body.fields
                .into_iter()
                .map(|field| Field {
                    value: None,
                    ..field
                })
                .collect()
        };
        let draft = Draft {
            name,
            category: body.category,
            sensitivity,
            fields,
            tags: summary.tags,
            favorite: summary.favorite,
            notes: body.notes.filter(|_| visible),
        };
        let (id, removed) = (summary.id, summary.removed);
        Item {
            id,
            version,
            draft,
            created,
            updated: written,
            removed,
        }
    }
}
