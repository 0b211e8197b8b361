//! CRC-32 as gzip and image files use it: reflected, polynomial 0xEDB88320. RFC 1952, section 8.

/// A checksum over bytes that come in pieces. Finds damage, not malice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// Adds the next piece.
    pub(crate) fn update(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            let [low, ..] = self.0.to_le_bytes();
            let entry = TABLE.get(usize::from(low ^ byte)).copied();
            self.0 = entry.unwrap_or_default() ^ (self.0 >> 8);
        }
        self
    }

    /// The checksum of everything added.
    pub(crate) const fn finish(self) -> u32 {
        !self.0
    }
}

/// What each value of a byte does to the checksum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut entries: &mut [u32] = &mut table;
    let mut value = 0;
    while let [entry, rest @ ..] = entries {
        let mut crc: u32 = value;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            bit += 1;
        }
        *entry = crc;
        value += 1;
        entries = rest;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_polynomial_comes_out_whole_and_in_pieces() {
        assert_eq!(Crc32::new().update(b"123456789").finish(), 0xcbf4_3926);
        let pieces = Crc32::new().update(b"1234").update(b"").update(b"56789");
        assert_eq!(pieces.finish(), 0xcbf4_3926);
        assert_eq!(Crc32::new().finish(), 0);
    }
}
