//! The command, and what tests get of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::inputs::Inputs;
use super::kernel::{self, Which};
use super::pack::{Parts, Registers, pack};
use super::programs::{self, Program};
use super::{elsewhere, release};
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

/// An image that tests boot.
struct TestImage {
    file: &'static str,
    program: Program<'static>,
    /// How many releases after this one it is.
    later: u32,
}

const TEST_IMAGES: [TestImage; 3] = [
    TestImage {
        file: "nitro-emulated.eif",
        program: Program {
            arguments: &FOR_TESTS,
            path: "vettid-enclave-emulated-image",
        },
        later: 0,
    },
    TestImage {
        file: "nitro-next-release.eif",
        program: Program {
            arguments: &FOR_TESTS,
            path: "examples/nitro_next_release",
        },
        later: 1,
    },
    TestImage {
        file: "nitro-probe.eif",
        program: Program {
            arguments: &FOR_TESTS,
            path: "examples/nitro_probe",
        },
        later: 0,
    },
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
        None => repository.target().join("enclave-image"),
    };
    let cache = prepare(repository)?;
    let image = build_release(repository, &cache, &folder)?;
    for (index, register) in image.registers.0.iter().enumerate() {
        println!("PCR{index} {register}");
    }
    let path = folder.join(ENCLAVE);
    let size = fs::metadata(&path).context(ENCLAVE)?.len();
    println!("{}: {size} bytes", path.display());
    if options.twice {
        let place = tempfile::tempdir().context("temporary folder")?;
        let out = place.path().join(ENCLAVE);
        let again = build_elsewhere(repository, &cache, (place.path(), Which::Afresh), &out)?;
        if again.registers != image.registers {
            bail!("built elsewhere, the image measures {:?}", again.registers);
        }
        println!("the same from another folder");
    }
    Ok(())
}

/// What tests boot and compare, in one folder: the production image with its release.toml, its second
/// build, and images with another program in the enclave's place.
pub(crate) fn build_for_tests(repository: &Repository) -> Result<PathBuf> {
    let folder = repository.target().join("enclave-image-tests");
    let cache = prepare(repository)?;
    let image = build_release(repository, &cache, &folder)?;
    for TestImage {
        file,
        program,
        later,
    } in &TEST_IMAGES
    {
        let program = programs::build(repository.root(), repository.target(), program)?;
        let parts = Parts {
            kernel: &image.kernel,
            init: &image.init,
            program: &program,
            release: image.inputs.release.saturating_add(*later),
        };
        pack(repository, &image.inputs, &parts, &folder.join(file))?;
    }
    // Beside the tools, so that nothing above the first tree is above the second.
    let place = cache.place("enclave-image-elsewhere");
    let out = folder.join("elsewhere.eif");
    build_elsewhere(repository, &cache, (&place, Which::Second), &out)?;
    Ok(folder)
}

/// File of the image.
const ENCLAVE: &str = "vettid-enclave.eif";

/// A built image and what it is made of.
struct Built {
    inputs: Inputs,
    kernel: PathBuf,
    init: PathBuf,
    registers: Registers,
}

fn prepare(repository: &Repository) -> Result<Cache> {
    provide(repository, &[Need::Build, Need::KernelParts])?;
    Cache::open()
}

/// The image in `folder`, with what decides its registers beside it.
fn build_release(repository: &Repository, cache: &Cache, folder: &Path) -> Result<Built> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let tree = (repository.root(), repository.target());
    let kernel = |inputs: &Inputs| kernel::provide(cache, inputs, Which::First);
    let image = build(repository, tree, kernel, &folder.join(ENCLAVE))?;
    let release = release::text(repository, &image.inputs, &image.registers)?;
    fs::write(folder.join("release.toml"), release).context("release.toml")?;
    Ok(image)
}

/// The image of a copy of the tree: its programs, and its kernel once more.
fn build_elsewhere(
    repository: &Repository,
    cache: &Cache,
    (place, which): (&Path, Which),
    out: &Path,
) -> Result<Built> {
    let (root, target) = (place.join("copy"), place.join("built"));
    elsewhere::copy(repository, &root)?;
    let kernel = |inputs: &Inputs| kernel::provide(cache, inputs, which);
    build(repository, (&root, &target), kernel, out)
}

/// Builds kernel and programs from the tree at `root`, in the folder `target`, and packs them.
fn build(
    repository: &Repository,
    (root, target): (&Path, &Path),
    kernel: impl FnOnce(&Inputs) -> Result<PathBuf>,
    out: &Path,
) -> Result<Built> {
    programs::check_configuration(root)?;
    programs::check_features(root)?;
    let inputs = Inputs::read(root)?;
    let kernel = kernel(&inputs)?;
    let init = programs::build(root, target, &programs::INIT)?;
    let program = programs::build(root, target, &programs::ENCLAVE)?;
    let parts = Parts {
        kernel: &kernel,
        init: &init,
        program: &program,
        release: inputs.release,
    };
    let registers = pack(repository, &inputs, &parts, out)?;
    Ok(Built {
        inputs,
        kernel,
        init,
        registers,
    })
}
