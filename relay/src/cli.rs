//! The operator's commands: `vettid-relay run | status`.

use std::error::Error;
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vettid_federation::Role;

use crate::config::Config;
use crate::scrape;

/// Names the configuration when `--config` does not.
const CONFIG: &str = "VETTID_RELAY_CONFIG";

/// A relay: carries bytes between nodes that cannot reach each other.
#[derive(Debug, Parser)]
#[command(name = "vettid-relay", version)]
pub(crate) struct Arguments {
    /// Configuration file
    #[arg(long, global = true, env = CONFIG, default_value = "relay.toml")]
    config: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C
    Run {
        /// Print the effective configuration and exit
        #[arg(long)]
        check: bool,
        /// What to log: error, warn, info or debug
        #[arg(long, default_value = "info")]
        log: String,
    },
    /// How the running relay is
    Status,
}

type Outcome = Result<(), Box<dyn Error>>;

/// Carries out one command line.
pub(crate) async fn execute(arguments: Arguments) -> ExitCode {
    let Arguments {
        config,
        json,
        command,
    } = arguments;
    let outcome = match command {
        Command::Run { check: true, .. } => check(&config),
        Command::Run { log, .. } => run(&config, &log, json).await,
        Command::Status => status(&config, json).await,
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
    let role = Role::Relay(config.limits.to_relay());
    config.host.check(folder(path), role)?;
    say(toml::to_string(&config)?);
    Ok(())
}

async fn run(path: &Path, log: &str, json: bool) -> Outcome {
    start_log(log, json)?;
    let config = Config::read(path)?;
    let role = Role::Relay(config.limits.to_relay());
    if config.host.external.is_empty() && !config.host.private_addresses {
        return Err("host.external: a relay must know where it is reached".into());
    }
    let relay = config.host.start(folder(path), role).await?;
    let peer = config.host.peer(folder(path))?;
    let listening = relay.handle().status().await?.listening;
    if json {
        say(json!({
            "ready": true, "peer": peer, "listening": listening,
            "metrics": relay.metrics().to_string(),
        }));
    } else {
        say(format!("ready: {peer} at {}", listening.join(", ")));
    }
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    relay
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

async fn status(path: &Path, json: bool) -> Outcome {
    let config = Config::read(path)?;
    let page = scrape::page(config.host.metrics).await.map_err(|error| {
        let at = config.host.metrics;
        format!("the relay does not answer at {at}: {error}")
    })?;
    let number = |name| scrape::value(&page, name).unwrap_or(0);
    let shown = [
        ("reservations", number("vettid_relay_reservations")),
        (
            "reservations_refused",
            number("vettid_relay_reservations_refused_total"),
        ),
        ("circuits", number("vettid_relay_circuits")),
        (
            "circuits_opened",
            number("vettid_relay_circuits_opened_total"),
        ),
        (
            "circuits_refused",
            number("vettid_relay_circuits_refused_total"),
        ),
        ("connections", number("vettid_federation_connections_open")),
    ];
    let peer = config.host.peer(folder(path))?;
    if json {
        let mut object: serde_json::Map<_, _> = shown
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        object.insert("peer".to_owned(), json!(peer));
        say(serde_json::Value::Object(object));
    } else {
        say(format!("peer                  {peer}"));
        for (name, value) in shown {
            say(format!("{:<20}  {value}", name.replace('_', " ")));
        }
    }
    Ok(())
}

fn start_log(level: &str, json: bool) -> Outcome {
    let log = tracing_subscriber::fmt()
        // What libraries log names peers and addresses: only our own lines are written.
        .with_env_filter(EnvFilter::try_new(format!(
            "off,vettid_relay={level},vettid_federation={level}"
        ))?)
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
        eprintln!("vettid-relay: {error}");
    }
}
