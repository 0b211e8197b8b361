//! The operator's commands: `vettid-relay run | status`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;
use vettid_federation::Role;
use vettid_federation::introducer::program::{Outcome, Program, folder};
use vettid_federation::log::Log;

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
        /// What to log
        #[arg(long, value_enum, default_value_t = Log::Info)]
        log: Log,
    },
    /// How the running relay is
    Status,
}

/// Carries out one command line.
pub(crate) async fn execute(arguments: Arguments) -> ExitCode {
    let Arguments {
        config,
        json,
        command,
    } = arguments;
    let program = Program::new("vettid-relay", json);
    let outcome = match command {
        Command::Run { check: true, .. } => check(program, &config),
        Command::Run { log, .. } => run(program, &config, log).await,
        Command::Status => status(program, &config, json).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            program.complain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn check(program: Program, path: &Path) -> Outcome {
    let (config, role) = read(program, path)?;
    program.check(&config.host, (&config, path), role)
}

async fn run(program: Program, path: &Path, log: Log) -> Outcome {
    program.start_log(log)?;
    let (config, role) = read(program, path)?;
    program.run(&config.host, path, role).await
}

fn read(program: Program, path: &Path) -> Result<(Config, Role), Box<dyn Error>> {
    let config: Config = program.read_config(path)?;
    if config.host.external.is_empty() && !config.host.private_addresses {
        return Err("host.external: a relay must know where it is reached".into());
    }
    let role = Role::Relay(config.limits.to_relay());
    Ok((config, role))
}

/// What a status shows of a relay's metrics; nothing when they are none of a relay.
fn numbers(page: &str) -> Option<Vec<(&'static str, u64)>> {
    let number = |(shown, metric)| Some((shown, scrape::value(page, metric)?));
    NUMBERS.into_iter().map(number).collect()
}

const NUMBERS: [(&str, &str); 6] = [
    ("reservations", "vettid_relay_reservations"),
    (
        "reservations_refused",
        "vettid_relay_reservations_refused_total",
    ),
    ("circuits", "vettid_relay_circuits"),
    ("circuits_opened", "vettid_relay_circuits_opened_total"),
    ("circuits_refused", "vettid_relay_circuits_refused_total"),
    ("connections", "vettid_federation_connections_open"),
];

async fn status(program: Program, path: &Path, json: bool) -> Outcome {
    let config: Config = program.read_config(path)?;
    let at = config.host.metrics;
    let page = scrape::page(at).await.map_err(|error| {
        format!(
            "the relay does not answer at {at} ({error}): start it with `vettid-relay run`, or name \
             its configuration with --config"
        )
    })?;
    let shown = page.as_deref().and_then(numbers);
    let shown =
        shown.ok_or_else(|| format!("what answers at {at} is no relay: check host.metrics"))?;
    let peer = config.host.peer(folder(path))?;
    if json {
        let mut object: serde_json::Map<_, _> = shown
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        object.insert("peer".to_owned(), json!(peer));
        program.say(serde_json::Value::Object(object));
    } else {
        program.say(format!("peer                  {peer}"));
        for (name, value) in shown {
            program.say(format!("{:<20}  {value}", name.replace('_', " ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn log_is_a_level() {
        let parse = |log| Arguments::try_parse_from(["vettid-relay", "run", "--log", log]);

        assert!(parse("debug").is_ok());
        let error = parse("info,libp2p=debug").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    }

    #[test]
    fn configuration_is_named_before_or_behind_the_command() {
        for line in [
            ["vettid-relay", "--config", "r.toml", "status"],
            ["vettid-relay", "status", "--config", "r.toml"],
        ] {
            let arguments = Arguments::try_parse_from(line).expect("read");
            assert_eq!(arguments.config, Path::new("r.toml"));
        }
    }
}
