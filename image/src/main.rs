//! `vettid-image`: packs the enclave image and says what an image measures.
//!
//! `cargo xtask image` builds the parts and calls this. Whoever checks a release compares what
//! `measure` prints with the release's manifest.

mod layout;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use data_encoding::HEXLOWER;
use vettid_eif::{Image, Registers};

use layout::Parts;

#[derive(Parser)]
#[command(name = "vettid-image", about, version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the registers of an enclave that boots this image
    Measure {
        /// The image
        image: PathBuf,
    },
    /// Put an image together and print its registers
    Pack {
        /// Kernel, as the kernel's build leaves it
        #[arg(long)]
        kernel: PathBuf,
        /// First process
        #[arg(long)]
        init: PathBuf,
        /// The enclave
        #[arg(long)]
        program: PathBuf,
        /// What the kernel is told
        #[arg(long)]
        command_line: String,
        /// Number of the release
        #[arg(long)]
        release: u32,
        /// Where the image goes
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(registers) => {
            print(&registers);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<Registers> {
    match verb {
        Verb::Measure { image } => {
            let file = read(&image)?;
            let parsed = Image::parse(&file).with_context(|| image.display().to_string())?;
            Ok(parsed.registers())
        }
        Verb::Pack {
            kernel,
            init,
            program,
            command_line,
            release,
            out,
        } => {
            let (kernel, init, program) = (read(&kernel)?, read(&init)?, read(&program)?);
            let parts = Parts {
                kernel: &kernel,
                init: &init,
                program: &program,
                command_line: &command_line,
                release,
            };
            let (file, registers) = layout::pack(&parts)?;
            fs::write(&out, file).with_context(|| out.display().to_string())?;
            Ok(registers)
        }
    }
}

fn print(registers: &Registers) {
    let named = [
        ("PCR0", registers.pcr0),
        ("PCR1", registers.pcr1),
        ("PCR2", registers.pcr2),
    ];
    for (name, value) in named {
        println!("{name} {}", HEXLOWER.encode(&value));
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
