//! `vettid-relay`: carries bytes between nodes that cannot reach each other directly.
//!
//! It sees two addresses, sizes and times, and keeps none of them: it logs its own life and counts
//! without names. What it carries is encrypted from host to host, and inside from enclave to enclave.

mod cli;
mod config;
mod scrape;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    cli::execute(cli::Arguments::parse()).await
}
