//! The command, and what tests get of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::inputs::Inputs;
use super::pack::{Parts, Registers, pack};
use super::programs::{self, Program};
use super::{elsewhere, kernel, release};
use crate::repository::Repository;
use crate::tools::{Cache, Need, provide};

/// Builds the programs that tests put in the enclave's place; no release has them.
const FOR_TESTS: [&str; 11] = [
    "--package",
    "vettid-runtime",
    "--no-default-features",
    "--features",
    "emulated,nitro",
    "--bin",
    "vettid-enclave-emulated-image",
    "--example",
    "nitro_next_release",
    "--example",
    "nitro_probe",
];

/// Files of the images that tests boot, and the programs in them.
const TEST_IMAGES: [(&str, Program<'_>); 3] = [
    (
        "nitro-emulated.eif",
        Program {
            arguments: &FOR_TESTS,
            path: "vettid-enclave-emulated-image",
        },
    ),
    (
        "nitro-next-release.eif",
        Program {
            arguments: &FOR_TESTS,
            path: "examples/nitro_next_release",
        },
    ),
    (
        "nitro-probe.eif",
        Program {
            arguments: &FOR_TESTS,
            path: "examples/nitro_probe",
        },
    ),
];

/// Where to, and how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder for image and release.toml; `enclave-image` in cargo's target folder if it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Build everything once more, from a copy in another folder, and compare
    #[arg(long)]
    twice: bool,
}

/// Builds the image, tells its registers, and compares where that is wanted.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let folder = match &options.out {
        Some(folder) => folder.clone(),
        None => folder(repository),
    };
    let image = build_enclave(repository, &folder)?;
    for (index, register) in image.registers.0.iter().enumerate() {
        println!("PCR{index} {register}");
    }
    let path = folder.join(ENCLAVE);
    let size = fs::metadata(&path).context(ENCLAVE)?.len();
    println!("{}: {size} bytes", path.display());
    if options.twice {
        let second = elsewhere::build(repository, &folder)?;
        if second != image.registers {
            bail!("built in another folder, the image measures {second:?}");
        }
        println!("the same from another folder");
    }
    Ok(())
}

/// What tests boot and compare: the folder of the production image, of its second build, and of those
/// with another program in the enclave's place.
pub(crate) fn build(repository: &Repository) -> Result<PathBuf> {
    let folder = folder(repository);
    let image = build_enclave(repository, &folder)?;
    for (file, program) in &TEST_IMAGES {
        let program = programs::build(repository.root(), repository.target(), program)?;
        image.pack(repository, &program, &folder.join(file))?;
    }
    elsewhere::build(repository, &folder)?;
    Ok(folder)
}

pub(super) const ENCLAVE: &str = "vettid-enclave.eif";

fn folder(repository: &Repository) -> PathBuf {
    repository.target().join("enclave-image")
}

/// A built image and what it is made of.
struct Built {
    inputs: Inputs,
    kernel: PathBuf,
    init: PathBuf,
    registers: Registers,
}

impl Built {
    /// The same image around another program.
    fn pack(&self, repository: &Repository, program: &Path, out: &Path) -> Result<Registers> {
        let parts = Parts {
            kernel: &self.kernel,
            init: &self.init,
            program,
        };
        pack(repository, &self.inputs, &parts, out)
    }
}

fn build_enclave(repository: &Repository, folder: &Path) -> Result<Built> {
    provide(repository, &[Need::Build, Need::KernelParts])?;
    let inputs = Inputs::read(repository)?;
    let kernel = kernel::provide(&Cache::open()?, &inputs, kernel::Build::First)?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let (root, target) = (repository.root(), repository.target());
    programs::check_features(root)?;
    let init = programs::build(root, target, &programs::INIT)?;
    let program = programs::build(root, target, &programs::ENCLAVE)?;
    let parts = Parts {
        kernel: &kernel,
        init: &init,
        program: &program,
    };
    let registers = pack(repository, &inputs, &parts, &folder.join(ENCLAVE))?;
    let release = release::text(repository, &inputs, &registers)?;
    fs::write(folder.join("release.toml"), release).context("release.toml")?;
    Ok(Built {
        inputs,
        kernel,
        init,
        registers,
    })
}
