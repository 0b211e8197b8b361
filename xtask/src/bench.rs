//! `cargo xtask bench`: our figures beside their references, in one run.

use anyhow::Result;

use crate::command::{cargo, run as run_command};
use crate::repository::Repository;
use crate::test::BINARIES;
use crate::tools::{Need, export_prosody, provide};

/// Figures that have an XMPP server for their reference.
const MESSAGES: [&str; 2] = ["messages_delivered", "message_latency_p50"];

/// How to print.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One JSON object a figure: name, ours, reference, ratio, unit
    #[arg(long)]
    json: bool,
    /// Only the figures with these names
    #[arg(long)]
    only: Vec<String>,
    /// As few repetitions as can be, to see that it runs: the figures say nothing
    #[arg(long)]
    smoke: bool,
}

/// Builds everything optimized and measures.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let tools = provide(repository, &[Need::Build, Need::NatsServer])?;
    let mut build = cargo(repository.root());
    build.args(["build", "--release", "--quiet", "--package", "vettid-node"]);
    run_command(build.args(["--package", "vettid-runtime", "--package", "vettid-bench"]))?;

    let mut bench = cargo(repository.root());
    tools.export(&mut bench);
    let is_message = |name: &String| MESSAGES.contains(&name.as_str());
    if options.only.is_empty() || options.only.iter().any(is_message) {
        export_prosody(&mut bench)?;
    }
    bench.env(BINARIES, repository.binaries(true));
    bench.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "vettid-bench",
        "--",
    ]);
    for (is_wanted, flag) in [(options.json, "--json"), (options.smoke, "--smoke")] {
        if is_wanted {
            bench.arg(flag);
        }
    }
    for only in &options.only {
        bench.args(["--only", only]);
    }
    run_command(&mut bench)
}
