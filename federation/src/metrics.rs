//! Everything a host counts about the network. No label names a peer or a node.

use std::sync::atomic::AtomicI64;

pub use prometheus_client::encoding::text::encode;
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::registry::Registry;

use crate::config::Role;

/// A value that goes up and down.
pub type Level = Gauge<i64, AtomicI64>;

/// Makes a struct of counters and levels, each with its doc line as its help text.
#[macro_export]
macro_rules! metrics {
    ($(#[doc = $about:literal])+ $name:ident, $($(#[doc = $doc:literal])+ $field:ident: $kind:ident = $metric:literal,)+) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $crate::metrics::$kind,)+
        }

        impl $name {
            /// Adds all of them to what is exposed.
            pub fn register(&self, registry: &mut $crate::metrics::Registry) {
                self.register_those(registry, |_| true);
            }

            /// Adds those whose names are wanted.
            pub fn register_those(
                &self,
                registry: &mut $crate::metrics::Registry,
                wanted: impl Fn(&str) -> bool,
            ) {
                $(if wanted($metric) {
                    registry.register($metric, concat!($($doc),+).trim(), self.$field.clone());
                })+
            }

            /// Name, kind and help of each as a scraper sees them, for the documentation.
            #[must_use]
            pub fn table() -> Vec<(String, &'static str, &'static str)> {
                vec![$($crate::metrics::shown($metric, stringify!($kind), concat!($($doc),+).trim()),)+]
            }
        }
    };
}

/// A metric as a scraper sees it: counters get their suffix when they are shown.
#[must_use]
pub fn shown(name: &str, kind: &str, help: &'static str) -> (String, &'static str, &'static str) {
    if kind == "Counter" {
        (format!("{name}_total"), "counter", help)
    } else {
        (name.to_owned(), "gauge", help)
    }
}

metrics! {
    /// Counters and levels of one host in the network. Cheap to clone.
    Metrics,
    /// Connections that are up
    connections_open: Level = "vettid_federation_connections_open",
    /// Connections that a limit or an earlier refusal kept out
    connections_denied: Counter = "vettid_federation_connections_denied",
    /// Peers that are admitted
    peers_admitted: Level = "vettid_federation_peers_admitted",
    /// Peers that are connected through a relay only
    peers_relayed: Level = "vettid_federation_peers_relayed",
    /// Peers that were refused
    peers_refused: Counter = "vettid_federation_peers_refused",
    /// Links between enclaves that are up
    links_open: Level = "vettid_federation_links_open",
    /// Links that were closed because their peer did not keep up
    links_stalled: Counter = "vettid_federation_links_stalled",
    /// Messages of sessions received
    frames_inbound: Counter = "vettid_federation_frames_inbound",
    /// Messages of sessions sent
    frames_outbound: Counter = "vettid_federation_frames_outbound",
    /// Home records of others that are kept
    records_held: Level = "vettid_federation_records_held",
    /// Home records of others that were not kept
    records_refused: Counter = "vettid_federation_records_refused",
    /// Gossiped objects received, each once
    gossip_received: Counter = "vettid_federation_gossip_received",
    /// Gossiped objects received, repeats included
    gossip_copies: Counter = "vettid_federation_gossip_copies",
    /// Gossiped objects that were no such thing or were judged invalid
    gossip_rejected: Counter = "vettid_federation_gossip_rejected",
    /// Direct connections made through address translation by dialing from both sides at once
    punches_done: Counter = "vettid_federation_punches_done",
    /// Tries to make one that were given up
    punches_failed: Counter = "vettid_federation_punches_failed",
    /// Reservations that this host has at relays
    reservations_held: Level = "vettid_federation_reservations_held",
    /// Reservations that this relay has given
    relay_reservations: Level = "vettid_relay_reservations",
    /// Reservations that this relay has refused
    relay_reservations_refused: Counter = "vettid_relay_reservations_refused",
    /// Circuits that this relay carries
    relay_circuits: Level = "vettid_relay_circuits",
    /// Circuits that this relay has carried or carries
    relay_circuits_opened: Counter = "vettid_relay_circuits_opened",
    /// Circuits that this relay has refused
    relay_circuits_refused: Counter = "vettid_relay_circuits_refused",
}

impl Metrics {
    /// All values of a host in the Prometheus text format.
    #[must_use]
    pub fn to_text(&self, role: &Role) -> String {
        let mut registry = Registry::default();
        self.register_for(role, &mut registry);
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// Adds what a host counts to what is exposed; what relays count, of a relay alone.
    pub fn register_for(&self, role: &Role, registry: &mut Registry) {
        let is_relay = matches!(role, Role::Relay(_));
        self.register_those(registry, |name| is_relay || !name.starts_with(OF_RELAYS));
    }
}

/// How the names of what relays count begin.
const OF_RELAYS: &str = "vettid_relay_";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RelayLimits;

    #[test]
    fn every_metric_of_the_table_is_exposed_once() {
        let metrics = Metrics::default();
        metrics.frames_inbound.inc_by(3);

        let text = metrics.to_text(&Role::Relay(RelayLimits::default()));

        for (name, kind, _) in Metrics::table() {
            let family = name.trim_end_matches("_total");
            let announced = format!("# TYPE {family} {kind}\n");
            assert_eq!(text.matches(&announced).count(), 1, "{name}");
        }
        assert!(text.contains("vettid_federation_frames_inbound_total 3\n"));
    }

    #[test]
    fn what_relays_count_is_exposed_by_relays_alone() {
        for role in [Role::Bootstrap, Role::Node] {
            let text = Metrics::default().to_text(&role);

            assert!(!text.contains(OF_RELAYS), "{role:?}");
            assert!(text.contains("vettid_federation_connections_open 0\n"));
        }
    }
}
