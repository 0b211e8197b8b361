//! The XMPP server that messages are measured against: Debian's Prosody, unpacked beside the system.
//!
//! It is never installed, since Debian's package starts a server of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::Cache;
use super::debian;
use crate::command::on_path;

/// Tells the measurements where the package is unpacked.
const PROSODY: &str = "VETTID_PROSODY";
/// What must be there beside the packages.
const LIBRARIES: [(&str, &str); 4] = [
    ("libexpat1", "libexpat.so.1"),
    ("libicu72", "libicuuc.so.72"),
    ("libreadline8", "libreadline.so.8"),
    ("libssl3", "libssl.so.3"),
];
const FOLDERS: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"];

/// One Debian package for amd64.
struct Package {
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
}

/// Prosody, and what it needs and a Debian without Lua lacks.
const PACKAGES: [Package; 7] = [
    Package {
        name: "prosody",
        version: "0.12.3-1+deb12u1",
        sha256: "ee51edd4acc3633a27c3acb13af6652fcde2434dc49b3e3c5572eb0b56a803e2",
    },
    Package {
        name: "lua5.4",
        version: "5.4.4-3+deb12u1",
        sha256: "8a7221aa9614911f1236cbb1ba85401bb06f9ac66b51e5f98f31fbdeeca99fa7",
    },
    Package {
        name: "lua-bitop",
        version: "1.0.2-7",
        sha256: "adea9e219e7ddd3c61507c287c3467159a3a721ce33e56cae7bf2db9565f4634",
    },
    Package {
        name: "lua-expat",
        version: "1.5.1-3",
        sha256: "236310b4aab2d063f3b355fd9e18f2d956137f16560c0e546c484212907eaa82",
    },
    Package {
        name: "lua-filesystem",
        version: "1.8.0-3",
        sha256: "679309dc0d8fe34bd4fc7a15b742d7ebb3a26ac3ca2d3527026cda3bc7480fc3",
    },
    Package {
        name: "lua-sec",
        version: "1.2.0-2",
        sha256: "395c7ae9a2059d7db5c4e84d58ab2022a9976668b96ab172dbf4b8dd699a6bfc",
    },
    Package {
        name: "lua-socket",
        version: "3.1.0-1+b1",
        sha256: "63217faf1d497a61e23f8b7a128a494a8db593f4965ead1411429d1a1e46d9dd",
    },
];

/// Unpacks Prosody unless that was done, and tells a command where it is.
pub(crate) fn export(command: &mut Command) -> Result<()> {
    command.env(PROSODY, provide(&Cache::open()?)?);
    Ok(())
}

/// Folder that the packages are unpacked in.
fn provide(cache: &Cache) -> Result<PathBuf> {
    let [prosody, ..] = &PACKAGES;
    let name = format!("{}-{}", prosody.name, prosody.version);
    let entry = cache.entry(&name, fetch)?;
    let how = if entry.fetched {
        "fetched from Debian, checksums verified"
    } else {
        "present"
    };
    eprintln!("{} {}: {how}", prosody.name, prosody.version);
    Ok(entry.folder)
}

fn fetch(folder: &Path) -> Result<()> {
    let is_debian = on_path("apt-get").is_some() && on_path("dpkg-deb").is_some();
    if !is_debian || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("Prosody is pinned for Debian 12 on x86-64 only; choose other figures with --only");
    }
    for (package, library) in LIBRARIES {
        let mut places = FOLDERS.iter().map(|folder| Path::new(folder).join(library));
        if !places.any(|path| path.exists()) {
            bail!("{library} is missing: install Debian's package {package}");
        }
    }
    for package in &PACKAGES {
        package
            .unpack(folder)
            .with_context(|| format!("{} {}", package.name, package.version))?;
    }
    Ok(())
}

impl Package {
    fn unpack(&self, folder: &Path) -> Result<()> {
        let download = folder.join("download");
        fs::create_dir_all(&download)?;
        let file = debian::pinned(&download, self.name, self.version, self.sha256)?;
        debian::unpack(&file, folder)?;
        Ok(fs::remove_dir_all(&download)?)
    }
}
