//! `cargo xtask fuzz`: coverage-guided fuzzing of every parser.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{quiet, run as run_command};
use crate::repository::Repository;
use crate::tools::{Need, provide};

/// Seconds that one target is run in the smoke test.
const SMOKE_SECONDS: u32 = 5;

/// The platform that targets are built for.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

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

/// Builds every target once and runs each for a few seconds, as many at once as there are cores.
pub(crate) fn smoke(repository: &Repository) -> Result<()> {
    let fuzzer = Fuzzer::provide(repository)?;
    quiet(&mut fuzzer.command("build"))?;
    let targets = targets(repository)?;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let waiting = Mutex::new(targets.iter());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    thread::scope(|scope| {
        let run_waiting = || -> Result<()> {
            while let Some(target) = next() {
                quiet(&mut fuzzer.briefly(target)?)?;
            }
            Ok(())
        };
        let lanes: Vec<_> = (0..cores).map(|_| scope.spawn(run_waiting)).collect();
        for lane in lanes {
            lane.join()
                .map_err(|_| anyhow!("a fuzzing thread panicked"))??;
        }
        println!(
            "fuzz: {} targets, {SMOKE_SECONDS} s each, no finding",
            targets.len()
        );
        Ok(())
    })
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
            .arg("--target-dir")
            .arg(&self.target_folder)
            .args(["--target", PLATFORM]);
        command
    }

    /// Runs until it is stopped or finds something.
    fn long(&self, target: &str) -> Result<()> {
        run_command(self.command("run").arg(target).args(self.inputs(target)?))
    }

    /// Runs the built target for a few seconds.
    fn briefly(&self, target: &str) -> Result<Command> {
        let artifacts = self.folder.join("artifacts").join(target);
        fs::create_dir_all(&artifacts).with_context(|| artifacts.display().to_string())?;
        let mut command = Command::new(
            self.target_folder
                .join(PLATFORM)
                .join("release")
                .join(target),
        );
        command.args(self.inputs(target)?);
        command
            .arg(format!("-max_total_time={SMOKE_SECONDS}"))
            .arg("-timeout=5");
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        Ok(command)
    }

    /// Inputs found on the way go to `corpus`; the committed `seeds` are read only.
    fn inputs(&self, target: &str) -> Result<Vec<PathBuf>> {
        let corpus = self.folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let seeds = self.folder.join("seeds").join(target);
        Ok([corpus, seeds]
            .into_iter()
            .filter(|folder| folder.is_dir())
            .collect())
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
