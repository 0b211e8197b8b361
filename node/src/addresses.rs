//! What a node listens at, and whether that is free.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use vettid_federation::listen::{self, NotFree, Place};

use crate::config::Config;

/// Names the key of the configuration and the address that cannot be listened at.
pub(crate) fn not_free(key: &str, address: SocketAddr, why: &NotFree) -> io::Error {
    io::Error::other(format!("{key}: {address}: {why}"))
}

/// Two addresses of one node of which it can listen at one only. `meets_others` says whether it listens
/// for other nodes at all.
pub(crate) fn twins(config: &Config, meets_others: bool) -> Option<String> {
    let spread = |(key, place): (&'static str, Place)| {
        let address = place.address();
        // nats-server takes `0.0.0.0` for all addresses, those of IPv6 too.
        if key.starts_with("bus.") && address.ip().is_unspecified() {
            let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
            return (key, Place::tcp(all));
        }
        (key, place)
    };
    let places = places(config, meets_others);
    listen::twins(&places.into_iter().map(spread).collect::<Vec<_>>())
}

/// An address that a node is configured to listen at and that is not free.
pub(crate) struct Taken {
    key: &'static str,
    address: SocketAddr,
    why: NotFree,
}

impl Taken {
    /// Whether somebody listens at one of these addresses of the bus.
    pub(crate) fn is_of_bus(&self, addresses: &[SocketAddr]) -> bool {
        let is_taken = matches!(self.why, NotFree::Taken);
        is_taken && self.key.starts_with("bus.") && addresses.contains(&self.address)
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        not_free(self.key, self.address, &self.why).fmt(f)
    }
}

/// Each address that is not free.
pub(crate) fn taken(config: &Config, meets_others: bool) -> Vec<Taken> {
    let taken = |(key, place): (&'static str, Place)| {
        let why = place.check_free().err()?;
        let address = place.address();
        Some(Taken { key, address, why })
    };
    let places = places(config, meets_others);
    places.into_iter().filter_map(taken).collect()
}

fn places(config: &Config, meets_others: bool) -> Vec<(&'static str, Place)> {
    let federation = &config.federation;
    let own = [
        ("http.listen", config.http.listen),
        ("metrics.listen", config.metrics.listen),
        ("bus.tcp", config.bus.tcp),
        ("bus.websocket", config.bus.websocket),
    ];
    let own = own.map(|(key, address)| (key, Place::tcp(address)));
    let listen = federation.listen();
    let others = ["federation.tcp", "federation.quic"]
        .into_iter()
        .zip(listen)
        .filter_map(|(key, text)| Some((key, Place::of(&text)?)))
        .filter(|_| meets_others);
    own.into_iter().chain(others).collect()
}
