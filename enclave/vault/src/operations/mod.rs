//! Every operation: `<noun>/<verb>.rs` holds its grant, its behavior and its tests.

pub(crate) mod audit;
pub(crate) mod connection;
pub(crate) mod credential;
pub(crate) mod device;
pub(crate) mod feed;
pub(crate) mod group;
pub(crate) mod invitation;
pub(crate) mod item;
pub(crate) mod key;
pub(crate) mod message;
pub(crate) mod password;
pub(crate) mod pin;
pub(crate) mod release;
pub(crate) mod tag;
pub(crate) mod transaction_keys;
pub(crate) mod vault;
