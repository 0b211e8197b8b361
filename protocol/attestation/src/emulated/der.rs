//! Writing DER: just the few shapes that a certificate has. X.690.

use core::time::Duration;

use x509_cert::der::{DateTime, Encode};
use x509_cert::time::Time;

/// A value of any tag.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        Ok(one) => out.extend([0x81, one]),
        Err(_) => {
            // Certificates are bounded far below this type's range.
            out.push(0x82);
            out.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend(parts.iter().flat_map(|part| part.iter()));
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, parts)
}

pub(super) fn boolean(is: bool) -> Vec<u8> {
    value(0x01, &[&[if is { 0xff } else { 0x00 }]])
}

/// An unsigned integer in its shortest form.
pub(super) fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = match digits.first() {
        None | Some(0x80..) => &[0],
        Some(_) => &[],
    };
    value(0x02, &[sign, &digits])
}

/// An object identifier, from the bytes of its content.
pub(super) fn identifier(content: &[u8]) -> Vec<u8> {
    value(0x06, &[content])
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    value(0x04, &[content])
}

/// A bit string of whole bytes.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], content])
}

/// A name of one common name.
pub(super) fn name(common_name: &str) -> Vec<u8> {
    let text = value(0x0c, &[common_name.as_bytes()]);
    let attribute = sequence(&[&identifier(COMMON_NAME), &text]);
    sequence(&[&value(0x31, &[&attribute])])
}

/// A second of Unix time; empty beyond the year 9999, which no certificate can name.
pub(super) fn time(seconds: u64) -> Vec<u8> {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .and_then(|time| Time::from(time).to_der())
        .unwrap_or_default()
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
