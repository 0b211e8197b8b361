//! The checks in order, cheap ones first, and their report.

use anyhow::{Result, bail};

use super::{lints, marks, paths, reasons, supply};
use crate::golden::{self, Mode};
use crate::repository::Repository;
use crate::tools::{Need, Tools, provide};
use crate::{layers, sizes};

/// One check: a name for the report, what it needs, and what it found when all is well.
struct Check {
    name: &'static str,
    needs: &'static [Need],
    run: fn(&Repository, &Tools) -> Result<String>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "format",
        needs: &[],
        run: |repository, _| lints::format(repository),
    },
    Check {
        name: "reasons",
        needs: &[],
        run: |repository, _| reasons::check(repository),
    },
    Check {
        name: "marks",
        needs: &[],
        run: |repository, _| marks::check(repository),
    },
    Check {
        name: "paths",
        needs: &[],
        run: |repository, _| paths::check(repository),
    },
    Check {
        name: "layers",
        needs: &[],
        run: |repository, _| layers::check(repository),
    },
    Check {
        name: "sizes",
        needs: &[],
        run: |repository, _| sizes::check(repository),
    },
    Check {
        name: "spelling",
        needs: &[Need::Typos],
        run: supply::spelling,
    },
    Check {
        name: "dependencies",
        needs: &[Need::Deny],
        run: supply::dependencies,
    },
    Check {
        name: "purity",
        needs: &[Need::Wasm],
        run: layers::check_purity,
    },
    Check {
        name: "lints",
        needs: &[Need::Build],
        run: |repository, _| lints::clippy(repository),
    },
    Check {
        name: "docs",
        needs: &[Need::Build],
        run: |repository, _| lints::docs(repository),
    },
    Check {
        name: "tables",
        needs: &[Need::Build],
        run: tables,
    },
    Check {
        name: "vectors",
        needs: &[Need::Build],
        run: vectors,
    },
];

/// Runs all checks, or those named in `only`; each failure is told, and the command fails.
pub(crate) fn run(repository: &Repository, only: &[String]) -> Result<()> {
    let checks = chosen(only)?;
    let mut needs: Vec<Need> = checks
        .iter()
        .flat_map(|check| check.needs)
        .copied()
        .collect();
    needs.sort();
    needs.dedup();
    let tools = provide(repository, &needs)?;
    let mut failed = Vec::new();
    for check in checks {
        match (check.run)(repository, &tools) {
            Ok(found) => println!("  ok   {}: {found}", check.name),
            Err(error) => {
                println!("  FAIL {}: {error:#}", check.name);
                failed.push(check.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("failed checks: {}", failed.join(", "));
    }
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(unknown) = only
        .iter()
        .find(|name| CHECKS.iter().all(|check| check.name != **name))
    {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        bail!(
            "no check is called {unknown}; there are {}",
            names.join(", ")
        );
    }
    let wanted = |check: &&Check| only.is_empty() || only.iter().any(|name| name == check.name);
    Ok(CHECKS.iter().filter(wanted).collect())
}

fn tables(repository: &Repository, _: &Tools) -> Result<String> {
    golden::tables(repository, Mode::Compare)
        .map(|()| "docs are as the code writes them".to_owned())
}

fn vectors(repository: &Repository, _: &Tools) -> Result<String> {
    golden::vectors(repository, Mode::Compare)
        .map(|()| "tests/vectors are as the code writes them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Result<Vec<&'static str>> {
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        Ok(chosen(&only)?.into_iter().map(|check| check.name).collect())
    }

    #[test]
    fn no_name_means_all_checks() {
        assert_eq!(names(&[]).unwrap().len(), CHECKS.len());
    }

    #[test]
    fn named_checks_run_in_the_order_of_the_list() {
        assert_eq!(names(&["sizes", "layers"]).unwrap(), ["layers", "sizes"]);
    }

    #[test]
    fn unknown_name_is_refused_with_the_known_ones() {
        let error = names(&["layer"]).unwrap_err().to_string();

        assert!(
            error.starts_with("no check is called layer; there are format, "),
            "{error}"
        );
    }
}
