//! The operator's commands: `vettid-bootstrap run | network`.

use std::error::Error;
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vettid_federation::Role;

use crate::config::Config;
use crate::network::NetworkCommand;

/// Names the configuration when `--config` does not.
const CONFIG: &str = "VETTID_BOOTSTRAP_CONFIG";

/// First contact of a network, and the hands that make its network file.
#[derive(Debug, Parser)]
#[command(name = "vettid-bootstrap", version)]
pub(crate) struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make, sign and show a network file
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Serve until SIGTERM or Ctrl-C
    Run {
        /// Configuration file
        #[arg(long, env = CONFIG, default_value = "bootstrap.toml")]
        config: PathBuf,
        /// Print the effective configuration and exit
        #[arg(long)]
        check: bool,
        /// What to log: error, warn, info or debug
        #[arg(long, default_value = "info")]
        log: String,
    },
}

type Outcome = Result<(), Box<dyn Error>>;

/// Carries out one command line.
pub(crate) async fn execute(arguments: Arguments) -> ExitCode {
    let Arguments { json, command } = arguments;
    let outcome = match command {
        Command::Network(command) => command.execute().map(|shown| show(&shown, json)),
        Command::Run {
            config,
            check: true,
            ..
        } => check(&config),
        Command::Run { config, log, .. } => run(&config, &log, json).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error, json);
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path) -> Outcome {
    let config = Config::read(path)?;
    config.host.check(folder(path), Role::Bootstrap)?;
    say(toml::to_string(&config)?);
    Ok(())
}

async fn run(path: &Path, log: &str, json: bool) -> Outcome {
    start_log(log, json)?;
    let config = Config::read(path)?;
    let bootstrap = config.host.start(folder(path), Role::Bootstrap).await?;
    let peer = config.host.peer(folder(path))?;
    let listening = bootstrap.handle().status().await?.listening;
    if json {
        say(json!({
            "ready": true, "peer": peer, "listening": listening,
            "metrics": bootstrap.metrics().to_string(),
        }));
    } else {
        say(format!("ready: {peer} at {}", listening.join(", ")));
    }
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    bootstrap
        .serve(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    tracing::info!("stopped");
    Ok(())
}

fn start_log(level: &str, json: bool) -> Outcome {
    let filter = format!("off,vettid_bootstrap={level},vettid_federation={level}");
    let log = tracing_subscriber::fmt()
        // What libraries log names peers and addresses: only our own lines are written.
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        log.json().init();
    } else {
        log.init();
    }
    Ok(())
}

/// Folder that paths in the configuration are relative to.
fn folder(config: &Path) -> &Path {
    config
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

fn show(shown: &Value, json: bool) {
    match shown {
        Value::Object(fields) if !json => {
            for (name, value) in fields {
                let name = name.replace('_', " ");
                match value {
                    Value::Array(entries) => {
                        for entry in entries {
                            say(format!("{name:<14}  {}", plain(entry)));
                        }
                    }
                    value => say(format!("{name:<14}  {}", plain(value))),
                }
            }
        }
        shown => say(shown),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A line on standard output; whoever closed it wants no more.
fn say(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        complain(&error, false);
    }
}

#[expect(clippy::print_stderr, reason = "a command line speaks here")]
fn complain(error: &dyn Error, json: bool) {
    if json {
        say(json!({ "error": { "message": error.to_string() } }));
    } else {
        eprintln!("vettid-bootstrap: {error}");
    }
}
