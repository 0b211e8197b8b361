//! `cargo xtask bench`: our figures beside their references, in one run.

use anyhow::Result;

use crate::command::{cargo, run as run_command};
use crate::repository::Repository;
use crate::test::BINARIES;
use crate::tools::{Need, provide};

/// How to print.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One JSON object a figure: name, ours, reference, ratio, unit
    #[arg(long)]
    json: bool,
    /// Only the figures with these names
    #[arg(long)]
    only: Vec<String>,
}

/// Builds everything optimized and measures.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let tools = provide(repository, &[Need::Build, Need::NatsServer])?;
    let mut build = cargo(repository.root());
    build.args(["build", "--release", "--quiet", "--package", "vettid-node"]);
    run_command(build.args(["--package", "vettid-runtime", "--package", "vettid-bench"]))?;

    let mut bench = cargo(repository.root());
    tools.export(&mut bench);
    bench.env(BINARIES, repository.binaries(true));
    bench.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "vettid-bench",
        "--",
    ]);
    if options.json {
        bench.arg("--json");
    }
    for only in &options.only {
        bench.args(["--only", only]);
    }
    run_command(&mut bench)
}
