//! `bootstrap.toml`: what an operator can choose.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vettid_federation::introducer::HostTable;

/// Configuration of one bootstrap node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Addresses, key and network.
    pub(crate) host: HostTable,
}

/// Why `bootstrap.toml` is not usable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Not TOML, or a key that is not known.
    #[error("bootstrap.toml: {0}")]
    Syntax(#[from] toml::de::Error),
}

impl Config {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Io {
            path: path.display().to_string(),
            cause,
        })?;
        Ok(toml::from_str(&text)?)
    }
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
