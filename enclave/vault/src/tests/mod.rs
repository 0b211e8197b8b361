//! What holds across operations: hosts that lie or die, requests that repeat, grants that lack.

mod attempts;
mod crash;
mod credential_use;
mod full;
mod grants;
mod hygiene;
mod item_model;
mod lying_host;
mod pace;
mod repeats;
mod snapshot;
