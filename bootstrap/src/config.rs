//! `bootstrap.toml`: what an operator can choose.

use serde::{Deserialize, Serialize};
use vettid_federation::introducer::HostTable;

/// Configuration of one bootstrap node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Addresses, key and network.
    pub(crate) host: HostTable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_network_and_unknown_keys_are_refused() {
        let smallest = "[host]\nkey = \"k\"\nnetwork = \"n\"\nlisten = []\n";
        assert!(toml::from_str::<Config>(smallest).is_ok());

        for bad in [
            "[host]\nkey = \"k\"\nlisten = []\n".to_owned(),
            format!("{smallest}speed = 1\n"),
            format!("{smallest}[limits]\n"),
        ] {
            assert!(toml::from_str::<Config>(&bad).is_err(), "{bad}");
        }
    }
}
