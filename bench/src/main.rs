//! Measurements against peers, side by side in one run.
//!
//! `vettid-bench [--json] [--smoke] [--only NAME]...` prints every figure of the table in the order of
//! [`figure::NAMES`]: ours, the reference measured in the same run, their ratio, the unit.

mod admission;
mod admitting;
mod bulk;
mod crowd;
mod enclave;
mod evidence;
mod figure;
mod gossip;
mod hosts;
mod idle;
mod memory;
mod mls;
mod processes;
mod restore;
mod rounds;
mod size;
mod sqlite;
mod stock;
mod system;
mod talk;
mod traffic;
mod two_nodes;
mod xmpp;

use std::process::ExitCode;

use anyhow::{Result, bail};

use figure::{Figure, NAMES};
use size::Size;

fn main() -> ExitCode {
    if let Some(casting) = crowd::Casting::of(std::env::args().skip(1)) {
        return casting.play();
    }
    let selection = match Selection::parse(std::env::args().skip(1)) {
        Ok(selection) => selection,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(&selection) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What to measure and how to print it.
struct Selection {
    json: bool,
    size: Size,
    only: Vec<String>,
}

impl Selection {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut selection = Self {
            json: false,
            size: Size::Full,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), arguments_name(&argument, &mut arguments)) {
                ("--json", _) => selection.json = true,
                ("--smoke", _) => selection.size = Size::Smoke,
                ("--only", Some(name)) => selection.only.push(name),
                _ => bail!(
                    "usage: vettid-bench [--json] [--smoke] [--only {}]...",
                    NAMES.join("|")
                ),
            }
        }
        Ok(selection)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// The figure's name behind `--only`, if it is one.
fn arguments_name(argument: &str, rest: &mut impl Iterator<Item = String>) -> Option<String> {
    (argument == "--only")
        .then(|| rest.next())?
        .filter(|name| NAMES.contains(&name.as_str()))
}

fn run(selection: &Selection) -> Result<()> {
    if !selection.json {
        println!(
            "{:<28} {:>12} {:>12} {:>8}  unit",
            "figure", "ours", "reference", "ratio"
        );
    }
    for name in NAMES {
        if selection.wants(name) {
            print(&measure(name, selection.size)?, selection.json)?;
        }
    }
    Ok(())
}

fn measure(name: &str, size: Size) -> Result<Figure> {
    match name {
        "read_throughput" => traffic::read_throughput(size),
        "read_latency_p50" => traffic::read_latency(size),
        "durable_write_throughput" => traffic::write_throughput(size),
        "log_bytes_per_kib_put" => traffic::log_bytes(),
        "unlock_over_read_decrypt" => restore::unlock(size),
        "idle_vault_uss_mib" => memory::idle_vault(size),
        "vault_open_over_fork_exec" => processes::vault_open(size),
        "evidence_cold_over_noise" => evidence::cold(size),
        "session_cached_over_noise" => evidence::cached_session(size),
        "messages_delivered" => talk::delivered(size),
        "message_latency_p50" => talk::latency(size),
        "link_throughput" => bulk::link(size),
        "admission_over_connection" => admission::admission(size),
        "mls_over_aead" => mls::message(size),
        "idle_peer_kib" => idle::peer(size),
        "idle_reservation_kib" => idle::reservation(size),
        "gossip_p99_over_hop" => gossip::slowest(size),
        "gossip_copies_per_node" => gossip::copies(size),
        other => bail!("no figure is called {other}"),
    }
}

fn print(figure: &Figure, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figure)?);
    } else {
        let Figure {
            name,
            ours,
            reference,
            ratio,
            unit,
        } = figure;
        println!("{name:<28} {ours:>12.2} {reference:>12.2} {ratio:>8.2}  {unit}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Selection> {
        Selection::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn nothing_selected_means_everything() {
        let selection = parsed(&["--json"]).expect("valid");

        assert!(selection.json);
        assert!(NAMES.iter().all(|name| selection.wants(name)));
    }

    #[test]
    fn smoke_is_asked_for_by_name() {
        assert_eq!(parsed(&[]).expect("valid").size, Size::Full);
        assert_eq!(parsed(&["--smoke"]).expect("valid").size, Size::Smoke);
    }

    #[test]
    fn only_the_named_figures_are_measured() {
        let selection = parsed(&["--only", "read_throughput"]).expect("valid");

        assert!(selection.wants("read_throughput"));
        assert!(!selection.wants("read_latency_p50"));
    }

    #[test]
    fn unknown_arguments_and_figures_are_refused() {
        for arguments in [&["--fast"][..], &["--only"], &["--only", "speed"]] {
            assert!(parsed(arguments).is_err());
        }
    }
}
