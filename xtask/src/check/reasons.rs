//! Every shared dependency says why it is there.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::repository::Repository;

const MANIFEST: &str = "Cargo.toml";
const SECTION: &str = "[workspace.dependencies]";

/// Reads the workspace manifest.
pub(crate) fn check(repository: &Repository) -> Result<String> {
    let text = fs::read_to_string(repository.path(MANIFEST)).context(MANIFEST)?;
    let (outside, without): (Vec<_>, Vec<_>) =
        dependencies(&text).partition(|line| has_reason(line));
    if !without.is_empty() {
        bail!("no reason given for\n{}", without.join("\n"));
    }
    Ok(format!(
        "{} outside dependencies, each with its reason",
        outside.len()
    ))
}

/// Lines of the section that name a crate from outside.
fn dependencies(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .skip_while(|line| line.trim() != SECTION)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.trim_start().starts_with('#'))
        .filter(|line| !line.contains("path = "))
}

fn has_reason(line: &str) -> bool {
    line.rsplit_once(" # ")
        .is_some_and(|(_, reason)| reason.split_whitespace().count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[workspace]\nmembers = []\n[workspace.dependencies]\n\
        vettid-wire = { path = \"protocol/wire\" }\n\n# -- group --\n\
        hkdf = \"1\" # key derivation, RFC 5869\nnix = \"1\"\n[profile.dev]\ndebug = true\n";

    #[test]
    fn only_outside_dependencies_are_looked_at() {
        assert_eq!(
            dependencies(TEXT).collect::<Vec<_>>(),
            ["hkdf = \"1\" # key derivation, RFC 5869", "nix = \"1\""]
        );
    }

    #[test]
    fn line_without_words_after_it_has_no_reason() {
        let without: Vec<_> = dependencies(TEXT)
            .filter(|line| !has_reason(line))
            .collect();

        assert_eq!(without, ["nix = \"1\""]);
    }
}
