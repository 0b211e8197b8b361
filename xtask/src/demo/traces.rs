//! Looks for an owner's plaintext where only ciphertext may be.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

/// How much was looked through, and what was found.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Search {
    /// Bytes looked through.
    pub(crate) bytes: usize,
    /// Files looked through.
    pub(crate) files: usize,
    /// `where: word` for each hit.
    pub(crate) hits: Vec<String>,
}

impl Search {
    /// Looks through one run of bytes for the words, plain and in the usual encodings.
    pub(crate) fn bytes(&mut self, place: &str, bytes: &[u8], words: &[String]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        for word in words {
            if encodings(word).iter().any(|needle| contains(bytes, needle)) {
                self.hits.push(format!("{place}: {word}"));
            }
        }
    }

    /// Looks through every file below a folder.
    pub(crate) fn folder(&mut self, folder: &Path, words: &[String]) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folder(&entry.path(), words)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path())?;
                self.files = self.files.saturating_add(1);
                self.bytes(&entry.path().display().to_string(), &bytes, words);
            }
        }
        Ok(())
    }
}

/// A word as it is, in hex, and in base64 at its three alignments.
fn encodings(word: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        word.as_bytes().to_vec(),
        HEXLOWER.encode(word.as_bytes()).into_bytes(),
    ];
    for skip in 0..3 {
        // Whole groups only: the first and last depend on what stands beside the word.
        let inner = word.as_bytes().get(skip..).unwrap_or_default();
        let whole = inner.get(..inner.len() / 3 * 3).unwrap_or_default();
        if whole.len() >= 6 {
            forms.push(BASE64.encode(whole).into_bytes());
            forms.push(BASE64URL_NOPAD.encode(whole).into_bytes());
        }
    }
    forms
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(bytes: &[u8]) -> usize {
        let mut search = Search::default();
        search.bytes("here", bytes, &["correct horse".to_owned()]);
        search.hits.len()
    }

    #[test]
    fn word_is_found_plain_and_encoded() {
        assert_eq!(hits(b"..correct horse.."), 1);
        assert_eq!(hits(HEXLOWER.encode(b"xcorrect horse").as_bytes()), 1);
        for before in ["", "x", "xy", "xyz"] {
            let text = format!("{before}correct horse!");
            assert_eq!(
                hits(BASE64.encode(text.as_bytes()).as_bytes()),
                1,
                "{before}"
            );
        }
    }

    #[test]
    fn bytes_without_the_word_have_no_hit() {
        assert_eq!(hits(b"correct hor"), 0);
        assert_eq!(hits(b""), 0);
    }

    #[test]
    fn files_in_folders_are_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), "the correct horse").unwrap();
        let mut search = Search::default();

        search
            .folder(folder.path(), &["correct horse".to_owned()])
            .unwrap();

        assert_eq!((search.files, search.bytes, search.hits.len()), (1, 17, 1));
    }
}
