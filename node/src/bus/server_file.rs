//! The configuration file of `nats-server`.
//!
//! Its format contains JSON, so the file is written as JSON. What is not named here is off: no
//! MQTT, leaf nodes, gateways, clusters, JetStream, monitoring port or anonymous user.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vettid_federation::listen::Place;
use vettid_wire::limits;

use super::credentials::Credentials;
use crate::addresses::{Listening, Taken};
use crate::config::{Config, Tls};

/// Largest payload, bytes: an envelope and room for protocol headers.
const MAX_PAYLOAD: usize = limits::ENVELOPE + 2 * 1024;

/// Bytes the server buffers for one slow connection before it drops it.
const MAX_PENDING: usize = 32 * 1024 * 1024;

/// Where the bus listens and what bounds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listeners {
    /// Plain NATS, or NATS over TLS.
    pub tcp: SocketAddr,
    /// NATS in a WebSocket, for browsers and hostile networks.
    pub websocket: SocketAddr,
    /// Certificate chain and key in PEM, for both listeners.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Connections at once.
    pub max_connections: u32,
}

impl Listeners {
    /// As they are configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let paths = |tls: &Tls| (tls.certificate.clone(), tls.key.clone());
        Self {
            tcp: config.bus.tcp,
            websocket: config.bus.websocket,
            tls: config.bus.tls.as_ref().map(paths),
            max_connections: config.bus.max_connections,
        }
    }

    /// What the server listens with.
    pub(crate) fn listening(&self) -> [Listening; 2] {
        let both = [("bus.tcp", self.tcp), ("bus.websocket", self.websocket)];
        both.map(|(key, address)| Listening {
            key,
            address,
            place: Place::tcp_of_go(address),
        })
    }

    /// Whether both addresses are free, as far as can be known before the server takes them.
    pub(crate) fn check_free(&self) -> Result<(), Taken> {
        self.listening()
            .into_iter()
            .try_for_each(Listening::check_free)
    }

    /// The file's text: operator mode, full resolver, the two listeners.
    pub(super) fn to_file(
        &self,
        credentials: &Credentials,
        account_token: &str,
        resolver: &Path,
    ) -> String {
        let (system, account) = credentials.accounts();
        let (operator_token, system_token) = credentials.tokens();
        let mut file = json!({
            "host": self.tcp.ip().to_string(),
            "port": self.tcp.port(),
            "max_payload": MAX_PAYLOAD,
            "max_pending": MAX_PENDING,
            "max_connections": self.max_connections,
            "ping_interval": "30s",
            "ping_max": 2,
            "write_deadline": "5s",
            "connect_error_reports": 1_000_000,
            "reconnect_error_reports": 1_000_000,
            "logtime": false,
            "operator": operator_token,
            "system_account": system,
            "resolver": {
                "type": "full", "dir": resolver, "allow_delete": false, "interval": "2m", "limit": 8,
            },
            "resolver_preload": { system: system_token, account: account_token },
            "websocket": {
                "host": self.websocket.ip().to_string(),
                "port": self.websocket.port(),
                "compression": false,
                "handshake_timeout": "5s",
            },
        });
        self.add_tls(&mut file);
        format!("{file:#}\n")
    }

    fn add_tls(&self, file: &mut Value) {
        let tls = self.tls.as_ref().map(
            |(certificate, key)| json!({ "cert_file": certificate, "key_file": key, "timeout": 5 }),
        );
        let websocket = file.get_mut("websocket").and_then(Value::as_object_mut);
        if let Some(websocket) = websocket {
            match &tls {
                Some(tls) => websocket.insert("tls".to_owned(), tls.clone()),
                None => websocket.insert("no_tls".to_owned(), true.into()),
            };
        }
        if let (Some(tls), Some(file)) = (tls, file.as_object_mut()) {
            file.insert("tls".to_owned(), tls);
        }
    }
}

/// The two addresses in a file of the server's, as [`Listeners::to_file`] writes it; none of one that
/// is not.
pub(super) fn addresses_in(file: &[u8]) -> Vec<SocketAddr> {
    let file: Value = serde_json::from_slice(file).unwrap_or_default();
    let address = |table: &Value| {
        let ip = table.get("host")?.as_str()?.parse().ok()?;
        let port = table.get("port")?.as_u64()?.try_into().ok()?;
        Some(SocketAddr::new(ip, port))
    };
    let websocket = file.get("websocket").and_then(address);
    address(&file).into_iter().chain(websocket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_file_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials::create(folder.path(), 0).expect("credentials");
        let listeners = Listeners {
            tcp: "127.0.0.1:4222".parse().expect("an address"),
            websocket: "[::1]:4223".parse().expect("an address"),
            tls: None,
            max_connections: 1,
        };
        let file = listeners.to_file(&credentials, "token", folder.path());

        let read = addresses_in(file.as_bytes());

        assert_eq!(read, [listeners.tcp, listeners.websocket]);
        assert!(addresses_in(b"no file").is_empty());
    }
}
