//! The command line that bootstrap nodes and relays have in common.

use std::error::Error;
use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::HostTable;
use crate::config::Role;
use crate::log::{self, Log};
use crate::signals::signaled;

/// What a command line comes to.
pub type Outcome = Result<(), Box<dyn Error>>;

/// A program that introduces nodes to each other, and how it speaks.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
    json: bool,
}

impl Program {
    /// The program of this name; speaks JSON or text.
    #[must_use]
    pub const fn new(name: &'static str, json: bool) -> Self {
        Self { name, json }
    }

    /// Reads its configuration file.
    pub fn read_config<T: DeserializeOwned>(&self, path: &Path) -> Result<T, ConfigError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Io {
            path: name(),
            cause,
            guide: format!("{}.md", self.name.trim_start_matches("vettid-")),
        })?;
        toml::from_str(&text).map_err(|cause| ConfigError::Syntax {
            path: name(),
            cause,
        })
    }

    /// Shows a configuration, or everything that can be known to be wrong with it before a start.
    pub fn check(
        &self,
        table: &HostTable,
        (config, path): (&impl Serialize, &Path),
        role: Role,
    ) -> Outcome {
        table.check(folder(path), role)?;
        table.check_free(folder(path))?;
        self.say(toml::to_string(config)?);
        Ok(())
    }

    /// Starts the host of a configuration file, says where it is, and serves until SIGTERM or Ctrl-C.
    pub async fn run(&self, table: &HostTable, config: &Path, role: Role) -> Outcome {
        let folder = folder(config);
        let host = table.start(folder, role).await?;
        let peer = table.peer(folder)?;
        let listening = host.handle().status().await?.listening;
        if self.json {
            self.say(json!({
                "ready": true, "peer": peer, "listening": listening,
                "metrics": host.metrics().to_string(),
            }));
        } else {
            self.say(format!("ready: {peer} at {}", listening.join(", ")));
        }
        host.serve(async {
            if let Err(error) = signaled().await {
                tracing::error!(%error, "signals cannot be heard");
            }
        })
        .await;
        tracing::info!("stopped");
        Ok(())
    }

    /// Writes its log to standard error.
    ///
    /// Only lines of its own: what libraries log names peers and addresses.
    pub fn start_log(&self, level: Log) -> Outcome {
        let own = self.name.replace('-', "_");
        let filter = format!("off,{own}={level},vettid_federation={level}");
        Ok(log::start(&filter, self.json)?)
    }

    /// A line on standard output; whoever closed it wants no more.
    pub fn say(&self, line: impl Display) {
        if let Err(error) = writeln!(stdout(), "{line}")
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.warn(&error);
        }
    }

    /// Says why a command failed.
    pub fn complain(&self, error: &dyn Error) {
        if self.json {
            self.say(json!({ "error": { "message": error.to_string() } }));
        } else {
            self.warn(error);
        }
    }

    fn warn(&self, error: &dyn Error) {
        // Nobody is left to hear that nobody hears.
        let _ = writeln!(stderr(), "{}: {error}", self.name);
    }
}

/// Why a configuration file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {cause}: write it as docs/{guide} shows, or name another with --config")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
        /// Document that shows one.
        guide: String,
    },
    /// Not TOML, or a key that is not known.
    #[error("{path}: {cause}")]
    Syntax {
        /// The file.
        path: String,
        /// Where it is wrong, and how.
        cause: toml::de::Error,
    },
}

/// Folder that paths in a configuration file are relative to.
#[must_use]
pub fn folder(config: &Path) -> &Path {
    config
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}
