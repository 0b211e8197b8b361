//! Debian packages: what compilers and Python need.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use super::python::python;
use crate::command::{on_path, quiet, succeeds};

/// One thing the system has to bring, and the Debian package that brings it.
pub(crate) struct SystemPart {
    what: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

/// C and C++ compilers: SQLite, the cryptography library, the fuzzer's runtime.
pub(crate) const COMPILER: SystemPart = SystemPart {
    what: "C compiler",
    package: "build-essential",
    present: || on_path("cc").is_some() && on_path("c++").is_some(),
};

/// libclang: SQLite's session functions get their Rust declarations while building.
pub(crate) const LIBCLANG: SystemPart = SystemPart {
    what: "libclang",
    package: "libclang-dev",
    present: libclang_is_present,
};

/// Python with pip and virtual environments.
pub(crate) const PYTHON: SystemPart = SystemPart {
    what: "Python 3 with pip",
    package: "python3-pip",
    present: || succeeds(python().args(["-m", "pip", "--version"])),
};

/// Python's virtual environments, a package of their own on Debian.
pub(crate) const ENVIRONMENTS: SystemPart = SystemPart {
    what: "Python environments",
    package: "python3-venv",
    present: || succeeds(python().args(["-c", "import ensurepip, venv"])),
};

/// Interfaces and routes of the networks that tests make inside this machine.
pub(crate) const INTERFACES: SystemPart = SystemPart {
    what: "ip",
    package: "iproute2",
    present: || finds("ip"),
};

/// Address translation between those networks.
pub(crate) const TRANSLATION: SystemPart = SystemPart {
    what: "nft",
    package: "nftables",
    present: || finds("nft"),
};

/// Parsers of the kernel's configuration and of device trees.
const BISON: SystemPart = SystemPart {
    what: "bison",
    package: "bison",
    present: || on_path("bison").is_some(),
};

/// Scanners of the same.
const FLEX: SystemPart = SystemPart {
    what: "flex",
    package: "flex",
    present: || on_path("flex").is_some(),
};

/// What the image's kernel is built with, besides the compiler.
pub(crate) const KERNEL: [SystemPart; 5] = [
    BISON,
    SystemPart {
        what: "bc",
        package: "bc",
        present: || on_path("bc").is_some(),
    },
    FLEX,
    SystemPart {
        what: "libelf",
        package: "libelf-dev",
        present: || has_header("gelf.h"),
    },
    SystemPart {
        what: "xz",
        package: "xz-utils",
        present: || on_path("xz").is_some(),
    },
];

/// What the emulated Nitro machine is built with and runs on.
pub(crate) const EMULATOR: [SystemPart; 9] = [
    COMPILER,
    BISON,
    FLEX,
    SystemPart {
        what: "CBOR library",
        package: "libcbor-dev",
        present: || has_header("cbor.h"),
    },
    SystemPart {
        what: "device tree library",
        package: "libfdt-dev",
        present: || has_header("libfdt.h"),
    },
    SystemPart {
        what: "GLib",
        package: "libglib2.0-dev",
        present: || has_header("glib-2.0/glib.h"),
    },
    SystemPart {
        what: "GnuTLS",
        package: "libgnutls28-dev",
        present: || has_header("gnutls/gnutls.h"),
    },
    SystemPart {
        what: "ninja",
        package: "ninja-build",
        present: || on_path("ninja").is_some(),
    },
    SystemPart {
        what: "zlib",
        package: "zlib1g-dev",
        present: || has_header("zlib.h"),
    },
];

impl SystemPart {
    /// Installs the package if the part is missing and this is root; else says what to do.
    pub(crate) fn provide(&self) -> Result<()> {
        if (self.present)() {
            eprintln!("{}: present", self.what);
            return Ok(());
        }
        if !Uid::effective().is_root() || on_path("apt-get").is_none() {
            bail!(
                "{} is missing: install Debian's package {}",
                self.what,
                self.package
            );
        }
        quiet(apt().args(["update", "--quiet"]))?;
        quiet(apt().args(["install", "--yes", "--no-install-recommends", self.package]))
            .with_context(|| format!("installing {}", self.package))?;
        eprintln!("{}: installed as Debian's {}", self.what, self.package);
        Ok(())
    }
}

/// Everything that the tests' networks take, on the same `PATH`: tests that were promised networks fail
/// where these cannot be made.
const NETWORK: &str = "ip link add probe type veth peer name eborp && ip link add bridged type bridge \
    && nft add table ip probe \
    && nft 'add chain ip probe out { type nat hook postrouting priority 100; }' \
    && nft add rule ip probe out masquerade fully-random";

/// An error where this user may make no network of its own.
pub(crate) fn can_make_networks() -> Result<()> {
    let mut unshare = Command::new("unshare");
    if !Uid::effective().is_root() {
        unshare.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    quiet(unshare.args(["--net", "sh", "-c", NETWORK]))
        .context("no network namespaces can be made here")
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether a program of the system is there; those of root are not on everybody's `PATH`.
fn finds(name: &str) -> bool {
    on_path(name).is_some() || Path::new("/usr/sbin").join(name).is_file()
}

fn has_header(name: &str) -> bool {
    Path::new("/usr/include").join(name).is_file()
}

fn libclang_is_present() -> bool {
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    versions
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"llvm-"))
        })
        .any(|path| has_libclang(&path.join("lib")))
        || std::env::var_os("LIBCLANG_PATH").is_some_and(|path| has_libclang(Path::new(&path)))
}

/// The library alone is not enough: the compiler's own headers must be there too.
fn has_libclang(folder: &Path) -> bool {
    let library = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(b"libclang")
                && name.to_string_lossy().contains(".so")
        });
    library && folder.join("clang").is_dir()
}
