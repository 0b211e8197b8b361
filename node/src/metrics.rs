//! Everything this program counts. No label ever names an owner, a space or a device.

use vettid_federation::Role;
use vettid_federation::metrics::{self, Registry, encode};

vettid_federation::metrics! {
    /// Counters and levels of one node.
    Metrics,
    /// Envelopes taken from the bus for vaults
    frames_inbound: Counter = "vettid_node_frames_inbound",
    /// Envelopes published to apps
    frames_outbound: Counter = "vettid_node_frames_outbound",
    /// Envelopes dropped because the bus was away or a queue was full
    frames_dropped: Counter = "vettid_node_frames_dropped",
    /// Messages on the bus that were no envelopes
    frames_malformed: Counter = "vettid_node_frames_malformed",
    /// Records handed to the vault log
    log_records_appended: Counter = "vettid_node_log_records_appended",
    /// Records that the vault log did not take
    log_appends_refused: Counter = "vettid_node_log_appends_refused",
    /// Links to the enclave that broke or were closed for misbehavior
    enclave_links_lost: Counter = "vettid_node_enclave_links_lost",
    /// Deliveries for other vaults that were stored until they are settled
    spool_stored: Counter = "vettid_node_spool_stored",
    /// Deliveries that were not stored: their record was not, or their space has too many
    spool_refused: Counter = "vettid_node_spool_refused",
    /// Deliveries offered to the enclave, repeats included
    spool_offered: Counter = "vettid_node_spool_offered",
    /// Deliveries that are delivered or never will be
    spool_settled: Counter = "vettid_node_spool_settled",
    /// Deliveries that wait for other nodes
    spool_waiting: Level = "vettid_node_spool_waiting",
    /// Bytes of them
    spool_waiting_bytes: Level = "vettid_node_spool_waiting_bytes",
    /// Pairs of vaults that have deliveries waiting
    spool_lanes: Level = "vettid_node_spool_lanes",
    /// Deliveries stored for closed vaults
    mail_stored: Counter = "vettid_node_mail_stored",
    /// Deliveries for closed vaults that were not stored: full, unknown or no disk
    mail_refused: Counter = "vettid_node_mail_refused",
    /// Deliveries that wait for their vault to be unlocked
    mail_waiting: Level = "vettid_node_mail_waiting",
    /// Bytes of them
    mail_waiting_bytes: Level = "vettid_node_mail_waiting_bytes",
    /// Deliveries removed because they had expired
    deliveries_expired: Counter = "vettid_node_deliveries_expired",
    /// Peers that the enclave has admitted, repeats included
    peers_admitted: Counter = "vettid_node_peers_admitted",
    /// Peers that the enclave has refused
    peers_refused: Counter = "vettid_node_peers_refused",
    /// Chunks of attachments stored by devices
    attachments_stored: Counter = "vettid_node_attachments_stored",
    /// Chunks of attachments fetched from other nodes
    attachments_fetched: Counter = "vettid_node_attachments_fetched",
    /// Chunks of attachments served to devices and to other nodes
    attachments_served: Counter = "vettid_node_attachments_served",
    /// Vaults open in the enclave
    vaults_open: Level = "vettid_node_vaults_open",
    /// Memory of all vault processes
    vaults_memory_bytes: Level = "vettid_node_vaults_memory_bytes",
    /// Private memory of the enclave's supervisor, in whole MiB
    supervisor_memory_bytes: Level = "vettid_node_supervisor_memory_bytes",
    /// Sessions established with vaults
    sessions_open: Level = "vettid_node_sessions_open",
    /// Spaces whose enrollment is not finished
    spaces_pending: Level = "vettid_node_spaces_pending",
    /// Spaces in use
    spaces_active: Level = "vettid_node_spaces_active",
    /// Spaces suspended by the operator
    spaces_suspended: Level = "vettid_node_spaces_suspended",
    /// Enrollments that used an invitation
    enrollments_begun: Counter = "vettid_node_enrollments_begun",
    /// Enrollments that were not finished in time and removed
    enrollments_expired: Counter = "vettid_node_enrollments_expired",
    /// Bus credentials issued to devices
    credentials_issued: Counter = "vettid_node_credentials_issued",
    /// HTTP requests answered
    http_requests_answered: Counter = "vettid_node_http_requests_answered",
    /// HTTP requests refused by a limit on their address
    http_requests_limited: Counter = "vettid_node_http_requests_limited",
    /// Whether the node is ready: 1 or 0
    ready: Level = "vettid_node_ready",
}

impl Metrics {
    /// All values in the Prometheus text format, with those of the network of nodes.
    #[must_use]
    pub fn to_text(&self, network: Option<&metrics::Metrics>) -> String {
        let mut registry = Registry::default();
        if let Some(network) = network {
            network.register_for(&Role::Node, &mut registry);
        }
        self.register(&mut registry);
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_table_is_exposed_with_its_kind() {
        let metrics = Metrics::default();
        metrics.frames_inbound.inc_by(3);

        let text = metrics.to_text(None);

        for (name, kind, _) in Metrics::table() {
            let family = name.trim_end_matches("_total");
            assert!(
                text.contains(&format!("# TYPE {family} {kind}\n")),
                "{name}"
            );
        }
        assert!(text.contains("vettid_node_frames_inbound_total 3\n"));
    }

    #[test]
    fn network_of_nodes_is_exposed_without_what_relays_count() {
        let text = Metrics::default().to_text(Some(&metrics::Metrics::default()));

        assert!(text.contains("vettid_federation_links_open 0\n"));
        assert!(!text.contains("vettid_relay_"));
    }

    #[test]
    fn names_are_unique_and_of_this_crate() {
        let mut names: Vec<_> = Metrics::table()
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        assert!(names.iter().all(|name| name.starts_with("vettid_node_")));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
