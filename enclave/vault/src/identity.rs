//! The vault's own identity: the succession of its keys, as others are shown it.

use vettid_store::View;
use vettid_wire::cbor;
use vettid_wire::identity::{IdentityChain, Rotation};
use vettid_wire::refusal::Code;

use crate::stop::Stop;

/// What leads from the vault's id to its current identity key.
pub(crate) fn chain(view: View<'_>) -> Result<IdentityChain, Stop> {
    let keys = view.identities()?;
    let (first, following) = keys.split_first().ok_or(Code::Internal)?;
    let rotations = following.iter().map(|key| {
        let statement = key.statement.as_deref().ok_or(Code::Internal)?;
        cbor::decode::<Rotation>(statement).map_err(|_| Code::Internal)
    });
    Ok(IdentityChain {
        first: first.public.0,
        rotations: rotations.collect::<Result<_, _>>()?,
    })
}
