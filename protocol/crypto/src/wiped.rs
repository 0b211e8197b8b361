//! Bytes of any length that are wiped when they are dropped.
//!
//! As `Zeroizing` of a vector, which stores one byte at a time: this wipes whole plaintexts of
//! messages and snapshots at the speed of memory.

use core::fmt;
use core::ops::{Deref, DerefMut};

use zeroize::optimization_barrier;

/// Bytes that are wiped when they are dropped, never printed. What a vector moves by growing stays
/// behind: make room for everything at once, or use [`WipedVec::append`].
#[derive(Clone, Default, Eq, PartialEq)]
pub struct WipedVec(Vec<u8>);

impl WipedVec {
    /// Takes the bytes over.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Appends bytes. When there is no room, all of it moves, and the place that it had is wiped.
    pub fn append(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let room = needed.max(self.0.capacity().saturating_mul(2));
            let mut larger = Vec::with_capacity(room);
            larger.extend_from_slice(&self.0);
            drop(Self(core::mem::replace(&mut self.0, larger)));
        }
        self.0.extend_from_slice(bytes);
    }

    fn wipe(&mut self) {
        // Behind the length too: there is what was cut off.
        self.0.resize(self.0.capacity(), 0);
        self.0.fill(0);
        optimization_barrier(self.0.as_slice());
    }
}

impl From<Vec<u8>> for WipedVec {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl Deref for WipedVec {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for WipedVec {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for WipedVec {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for WipedVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WipedVec(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_ever_in_it_is_wiped() {
        let mut bytes = WipedVec::new(vec![7; 100]);
        bytes.reserve_exact(50);
        let place = (bytes.as_ptr(), bytes.capacity());
        bytes.truncate(10);

        bytes.wipe();

        assert_eq!((bytes.as_ptr(), bytes.capacity()), place);
        assert_eq!(bytes.len(), place.1);
        assert!(bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn appended_bytes_come_behind_the_others() {
        let mut bytes = WipedVec::default();
        for byte in 0..100 {
            bytes.append(&[byte; 3]);
        }

        let expected: Vec<u8> = (0..100).flat_map(|byte| [byte; 3]).collect();
        assert_eq!(*bytes, expected);
    }

    #[test]
    fn bytes_are_not_printed() {
        assert_eq!(format!("{:?}", WipedVec::new(vec![1])), "WipedVec(..)");
    }
}
