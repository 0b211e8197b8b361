//! Padding of session frames: buckets, padded plaintexts, and paddings that are none.

use serde::{Deserialize, Serialize};
use vettid_wire::padding::{CAPACITY, bucket, pad};

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Padding {
    /// Length of a plaintext and of its padded form; none where it does not fit a frame.
    pub buckets: Vec<(usize, Option<usize>)>,
    /// A short plaintext and its padded form.
    pub plaintext: String,
    /// Its padded form.
    pub padded: String,
    /// Padded forms that are refused, each with its reason.
    pub refused: Vec<(String, String)>,
}

/// Makes the file.
///
/// # Panics
/// When a short plaintext cannot be padded.
#[must_use]
pub fn make() -> Padding {
    let lengths = [
        0,
        1,
        510,
        511,
        512,
        1023,
        16_382,
        16_383,
        16_384,
        32_767,
        32_768,
        49_151,
        49_152,
        CAPACITY,
        CAPACITY + 1,
    ];
    let plaintext = b"vettid".to_vec();
    let mut padded = plaintext.clone();
    pad(&mut padded).expect("fits");
    let mut over = padded.clone();
    over.resize(1024, 0);
    let mut no_marker = padded.clone();
    no_marker[plaintext.len()] = 0x81;
    let refused = vec![
        ("padded to more than its bucket".to_owned(), hex(&over)),
        (
            "padded to less than its bucket".to_owned(),
            hex(&padded[..511]),
        ),
        ("another marker".to_owned(), hex(&no_marker)),
        ("nothing but zeros".to_owned(), hex(&[0; 512])),
    ];
    Padding {
        buckets: lengths
            .into_iter()
            .map(|length| (length, bucket(length)))
            .collect(),
        plaintext: hex(&plaintext),
        padded: hex(&padded),
        refused,
    }
}
