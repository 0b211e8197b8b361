//! The command line, and which module answers it.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::repository::Repository;
use crate::tools::{Need, provide};
use crate::{bench, check, demo, fuzz, golden, image, test, up};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's commands", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure the figures of docs/benchmarks.md side by side with their references
    Bench(bench::Options),
    /// Format, lints, layers, purity, sizes, tables, licenses, spelling; all of them, or those named
    Check {
        /// Names of single checks, as the report prints them
        only: Vec<String>,
    },
    /// Tell the main story on real processes, step by step
    Demo(demo::Options),
    /// Fuzz one parser, or all of them briefly
    Fuzz(fuzz::Options),
    /// Build the enclave image, tell what it measures, write its release.toml
    Image(image::Options),
    /// Fetch and verify every tool that is missing
    Setup,
    /// Write the generated pages of docs and docs/ledgers
    Tables {
        /// Compare with the working tree instead of writing
        #[arg(long)]
        check: bool,
    },
    /// Set up and run all tests
    Test(test::Options),
    /// Start a node to play with
    Up(up::Options),
    /// Write tests/vectors/*.json
    Vectors {
        /// Compare with the working tree instead of writing
        #[arg(long)]
        check: bool,
    },
}

/// Reads the command line and runs its command.
pub(crate) fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let repository = Repository::find()?;
    match arguments.verb {
        Verb::Bench(options) => bench::run(&repository, &options),
        Verb::Check { only } => check::run(&repository, &only),
        Verb::Demo(options) => demo::run(&repository, &options),
        Verb::Fuzz(options) => fuzz::run(&repository, &options),
        Verb::Image(options) => image::run(&repository, &options),
        Verb::Setup => provide(&repository, &Need::ALL).map(|_| ()),
        Verb::Tables { check } => golden::tables(&repository, golden::Mode::of(check)),
        Verb::Test(options) => test::run(&repository, &options),
        Verb::Up(options) => up::run(&repository, &options),
        Verb::Vectors { check } => golden::vectors(&repository, golden::Mode::of(check)),
    }
}
