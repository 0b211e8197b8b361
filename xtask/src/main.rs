//! The project's commands: `cargo xtask <command>`.
//!
//! Anything a person types is here or is plain cargo. Each command first provides the tools that
//! it needs (`setup`), so a fresh machine and a used one are treated alike. The crate links no
//! other crate of the workspace: it must build where the product cannot be built yet.

mod bench;
mod check;
mod cli;
mod command;
mod demo;
mod fuzz;
mod golden;
mod image;
mod layers;
mod local_node;
mod node_toml;
mod repository;
mod sizes;
mod test;
mod tools;
mod up;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
