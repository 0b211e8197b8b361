//! How far a file has come, on a terminal.

use std::io::{IsTerminal, Write, stderr};

use vettid_sdk::attachment::Moved;

use crate::output::{one_line, size};

/// A line that is written again and again on standard error; gone when this is dropped.
pub(crate) struct Meter {
    name: String,
    shows: bool,
}

impl Meter {
    /// Says nothing to scripts, nor where nobody sees a line change.
    pub(crate) fn new(name: &str, json: bool) -> Self {
        Self {
            name: one_line(name),
            shows: !json && stderr().is_terminal(),
        }
    }

    /// Shows how far it has come.
    pub(crate) fn show(&mut self, moved: Moved) {
        if self.shows {
            // A closed standard error is no reason to stop.
            let _ = write!(stderr().lock(), "\r{}\x1b[K", line(&self.name, moved));
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.shows {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(name: &str, moved: Moved) -> String {
    let Moved { done, whole } = moved;
    let percent = done.saturating_mul(100).checked_div(whole).unwrap_or(100);
    format!("{name}  {} of {}  {percent} %", size(done), size(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_says_how_much_of_what() {
        let moved = |done, whole| line("a.jpg", Moved { done, whole });

        assert_eq!(
            moved(1_048_576, 4_194_304),
            "a.jpg  1.0 MiB of 4.0 MiB  25 %"
        );
        assert_eq!(moved(0, 0), "a.jpg  0 bytes of 0 bytes  100 %");
    }
}
