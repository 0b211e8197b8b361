//! The daemon beside the enclave, and its operator's commands.

use std::process::ExitCode;

use clap::Parser;
use vettid_node::cli::{Arguments, execute};

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS providers may be linked; rustls then wants one named.
    let _ = rustls::crypto::ring::default_provider().install_default();
    execute(Arguments::parse()).await
}
