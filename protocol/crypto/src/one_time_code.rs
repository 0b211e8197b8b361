//! Time-based one-time codes. RFC 6238 over RFC 4226.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Digest of the code's HMAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// HMAC-SHA-1, what nearly every issuer uses.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// The code of `seed` at `time` (Unix seconds), for steps of `period` seconds.
///
/// `digits` is 6 to 8. `None` for digits outside of that or a period of zero.
#[must_use]
pub fn code(
    seed: &[u8],
    algorithm: Algorithm,
    digits: u32,
    period: u32,
    time: u64,
) -> Option<String> {
    if !(6..=8).contains(&digits) {
        return None;
    }
    let step = time.checked_div(u64::from(period))?.to_be_bytes();
    let mac = match algorithm {
        Algorithm::Sha1 => mac::<Hmac<Sha1>>(seed, &step),
        Algorithm::Sha256 => mac::<Hmac<Sha256>>(seed, &step),
        Algorithm::Sha512 => mac::<Hmac<Sha512>>(seed, &step),
    }?;
    let offset = usize::from(mac.last()? & 0x0f);
    let word = mac.get(offset..)?.first_chunk::<4>()?;
    let value = u32::from_be_bytes(*word) & 0x7fff_ffff;
    let modulus = 10_u32.checked_pow(digits)?;
    let width = usize::try_from(digits).ok()?;
    Some(format!("{:0width$}", value % modulus))
}

fn mac<M: Mac + KeyInit>(seed: &[u8], step: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(seed).ok()?;
    mac.update(step);
    Some(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6238, appendix B.
    #[test]
    fn codes_match_the_rfc() {
        let seed = b"1234567890".repeat(7);
        for (time, algorithm, length, expected) in [
            (59, Algorithm::Sha1, 20, "94287082"),
            (1_111_111_109, Algorithm::Sha1, 20, "07081804"),
            (20_000_000_000, Algorithm::Sha1, 20, "65353130"),
            (59, Algorithm::Sha256, 32, "46119246"),
            (1_234_567_890, Algorithm::Sha512, 64, "93441116"),
        ] {
            assert_eq!(
                code(&seed[..length], algorithm, 8, 30, time).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn unusable_parameters_give_no_code() {
        assert_eq!(code(b"x", Algorithm::Sha1, 5, 30, 1), None);
        assert_eq!(code(b"x", Algorithm::Sha1, 9, 30, 1), None);
        assert_eq!(code(b"x", Algorithm::Sha1, 6, 0, 1), None);
    }
}
