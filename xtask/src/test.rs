//! `cargo xtask test`: everything that has to be set up, then all tests.
//!
//! The test runner comes last, so that its summary is the last thing printed.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher as _, Hasher as _};

use anyhow::Result;

use crate::command::{cargo, run as run_command};
use crate::repository::Repository;
use crate::tools::{Need, provide};
use crate::{fuzz, image};

/// Tells scenario tests and measurements where the binaries they start are.
pub(crate) const BINARIES: &str = "VETTID_BINARIES";

/// Tells tests where the images are that they boot.
const IMAGES: &str = "VETTID_IMAGES";

/// The seed of all property tests: a failure that was found by chance is found again when the test is
/// run once more.
const SEED: &str = "PROPTEST_RNG_SEED";

/// The test runner's profile that leaves out the tests that boot images.
const NOT_BOOTED: [&str; 2] = ["--profile", "without-emulator"];

const NEEDS: [Need; 6] = [
    Need::Build,
    Need::NatsServer,
    Need::Networks,
    Need::S3Server,
    Need::Nextest,
    Need::Fuzz,
];

/// Which tests.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out the fuzz targets
    #[arg(long)]
    no_fuzz: bool,
    /// Leave out the tests that boot the enclave image under the emulated Nitro machine
    #[arg(long)]
    without_emulator: bool,
    /// Further arguments for cargo-nextest: a filter, a package
    #[arg(last = true)]
    nextest: Vec<String>,
}

/// Sets up, builds the binaries once with the tests, and runs everything.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let mut needs = NEEDS.to_vec();
    if !options.without_emulator {
        needs.push(Need::Emulator);
    }
    let tools = provide(repository, &needs)?;
    // One build of binaries and tests together: built apart, their features differ and most
    // dependencies would be compiled twice.
    let mut build = cargo(repository.root());
    run_command(build.args(["build", "--workspace", "--bins", "--tests", "--quiet"]))?;

    if !options.no_fuzz {
        fuzz::smoke(repository)?;
    }

    let mut examples = cargo(repository.root());
    tools.export(&mut examples);
    run_command(examples.args(["test", "--workspace", "--doc", "--quiet"]))?;

    let mut tests = cargo(repository.root());
    tools.export(&mut tests);
    tests.env(BINARIES, repository.binaries(false));
    tests.args(["nextest", "run", "--workspace"]);
    if options.without_emulator {
        tests.args(NOT_BOOTED);
    } else {
        tests.env(IMAGES, image::build_for_tests(repository)?);
    }
    if env::var_os(SEED).is_none() {
        let seed = RandomState::new().build_hasher().finish();
        println!("seed of property tests: {seed}; {SEED}={seed} draws the same");
        tests.env(SEED, seed.to_string());
    }
    run_command(tests.args(&options.nextest))?;
    if options.without_emulator {
        println!("left out by --without-emulator: the tests that boot the enclave image");
    }
    Ok(())
}
