//! Envelopes, nearly all of the traffic, and chunks, nearly all of the bytes of an unlock, without
//! taking their bytes over. What is read and written is what [`super::FromHost`] and
//! [`super::FromEnclave`] read and write.

use minicbor::{Decoder, Encoder};

use crate::id::SpaceId;

/// Number of `Frame` and of `Chunk` in [`super::FromHost`], and of `Frame` in
/// [`super::FromEnclave`].
const FRAME_OF_HOST: u32 = 2;
const CHUNK_OF_HOST: u32 = 6;
const FRAME_OF_ENCLAVE: u8 = 34;

/// A frame of the host, in place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lent<'a> {
    /// An envelope for a space.
    Envelope(SpaceId, &'a [u8]),
    /// A chunk for whoever asked under this number.
    Chunk(u64, &'a [u8]),
}

/// The parts of an envelope or a chunk; none for every other frame, well-formed or not.
#[must_use]
pub fn find(frame: &[u8]) -> Option<Lent<'_>> {
    let mut decoder = Decoder::new(frame);
    if decoder.array().ok()? != Some(2) {
        return None;
    }
    let kind = decoder.u32().ok()?;
    if !matches!(kind, FRAME_OF_HOST | CHUNK_OF_HOST) || decoder.array().ok()? != Some(2) {
        return None;
    }
    let found = if kind == FRAME_OF_HOST {
        let space = SpaceId(decoder.bytes().ok()?.try_into().ok()?);
        Lent::Envelope(space, decoder.bytes().ok()?)
    } else {
        Lent::Chunk(decoder.u64().ok()?, decoder.bytes().ok()?)
    };
    (decoder.position() == frame.len()).then_some(found)
}

/// Writes an envelope for a device, to be released after record `after`.
pub fn write_envelope(out: &mut Vec<u8>, space: SpaceId, after: u64, envelope: &[u8]) {
    let mut encoder = Encoder::new(out);
    let written = encoder
        .array(2)
        .and_then(|e| e.u8(FRAME_OF_ENCLAVE))
        .and_then(|e| e.array(3))
        .and_then(|e| e.bytes(&space.0))
        .and_then(|e| e.u64(after))
        .and_then(|e| e.bytes(envelope));
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use crate::link::{FromEnclave, FromHost};

    const SPACE: SpaceId = SpaceId([4; 16]);
    const LENGTHS: [usize; 6] = [0, 23, 24, 300, 70_000, 520_000];

    #[test]
    fn envelope_and_chunk_are_found_as_the_full_decoder_finds_them() {
        for length in LENGTHS {
            let bytes = vec![7; length];
            let envelope = cbor::encode(&FromHost::Frame {
                space: SPACE,
                envelope: bytes.clone(),
            });
            assert_eq!(find(&envelope), Some(Lent::Envelope(SPACE, &bytes)));
            let chunk = cbor::encode(&FromHost::Chunk {
                request: 1 << 40,
                bytes: Some(bytes.clone()),
            });
            assert_eq!(find(&chunk), Some(Lent::Chunk(1 << 40, &bytes)));
        }
    }

    #[test]
    fn other_frames_and_noise_are_left_to_the_full_decoder() {
        let missing = cbor::encode(&FromHost::Chunk {
            request: 5,
            bytes: None,
        });
        let ping = cbor::encode(&FromHost::Ping(3));
        let mut trailing = cbor::encode(&FromHost::Frame {
            space: SPACE,
            envelope: vec![1],
        });
        trailing.push(0);

        for frame in [&missing[..], &ping, &trailing, &[], &[0xff; 40]] {
            assert_eq!(find(frame), None);
        }
    }

    #[test]
    fn envelope_to_the_host_is_what_the_full_encoder_writes() {
        for length in LENGTHS {
            let envelope = vec![9; length];
            let mut written = Vec::new();
            write_envelope(&mut written, SPACE, 77, &envelope);

            let expected = cbor::encode(&FromEnclave::Frame {
                space: SPACE,
                after: 77,
                envelope,
            });
            assert_eq!(written, expected);
        }
    }
}
