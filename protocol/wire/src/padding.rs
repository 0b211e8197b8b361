//! Padding of session frames, so that sizes tell little.
//!
//! `plaintext | 0x80 | zeros` up to exactly the next bucket: a multiple of 512 B up to 16 KiB, then
//! a multiple of 16 KiB; the last bucket is a full frame.

use crate::limits;

/// A frame's plaintext is not padded the one way it can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("frame is not padded to its bucket")]
pub struct BadPadding;

/// The largest plaintext that fits a frame: one byte goes to the marker.
pub const CAPACITY: usize = limits::FRAME - 1;

/// Size that `length` bytes take when padded, if they fit a frame.
#[must_use]
pub fn bucket(length: usize) -> Option<usize> {
    if length > CAPACITY {
        return None;
    }
    Some(step(length.saturating_add(1)).min(limits::FRAME))
}

/// The size that `length` bytes are made to take: of what a session carries and of what hosts keep, so that
/// neither can be told from the other.
#[must_use]
pub const fn step(length: usize) -> usize {
    let step = if length <= FINE_LIMIT { FINE } else { COARSE };
    length.next_multiple_of(step)
}

/// Pads in place. Fails for what is larger than [`CAPACITY`].
pub fn pad(plaintext: &mut Vec<u8>) -> Result<(), BadPadding> {
    let size = bucket(plaintext.len()).ok_or(BadPadding)?;
    plaintext.push(MARKER);
    plaintext.resize(size, 0);
    Ok(())
}

/// The plaintext of a padded frame. Anything but the exact bucket is refused.
pub fn unpad(padded: &[u8]) -> Result<&[u8], BadPadding> {
    let end = padded
        .iter()
        .rposition(|byte| *byte != 0)
        .ok_or(BadPadding)?;
    let (plaintext, rest) = padded.split_at_checked(end).ok_or(BadPadding)?;
    if rest.first() == Some(&MARKER) && bucket(plaintext.len()) == Some(padded.len()) {
        Ok(plaintext)
    } else {
        Err(BadPadding)
    }
}

const MARKER: u8 = 0x80;
const FINE: usize = 512;
/// Padded size up to which buckets are fine.
pub const FINE_LIMIT: usize = 16 * 1024;
const COARSE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_pinned() {
        for (length, size) in [
            (0, 512),
            (511, 512),
            (512, 1024),
            (16_383, 16_384),
            (16_384, 32_768),
            (49_152, limits::FRAME),
            (CAPACITY, limits::FRAME),
        ] {
            assert_eq!(bucket(length), Some(size), "{length}");
        }
        assert_eq!(bucket(limits::FRAME), None);
    }

    #[test]
    fn over_and_under_padding_are_refused() {
        let mut padded = b"x".to_vec();
        pad(&mut padded).expect("fits");

        let mut over = padded.clone();
        over.resize(1024, 0);

        assert_eq!(unpad(&over), Err(BadPadding));
        assert_eq!(unpad(&padded[..511]), Err(BadPadding));
        assert_eq!(unpad(&[0; 512]), Err(BadPadding));
        assert_eq!(unpad(&[]), Err(BadPadding));
    }

    proptest! {
        #[test]
        fn padding_comes_off_again(plaintext in prop::collection::vec(any::<u8>(), 0..40_000)) {
            let mut padded = plaintext.clone();
            pad(&mut padded).expect("fits");
            prop_assert_eq!(unpad(&padded), Ok(plaintext.as_slice()));
        }
    }
}
