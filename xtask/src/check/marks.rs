//! Marks of unfinished work.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::repository::Repository;

/// Each in two halves, so that this list does not find itself.
const MARKS: [(&str, &str); 7] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("HA", "CK:"),
    ("for ", "now"),
    ("to", "do!("),
    ("unimple", "mented!("),
];

const KINDS: [&str; 5] = ["md", "rs", "sh", "sql", "toml"];

/// Looks through every committed source and document.
pub(crate) fn check(repository: &Repository) -> Result<String> {
    let mut wrong = Vec::new();
    let mut read = 0_usize;
    for path in repository.files()? {
        let kind = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if !KINDS.contains(&kind) {
            continue;
        }
        let text = fs::read_to_string(repository.path(&path))
            .with_context(|| path.display().to_string())?;
        read = read.saturating_add(1);
        wrong.extend(find(&text).map(|(line, mark)| format!("{}:{line}: {mark}", path.display())));
    }
    if !wrong.is_empty() {
        bail!("marks of unfinished work\n{}", wrong.join("\n"));
    }
    Ok(format!("no mark of unfinished work in {read} files"))
}

/// Line numbers and marks found in a text.
fn find(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        MARKS
            .iter()
            .map(|(first, second)| format!("{first}{second}"))
            .filter_map(move |mark| {
                let found = line
                    .match_indices(&mark)
                    .any(|(at, _)| stands_alone(line, at, &mark));
                found.then(|| (index.saturating_add(1), mark))
            })
    })
}

/// Whether the mark is no part of a longer word.
fn stands_alone(line: &str, at: usize, mark: &str) -> bool {
    let inside_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    let after = line
        .get(at.saturating_add(mark.len())..)
        .and_then(|text| text.chars().next());
    let open_ended = mark.ends_with(['(', ':']);
    !inside_word(before) && (open_ended || !inside_word(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_with_their_lines() {
        let text = [
            "fine",
            &format!("// {}{}: later", "TO", "DO"),
            &format!("ok {}{} ok", "for ", "now"),
        ]
        .join("\n");

        assert_eq!(
            find(&text).collect::<Vec<_>>(),
            [(2, ["TO", "DO"].concat()), (3, ["for ", "now"].concat())]
        );
    }

    #[test]
    fn words_that_contain_a_mark_are_not_marks() {
        assert_eq!(find("for nowhere, AUTODOC, XXXL").count(), 0);
    }
}
