//! What an image measures, as its builder tells it: lines of `PCR0` to `PCR2` and 48 bytes in
//! hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use data_encoding::HEXLOWER;
use vettid_attestation::Measurement;

use super::FolderError;

/// Largest file of registers, bytes.
const LIMIT: u64 = 4096;

/// Reads what an image measures from a file that `vettid-image measure` has printed.
///
/// # Errors
/// When it cannot be read, or does not name all three registers.
pub(super) fn read(path: &Path) -> Result<Measurement, FolderError> {
    let mut text = String::new();
    File::open(path)?.take(LIMIT).read_to_string(&mut text)?;
    parse(&text).ok_or(FolderError::Damaged)
}

fn parse(text: &str) -> Option<Measurement> {
    let register = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let bytes = HEXLOWER.decode(line.as_bytes()).ok()?;
        <[u8; 48]>::try_from(bytes).ok()
    };
    let (pcr0, pcr1, pcr2) = (register("PCR0 ")?, register("PCR1 ")?, register("PCR2 ")?);
    Measurement::new(pcr0, pcr1, pcr2).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(bytes: [u8; 3]) -> String {
        let [a, b, c] = bytes.map(|byte| HEXLOWER.encode(&[byte; 48]));
        format!("PCR0 {a}\nPCR1 {b}\nPCR2 {c}\n")
    }

    #[test]
    fn registers_are_read_as_they_are_printed() {
        let expected = Measurement::new([1; 48], [2; 48], [3; 48]).expect("not debug");

        assert_eq!(parse(&printed([1, 2, 3])), Some(expected));
    }

    #[test]
    fn a_missing_short_or_debug_register_is_refused() {
        let whole = printed([1, 2, 3]);

        assert_eq!(parse(&whole.replace("PCR1", "PCR3")), None);
        assert_eq!(parse(&whole.replace("0202", "")), None);
        assert_eq!(parse(&whole.replace("02", "zz")), None);
        assert_eq!(parse(&printed([0, 0, 0])), None);
        assert_eq!(
            read(Path::new("/nonexistent")),
            Err(FolderError::Io(std::io::ErrorKind::NotFound))
        );
    }
}
