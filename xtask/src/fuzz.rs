//! `cargo xtask fuzz`: coverage-guided fuzzing of every parser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{quiet, run as run_command};
use crate::repository::Repository;
use crate::tools::{Need, provide};

/// Seconds that one target is run in the smoke test.
const SMOKE_SECONDS: u32 = 5;

/// What to fuzz and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Target to fuzz until it is stopped; see `fuzz/fuzz_targets`
    target: Option<String>,
    /// Run every target for a few seconds instead
    #[arg(long, conflicts_with = "target")]
    smoke: bool,
}

/// Runs one target for long, or all of them briefly.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    match (&options.target, options.smoke) {
        (_, true) => smoke(repository),
        (Some(target), false) => Fuzzer::provide(repository)?.long(target),
        (None, false) => {
            bail!(
                "name a target ({}) or say --smoke",
                targets(repository)?.join(", ")
            )
        }
    }
}

/// Builds every target once and runs each for a few seconds.
pub(crate) fn smoke(repository: &Repository) -> Result<()> {
    let fuzzer = Fuzzer::provide(repository)?;
    quiet(
        fuzzer
            .command("build")
            .arg("--target-dir")
            .arg(&fuzzer.target_folder),
    )?;
    let targets = targets(repository)?;
    for target in &targets {
        let seconds = format!("-max_total_time={SMOKE_SECONDS}");
        quiet(
            fuzzer
                .start(target)?
                .args(["--", &seconds, "-print_final_stats=0"]),
        )?;
        println!("fuzz {target}: {SMOKE_SECONDS} s without a finding");
    }
    Ok(())
}

struct Fuzzer {
    program: PathBuf,
    folder: PathBuf,
    target_folder: PathBuf,
}

impl Fuzzer {
    fn provide(repository: &Repository) -> Result<Self> {
        let tools = provide(repository, &[Need::Fuzz])?;
        Ok(Self {
            program: tools.path(Need::Fuzz)?.to_path_buf(),
            folder: repository.path("fuzz"),
            target_folder: repository.target().join("fuzz"),
        })
    }

    /// The pinned stable compiler instruments too, once it is told that this is meant. Without a
    /// sanitizer: the parsers are safe Rust, and their panics are what is looked for.
    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.folder)
            .env("RUSTC_BOOTSTRAP", "1");
        command
            .args(["fuzz", verb, "--sanitizer", "none", "--fuzz-dir"])
            .arg(&self.folder);
        command
    }

    fn long(&self, target: &str) -> Result<()> {
        run_command(&mut self.start(target)?)
    }

    /// Inputs found on the way go to `corpus`; the committed `seeds` are read only.
    fn start(&self, target: &str) -> Result<Command> {
        let corpus = self.folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let mut command = self.command("run");
        command
            .arg("--target-dir")
            .arg(&self.target_folder)
            .arg(target)
            .arg(&corpus);
        let seeds = self.folder.join("seeds").join(target);
        if seeds.is_dir() {
            command.arg(seeds);
        }
        Ok(command)
    }
}

/// Names of all targets, in order.
fn targets(repository: &Repository) -> Result<Vec<String>> {
    targets_in(&repository.path("fuzz/fuzz_targets"))
}

fn targets_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_file_is_a_target() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["frame.rs", "envelope.rs", "notes.md"] {
            fs::write(folder.path().join(name), "").unwrap();
        }

        assert_eq!(targets_in(folder.path()).unwrap(), ["envelope", "frame"]);
    }
}
