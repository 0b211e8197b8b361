//! The command, and what tests get of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::inputs::Inputs;
use super::pack::{Parts, Registers, pack};
use super::programs::{self, Program};
use super::{kernel, release};
use crate::repository::Repository;
use crate::tools::{Cache, Need, provide};

/// Builds both programs that tests put in the enclave's place; no release has them.
const FOR_TESTS: [&str; 9] = [
    "--package",
    "vettid-runtime",
    "--no-default-features",
    "--features",
    "emulated,nitro",
    "--bin",
    "vettid-enclave-emulated-image",
    "--example",
    "nitro_probe",
];

/// Files of the images that tests boot, and the programs in them.
const TEST_IMAGES: [(&str, Program<'_>); 2] = [
    (
        "nitro-emulated.eif",
        Program {
            arguments: &FOR_TESTS,
            path: "vettid-enclave-emulated-image",
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
    /// Build all but the kernel once more, from a copy in another folder, and compare
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
        compare(repository, &image)?;
    }
    Ok(())
}

/// What tests boot: the folder of the production image, and of those with another program in the
/// enclave's place.
pub(crate) fn build(repository: &Repository) -> Result<PathBuf> {
    let folder = folder(repository);
    let image = build_enclave(repository, &folder)?;
    for (file, program) in &TEST_IMAGES {
        let program = programs::build(repository.root(), repository.target(), program)?;
        image.pack(repository, &program, &folder.join(file))?;
    }
    Ok(folder)
}

const ENCLAVE: &str = "vettid-enclave.eif";

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
    let kernel = kernel::provide(&Cache::open()?, &inputs)?;
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

/// Builds both programs from a copy of the tree, in another folder, and compares the registers.
fn compare(repository: &Repository, first: &Built) -> Result<()> {
    let elsewhere = tempfile::tempdir().context("temporary folder")?;
    let (root, target) = (
        elsewhere.path().join("copy"),
        elsewhere.path().join("built"),
    );
    for file in repository.files()? {
        let to = root.join(&file);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(repository.path(&file), &to).with_context(|| file.display().to_string())?;
    }
    let init = programs::build(&root, &target, &programs::INIT)?;
    let program = programs::build(&root, &target, &programs::ENCLAVE)?;
    let parts = Parts {
        kernel: &first.kernel,
        init: &init,
        program: &program,
    };
    let out = elsewhere.path().join(ENCLAVE);
    let second = pack(repository, &first.inputs, &parts, &out)?;
    if second != first.registers {
        bail!("built in {}, the image measures {second:?}", root.display());
    }
    println!("the same from another folder");
    Ok(())
}
