//! What an owner enters, looked at before it is sent; apps can look as soon as it is entered.

use vettid_wire::{Secret, limits};

use crate::error::Unacceptable;

/// A PIN has 6 to 32 decimal digits.
///
/// # Errors
/// It has not.
pub fn pin(pin: &Secret) -> Result<(), Unacceptable> {
    let digits = pin.expose(|digits| digits.iter().all(u8::is_ascii_digit));
    if digits && limits::PIN.contains(&pin.len()) {
        Ok(())
    } else {
        Err(Unacceptable::Pin)
    }
}

/// A password has 8 to 1024 bytes.
///
/// # Errors
/// It has not.
pub fn password(password: &Secret) -> Result<(), Unacceptable> {
    if limits::PASSWORD.contains(&password.len()) {
        Ok(())
    } else {
        Err(Unacceptable::Password)
    }
}

/// A device name has 1 to 64 bytes.
///
/// # Errors
/// It has not.
pub fn device_name(name: &str) -> Result<(), Unacceptable> {
    if (1..=limits::DEVICE_NAME).contains(&name.len()) {
        Ok(())
    } else {
        Err(Unacceptable::DeviceName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_is_six_to_thirty_two_digits() {
        for good in ["123456", "00000000000000000000000000000000"] {
            assert_eq!(pin(&good.into()), Ok(()), "{good}");
        }
        for bad in [
            "",
            "12345",
            "12345a",
            "１２３４５６",
            "000000000000000000000000000000000",
        ] {
            assert_eq!(pin(&bad.into()), Err(Unacceptable::Pin), "{bad}");
        }
    }

    #[test]
    fn password_and_device_name_have_bounds() {
        assert_eq!(password(&"1234567".into()), Err(Unacceptable::Password));
        assert_eq!(password(&"12345678".into()), Ok(()));
        assert_eq!(device_name(""), Err(Unacceptable::DeviceName));
        assert_eq!(device_name(&"x".repeat(65)), Err(Unacceptable::DeviceName));
        assert_eq!(device_name("phone"), Ok(()));
    }
}
