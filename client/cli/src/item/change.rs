//! `item remove`, `item restore`.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::id::ItemId;
use vettid_sdk::wire::operation::item::{Get, Remove, Restore};

use crate::failure::Failure;
use crate::output::Output;

/// Moves an item to the trash, or removes it for good.
pub(crate) async fn remove(
    owner: &Owner,
    id: ItemId,
    base: Option<u64>,
    forever: bool,
) -> Result<Output, Failure> {
    let base = version(owner, id, base).await?;
    owner.call(&Remove { id, base, forever }).await?;
    Ok(Output::done(if forever {
        "The item is gone."
    } else {
        "The item is in the trash."
    }))
}

/// Takes an item out of the trash, or returns to an earlier version.
pub(crate) async fn restore(
    owner: &Owner,
    id: ItemId,
    base: Option<u64>,
    version_wanted: Option<u64>,
) -> Result<Output, Failure> {
    let base = version(owner, id, base).await?;
    let written = owner
        .call(&Restore {
            id,
            base,
            version: version_wanted,
        })
        .await?;
    let (id, version) = (written.id.to_string(), written.version);
    Ok(Output::new(
        format!("{id}  version {version}"),
        json!({ "id": id, "version": version }),
    ))
}

async fn version(owner: &Owner, id: ItemId, seen: Option<u64>) -> Result<u64, Failure> {
    match seen {
        Some(version) => Ok(version),
        None => Ok(owner.call(&Get { id }).await?.version),
    }
}
