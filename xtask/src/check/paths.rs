//! Documents name no file or folder of the repository that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::repository::Repository;

/// Looks through every document for paths between backticks.
pub(crate) fn check(repository: &Repository) -> Result<String> {
    let files = repository.files()?;
    let known = Known::of(&files);
    let mut wrong = Vec::new();
    let mut named = 0_usize;
    for path in files.iter().filter(|path| is_document(path)) {
        let text = fs::read_to_string(repository.path(path))
            .with_context(|| path.display().to_string())?;
        for (line, name) in paths(&text) {
            let Some(is_there) = known.is_there(name) else {
                continue;
            };
            named = named.saturating_add(1);
            if !is_there {
                wrong.push(format!("{}:{line}: {name}", path.display()));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("paths that are not there\n{}", wrong.join("\n"));
    }
    Ok(format!("{named} paths in documents, each is there"))
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "md")
}

/// Files of the repository, and the folders they are in.
struct Known {
    places: BTreeSet<PathBuf>,
}

impl Known {
    fn of(files: &[PathBuf]) -> Self {
        let ancestors = files.iter().flat_map(|file| file.ancestors());
        Self {
            places: ancestors.map(Path::to_path_buf).collect(),
        }
    }

    /// Nothing of what begins in no folder of the repository: it is of a node's folder, say.
    fn is_there(&self, name: &str) -> Option<bool> {
        let (first, _) = name.split_once('/')?;
        let of_repository = !first.is_empty() && self.places.contains(Path::new(first));
        of_repository.then(|| self.places.contains(Path::new(name.trim_end_matches('/'))))
    }
}

/// What could be paths: text between backticks, with a slash and nothing that is in no name. With the
/// numbers of their lines.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_in_names = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    text.lines().enumerate().flat_map(move |(index, line)| {
        line.split('`')
            .skip(1)
            .step_by(2)
            .filter(move |quoted| quoted.contains('/') && quoted.chars().all(is_in_names))
            .map(move |quoted| (index.saturating_add(1), quoted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_stands_between_backticks_and_could_be_one() {
        let text = "see `docs/a.md` and docs/b.md\n`x/y z`, `plain`, `node/src/`, `a/{b,c}`";

        assert_eq!(
            paths(text).collect::<Vec<_>>(),
            [(1, "docs/a.md"), (2, "node/src/")]
        );
    }

    #[test]
    fn path_that_begins_in_the_repository_is_there_or_not() {
        let known = Known::of(&[PathBuf::from("docs/a.md"), PathBuf::from("node/src/lib.rs")]);

        for (name, is_there) in [
            ("docs/a.md", Some(true)),
            ("docs/b.md", Some(false)),
            ("node/src/", Some(true)),
            ("node/src", Some(true)),
            ("node/tests/", Some(false)),
            ("bus/operator.seed", None),
            ("/metrics", None),
        ] {
            assert_eq!(known.is_there(name), is_there, "{name}");
        }
    }
}
