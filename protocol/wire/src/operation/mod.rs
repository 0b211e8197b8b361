//! Requests and replies of every operation, one module a noun.

pub mod audit;
pub mod connection;
pub mod credential;
pub mod device;
pub mod feed;
pub mod group;
pub mod invitation;
pub mod item;
pub mod key;
pub mod message;
pub mod release;
pub mod tag;
pub mod transaction_keys;
pub mod vault;

use minicbor::{Decode, Encode};

/// Reply of an operation that has nothing to say but that it is done.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Done {}

/// Ties a request type to its name, proof and reply; `once` says that doing it twice would do harm.
macro_rules! operation {
    ($request:ty => $reply:ty, $name:literal, $proof:ident) => {
        $crate::operation::operation!($request => $reply, $name, $proof, (false));
    };
    ($request:ty => $reply:ty, $name:literal, $proof:ident, once) => {
        $crate::operation::operation!($request => $reply, $name, $proof, (true));
    };
    ($request:ty => $reply:ty, $name:literal, $proof:ident, ($once:literal)) => {
        impl crate::request::Operation for $request {
            const NAME: &'static str = $name;
            const PROOF: crate::request::Proof = crate::request::Proof::$proof;
            const ONCE: bool = $once;
            type Reply = $reply;
        }
    };
}
pub(crate) use operation;
