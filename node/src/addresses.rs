//! What a node listens at, and whether that is free.

use std::net::SocketAddr;

use vettid_federation::listen::{self, NotFree, Place, Twins};

use crate::bus::Listeners;
use crate::config::Config;

/// An address that a node is configured to listen at and cannot.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {address}: {why}")]
pub struct Taken {
    /// Where it is configured.
    pub key: &'static str,
    /// As it is configured.
    pub address: SocketAddr,
    /// Why not, and what to do.
    pub why: NotFree,
}

/// One thing that a node listens with.
#[derive(Clone, Copy)]
pub(crate) struct Listening {
    pub(crate) key: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) place: Place,
}

impl Listening {
    /// Whether it could listen now.
    pub(crate) fn check_free(self) -> Result<(), Taken> {
        let Self {
            key,
            address,
            place,
        } = self;
        let free = place.check_free();
        free.map_err(|why| Taken { key, address, why })
    }
}

/// Refuses two addresses of one node of which it can listen at one only. `meets_others` says whether it
/// listens for other nodes at all.
pub(crate) fn check_apart(config: &Config, meets_others: bool) -> Result<(), Twins> {
    let all = all(config, meets_others);
    let places: Vec<_> = all.iter().map(|one| (one.key, one.place)).collect();
    listen::check_apart(&places)
}

/// Each address that is not free.
pub(crate) fn taken(config: &Config, meets_others: bool) -> Vec<Taken> {
    let taken = |one: Listening| one.check_free().err();
    let all = all(config, meets_others);
    all.into_iter().filter_map(taken).collect()
}

fn all(config: &Config, meets_others: bool) -> Vec<Listening> {
    let own = [
        ("http.listen", config.http.listen),
        ("metrics.listen", config.metrics.listen),
    ];
    let own = own.map(|(key, address)| Listening {
        key,
        address,
        place: Place::tcp(address),
    });
    let federation = &config.federation;
    let keys = [
        ("federation.tcp", federation.tcp),
        ("federation.quic", federation.quic),
    ];
    let listen = federation.listen().into_iter();
    let others = keys.into_iter().zip(listen).filter_map(|(one, text)| {
        let (key, address) = one;
        let place = Place::of(&text)?;
        Some(Listening {
            key,
            address,
            place,
        })
    });
    let bus = Listeners::of(config).listening();
    let others = others.filter(|_| meets_others);
    own.into_iter().chain(bus).chain(others).collect()
}
