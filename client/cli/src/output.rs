//! The only way out for answers: text for people, or one JSON value for scripts.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// What a command has to say, in both forms.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Output {
    /// For people: lines, the last without its end. Empty says nothing.
    pub(crate) text: String,
    /// For scripts. Members are never renamed or removed.
    pub(crate) json: Value,
}

impl Output {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
        }
    }

    /// Nothing to say but that it is done.
    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self::new(text, serde_json::json!({ "done": true }))
    }
}

/// Prints an outcome; what it means for the shell.
pub(crate) fn print(outcome: &Result<Output, Failure>, json: bool) -> u8 {
    let printed = match outcome {
        Ok(output) if json => writeln!(io::stdout().lock(), "{}", output.json),
        Ok(output) if output.text.is_empty() => Ok(()),
        Ok(output) => writeln!(io::stdout().lock(), "{}", clean(&output.text)),
        Err(failure) if json => writeln!(io::stdout().lock(), "{}", failure.to_json()),
        Err(failure) => writeln!(io::stderr().lock(), "vettid: {}", clean(&failure.message())),
    };
    match (outcome, printed) {
        (Err(failure), _) => failure.exit_code(),
        (Ok(_), Ok(())) => crate::failure::DONE,
        // The answer was not heard; what was asked is done, but a script must not go on.
        (Ok(_), Err(_)) => Failure::System("output", String::new()).exit_code(),
    }
}

/// Prints one of several answers of a command that goes on.
pub(crate) fn line(output: &Output, json: bool) -> Result<(), Failure> {
    match print(&Ok(output.clone()), json) {
        crate::failure::DONE => Ok(()),
        // Nobody listens any more.
        _ => Err(Failure::Interrupted),
    }
}

/// Something to know beside the answer. Never on standard output.
pub(crate) fn note(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "vettid: {}", clean(text));
}

/// Text without what would steer a terminal: labels and values come from anywhere.
fn clean(text: &str) -> String {
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || turns(c);
    let shown = |c: char| if steers(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Whether a character changes the direction of what stands after it.
const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name that somebody else chose, in a row with other things.
pub(crate) fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

/// A number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let (whole, tenth) = (bytes / unit, bytes % unit * 10 / unit);
            format!("{whole}.{tenth} {name}")
        }
        None => format!("{bytes} bytes"),
    }
}

/// Columns of equal width.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a", "b", "c"], ["long", "", "x"]].map(|row| row.map(String::from).to_vec());

        assert_eq!(table(&rows), "a     b  c\nlong     x");
    }

    #[test]
    fn nothing_from_a_vault_steers_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n\tc"), "a\u{fffd}[2Jb\n\tc");
        assert_eq!(clean("gpj\u{202e}.exe"), "gpj\u{fffd}.exe");
        assert_eq!(one_line("Ada\n2  you"), "Ada 2  you");
    }

    #[test]
    fn sizes_are_short() {
        let shown = [0, 1_023, 1_536, 3 << 20, 5 << 30].map(size);

        assert_eq!(
            shown,
            ["0 bytes", "1023 bytes", "1.5 KiB", "3.0 MiB", "5.0 GiB"]
        );
    }
}
