//! The log of a program that is a host: how much it says, and how.

use std::fmt;
use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How much is logged. A level and no more, so that nobody has relays and bootstrap nodes log
/// what their libraries say, which names peers and addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Log {
    /// Faults of the program.
    Error,
    /// Faults of others and lost capacity, too.
    Warn,
    /// Changes of its life, too.
    Info,
    /// Everything it can say.
    Debug,
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

/// Writes a program's log to standard error, as JSON or text. `filter` says what of each crate.
pub fn start(filter: &str, json: bool) -> Result<(), ParseError> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    if json {
        log.json().init();
    } else {
        log.init();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_named_as_it_is_shown_and_nothing_else_is_one() {
        for level in Log::value_variants() {
            assert_eq!(Log::from_str(&level.to_string(), false), Ok(*level));
        }
        for other in ["info,libp2p=debug", "libp2p=debug", "nonsense", "trace", ""] {
            assert!(Log::from_str(other, false).is_err(), "{other}");
        }
    }
}
