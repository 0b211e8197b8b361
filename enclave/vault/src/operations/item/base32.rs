//! Base32 as seeds of one-time codes come in: RFC 4648, in either case, spaces and padding ignored.

use vettid_wire::Secret;

/// Decodes a seed; none if it is empty or not base32.
pub(crate) fn decode(text: &str) -> Option<Secret> {
    let mut out = Vec::with_capacity(text.len().saturating_mul(5) / 8);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text
        .bytes()
        .filter(|byte| !matches!(byte, b' ' | b'-' | b'='))
    {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    (!out.is_empty()).then(|| Secret::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode(text).map(|seed| seed.expose(<[u8]>::to_vec))
    }

    // RFC 4648, section 10.
    #[test]
    fn decoding_matches_the_rfc() {
        assert_eq!(decoded("MY======").as_deref(), Some(&b"f"[..]));
        assert_eq!(decoded("MZXW6YTBOI======").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(decoded("mzxw 6ytb-oi").as_deref(), Some(&b"foobar"[..]));
    }

    #[test]
    fn other_signs_and_nothing_are_refused() {
        assert_eq!(decoded(""), None);
        assert_eq!(decoded("A"), None);
        assert_eq!(decoded("MZXW1"), None);
        assert_eq!(decoded("MZÜW"), None);
    }
}
