//! The emulated Nitro machine: QEMU with its `nitro-enclave` machine, a firmware, and the host's end
//! of vsock. Software emulation; it protects nothing and signs nothing.
//!
//! Debian builds QEMU without that machine, so it is built here from Debian's sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use super::cache::{Cache, key, verify};
use super::debian;
use super::python::environment;
use crate::command::{cargo, cargo_home, output, quiet};
use crate::repository::Repository;

/// Suite whose QEMU has the machine; its point releases bring newer versions.
const SUITE: &str = "trixie";

/// Its program.
const QEMU: &str = "qemu-system-x86_64";

/// What this was tried with; another version of the suite is built all the same, since apt has
/// checked it and no release depends on it.
const TRIED: &str = "10.0.13";

const FLAGS: [&str; 14] = [
    "--target-list=x86_64-softmmu",
    "--without-default-features",
    "--without-default-devices",
    "--with-devices-x86_64=nitro",
    "--enable-system",
    "--enable-tcg",
    "--enable-kvm",
    "--enable-vhost-user",
    "--enable-gnutls",
    "--enable-libcbor",
    "--enable-fdt=system",
    "--disable-docs",
    "--disable-werror",
    "--disable-install-blobs",
];

/// The build system that QEMU wants and Debian's stable suites do not have.
const REQUIREMENTS: &str = "xtask/requirements-emulator.txt";

/// The host's end of vsock, a program of crates.io.
const BACKEND: &str = "vhost-device-vsock";
const BACKEND_VERSION: &str = "0.3.0";
const BACKEND_SHA256: &str = "52ce95d81af89ad693d067c650e42df0f217addfbc96cc4820f7c62eb4a28b13";

/// A real enclave's host has the context id 3; the program as published is 2.
const BACKEND_FILE: &str = "src/vhu_vsock.rs";
const PUBLISHED: &str = "pub(crate) const VSOCK_HOST_CID: u64 = 2;";
const CHANGED: &str = "pub(crate) const VSOCK_HOST_CID: u64 = 3;";

/// Firmware files out of Debian's package, all that the machine needs.
const FIRMWARE: [&str; 2] = ["qboot.rom", "linuxboot_dma.bin"];

/// A folder with `qemu-system-x86_64`, `vhost-device-vsock` and `firmware/`.
pub(crate) fn provide(repository: &Repository, cache: &Cache) -> Result<PathBuf> {
    let backend_key = key(&[BACKEND_SHA256.as_bytes(), CHANGED.as_bytes()]);
    let name = format!("{BACKEND}-{BACKEND_VERSION}-{backend_key}");
    let host_end = cache.entry(&name, backend)?.folder.join(BACKEND);

    let requirements = repository.path(REQUIREMENTS);
    let pins = fs::read(&requirements).context(REQUIREMENTS)?;
    let flags = FLAGS.join(" ");
    let qemu_key = key(&[flags.as_bytes(), &pins, TRIED.as_bytes()]);
    let machine = cache.built(&format!("qemu-{qemu_key}"), |folder, work| {
        qemu(&requirements, folder, work)
    })?;

    let both = key(&[backend_key.as_bytes(), qemu_key.as_bytes()]);
    let entry = cache.entry(&format!("emulator-{both}"), |folder| {
        firmware(folder)?;
        fs::copy(machine.folder.join(QEMU), folder.join(QEMU))?;
        fs::copy(&host_end, folder.join(BACKEND))?;
        Ok(())
    })?;
    let how = if entry.fetched {
        "built from Debian's and crates.io's sources, checksums verified"
    } else {
        "present"
    };
    eprintln!("emulated Nitro machine: {how}");
    Ok(entry.folder)
}

fn firmware(folder: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(folder)?;
    let package = debian::binary(work.path(), "qemu-system-data", None)?;
    debian::unpack(&package, work.path())?;
    let to = folder.join("firmware");
    fs::create_dir(&to)?;
    for file in FIRMWARE {
        let from = ["usr/share/qemu", "usr/share/seabios"]
            .iter()
            .map(|below| work.path().join(below).join(file))
            .find(|path| path.is_file())
            .with_context(|| format!("{file} is not in qemu-system-data"))?;
        fs::copy(from, to.join(file))?;
    }
    Ok(())
}

