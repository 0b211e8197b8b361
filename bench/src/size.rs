//! How large a measurement is.

/// How large a measurement is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// As documented.
    Full,
    /// As small as it can be, to see that it runs: its figures say nothing.
    Smoke,
}

impl Size {
    /// The value for this size.
    pub(crate) fn of<T>(self, full: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Smoke => smoke,
        }
    }
}
