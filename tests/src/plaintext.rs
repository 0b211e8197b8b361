//! Looks for an owner's plaintext where only ciphertext may be.

use std::fs;
use std::path::Path;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

use crate::host_disk::collect;

/// Where words were found, each with the place. `places` names what was looked through.
#[must_use]
pub fn find(words: &[&str], places: &[(&str, &[u8])]) -> Vec<String> {
    let mut hits = Vec::new();
    for (place, bytes) in places {
        for word in words {
            if forms(word).iter().any(|form| contains(bytes, form)) {
                hits.push(format!("{place}: {word}"));
            }
        }
    }
    hits
}

/// The same for every file below a folder; how many there were, and the hits.
///
/// # Panics
/// When a file cannot be read.
#[must_use]
pub fn find_in_files(words: &[&str], folder: &Path) -> (usize, Vec<String>) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let regular: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
    let hits = regular.iter().flat_map(|path| {
        let bytes = fs::read(path).unwrap_or_default();
        find(words, &[(&path.display().to_string(), &bytes)])
    });
    (regular.len(), hits.collect())
}

/// A word as it is, in hexadecimal, and in base64 at its three alignments.
fn forms(word: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        word.as_bytes().to_vec(),
        HEXLOWER.encode(word.as_bytes()).into_bytes(),
        word.bytes().flat_map(|byte| [byte, 0]).collect(),
    ];
    for skip in 0..3 {
        // Whole groups only: the first and last depend on what stands beside the word.
        let inner = &word.as_bytes()[skip.min(word.len())..];
        let whole = &inner[..inner.len() / 3 * 3];
        if whole.len() >= 6 {
            forms.push(BASE64.encode(whole).into_bytes());
            forms.push(BASE64URL_NOPAD.encode(whole).into_bytes());
        }
    }
    forms
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|window| window == form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_found_in_every_form_and_nothing_else_is() {
        for bytes in [
            b"..correct horse..".to_vec(),
            HEXLOWER.encode(b"correct horse").into_bytes(),
            BASE64.encode(b"xycorrect horse!").into_bytes(),
        ] {
            assert_eq!(
                find(&["correct horse"], &[("here", &bytes)]),
                ["here: correct horse"]
            );
        }
        assert_eq!(
            find(&["correct horse"], &[("here", b"correct hors")]),
            [""; 0]
        );
    }
}
