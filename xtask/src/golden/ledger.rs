//! `docs/ledgers/*.txt`: every crate that ends up in a binary, so that a new one shows in review.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::layers::members;
use crate::repository::Repository;

/// Ledger and the package whose binaries it is about.
const LEDGERS: [(&str, &str); 4] = [
    ("cli", "vettid-cli"),
    ("enclave", "vettid-runtime"),
    ("init", "vettid-init"),
    ("node", "vettid-node"),
];

/// The platform the ledgers are about.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Writes all ledgers below `folder`.
pub(crate) fn write(repository: &Repository, folder: &Path) -> Result<()> {
    let metadata = repository.metadata(&["--filter-platform", PLATFORM])?;
    let members = members(&metadata)?;
    for (ledger, package) in LEDGERS {
        let member = members.iter().find(|member| member.name == package);
        let links = &member
            .with_context(|| format!("{package} is not in the workspace"))?
            .links;
        let path = folder.join("docs/ledgers").join(format!("{ledger}.txt"));
        fs::write(&path, text(package, links)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn text(package: &str, links: &BTreeSet<String>) -> String {
    let mut text = format!("# Crates linked into {package}, written by `cargo xtask tables`\n");
    for name in links {
        text.push_str(name);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_is_one_crate_a_line_in_order() {
        let links = ["tokio", "log"].into_iter().map(str::to_owned).collect();

        assert!(text("vettid-node", &links).ends_with("tables`\nlog\ntokio\n"));
    }
}
