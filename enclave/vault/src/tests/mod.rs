//! What holds across operations: hosts that lie or die, requests that repeat, grants that lack.

mod attempts;
mod catching_up;
mod clearing;
mod crash;
mod credential_use;
mod disappearing;
mod floods;
mod full;
mod grants;
mod groups;
mod hostile_group;
mod hostile_peer;
mod hygiene;
mod item_model;
mod large_group;
mod lying_host;
mod meeting;
mod pace;
mod places;
mod releases;
mod repeats;
mod secrecy;
mod shares;
mod snapshot;
mod state_loss;
mod talk;
