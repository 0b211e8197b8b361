//! `device.*`: what may speak for the owner.

use minicbor::{Decode, Encode};

use super::operation;
use crate::id::DeviceId;
use crate::time::UnixMillis;

/// What a device is to the vault.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Role {
    /// Acts within a grant that the owner gave.
    #[n(0)]
    Agent,
    /// The owner's app: holds the credential.
    #[n(1)]
    App,
    /// Acts with the app's approval.
    #[n(2)]
    Desktop,
}

/// `device.list`: every device.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {}
operation!(List => Devices, "device.list", Session);

/// Devices, oldest first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Devices {
    /// Every device, revoked ones included.
    #[n(0)]
    pub devices: Vec<Device>,
}

/// A device.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Device {
    /// Its id.
    #[n(0)]
    pub id: DeviceId,
    /// Name that its owner gave it.
    #[n(1)]
    pub name: String,
    /// Role.
    #[n(2)]
    pub role: Role,
    /// When it was registered.
    #[n(3)]
    pub added: UnixMillis,
    /// When it was revoked.
    #[n(4)]
    pub revoked: Option<UnixMillis>,
    /// Whether it is the one that asks.
    #[n(5)]
    pub this: bool,
}
