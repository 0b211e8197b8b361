//! Whether a log is at least as new as what somebody has seen of it.

use vettid_wire::request::Head;

/// Outcome of a comparison. The host may show an old log; only memory outside of it can tell:
/// each device's, and that of this boot's supervisor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Freshness {
    /// Nothing contradicts what was seen.
    Fresh,
    /// The log has another record at the number that was seen.
    Forked {
        /// Number.
        number: u64,
    },
    /// The log ends before what was seen.
    RolledBack {
        /// Newest number that was seen.
        seen: u64,
        /// Newest number that the log has; zero for none.
        found: u64,
    },
}

impl Freshness {
    /// Compares a head that was seen with the log, whose hashes are known as far as `hash_at` says.
    pub(crate) fn judge(
        seen: &Head,
        newest: Option<Head>,
        hash_at: impl FnOnce(u64) -> Option<[u8; 32]>,
    ) -> Self {
        let found = newest.map_or(0, |head| head.number);
        if found < seen.number {
            return Self::RolledBack {
                seen: seen.number,
                found,
            };
        }
        match hash_at(seen.number) {
            Some(hash) if hash != seen.hash => Self::Forked {
                number: seen.number,
            },
            _ => Self::Fresh,
        }
    }
}
