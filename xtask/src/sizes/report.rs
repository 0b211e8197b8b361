//! Counts the workspace and compares it with the targets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::allowed::Allowed;
use super::count::{Counted, count};
use super::figures::{FILE_CEILING, FUNCTION_CEILING, Figure, figures};
use crate::repository::Repository;

const ALLOWED: &str = "xtask/sizes-allowed.toml";

/// Fuzz targets are a call and nothing else.
const FUZZ_TARGETS: &str = "fuzz/fuzz_targets";
const FUZZ_CEILING: usize = 10;

/// Prints the figures; fails on a ceiling or a figure missed without an exception.
pub(crate) fn check(repository: &Repository) -> Result<String> {
    let files = counted(repository)?;
    let text = fs::read_to_string(repository.path(ALLOWED)).context(ALLOWED)?;
    let mut allowed = Allowed::parse(&text)?;
    let figures = figures(&files);
    for figure in &figures {
        let mark = if figure.met() {
            ""
        } else {
            "  <- outside its target"
        };
        println!("       {:48} {:8.2}{mark}", figure.name, figure.value);
    }
    let mut wrong = over_ceilings(&files, &mut allowed);
    wrong.extend(missed(&figures, &mut allowed));
    wrong.extend(
        allowed
            .unused()
            .map(|what| format!("{ALLOWED}: {what} needs no exception")),
    );
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    let production: usize = files.values().map(|file| file.production).sum();
    Ok(format!(
        "{} files, {production} production lines",
        files.len()
    ))
}

fn over_ceilings(files: &BTreeMap<String, Counted>, allowed: &mut Allowed) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, file) in files {
        let ceiling = if path.starts_with(FUZZ_TARGETS) {
            FUZZ_CEILING
        } else {
            FILE_CEILING
        };
        if file.production > ceiling && !allowed.excuses(path) {
            wrong.push(format!(
                "{path}: {} production lines, at most {ceiling}",
                file.production
            ));
        }
        for function in &file.functions {
            let name = format!("{path}::{}", function.name);
            if function.lines > FUNCTION_CEILING && !allowed.excuses(&name) {
                wrong.push(format!(
                    "{name}: {} lines, at most {FUNCTION_CEILING}",
                    function.lines
                ));
            }
        }
    }
    wrong
}

fn missed(figures: &[Figure], allowed: &mut Allowed) -> Vec<String> {
    let missed = figures
        .iter()
        .filter(|figure| figure.binding && !figure.met());
    missed
        .filter(|figure| !allowed.excuses(&figure.name))
        .map(|figure| format!("{}: {:.2} is outside its target", figure.name, figure.value))
        .collect()
}

/// Every committed Rust file, counted.
fn counted(repository: &Repository) -> Result<BTreeMap<String, Counted>> {
    let mut texts = BTreeMap::new();
    for path in repository.files()? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(repository.path(&path))
                .with_context(|| path.display().to_string())?;
            texts.insert(path, text);
        }
    }
    let mut test_modules = Vec::new();
    for (path, text) in &texts {
        test_modules.extend(count(path, text, false)?.test_modules);
    }
    let mut files = BTreeMap::new();
    for (path, text) in &texts {
        let all_test = is_test_file(path, &test_modules);
        files.insert(path.display().to_string(), count(path, text, all_test)?);
    }
    Ok(files)
}

/// Integration tests, micro benchmarks, and modules declared for tests only.
fn is_test_file(path: &Path, test_modules: &[PathBuf]) -> bool {
    let in_folder = |name: &str| {
        let below_crate = path.components().skip(1);
        below_crate
            .take_while(|part| part.as_os_str() != "src")
            .any(|part| part.as_os_str() == name)
    };
    in_folder("tests")
        || in_folder("benches")
        || test_modules.iter().any(|own| path.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::super::count::Function;
    use super::*;

    #[test]
    fn integration_tests_and_test_modules_are_test_files() {
        let own = [PathBuf::from("enclave/vault/src/fixture.rs")];

        assert!(is_test_file(Path::new("tests/tests/enrollment.rs"), &[]));
        assert!(is_test_file(
            Path::new("protocol/wire/tests/vectors.rs"),
            &[]
        ));
        assert!(is_test_file(
            Path::new("enclave/vault/src/fixture.rs"),
            &own
        ));
        assert!(!is_test_file(Path::new("tests/src/lib.rs"), &own));
        assert!(!is_test_file(Path::new("xtask/src/test.rs"), &own));
    }

    #[test]
    fn long_file_and_long_function_are_told_unless_excepted() {
        let functions = vec![Function {
            name: "f".to_owned(),
            lines: 61,
        }];
        let file = Counted {
            production: 401,
            functions,
            ..Counted::default()
        };
        let files = BTreeMap::from([("a/src/b.rs".to_owned(), file)]);
        let excepted = "[[exception]]\nwhat = \"a/src/b.rs\"\nreason = \"one long table\"\n";

        assert_eq!(
            over_ceilings(&files, &mut Allowed::default()),
            [
                "a/src/b.rs: 401 production lines, at most 400",
                "a/src/b.rs::f: 61 lines, at most 60"
            ]
        );
        assert_eq!(
            over_ceilings(&files, &mut Allowed::parse(excepted).unwrap()),
            ["a/src/b.rs::f: 61 lines, at most 60"]
        );
    }
}
