//! What is stored of one version of an item.

use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::operation::item::{Category, Field, Sensitivity};
use vettid_wire::{Secret, cbor};

/// Everything of one version but its name.
#[derive(Clone, Debug, Decode, Encode)]
#[cbor(map)]
pub(crate) struct Body {
    #[n(0)]
    pub(crate) category: Category,
    /// How well this version is kept; an earlier one may have been less.
    #[n(1)]
    pub(crate) sensitivity: Sensitivity,
    /// Fields in the owner's order; without values in a critical item.
    #[n(2)]
    pub(crate) fields: Vec<Field>,
    #[n(3)]
    pub(crate) notes: Option<Secret>,
    /// Number of the next new field: above every number that this item ever gave.
    #[n(4)]
    pub(crate) next_field: u32,
    /// Values of a critical item.
    #[n(5)]
    pub(crate) critical: Option<Critical>,
}

/// Sealed values.
#[derive(Clone, Debug, Decode, Encode)]
#[cbor(map)]
pub(crate) struct Critical {
    /// Version of the item that they were sealed for.
    #[n(0)]
    pub(crate) version: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) sealed: Vec<u8>,
}

impl Body {
    /// To be stored.
    pub(crate) fn encode(&self) -> Secret {
        Secret::new(cbor::encode(self))
    }

    /// Ids of the fields in order.
    pub(crate) fn field_ids(&self) -> Vec<u32> {
        self.fields.iter().map(|field| field.id).collect()
    }
}
