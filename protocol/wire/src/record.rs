//! What a host can tell of a record of a vault's log, which is sealed: the front, and which release a
//! header is for.
//!
//! ```text
//! kind u8 | schema u16 | number u64 | previous 32 | body                 (integers big-endian)
//!
//! 1 checkpoint   length u32 | release u32 | sealed header | sealed content
//! 2 header       release u32 | sealed header
//! 3 changeset    sealed content
//! 4 joint        length u32 | release u32 | sealed header | sealed content
//! ```
//!
//! `length` is that of release and header together.

/// Bytes in front of a record's body.
pub const FRONT: usize = 43;

/// Bytes at the beginning of a record from which [`release_of`] tells.
pub const SHOWN: usize = FRONT + 2 * size_of::<u32>();

/// Kinds of records.
pub mod kind {
    /// A header, and where the database begins.
    pub const CHECKPOINT: u8 = 1;
    /// A header.
    pub const HEADER: u8 = 2;
    /// What one transaction changed.
    pub const CHANGESET: u8 = 3;
    /// A header, and what one transaction changed.
    pub const JOINT: u8 = 4;
}

/// Number of the release that a record's header is sealed for; none where there is no header.
#[must_use]
pub fn release_of(record: &[u8]) -> Option<u32> {
    release_in(*record.first()?, record.get(FRONT..)?)
}

/// The same of a kind and a body.
#[must_use]
pub fn release_in(kind: u8, body: &[u8]) -> Option<u32> {
    let header = match kind {
        kind::CHECKPOINT | kind::JOINT => body.get(size_of::<u32>()..)?,
        kind::HEADER => body,
        _ => return None,
    };
    header.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_read_where_there_is_a_header() {
        let record = |kind: u8, body: &[u8]| {
            let mut record = [0; FRONT];
            record[0] = kind;
            [&record[..], body].concat()
        };
        let (alone, behind) = ([0, 0, 1, 2, 9], [0, 0, 0, 5, 0, 0, 1, 2, 9]);

        assert_eq!(release_of(&record(kind::HEADER, &alone)), Some(258));
        assert_eq!(release_of(&record(kind::CHECKPOINT, &behind)), Some(258));
        assert_eq!(release_of(&record(kind::JOINT, &behind)), Some(258));
        assert_eq!(release_of(&record(kind::CHANGESET, &alone)), None);
        assert_eq!(release_of(&record(kind::HEADER, &[1, 2, 3])), None);
        assert_eq!(release_of(&record(kind::JOINT, &[0; 7])), None);
        assert_eq!(release_of(&record(9, &alone)), None);
        assert_eq!(release_of(&[]), None);
    }
}
