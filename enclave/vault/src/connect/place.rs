//! Where this vault is: its home record, made anew when something in it changes.

use vettid_store::rows::home::Home as Kept;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::content::Content;
use vettid_wire::home::{Home, HomeNode};
use vettid_wire::id::NetworkId;
use vettid_wire::refusal::Code;
use vettid_wire::{cbor, limits};

use super::rounds::PILED;
use crate::Place;
use crate::effect::Changing;
use crate::stop::Stop;

/// Where the node is, as it is kept.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub(crate) struct Here {
    /// Network of the node.
    #[n(0)]
    pub(crate) network: NetworkId,
    /// The node.
    #[n(1)]
    pub(crate) node: HomeNode,
}

impl Here {
    /// Network of the node, as it was kept.
    pub(crate) fn network_of(kept: &[u8]) -> Option<NetworkId> {
        cbor::decode::<Self>(kept).ok().map(|here| here.network)
    }

    /// The node, as it was kept.
    pub(crate) fn node_of(kept: &[u8]) -> Option<HomeNode> {
        cbor::decode::<Self>(kept).ok().map(|here| here.node)
    }

    /// As the supervisor says, within the bounds of a home record; none for a node that keeps to
    /// itself.
    fn from_place(place: &Place) -> Option<Self> {
        let bounded = |address: &&String| address.len() <= limits::ADDRESS;
        let node = HomeNode {
            node: place.node,
            peers: place.peers.iter().cloned().map(Into::into).collect(),
            addresses: place
                .addresses
                .iter()
                .filter(bounded)
                .take(limits::HOME_ADDRESSES)
                .cloned()
                .collect(),
        };
        node.is_bounded().then_some(Self {
            network: place.network,
            node,
        })
    }
}

/// Where this vault is, if its node can be reached by others.
pub(crate) fn here(on: &Changing<'_>) -> Result<(Here, Vec<u8>), Stop> {
    let kept = on.change.home()?.ok_or(Code::ForeignNetwork)?;
    let here = cbor::decode(&kept.place).map_err(|_| Code::Internal)?;
    Ok((here, kept.record))
}

/// Takes in where the node is. Hands on a home record that says so.
pub(crate) fn settle(on: &mut Changing<'_>, place: &Place) -> Result<(), Stop> {
    let Some(here) = Here::from_place(place) else {
        return Ok(());
    };
    renew(on, &here)
}

/// Makes the home record anew after the identity was rotated, or when it grows old.
pub(crate) fn refresh(on: &mut Changing<'_>) -> Result<(), Stop> {
    match on.change.home()? {
        Some(kept) => {
            let here: Here = cbor::decode(&kept.place).map_err(|_| Code::Internal)?;
            let before = on.traces.news.home.take();
            renew(on, &here)?;
            if on.traces.news.home.as_ref() == Some(&kept.record) {
                on.traces.news.home = before;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

fn renew(on: &mut Changing<'_>, here: &Here) -> Result<(), Stop> {
    let place = cbor::encode(here);
    let identity = cbor::encode(&crate::identity::chain(**on.change)?);
    let kept = on.change.home()?;
    let record = match &kept {
        Some(kept) if kept.place == place && is_good(on, kept, &identity) => kept.record.clone(),
        _ => {
            let sequence = kept.map_or(0, |kept| kept.sequence).saturating_add(1);
            sign(on, here, identity, sequence)?
        }
    };
    on.traces.news.home = Some(record);
    announce(on)
}

/// Whether a record lives long enough and shows the current identity.
fn is_good(on: &Changing<'_>, kept: &Kept, identity: &[u8]) -> bool {
    let shown = super::known::open_home(&kept.record, &on.vault, on.now);
    shown.is_some_and(|home| home.identity == identity)
        && kept.expires.since(on.now) > limits::HOME_TIME / 2
}

fn sign(
    on: &mut Changing<'_>,
    here: &Here,
    identity: Vec<u8>,
    sequence: u64,
) -> Result<Vec<u8>, Stop> {
    let home = Home {
        vault: on.vault,
        identity,
        nodes: vec![here.node.clone()],
        sequence,
        expires: on.now.plus(limits::HOME_TIME),
    };
    let key = on.change.identity_key()?.ok_or(Code::Internal)?;
    let record = home.sign(&key);
    on.change.put_home(&Kept {
        sequence,
        expires: home.expires,
        place: cbor::encode(here),
        record: record.clone(),
    })?;
    Ok(record)
}

/// Tells some of the connections that do not know yet where this vault is; the others follow. Where an
/// earlier record still waits for the other vault, or much else does, the newest is told once that has
/// come: a place that changes all the time must not fill the outbox for contacts that are away.
pub(crate) fn announce(on: &mut Changing<'_>) -> Result<(), Stop> {
    let Some(home) = on.change.home()? else {
        return Ok(());
    };
    let waits = (&opening()[..], PILED);
    for id in on.change.channels_untold(home.sequence, waits, AT_ONCE)? {
        let change = on.change;
        let content = Content::Home(home.record.clone());
        // Where that cannot be said, it is tried again, and the others are told.
        let told = change.attempt(|| {
            super::channel::say(on, &id, &content, None)?;
            if let Some(mut channel) = on.change.channel(&id)? {
                channel.told = home.sequence;
                on.change.put_channel(&channel)?;
            }
            Ok(())
        });
        if told == Err(Stop::Lost) {
            return told;
        }
    }
    Ok(())
}

/// How every content that is a home record begins, as it is kept.
fn opening() -> Vec<u8> {
    let mut empty = cbor::encode(&Content::Home(Vec::new()));
    // The length of the record is what differs first.
    empty.pop();
    empty
}

/// Connections that are told at once: a record holds what they are told.
const AT_ONCE: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_records_of_every_length_begin_alike_and_nothing_else_does() {
        for length in [0, 1, 23, 24, 300, 70_000] {
            let content = cbor::encode(&Content::Home(vec![1; length]));
            assert!(content.starts_with(&opening()), "{length}");
        }
        for other in [Content::Nothing, Content::Approve, Content::Renew] {
            assert!(!cbor::encode(&other).starts_with(&opening()), "{other:?}");
        }
    }
}
