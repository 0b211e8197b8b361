//! `relay.toml`: what an operator can choose.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vettid_federation::RelayLimits;
use vettid_federation::introducer::HostTable;

/// Configuration of one relay.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Addresses, key and network.
    pub(crate) host: HostTable,
    /// What it gives, and to how many.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// What a relay gives, and to how many.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Nodes that can be reached through it.
    pub(crate) reservations: usize,
    /// Reservations of one node.
    pub(crate) reservations_per_node: usize,
    /// A reservation must be renewed within this many seconds.
    pub(crate) reservation_seconds: u32,
    /// Circuits at once.
    pub(crate) circuits: usize,
    /// Circuits of one node at once.
    pub(crate) circuits_per_node: usize,
    /// Circuits that one network has asked for, an IPv4 address or an IPv6 /64; four times as many
    /// of an IPv4 /24 or an IPv6 /48.
    pub(crate) circuits_per_network: usize,
    /// A circuit is cut after this many seconds.
    pub(crate) circuit_seconds: u32,
    /// A circuit is cut after this many MiB.
    pub(crate) circuit_mib: u32,
    /// Reservations, and circuits, that one node may ask for in a minute.
    pub(crate) requests_per_minute: u32,
    /// The same for one address, behind which many nodes may be.
    pub(crate) requests_per_minute_and_address: u32,
}

impl Limits {
    /// As the network takes them.
    pub(crate) fn to_relay(&self) -> RelayLimits {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        RelayLimits {
            reservations: self.reservations,
            reservations_per_peer: self.reservations_per_node,
            reservation_time: seconds(self.reservation_seconds),
            circuits: self.circuits,
            circuits_per_peer: self.circuits_per_node,
            circuits_per_network: self.circuits_per_network,
            circuit_time: seconds(self.circuit_seconds),
            circuit_bytes: u64::from(self.circuit_mib) * MIB,
            requests_per_minute: self.requests_per_minute,
            requests_per_minute_and_address: self.requests_per_minute_and_address,
        }
    }
}

impl Default for Limits {
    /// Those of the network, in the units of a configuration file.
    fn default() -> Self {
        let limits = RelayLimits::default();
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            reservations: limits.reservations,
            reservations_per_node: limits.reservations_per_peer,
            reservation_seconds: seconds(limits.reservation_time),
            circuits: limits.circuits,
            circuits_per_node: limits.circuits_per_peer,
            circuits_per_network: limits.circuits_per_network,
            circuit_seconds: seconds(limits.circuit_time),
            circuit_mib: u32::try_from(limits.circuit_bytes / MIB).unwrap_or(u32::MAX),
            requests_per_minute: limits.requests_per_minute,
            requests_per_minute_and_address: limits.requests_per_minute_and_address,
        }
    }
}

const MIB: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[host]\nkey = \"relay.key\"\nnetwork = \"network.toml\"\nlisten = []\n";

    #[test]
    fn defaults_are_those_of_the_network() {
        let config: Config = toml::from_str(SMALLEST).expect("accepted");

        assert_eq!(config.limits.to_relay(), RelayLimits::default());
        assert!(config.host.metrics.ip().is_loopback());
        let text = toml::to_string(&config).expect("written");
        assert_eq!(toml::from_str::<Config>(&text).expect("read"), config);
    }

    #[test]
    fn unknown_keys_and_a_missing_network_are_refused() {
        for bad in [
            "[host]\nkey = \"k\"\nlisten = []\n".to_owned(),
            format!("{SMALLEST}speed = 1\n"),
            format!("{SMALLEST}[limits]\nspeed = 1\n"),
        ] {
            assert!(toml::from_str::<Config>(&bad).is_err(), "{bad}");
        }
    }
}
