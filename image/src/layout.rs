//! What is in the image, and where.
//!
//! ```text
//! first ramdisk (PCR1)     /dev/console  /dev/null  /proc  /sys  /init
//! second ramdisk (PCR2)    /vettid-enclave
//! ```

use anyhow::{Context, Result, bail};
use serde_json::json;
use vettid_eif::cpio::{Archive, EntryError};
use vettid_eif::gzip::gzip;
use vettid_eif::{Image, Registers};

use crate::program;

/// What goes into an image.
pub(crate) struct Parts<'a> {
    /// Kernel.
    pub(crate) kernel: &'a [u8],
    /// First process.
    pub(crate) init: &'a [u8],
    /// The enclave.
    pub(crate) program: &'a [u8],
    /// What the kernel is told.
    pub(crate) command_line: &'a str,
    /// Number of the release.
    pub(crate) release: u32,
}

/// The image's bytes and what they measure.
pub(crate) fn pack(parts: &Parts<'_>) -> Result<(Vec<u8>, Registers)> {
    for (what, program) in [("init", parts.init), ("program", parts.program)] {
        if !program::is_static(program) {
            bail!("{what} is no static program: there is nothing in the image that could load it");
        }
    }
    let system = gzip(&system(parts.init).context("first ramdisk")?);
    let enclave = gzip(&enclave(parts.program).context("second ramdisk")?);
    let metadata = metadata(parts.release);
    let image = Image {
        kernel: parts.kernel,
        command_line: parts.command_line,
        metadata: metadata.as_bytes(),
        ramdisks: vec![&system, &enclave],
    };
    Ok((image.write()?, image.registers()))
}

/// The kernel opens the console before anything is mounted; the null device stands in where a
/// machine has none.
fn system(init: &[u8]) -> Result<Vec<u8>, EntryError> {
    let mut archive = Archive::default();
    archive.folder("dev", 0o755)?;
    archive.device("dev/console", 0o600, (5, 1))?;
    archive.device("dev/null", 0o666, (1, 3))?;
    archive.folder("proc", 0o555)?;
    archive.folder("sys", 0o555)?;
    archive.file("init", 0o500, init)?;
    Ok(archive.finish())
}

fn enclave(program: &[u8]) -> Result<Vec<u8>, EntryError> {
    let mut archive = Archive::default();
    archive.file("vettid-enclave", 0o500, program)?;
    Ok(archive.finish())
}

/// What AWS's tools show of an image. No register measures it, so it says nothing that matters.
fn metadata(release: u32) -> String {
    json!({
        "ImageName": "vettid-enclave",
        "ImageVersion": release.to_string(),
        "BuildMetadata": {
            "BuildTime": "1970-01-01T00:00:00Z",
            "BuildTool": "cargo xtask image",
            "BuildToolVersion": env!("CARGO_PKG_VERSION"),
            "OperatingSystem": "Linux",
            "KernelVersion": "measured",
        },
        "DockerInfo": {},
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(program: &'a [u8]) -> Parts<'a> {
        Parts {
            kernel: b"kernel",
            init: program::STATIC,
            program,
            command_line: "console=ttyS0",
            release: 7,
        }
    }

    #[test]
    fn the_same_parts_make_the_same_image() {
        let first = pack(&parts(program::STATIC)).expect("packed");

        assert_eq!(pack(&parts(program::STATIC)).expect("packed"), first);
        let image = Image::parse(&first.0).expect("an image");
        assert_eq!(image.registers(), first.1);
        assert_eq!(image.ramdisks.len(), 2);
    }

    #[test]
    fn the_system_holds_its_first_process_and_no_other_program() {
        let archive = system(b"first process").expect("archive");
        let text = String::from_utf8_lossy(&archive);

        assert_eq!(text.matches("070701").count(), 7);
        for name in [
            "dev\0",
            "dev/console\0",
            "dev/null\0",
            "proc\0",
            "sys\0",
            "init\0",
        ] {
            assert!(text.contains(name), "{name}");
        }
    }

    #[test]
    fn a_program_that_needs_a_loader_is_not_packed() {
        let error = pack(&parts(program::DYNAMIC)).expect_err("refused");

        assert!(
            error
                .to_string()
                .starts_with("program is no static program")
        );
    }

    #[test]
    fn metadata_names_the_release_and_no_moment() {
        let metadata = metadata(7);

        assert!(metadata.contains("\"ImageVersion\":\"7\""), "{metadata}");
        assert!(metadata.contains("1970-01-01"), "{metadata}");
    }
}