/// In `work`, where an interrupted build goes on.
fn qemu(requirements: &Path, folder: &Path, work: &Path) -> Result<()> {
    eprintln!("QEMU: building, about five minutes");
    let build = work.join("build");
    if !build.join("build.ninja").is_file() {
        fs::remove_dir_all(work)?;
        fs::create_dir_all(&build)?;
        let python = environment(work, requirements)?.join("bin/python");
        let tree = debian::source(work, SUITE, "qemu")?;
        let name = tree.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains(TRIED) {
            eprintln!("QEMU: {name} instead of {TRIED}, which this was tried with");
        }
        let devices = tree.join("configs/devices/x86_64-softmmu/nitro.mak");
        fs::write(devices, "CONFIG_NITRO_ENCLAVE=y\n")?;
        let mut configure = Command::new(tree.join("configure"));
        configure.current_dir(&build).args(FLAGS);
        quiet(configure.arg(format!("--python={}", python.display())))?;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut ninja = Command::new("ninja");
    ninja.current_dir(&build).arg(format!("-j{cores}"));
    quiet(ninja.arg(QEMU))?;

    let built = build.join(QEMU);
    let machines = output(Command::new(&built).args(["-M", "help"]))?;
    if !machines.contains("nitro-enclave") {
        bail!("this QEMU has no nitro-enclave machine:\n{machines}");
    }
    let program = folder.join(QEMU);
    fs::copy(&built, &program)?;
    quiet(Command::new("strip").arg(&program))
}

fn backend(folder: &Path) -> Result<()> {
    eprintln!("{BACKEND} {BACKEND_VERSION}: building, about a minute");
    let work = tempfile::tempdir_in(folder)?;
    let archive = fetch_crate(work.path())?;
    verify(&archive, BACKEND_SHA256)?;
    quiet(
        Command::new("tar")
            .arg("-C")
            .arg(work.path())
            .arg("-xzf")
            .arg(&archive),
    )?;
    let tree = work.path().join(format!("{BACKEND}-{BACKEND_VERSION}"));
    change(&tree.join(BACKEND_FILE))?;
    // Not a member of the workspace that this cache may lie in.
    let manifest = tree.join("Cargo.toml");
    fs::write(
        &manifest,
        fs::read_to_string(&manifest)? + "\n[workspace]\n",
    )?;
    let target = work.path().join("target");
    let mut build = cargo(&tree);
    build
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS");
    quiet(build.args(["build", "--release", "--locked", "--bin", BACKEND]))?;
    fs::copy(target.join("release").join(BACKEND), folder.join(BACKEND))?;
    Ok(())
}

/// Has cargo fetch the crate, and takes its archive out of cargo's cache.
fn fetch_crate(work: &Path) -> Result<PathBuf> {
    let stub = work.join("stub");
    fs::create_dir_all(stub.join("src"))?;
    fs::write(stub.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\n{BACKEND} = \"={BACKEND_VERSION}\"\n"
    );
    fs::write(stub.join("Cargo.toml"), manifest)?;
    quiet(cargo(&stub).arg("fetch"))?;
    let file = format!("{BACKEND}-{BACKEND_VERSION}.crate");
    let registries = fs::read_dir(cargo_home()?.join("registry/cache")).context("cargo's cache")?;
    let found = registries
        .flatten()
        .map(|registry| registry.path().join(&file))
        .find(|path| path.is_file());
    found.with_context(|| format!("{file} was not fetched"))
}

/// Makes the one change, and fails where it does not fit exactly once.
fn change(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    if text.matches(PUBLISHED).count() != 1 {
        bail!("{BACKEND} is not as it was when it was changed last");
    }
    Ok(fs::write(file, text.replace(PUBLISHED, CHANGED))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_fits_once_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vhu_vsock.rs");

        fs::write(&file, format!("a\n{PUBLISHED}\nb\n")).unwrap();
        change(&file).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            format!("a\n{CHANGED}\nb\n")
        );
        assert!(change(&file).is_err());
        fs::write(&file, format!("{PUBLISHED}\n{PUBLISHED}\n")).unwrap();
        assert!(change(&file).is_err());
    }
}
