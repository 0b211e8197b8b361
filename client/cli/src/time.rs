//! Points in time, for people.

use vettid_sdk::wire::time::UnixMillis;

/// RFC 3339 in UTC, to the second.
pub(crate) fn text(at: UnixMillis) -> String {
    let [year, month, day, hour, minute, second] = at.calendar();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_790_000_000_999, "2026-09-21T14:13:20Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(text(UnixMillis(millis)), shown);
        }
    }
}
