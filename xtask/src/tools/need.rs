//! What a command needs, and where the tools are once they are provided.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::crate_binary::CrateBinary;
use super::wheel::Wheel;
use super::{emulator, nats_server, s3_server, system, wasm};
use crate::command::on_path;
use crate::repository::Repository;

/// Tells tests, demo and node where the bus server is.
const NATS_SERVER: &str = "VETTID_NATS_SERVER";
/// Tells tests where the S3 server's command is.
const S3_SERVER: &str = "VETTID_S3_SERVER";
/// Tells tests where the emulated Nitro machine is.
const EMULATOR: &str = "VETTID_EMULATOR";

/// Tells tests that networks can be made here, so that none of them may be skipped.
const NETWORKS: &str = "VETTID_NEED_NETWORKS";

const TYPOS: Wheel = Wheel {
    package: "typos",
    version: "1.52.0",
    sha256: "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
    program: "typos",
};
const DENY: CrateBinary = CrateBinary {
    package: "cargo-deny",
    version: "0.20.2",
    arguments: &["--no-default-features"],
};
const FUZZ: CrateBinary = CrateBinary {
    package: "cargo-fuzz",
    version: "0.13.2",
    arguments: &[],
};
const NEXTEST: CrateBinary = CrateBinary {
    package: "cargo-nextest",
    version: "0.9.143",
    arguments: &[],
};

/// Something from outside the workspace that a command cannot do without.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Need {
    /// Compilers and libclang: everything that builds the workspace.
    Build,
    /// Licenses, sources and bans of dependencies.
    Deny,
    /// The emulated Nitro machine.
    Emulator,
    /// Coverage-guided fuzzing.
    Fuzz,
    /// What the image's kernel is built with.
    KernelParts,
    /// The bus server.
    NatsServer,
    /// Networks inside this machine, with address translation between them; may stay unmet.
    Networks,
    /// The test runner.
    Nextest,
    /// Python, which reads a host's database in the demo.
    Python,
    /// The S3 server of the tests.
    S3Server,
    /// Spelling.
    Typos,
    /// The bare WebAssembly target; may stay unmet.
    Wasm,
}

/// Tools that are in place, by need.
pub(crate) struct Tools {
    paths: BTreeMap<Need, PathBuf>,
}

impl Need {
    /// Every need, for `cargo xtask setup`.
    pub(crate) const ALL: [Self; 12] = [
        Self::Build,
        Self::Deny,
        Self::Emulator,
        Self::Fuzz,
        Self::KernelParts,
        Self::NatsServer,
        Self::Networks,
        Self::Nextest,
        Self::Python,
        Self::S3Server,
        Self::Typos,
        Self::Wasm,
    ];
}

impl Tools {
    /// Path of the tool; an error if the command did not ask for it.
    pub(crate) fn path(&self, need: Need) -> Result<&Path> {
        let path = self.paths.get(&need).map(PathBuf::as_path);
        path.with_context(|| format!("{need:?} is not set up"))
    }

    /// Whether the tool is in place.
    pub(crate) fn has(&self, need: Need) -> bool {
        self.paths.contains_key(&need)
    }

    /// Environment variables that tell programs of ours where the servers are, and what is there.
    pub(crate) fn exports(&self) -> Vec<(String, PathBuf)> {
        [
            (Need::Emulator, EMULATOR),
            (Need::NatsServer, NATS_SERVER),
            (Need::Networks, NETWORKS),
            (Need::S3Server, S3_SERVER),
        ]
        .into_iter()
        .filter_map(|(need, name)| Some((name.to_owned(), self.paths.get(&need)?.clone())))
        .collect()
    }

    /// Tells a command of ours where the servers are.
    pub(crate) fn export(&self, command: &mut Command) {
        command.envs(self.exports());
    }
}

/// Puts everything in `needs` in place, a line each.
pub(crate) fn provide(repository: &Repository, needs: &[Need]) -> Result<Tools> {
    let cache = Cache::open()?;
    let mut paths = BTreeMap::new();
    for &need in needs {
        if let Some(path) = provide_one(repository, &cache, need)? {
            paths.insert(need, path);
        }
    }
    Ok(Tools { paths })
}

fn provide_one(repository: &Repository, cache: &Cache, need: Need) -> Result<Option<PathBuf>> {
    let work = repository.root();
    Ok(Some(match need {
        Need::Build => {
            system::COMPILER.provide()?;
            system::LIBCLANG.provide()?;
            work.to_path_buf()
        }
        Need::Deny => DENY.provide(cache, work)?,
        Need::Emulator => {
            system::PYTHON.provide()?;
            system::ENVIRONMENTS.provide()?;
            for part in &system::EMULATOR {
                part.provide()?;
            }
            emulator::provide(repository, cache)?
        }
        Need::Fuzz => {
            system::COMPILER.provide()?;
            FUZZ.provide(cache, work)?
        }
        Need::KernelParts => {
            for part in &system::KERNEL {
                part.provide()?;
            }
            work.to_path_buf()
        }
        Need::NatsServer => nats_server::provide(cache)?,
        Need::Networks if !has_networks() => return Ok(None),
        Need::Networks => work.to_path_buf(),
        Need::Nextest => match on_path(NEXTEST.package) {
            Some(program) => {
                eprintln!("{}: on the PATH", NEXTEST.package);
                program
            }
            None => NEXTEST.provide(cache, work)?,
        },
        Need::Python => {
            system::PYTHON.provide()?;
            work.to_path_buf()
        }
        Need::S3Server => {
            system::PYTHON.provide()?;
            system::ENVIRONMENTS.provide()?;
            s3_server::provide(repository, cache)?
        }
        Need::Typos => TYPOS.provide(cache)?,
        Need::Wasm => {
            if !wasm::is_available(work) {
                eprintln!("target {}: not to be had here", wasm::TARGET);
                return Ok(None);
            }
            eprintln!("target {}: present", wasm::TARGET);
            PathBuf::from(wasm::TARGET)
        }
    }))
}

/// Whether networks can be made here; else says why. Their tests then say that they are skipped, and
/// everything else can be done.
fn has_networks() -> bool {
    let provided = system::INTERFACES
        .provide()
        .and_then(|()| system::TRANSLATION.provide())
        .and_then(|()| system::can_make_networks());
    if let Err(error) = &provided {
        eprintln!("networks: {error:#}");
    }
    provided.is_ok()
}
