//! Several small messages in one session frame: sealed, padded and carried once.
//!
//! Behind the frame's header, for each message: `length 2 B, big-endian | message`. A message that
//! is alone in its frame is a fragment ([`crate::fragment`]), never a batch, so that there is one
//! form of everything.

use vettid_crypto::WipedVec;

use crate::fragment::HEADER;
use crate::padding;

/// Bytes in front of each message.
const LENGTH: usize = 2;

/// Most messages of a batch: opening one costs its receiver little more than single messages would.
pub const MESSAGES: usize = 256;

/// Most bytes of a batch: it and the frame's header stay within the fine buckets of
/// [`padding`], where little is added to hide its size.
pub const CAPACITY: usize = padding::FINE_LIMIT - 1 - HEADER;

/// A frame holds no batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadBatch {
    /// Fewer than two messages.
    #[error("batch has fewer than two messages")]
    Few,
    /// More bytes than [`CAPACITY`].
    #[error("batch is larger than {CAPACITY} bytes")]
    Large,
    /// More messages than [`MESSAGES`].
    #[error("batch has more than {MESSAGES} messages")]
    Many,
    /// Cut short.
    #[error("batch is cut short")]
    Short,
}

/// How many of these messages, from the first on, one batch holds. One or none need no batch.
pub fn fitting<'m>(messages: impl IntoIterator<Item = &'m [u8]>) -> usize {
    let mut room = CAPACITY;
    let mut count = 0_usize;
    for message in messages.into_iter().take(MESSAGES) {
        let Some(left) = room.checked_sub(message.len().saturating_add(LENGTH)) else {
            break;
        };
        room = left;
        count = count.saturating_add(1);
    }
    count
}

/// The batch of these messages. None if they do not fit.
#[must_use]
pub fn join(messages: &[&[u8]]) -> Option<WipedVec> {
    if fitting(messages.iter().copied()) < messages.len() {
        return None;
    }
    let size = messages
        .iter()
        .fold(0_usize, |size, message| size + LENGTH + message.len());
    // All at once: growing would leave copies behind.
    let mut out = WipedVec::new(Vec::with_capacity(size));
    for message in messages {
        let length = u16::try_from(message.len()).ok()?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(message);
    }
    Some(out)
}

/// The messages of a batch.
pub fn split(mut batch: &[u8]) -> Result<Vec<&[u8]>, BadBatch> {
    if batch.len() > CAPACITY {
        return Err(BadBatch::Large);
    }
    let mut messages = Vec::new();
    while !batch.is_empty() {
        if messages.len() >= MESSAGES {
            return Err(BadBatch::Many);
        }
        let (length, rest) = batch.split_first_chunk().ok_or(BadBatch::Short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (message, rest) = rest.split_at_checked(length).ok_or(BadBatch::Short)?;
        messages.push(message);
        batch = rest;
    }
    if messages.len() < 2 {
        return Err(BadBatch::Few);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_come_back_in_their_order(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 2..20),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            let joined = join(&messages).expect("fits");

            prop_assert_eq!(split(&joined), Ok(messages));
        }

        #[test]
        fn noise_is_no_panic(bytes: Vec<u8>) {
            let _ = split(&bytes);
        }
    }

    #[test]
    fn a_batch_holds_as_much_as_the_finest_buckets() {
        let half = vec![1; CAPACITY / 2 - LENGTH];
        let half = half.as_slice();
        assert_eq!(fitting([half, half]), 2);
        assert_eq!(fitting([half, half, &[]]), 2);
        assert_eq!(fitting([half, [half, &[1, 1]].concat().as_slice()]), 1);

        let joined = join(&[half, half]).expect("fits");
        assert_eq!(
            padding::bucket(joined.len() + HEADER),
            Some(padding::FINE_LIMIT)
        );
        assert_eq!(join(&[half, half, &[]]), None);
        let many = [&[][..]; MESSAGES + 1];
        assert_eq!(fitting(many), MESSAGES);
        assert_eq!(fitting([[1; 100_000].as_slice()]), 0);
    }

    #[test]
    fn what_is_cut_short_or_alone_or_large_or_many_is_refused() {
        for (bytes, why) in [
            (&[][..], BadBatch::Few),
            (&[0, 1, 7], BadBatch::Few),
            (&[0], BadBatch::Short),
            (&[0, 0, 0], BadBatch::Short),
            (&[0, 0, 0, 2, 7], BadBatch::Short),
            (&vec![0; CAPACITY + 1], BadBatch::Large),
            (&[0; 2 * (MESSAGES + 1)], BadBatch::Many),
        ] {
            assert_eq!(split(bytes), Err(why), "{why}");
        }
    }
}
