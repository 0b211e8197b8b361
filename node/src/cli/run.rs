//! `vettid-node run`: a node in the foreground.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use vettid_federation::log::{self, Log};

use super::output::{Failure, say};
use crate::config::Config;
use crate::folder::NodeFolder;
use crate::node::Node;
use crate::shutdown::signaled;

/// Time the enclave and the bus have to come up before the operator is told that they do not.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it speaks.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// What to log
    #[arg(long, value_enum, default_value_t = Log::Info)]
    log: Log,
}

impl Run {
    pub(super) async fn serve(self, path: &Path, json: bool) -> Result<(), Failure> {
        log::start(&filter(self.log), json)?;
        let folder = NodeFolder::open(path)?;
        let config = Config::read(&folder)?;
        let urls = config.bus_urls();
        let node = Node::start(folder, config).await?;
        let ready = tokio::time::timeout(PATIENCE, node.until_ready());
        let signal = signaled();
        tokio::pin!(signal);
        tokio::select! {
            ready = ready => {
                if ready.is_err() {
                    tracing::error!(readiness = ?node.health.readiness(), "not ready yet");
                } else if json {
                    say(json!({ "ready": true, "http": node.http.to_string(), "bus": urls }));
                } else {
                    say(format!("ready: http://{} and {}", node.http, urls.join(", ")));
                }
                signal.await?;
            }
            signaled = &mut signal => signaled?,
        }
        tracing::info!("stopping");
        node.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// What is logged at a level: of everything, but not each connection that the bus client makes.
fn filter(level: Log) -> String {
    match level {
        Log::Info => "info,async_nats=warn".to_owned(),
        Log::Error | Log::Warn | Log::Debug => level.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn log_is_a_level() {
        let parse = |log| Arguments::try_parse_from(["vettid-node", "run", "--log", log]);

        assert!(parse("debug").is_ok());
        for more in ["nonsense", "info,vettid_node=debug", ""] {
            let error = parse(more).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{more}");
        }
    }

    #[test]
    fn node_logs_of_everything_and_of_the_bus_client_its_faults() {
        assert_eq!(filter(Log::Info), "info,async_nats=warn");
        assert_eq!(filter(Log::Debug), "debug");
        assert_eq!(filter(Log::Warn), "warn");
    }
}
