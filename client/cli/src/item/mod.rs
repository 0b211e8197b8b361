//! `item`: what the owner keeps.

mod arguments;
mod change;
mod field;
mod put;
mod read;
mod show;

use vettid_sdk::Owner;

pub(crate) use arguments::Item;

use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::{SecretOptions, Secrets};

/// Runs one command about items.
pub(crate) async fn run(
    owner: &Owner,
    command: Item,
    secrets: &mut Secrets,
    options: SecretOptions,
) -> Result<Output, Failure> {
    match command {
        Item::Put(arguments) => put::run(owner, *arguments, secrets, options).await,
        Item::Get { id } => read::get(owner, id).await,
        Item::List(filter) => read::list(owner, filter).await,
        Item::Search { text, limit } => read::search(owner, &text, limit).await,
        Item::Reveal { id, version } => read::reveal(owner, id, version, secrets).await,
        Item::History { id } => read::history(owner, id).await,
        Item::Otp { id, field } => read::otp(owner, id, field).await,
        Item::Remove { id, base, forever } => change::remove(owner, id, base, forever).await,
        Item::Restore { id, base, version } => change::restore(owner, id, base, version).await,
    }
}
