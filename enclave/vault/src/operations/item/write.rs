//! Writing the next version of an item.

use vettid_store::rows::item::NextVersion;
use vettid_wire::id::{DeviceId, ItemId};
use vettid_wire::limits;
use vettid_wire::operation::item::{Sensitivity, Written};
use vettid_wire::refusal::{Code, Refusal};

use super::body::Body;
use super::find::{Found, find};
use super::index;
use crate::effect::Changing;
use crate::operations::tag;
use crate::stop::Stop;
use crate::text;

/// What the next version follows.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) id: ItemId,
    /// Number of the next version.
    pub(crate) version: u64,
    /// The current version, if there is one.
    pub(crate) found: Option<Found>,
}

/// What is written beside the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cover<'a> {
    pub(crate) name: &'a str,
    pub(crate) favorite: bool,
    pub(crate) tags: &'a [String],
}

/// Finds what the next version follows: nothing, or the current version, if that is the caller's.
pub(crate) fn base(
    on: &mut Changing<'_>,
    id: Option<ItemId>,
    base: Option<u64>,
    critical: bool,
) -> Result<Base, Stop> {
    let Some(id) = id else {
        if base.is_some() {
            return Err(Code::InvalidValue.into());
        }
        check_room(on)?;
        let id = ItemId::random(on.entropy);
        return Ok(Base {
            id,
            version: 1,
            found: None,
        });
    };
    on.about(&id.0);
    let found = current(on, &id, base.ok_or(Code::InvalidValue)?)?;
    if found.summary.removed.is_some() {
        return Err(Code::NotFound.into());
    }
    if (found.body.sensitivity == Sensitivity::Critical) != critical {
        return Err(Code::InvalidValue.into());
    }
    let version = found.summary.version.checked_add(1).ok_or(Code::Internal)?;
    Ok(Base {
        id,
        version,
        found: Some(found),
    })
}

/// The item, if the version that the caller knows is the current one.
pub(crate) fn current(on: &Changing<'_>, id: &ItemId, base: u64) -> Result<Found, Stop> {
    let found = find(on.change, id, None)?;
    if found.summary.version != base {
        return Err(Refusal::conflict(found.summary.version).into());
    }
    Ok(found)
}

/// Writes the next version.
pub(crate) fn write(
    on: &mut Changing<'_>,
    device: &DeviceId,
    (id, version): (ItemId, u64),
    cover: &Cover<'_>,
    body: &Body,
) -> Result<Written, Stop> {
    let encoded = body.encode();
    let size = encoded.len().saturating_add(cover.name.len());
    text::at_most("item", limits::ITEM, size)?;
    tag::check_room(on.change, cover.tags)?;
    on.about(&id.0);
    on.change.write_item(&NextVersion {
        id,
        version,
        name: cover.name,
        category: body.category,
        sensitivity: body.sensitivity,
        favorite: cover.favorite,
        tags: cover.tags,
        body: &encoded,
        at: on.now,
        device,
    })?;
    index::renew(on, &id)?;
    Ok(Written { id, version })
}

fn check_room(on: &Changing<'_>) -> Result<(), Stop> {
    let count = on.change.count_items()?;
    let count = u64::from(count.live).saturating_add(u64::from(count.removed));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count >= limits::ITEMS {
        return Err(Refusal::limit("items", limits::ITEMS, count.saturating_add(1)).into());
    }
    Ok(())
}
