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
        Ok(output) if json => writeln!(io::stdout().lock(), "{}", escaped(&output.json)),
        Ok(output) if output.text.is_empty() => Ok(()),
        Ok(output) => writeln!(io::stdout().lock(), "{}", clean(&output.text)),
        Err(failure) if json => writeln!(io::stdout().lock(), "{}", escaped(&failure.to_json())),
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
pub(crate) fn clean(text: &str) -> String {
    let steers = |c: char| steers(c) && c != '\n' && c != '\t';
    let shown = |c: char| if steers(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// A JSON value in which what would steer a terminal is escaped, so that it means the same.
fn escaped(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if steers(c) {
            // Those that steer are of one unit of UTF-16 each.
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

fn steers(c: char) -> bool {
    c.is_control() || turns(c)
}

/// Whether a character changes the direction of what stands after it.
pub(crate) const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name that somebody else chose, in a row with other things.
pub(crate) fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    clean(&text.chars().map(shown).collect::<String>())
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

/// Columns of equal width. A cell that is wider than [`WIDEST`] sticks out: others choose what is in it.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |cell: &String| cell.chars().count();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(length).max().unwrap_or(0).min(WIDEST)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(length(cell)) + 2));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Characters to which the columns of a table are brought.
const WIDEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a", "b", "c"], ["long", "", "x"]].map(|row| row.map(String::from).to_vec());

        assert_eq!(table(&rows), "a     b  c\nlong     x");
    }

    #[test]
    fn cell_of_any_length_is_shown() {
        let long = "\n".repeat(70_000);

        let shown = table(&[vec![long.clone(), "x".into()], vec!["a".into(), "y".into()]]);

        assert!(shown.starts_with(&(long + "  x\na ")));
    }

    #[test]
    fn json_steers_no_terminal_and_says_the_same() {
        let value = serde_json::json!({ "text": "a\u{9b}2J\u{202e}b\n\u{7f}" });

        let text = escaped(&value);

        assert!(!text.chars().any(steers));
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }

    #[test]
    fn nothing_from_a_vault_steers_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n\tc"), "a\u{fffd}[2Jb\n\tc");
        assert_eq!(clean("gpj\u{202e}.exe"), "gpj\u{fffd}.exe");
        assert_eq!(one_line("Ada\n2  \u{202e}you"), "Ada 2  \u{fffd}you");
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
