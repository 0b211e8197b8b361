//! Rules for text and sizes that more than one operation has.

use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::{Secret, limits};

use crate::stop::Stop;

/// Refuses what is larger than its limit.
pub(crate) fn at_most(limit: &str, max: usize, size: usize) -> Result<(), Stop> {
    if size > max {
        Err(Refusal::limit(limit, max, size).into())
    } else {
        Ok(())
    }
}

/// Refuses a name or label that is empty, too long, or not one line.
pub(crate) fn line(limit: &str, max: usize, text: &str) -> Result<(), Stop> {
    at_most(limit, max, text.len())?;
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(Code::InvalidValue.into());
    }
    Ok(())
}

/// Refuses bytes that are not text.
pub(crate) fn utf8(text: &Secret) -> Result<(), Stop> {
    text.expose(|text| std::str::from_utf8(text).map(drop))
        .map_err(|_| Code::InvalidValue.into())
}

/// Refuses what cannot be a PIN.
pub(crate) fn pin(pin: &Secret) -> Result<(), Stop> {
    at_most("pin", *limits::PIN.end(), pin.len())?;
    let digits = pin.expose(|pin| pin.iter().all(u8::is_ascii_digit));
    if !digits || !limits::PIN.contains(&pin.len()) {
        return Err(Code::InvalidValue.into());
    }
    Ok(())
}

/// Refuses what cannot be a password.
pub(crate) fn password(password: &Secret) -> Result<(), Stop> {
    at_most("password", *limits::PASSWORD.end(), password.len())?;
    if !limits::PASSWORD.contains(&password.len()) {
        return Err(Code::InvalidValue.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid() -> Result<(), Stop> {
        Err(Code::InvalidValue.into())
    }

    #[test]
    fn line_is_one_line_of_bounded_length() {
        assert_eq!(line("name", 4, "näm"), Ok(()));
        assert_eq!(line("name", 4, ""), invalid());
        assert_eq!(line("name", 4, "  "), invalid());
        assert_eq!(line("name", 4, "a\nb"), invalid());
        assert_eq!(
            line("name", 4, "abcde"),
            Err(Refusal::limit("name", 4, 5).into())
        );
    }

    #[test]
    fn pin_is_six_to_thirty_two_digits() {
        assert_eq!(pin(&Secret::from("123456")), Ok(()));
        assert_eq!(pin(&Secret::from("12345")), invalid());
        assert_eq!(pin(&Secret::from("12345a")), invalid());
        let long = Secret::from("1".repeat(33).as_str());
        assert_eq!(pin(&long), Err(Refusal::limit("pin", 32, 33).into()));
    }

    #[test]
    fn password_is_eight_bytes_to_a_kibibyte() {
        assert_eq!(password(&Secret::from("12345678")), Ok(()));
        assert_eq!(password(&Secret::from("1234567")), invalid());
        let long = Secret::from("x".repeat(1025).as_str());
        assert_eq!(
            password(&long),
            Err(Refusal::limit("password", 1024, 1025).into())
        );
    }
}
