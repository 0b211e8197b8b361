//! What a node listens at, and whether that is free.

use std::io;
use std::net::{SocketAddr, TcpListener};

use vettid_federation::listen::{NotFree, check_free};

use crate::bus::Listeners;
use crate::config::Config;

/// Names the key of the configuration and the address in an error of listening, and what to do.
pub(crate) fn not_free(key: &str, address: SocketAddr) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let kind = error.kind();
        io::Error::new(kind, format!("{key}: {address}: {}", NotFree::from(error)))
    }
}

/// Everything that keeps a node from listening where it is configured to. `meets_others` says whether
/// it listens for other nodes at all.
pub(crate) fn wrong(config: &Config, meets_others: bool) -> Vec<String> {
    let sockets = [
        ("http.listen", config.http.listen),
        ("metrics.listen", config.metrics.listen),
        ("bus.tcp", config.bus.tcp),
        ("bus.websocket", config.bus.websocket),
    ];
    let sockets = sockets.into_iter().filter_map(|(key, address)| {
        let bound = TcpListener::bind(address).map_err(not_free(key, address));
        bound.err().map(|error| error.to_string())
    });
    let apart = Listeners::of(config).check_apart().err();
    let federation = &config.federation;
    let keys = [
        ("federation.tcp", federation.tcp),
        ("federation.quic", federation.quic),
    ];
    let listen = if meets_others {
        federation.listen()
    } else {
        Vec::new()
    };
    let others = keys
        .into_iter()
        .zip(listen)
        .filter_map(|((key, address), text)| {
            let why = check_free(&text).err()?;
            Some(format!("{key}: {address}: {why}"))
        });
    sockets
        .chain(apart.map(|error| error.to_string()))
        .chain(others)
        .collect()
}
