//! The operator's commands: `vettid-bootstrap run | network`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;
use vettid_federation::Role;
use vettid_federation::introducer::program::{Outcome, Program};
use vettid_federation::log::Log;

use crate::config::Config;
use crate::network::NetworkCommand;

/// Names the configuration when `--config` does not.
const CONFIG: &str = "VETTID_BOOTSTRAP_CONFIG";

/// First contact of a network, and the hands that make its network file.
#[derive(Debug, Parser)]
#[command(name = "vettid-bootstrap", version)]
pub(crate) struct Arguments {
    /// Configuration file
    #[arg(long, global = true, env = CONFIG, default_value = "bootstrap.toml")]
    config: PathBuf,
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
    Network(Box<NetworkCommand>),
    /// Serve until SIGTERM or Ctrl-C
    Run {
        /// Print the effective configuration and exit
        #[arg(long)]
        check: bool,
        /// What to log
        #[arg(long, value_enum, default_value_t = Log::Info)]
        log: Log,
    },
}

/// Carries out one command line.
pub(crate) async fn execute(arguments: Arguments) -> ExitCode {
    let Arguments {
        config,
        json,
        command,
    } = arguments;
    let program = Program::new("vettid-bootstrap", json);
    let outcome = match command {
        Command::Network(command) => command
            .execute()
            .map(|shown| show(program, &shown, json))
            .map_err(Into::into),
        Command::Run { check: true, .. } => check(program, &config),
        Command::Run { log, .. } => run(program, &config, log).await,
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
    let config: Config = program.read_config(path)?;
    program.check(&config.host, (&config, path), Role::Bootstrap)
}

async fn run(program: Program, path: &Path, log: Log) -> Outcome {
    program.start_log(log)?;
    let config: Config = program.read_config(path)?;
    program.run(&config.host, path, Role::Bootstrap).await
}

fn show(program: Program, shown: &Value, json: bool) {
    match shown {
        Value::Object(fields) if !json => {
            for (name, value) in fields {
                let name = name.replace('_', " ");
                match value {
                    Value::Array(entries) => {
                        for entry in entries {
                            program.say(format!("{name:<14}  {}", plain(entry)));
                        }
                    }
                    value => program.say(format!("{name:<14}  {}", plain(value))),
                }
            }
        }
        shown => program.say(shown),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn log_is_a_level() {
        let parse = |log| Arguments::try_parse_from(["vettid-bootstrap", "run", "--log", log]);

        assert!(parse("debug").is_ok());
        let error = parse("info,libp2p=debug").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    }

    #[test]
    fn configuration_is_named_before_or_behind_the_command() {
        for line in [
            ["vettid-bootstrap", "--config", "b.toml", "run"],
            ["vettid-bootstrap", "run", "--config", "b.toml"],
        ] {
            let arguments = Arguments::try_parse_from(line).expect("read");
            assert_eq!(arguments.config, Path::new("b.toml"));
        }
    }
}
