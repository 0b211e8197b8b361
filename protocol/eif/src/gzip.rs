//! gzip without what differs from run to run. RFC 1952.
//!
//! No time, no name, no system. How well it is pressed, and so the bytes, depends on the pinned
//! version of the deflate library.

use miniz_oxide::deflate::compress_to_vec;

use crate::crc::Crc32;

/// Magic, deflate, no flags, no time, slowest, unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Slower levels gain less than a part in a thousand.
const LEVEL: u8 = 9;

/// `bytes`, pressed.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    out.extend(compress_to_vec(bytes, LEVEL));
    out.extend(Crc32::new().update(bytes).finish().to_le_bytes());
    // The length is counted modulo 2^32.
    let [a, b, c, d, ..] = (bytes.len() as u64).to_le_bytes();
    out.extend([a, b, c, d]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec_with_limit;

    #[test]
    fn what_was_pressed_comes_back_and_names_no_time() {
        let text = b"the same bytes on every machine ".repeat(500);

        let pressed = gzip(&text);

        assert_eq!(pressed[..10], HEAD);
        let (body, tail) = pressed[10..].split_at(pressed.len() - 18);
        assert_eq!(
            decompress_to_vec_with_limit(body, 1 << 20).expect("inflates"),
            text
        );
        assert_eq!(tail[..4], Crc32::new().update(&text).finish().to_le_bytes());
        assert_eq!(tail[4..], 16_000_u32.to_le_bytes());
        assert!(pressed.len() < text.len() / 10);
    }

    #[test]
    fn nothing_pressed_is_a_file_of_its_own() {
        // As `gzip -n9` writes it, but for the system.
        let expected = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];

        assert_eq!(gzip(b""), expected);
    }
}
