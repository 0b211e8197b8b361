//! `vettid-node run`: a node in the foreground.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tracing_subscriber::EnvFilter;

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
    /// What to log: error, warn, info, debug, or a filter like `info,vettid_node::bus=debug`
    #[arg(long, default_value = "info,async_nats=warn")]
    log: String,
}

impl Run {
    pub(super) async fn serve(self, path: &Path, json: bool) -> Result<(), Failure> {
        self.start_log(json)?;
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

    fn start_log(&self, json: bool) -> Result<(), Failure> {
        let filter = EnvFilter::try_new(&self.log)
            .map_err(|error| Failure::new(format!("--log: {error}")))?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        if json {
            log.json().init();
        } else {
            log.init();
        }
        Ok(())
    }
}
