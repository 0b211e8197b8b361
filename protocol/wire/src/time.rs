//! Points in time.

use minicbor::{Decode, Encode};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct UnixMillis(#[n(0)] pub u64);

impl UnixMillis {
    /// This many milliseconds later, at most the end of time.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this, zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Year, month, day, hour, minute and second of the Gregorian calendar, in UTC.
    #[must_use]
    pub const fn calendar(self) -> [u64; 6] {
        let (days, rest) = (self.seconds() / 86_400, self.seconds() % 86_400);
        // Years are counted from March, so that a leap day is the last of its year.
        let days = days.saturating_add(719_468);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let (month, next) = if shifted < 10 {
            (shifted + 3, 0)
        } else {
            (shifted - 9, 1)
        };
        let year = year_of_era + era * 400 + next;
        [year, month, day, rest / 3_600, rest / 60 % 60, rest % 60]
    }
}

/// One second in milliseconds.
pub const SECOND: u64 = 1000;
/// One minute in milliseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_their_dates() {
        for (seconds, calendar) in [
            (0, [1970, 1, 1, 0, 0, 0]),
            (951_782_399, [2000, 2, 28, 23, 59, 59]),
            (951_782_400, [2000, 2, 29, 0, 0, 0]),
            (951_868_800, [2000, 3, 1, 0, 0, 0]),
            (1_735_689_599, [2024, 12, 31, 23, 59, 59]),
            (4_107_542_399, [2100, 2, 28, 23, 59, 59]),
            (4_107_542_400, [2100, 3, 1, 0, 0, 0]),
        ] {
            assert_eq!(UnixMillis(seconds * 1_000).calendar(), calendar);
        }
        // No moment is too late to have one.
        assert!(UnixMillis(u64::MAX).calendar()[0] > 9_999);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(UnixMillis(u64::MAX).plus(1), UnixMillis(u64::MAX));
        assert_eq!(UnixMillis(1).since(UnixMillis(2)), 0);
        assert_eq!(UnixMillis(2_500).seconds(), 2);
    }
}
