//! Two home networks behind address translation, and a public side, inside this machine.
//!
//! ```text
//!  home 192.168.1.2 ── gate 203.0.113.10 ──┐                     ┌── gate 203.0.113.20 ── home 192.168.2.2
//!       node, owner    translates          ├── public network ───┤   translates           node, owner
//!                                          │                     │
//!                      bootstrap 203.0.113.1                     relay 203.0.113.2
//! ```
//!
//! Each box is a network namespace of the kernel with its `nftables`; no name, mount or process is
//! left behind, since a namespace is gone with the last that is open or runs in it. Nobody needs to
//! be root for that where the system lets its users have user namespaces.

mod lab;
mod namespace;
mod public;

pub use lab::{Lab, Nat};
pub use namespace::{Namespace, inside};
pub use public::{Home, Public};
