//! What OpenMLS keeps, packed: it writes keys as arrays of numbers, which take up to two bytes each.
//!
//! An array of numbers below 256 is kept as a typed array (CBOR tag 64, RFC 8746), and everything else as
//! it is. Types of OpenMLS do not say which of their arrays are bytes, so it is written back as it was
//! before it is read.

use vettid_crypto::Zeroizing;

/// Packs one CBOR item. None if it is none.
pub(super) fn pack(item: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // It becomes no longer but for tags, and no part of it is left behind in memory by growing.
    let mut out = Zeroizing::new(Vec::with_capacity(item.len().saturating_mul(2)));
    let mut rest = item;
    each(&mut rest, &mut out, shorten)?;
    rest.is_empty().then_some(out)
}

/// Writes a packed item as it was. None if it is none.
pub(super) fn unpack(packed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(packed.len().saturating_mul(2)));
    let mut rest = packed;
    each(&mut rest, &mut out, lengthen)?;
    rest.is_empty().then_some(out)
}

/// Writes an item in another way, if it is of the kind that is: whether it was.
type Rewrite = fn(&mut &[u8], &mut Vec<u8>) -> Option<bool>;

/// Writes one item with everything in it.
fn each(rest: &mut &[u8], out: &mut Vec<u8>, rewrite: Rewrite) -> Option<()> {
    if rewrite(rest, out)? {
        return Some(());
    }
    let before = *rest;
    let head = Head::take(rest)?;
    let length = match head.kind {
        BYTES | TEXT => usize::try_from(head.value?).ok()?,
        _ => 0,
    };
    let (_, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    let copied = before.len().checked_sub(rest.len())?;
    out.extend_from_slice(before.get(..copied)?);
    match (head.kind, head.value) {
        (ARRAY, Some(count)) => (0..count).try_for_each(|_| each(rest, out, rewrite)),
        (MAP, Some(count)) => (0..count.checked_mul(2)?).try_for_each(|_| each(rest, out, rewrite)),
        (TAG, _) => each(rest, out, rewrite),
        (ARRAY | MAP, None) => None,
        _ => Some(()),
    }
}

/// Writes an array of small numbers as bytes.
fn shorten(rest: &mut &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let mut ahead = *rest;
    let head = Head::take(&mut ahead)?;
    let (ARRAY, Some(count @ 1..)) = (head.kind, head.value) else {
        return Some(false);
    };
    let start = ahead;
    for _ in 0..count {
        match Head::take(&mut ahead)? {
            Head {
                kind: NUMBER,
                value: Some(0..=255),
            } => {}
            _ => return Some(false),
        }
    }
    out.extend_from_slice(&TYPED);
    Head::write(BYTES, count, out);
    let mut numbers = start;
    for _ in 0..count {
        let value = Head::take(&mut numbers)?.value?;
        out.push(u8::try_from(value).ok()?);
    }
    *rest = ahead;
    Some(true)
}

/// Writes bytes that were an array of small numbers as that.
fn lengthen(rest: &mut &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let Some(mut ahead) = rest.strip_prefix(&TYPED) else {
        return Some(false);
    };
    let head = Head::take(&mut ahead)?;
    let (BYTES, Some(count)) = (head.kind, head.value) else {
        return None;
    };
    let (bytes, behind) = ahead.split_at_checked(usize::try_from(count).ok()?)?;
    Head::write(ARRAY, count, out);
    for byte in bytes {
        Head::write(NUMBER, u64::from(*byte), out);
    }
    *rest = behind;
    Some(true)
}

/// Begin of a CBOR item.
struct Head {
    kind: u8,
    /// None for what has no definite length.
    value: Option<u64>,
}

impl Head {
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let (first, mut behind) = rest.split_first()?;
        let (kind, short) = (first >> 5, first & 0x1f);
        let value = match short {
            0..=23 => Some(u64::from(short)),
            24..=27 => {
                let (bytes, after) = behind.split_at_checked(1 << (short - 24))?;
                behind = after;
                let whole = bytes
                    .iter()
                    .fold(0, |all, byte| all << 8 | u64::from(*byte));
                Some(whole)
            }
            31 => None,
            _ => return None,
        };
        *rest = behind;
        Some(Self { kind, value })
    }

    /// Writes one as short as it can be, as CBOR is written here.
    fn write(kind: u8, value: u64, out: &mut Vec<u8>) {
        let bytes = value.to_be_bytes();
        let (short, length) = match value {
            0..=23 => return out.push(kind << 5 | u8::try_from(value).unwrap_or_default()),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        out.push(kind << 5 | short);
        out.extend_from_slice(bytes.get(8 - length..).unwrap_or_default());
    }
}

const NUMBER: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// Head of a typed array of bytes.
const TYPED: [u8; 2] = [0xd8, 64];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
    struct Kept {
        secret: Vec<u8>,
        numbers: Vec<u64>,
        more: Option<(u8, u16, Vec<Vec<u8>>)>,
        name: String,
        negative: i64,
        empty: Vec<u8>,
        fraction: f64,
    }

    fn cbor(value: &impl serde::Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).expect("encodes");
        bytes
    }

    #[test]
    fn bytes_take_one_byte_each() {
        let written = cbor(&vec![200_u8; 1_000]);
        assert_eq!(written.len(), 2_003);

        let packed = pack(&written).expect("packs");

        assert_eq!(packed.len(), 1_005);
        assert_eq!(unpack(&packed).as_deref(), Some(&written));
    }

    #[test]
    fn what_is_cut_off_or_followed_by_something_is_no_item() {
        let packed = pack(&cbor(&vec![1_u8, 2, 3])).expect("packs");

        assert!(unpack(&packed[..packed.len() - 1]).is_none());
        assert!(unpack(&[&packed[..], &[0]].concat()).is_none());
        assert!(pack(&[]).is_none());
    }

    proptest! {
        #[test]
        fn every_value_comes_back(
            secret: Vec<u8>,
            numbers: Vec<u64>,
            more: Option<(u8, u16, Vec<Vec<u8>>)>,
            name: String,
            negative: i64,
        ) {
            let (empty, fraction) = (vec![], 1.5);
            let kept = Kept { secret, numbers, more, name, negative, empty, fraction };
            let written = cbor(&kept);
            let packed = pack(&written).expect("packs");
            let unpacked = unpack(&packed).expect("unpacks");
            prop_assert_eq!(&*unpacked, &written);
        }

        #[test]
        fn no_bytes_break_it(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
            let _ = pack(&bytes);
        }
    }
}
