//! One figure: ours against a reference measured in the same run.

use serde::Serialize;

/// Names of all figures, in the order they are printed.
pub(crate) const NAMES: [&str; 18] = [
    "read_throughput",
    "read_latency_p50",
    "durable_write_throughput",
    "log_bytes_per_kib_put",
    "unlock_over_read_decrypt",
    "idle_vault_uss_mib",
    "vault_open_over_fork_exec",
    "evidence_cold_over_noise",
    "session_cached_over_noise",
    "messages_delivered",
    "message_latency_p50",
    "link_throughput",
    "admission_over_connection",
    "mls_over_aead",
    "idle_peer_kib",
    "idle_reservation_kib",
    "gossip_p99_over_hop",
    "gossip_copies_per_node",
];

/// Ours against a reference.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figure {
    /// One of [`NAMES`].
    pub(crate) name: &'static str,
    /// What we measured.
    pub(crate) ours: f64,
    /// What the peer or the physical limit gave in the same run.
    pub(crate) reference: f64,
    /// `ours / reference`.
    pub(crate) ratio: f64,
    /// Unit of both.
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(name: &'static str, ours: f64, reference: f64, unit: &'static str) -> Self {
        Self {
            name,
            ours,
            reference,
            ratio: ours / reference,
            unit,
        }
    }
}
