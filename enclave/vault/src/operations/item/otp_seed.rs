//! Seeds of time-based one-time codes: an `otpauth:` URI or bare base32.

use vettid_crypto::one_time_code::{Algorithm, code};
use vettid_wire::Secret;
use vettid_wire::operation::item::OtpCode;
use vettid_wire::time::UnixMillis;

use super::base32;

/// A seed with the parameters of its codes.
#[derive(Debug)]
pub(crate) struct OtpSeed {
    seed: Secret,
    algorithm: Algorithm,
    digits: u32,
    period: u32,
}

impl OtpSeed {
    /// Reads a seed; none if it is malformed, or of codes that are counted and not timed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some(rest) = strip_prefix_ignoring_case(text.trim(), "otpauth://") else {
            let seed = base32::decode(text)?;
            return Some(Self {
                seed,
                algorithm: Algorithm::Sha1,
                digits: 6,
                period: 30,
            });
        };
        let query = strip_prefix_ignoring_case(rest, "totp/")?
            .split_once('?')?
            .1;
        let (mut seed, mut algorithm, mut digits, mut period) = (None, Algorithm::Sha1, 6, 30);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name.to_ascii_lowercase().as_str() {
                "algorithm" => algorithm = parse_algorithm(value)?,
                "digits" => {
                    digits = value
                        .parse()
                        .ok()
                        .filter(|digits| (6..=8).contains(digits))?
                }
                "period" => {
                    period = value
                        .parse()
                        .ok()
                        .filter(|period| (1..=3600).contains(period))?;
                }
                "secret" => seed = Some(base32::decode(&value.replace("%3D", "="))?),
                _ => {}
            }
        }
        Some(Self {
            seed: seed?,
            algorithm,
            digits,
            period,
        })
    }

    /// The code of this moment.
    pub(crate) fn code_at(&self, now: UnixMillis) -> Option<OtpCode> {
        let Self {
            algorithm,
            digits,
            period,
            ..
        } = *self;
        let time = now.seconds();
        let code = self
            .seed
            .expose(|seed| code(seed, algorithm, digits, period, time))?;
        let gone = u32::try_from(time.checked_rem(u64::from(period))?).ok()?;
        let seconds_left = period.checked_sub(gone)?;
        Some(OtpCode {
            code: Secret::new(code.into_bytes()),
            seconds_left,
        })
    }
}

fn parse_algorithm(name: &str) -> Option<Algorithm> {
    match name.to_ascii_uppercase().as_str() {
        "SHA1" => Some(Algorithm::Sha1),
        "SHA256" => Some(Algorithm::Sha256),
        "SHA512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base32 of the twenty bytes of RFC 6238.
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn code_of(text: &str, seconds: u64) -> Option<(String, u32)> {
        let code = OtpSeed::parse(text)?.code_at(UnixMillis(seconds * 1000 + 999))?;
        let text = code
            .code
            .expose(|code| String::from_utf8_lossy(code).into_owned());
        Some((text, code.seconds_left))
    }

    // RFC 6238, appendix B, last six digits.
    #[test]
    fn bare_seed_gives_six_digits_of_thirty_seconds() {
        assert_eq!(code_of(SEED, 59), Some(("287082".into(), 1)));
        assert_eq!(code_of(SEED, 60).map(|code| code.1), Some(30));
    }

    #[test]
    fn uri_gives_its_own_digits_and_period() {
        let uri = format!("otpauth://totp/A:b?secret={SEED}&issuer=A&digits=8&period=30");

        assert_eq!(code_of(&uri, 59), Some(("94287082".into(), 1)));
        let uri = format!("otpauth://TOTP/A?period=60&algorithm=sha256&secret={SEED}");
        assert_eq!(code_of(&uri, 59).map(|code| code.1), Some(1));
    }

    #[test]
    fn counted_codes_and_malformed_uris_are_refused() {
        for bad in [
            format!("otpauth://hotp/A?secret={SEED}&counter=1"),
            "otpauth://totp/A".into(),
            "otpauth://totp/A?digits=6".into(),
            format!("otpauth://totp/A?secret={SEED}&digits=9"),
            format!("otpauth://totp/A?secret={SEED}&period=0"),
            format!("otpauth://totp/A?secret={SEED}&algorithm=md5"),
            "otpauth://totp/A?secret=!!".into(),
            String::new(),
        ] {
            assert!(OtpSeed::parse(&bad).is_none(), "{bad}");
        }
    }
}
