//! `vettid-bootstrap`: first contact of a network, and the hands that make its network file.
//!
//! As a program that runs it introduces nodes to each other, tests whether they are reachable, and
//! hands out the signed network file. It is trusted for none of that: nodes admit each other, and
//! the file counts by its signatures. Its `network` commands work on files alone; they belong on the
//! machines of those who hold governance keys.

mod cli;
mod config;
mod fault;
mod file;
mod governance;
mod network;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    cli::execute(cli::Arguments::parse()).await
}
