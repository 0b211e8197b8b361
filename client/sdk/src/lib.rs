//! An owner's device: appraise a node, open a session with the vault, call its operations.
//!
//! ```text
//!  enroll ──▶ Owner ── call ─────────────▶ driver ── session ── transport ══ bus ══ node ══ vault
//!             │        call_with_owner        │
//!             └──────── Keeper, Keystore ◀────┘     what a caller hears has been kept
//! ```
//!
//! | question | module |
//! |---|---|
//! | is this the node that the owner was invited to? | [`trust`] |
//! | what does a device keep, and how well? | [`keystore`] |
//! | what happens when something is lost on the way? | `driver` |
//! | how is a node reached? | [`transport`] |
//! | how does a file get from one owner to another? | [`attachment`] |
//! | what went wrong, and who can act on it? | [`Error`] |
//!
//! Provided: nothing is sent to a vault before its enclave has shown that it is the invited node's,
//! in an image that the network accepts, no older than any seen before. A change is done once,
//! however often its request had to be repeated. An older state of the vault than this device has
//! seen is refused, and another one as far back as the vault remembers its records: each session
//! begins with the question whether it has what was seen. Not provided: secrecy of the keystore
//! towards whoever can read its files.

pub mod attachment;
pub mod audit;
mod call;
pub mod check;
mod clock;
mod driver;
mod enroll;
mod entropy;
mod error;
mod keeper;
pub mod keystore;
mod new_file;
mod owner;
mod pass;
mod session;
pub mod transport;
pub mod trust;

#[cfg(test)]
mod tests;

pub use vettid_wire as wire;

pub use clock::{Clock, SystemClock};
pub use enroll::{Entry, enroll};
pub use error::{Actor, Error, Fault, Unacceptable, Unreachable};
pub use new_file::write_new;
pub use owner::{Owner, Settled, SettledOutcome};
pub use pass::Pass;
