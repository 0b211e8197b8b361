//! What comes from others: licenses, sources and bans of crates; and the words of the texts.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::quiet;
use crate::repository::Repository;
use crate::tools::{Need, Tools};

/// Folder with advisory databases as `cargo deny fetch` fills it. The database comes from a git
/// host, not from a package registry, so it is used where it is present and never fetched here.
const ADVISORIES: &str = "VETTID_ADVISORY_DB";

/// `cargo deny`; advisories only where a database is present.
pub(crate) fn dependencies(repository: &Repository, tools: &Tools) -> Result<String> {
    let deny = || -> Result<Command> {
        let mut command = Command::new(tools.path(Need::Deny)?);
        command.current_dir(repository.root());
        Ok(command)
    };
    let wanted = [
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    quiet(deny()?.args(wanted))?;
    let advisories = match env::var_os(ADVISORIES).map(PathBuf::from) {
        Some(folder) => {
            quiet(deny()?.args(["--offline", "check", "advisories"]))?;
            format!("none of the advisories in {} applies", folder.display())
        }
        None => format!("advisories were NOT checked: {ADVISORIES} names no database"),
    };
    Ok(format!("bans, licenses and sources hold; {advisories}"))
}

/// `typos` over every file that is or would be committed.
pub(crate) fn spelling(repository: &Repository, tools: &Tools) -> Result<String> {
    let mut typos = Command::new(tools.path(Need::Typos)?);
    quiet(
        typos
            .current_dir(repository.root())
            .args(["--format", "brief"]),
    )?;
    Ok("no misspelled word".to_owned())
}
