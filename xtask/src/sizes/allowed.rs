//! Exceptions from the size targets.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The list in `xtask/sizes-allowed.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    /// One exception each.
    #[serde(default)]
    exception: Vec<Exception>,
    #[serde(skip)]
    used: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// What is excepted: `path`, `path::function` or a figure's name.
    what: String,
    /// Why.
    reason: String,
}

impl Allowed {
    /// Reads the list; an exception without a reason is an error.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let allowed: Self = toml::from_str(text).context("sizes-allowed.toml")?;
        for exception in &allowed.exception {
            if exception.reason.split_whitespace().count() < 3 {
                bail!("sizes-allowed.toml: {} has no reason", exception.what);
            }
        }
        Ok(allowed)
    }

    /// Whether `what` is excepted; remembers that it had to be.
    pub(crate) fn excuses(&mut self, what: &str) -> bool {
        let excused = self
            .exception
            .iter()
            .any(|exception| exception.what == what);
        if excused {
            self.used.insert(what.to_owned());
        }
        excused
    }

    /// Exceptions that nothing needs any more.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        let names = self
            .exception
            .iter()
            .map(|exception| exception.what.as_str());
        names.filter(|what| !self.used.contains(*what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exception_without_a_reason_is_refused() {
        let error = Allowed::parse("[[exception]]\nwhat = \"a.rs\"\nreason = \"\"\n").unwrap_err();

        assert_eq!(error.to_string(), "sizes-allowed.toml: a.rs has no reason");
    }

    #[test]
    fn exception_that_nothing_needs_is_told() {
        let text = "[[exception]]\nwhat = \"a.rs\"\nreason = \"one long table\"\n\
                    [[exception]]\nwhat = \"b.rs\"\nreason = \"one long table\"\n";
        let mut allowed = Allowed::parse(text).unwrap();

        assert!(allowed.excuses("a.rs"));
        assert!(!allowed.excuses("c.rs"));
        assert_eq!(allowed.unused().collect::<Vec<_>>(), ["b.rs"]);
    }
}
