//! What booted in an enclave, as its platform measured it.

use core::fmt;

use crate::nitro::{Claims, PCR};

/// The three registers that say which image runs: PCR0 the image, PCR1 kernel and boot, PCR2 the
/// application. Never that of an enclave in debug mode, whose registers are zero.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Measurement {
    pub(crate) pcr0: [u8; PCR],
    pub(crate) pcr1: [u8; PCR],
    pub(crate) pcr2: [u8; PCR],
}

/// A measurement that says nothing: the enclave ran in debug mode, where its host reads along.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("enclave runs in debug mode")]
pub struct DebugMode;

impl Measurement {
    /// Takes three registers. Refused if any of them is all zero.
    pub fn new(pcr0: [u8; PCR], pcr1: [u8; PCR], pcr2: [u8; PCR]) -> Result<Self, DebugMode> {
        if [pcr0, pcr1, pcr2].contains(&[0; PCR]) {
            return Err(DebugMode);
        }
        Ok(Self { pcr0, pcr1, pcr2 })
    }

    /// The registers of a document. A register that is not there counts as zero.
    pub(crate) fn of(claims: &Claims<'_>) -> Result<Self, DebugMode> {
        let pcr = |index| claims.pcrs.get(&index).copied().unwrap_or([0; PCR]);
        Self::new(pcr(0), pcr(1), pcr(2))
    }

    /// The beginning of each register.
    #[must_use]
    pub fn head(&self) -> MeasurementHead {
        MeasurementHead([self.pcr0, self.pcr1, self.pcr2].map(|register| {
            let mut head = [0; 16];
            head.iter_mut()
                .zip(register)
                .for_each(|(to, from)| *to = from);
            head
        }))
    }

    /// PCR0: the whole image.
    #[must_use]
    pub const fn pcr0(&self) -> &[u8; PCR] {
        &self.pcr0
    }

    /// PCR1: kernel and boot.
    #[must_use]
    pub const fn pcr1(&self) -> &[u8; PCR] {
        &self.pcr1
    }

    /// PCR2: the application.
    #[must_use]
    pub const fn pcr2(&self) -> &[u8; PCR] {
        &self.pcr2
    }
}

/// The first 16 bytes of each register: enough to tell images apart, small enough for an error.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct MeasurementHead([[u8; 16]; 3]);

/// PCR0, PCR1 and PCR2 in hexadecimal, cut off.
impl fmt::Display for MeasurementHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, register) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            register
                .iter()
                .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for MeasurementHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeasurementHead({self})")
    }
}

/// The first 16 bytes of PCR0, in hexadecimal: enough to tell images apart in a log.
impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pcr0
            .iter()
            .take(16)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Measurement({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurement_with_any_zero_register_is_refused_as_debug() {
        let (a, zero) = ([1; PCR], [0; PCR]);

        assert_eq!(Measurement::new(zero, zero, zero), Err(DebugMode));
        assert_eq!(Measurement::new(zero, a, a), Err(DebugMode));
        assert_eq!(Measurement::new(a, zero, a), Err(DebugMode));
        assert_eq!(Measurement::new(a, a, zero), Err(DebugMode));
        assert!(Measurement::new(a, a, a).is_ok());
    }

    #[test]
    fn measurement_is_printed_as_the_head_of_its_image_register() {
        let measurement = Measurement::new([0xab; PCR], [1; PCR], [2; PCR]).expect("not debug");

        assert_eq!(measurement.to_string(), "ab".repeat(16));
        assert_eq!(
            measurement.head().to_string(),
            ["ab", "01", "02"].map(|byte| byte.repeat(16)).join("/")
        );
    }
}
