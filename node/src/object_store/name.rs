//! Names of objects: a few plain path segments, valid on any file system and in any bucket.

use std::fmt;

/// Longest name, in bytes; far below what S3 (1,024) and file systems allow.
const MAX_BYTES: usize = 200;

/// A validated name such as `spaces/5f…/0007`. Cannot leave the store's folder.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectName(String);

/// Why a text is no object name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an object name is 1 to 200 of a-z, 0-9, - and _, in segments parted by /")]
pub struct BadName;

impl ObjectName {
    /// Accepts segments of lower-case letters, digits, `-` and `_`, parted by `/`.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let segments = text
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(plain));
        if text.len() > MAX_BYTES || !segments {
            return Err(BadName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
