//! Why a request stops before its end.

use vettid_store::{StoreError, TailError};
use vettid_wire::limits;
use vettid_wire::refusal::{Code, Refusal};

use crate::mls::NotMls;
use crate::{Lost, Unreadable};

/// Why a request stops before its end. Its transaction is rolled back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// The log can no longer be written: the process ends.
    Lost,
    /// The caller is refused.
    Refused(Refusal),
}

impl From<Code> for Stop {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Whether something was refused because of one limit.
pub(crate) fn is_of(why: &Refusal, limit: &str) -> bool {
    why.limit.as_ref().is_some_and(|it| it.limit == limit)
}

impl From<Lost> for Stop {
    fn from(Lost: Lost) -> Self {
        Self::Lost
    }
}

/// MLS was asked for something by this vault itself, and should have done it.
impl From<NotMls> for Stop {
    fn from(_: NotMls) -> Self {
        Code::Internal.into()
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                Refusal::limit("database", limits::DATABASE, limits::DATABASE).into()
            }
            StoreError::TooLarge { max, size } => Refusal::limit("record", max, size).into(),
            _ => Code::Internal.into(),
        }
    }
}

/// The database holds a change that cannot be written: it is void, like one whose record was lost.
impl From<TailError> for Stop {
    fn from(_: TailError) -> Self {
        Self::Lost
    }
}

impl From<Unreadable> for Stop {
    fn from(Unreadable: Unreadable) -> Self {
        Code::Unavailable.into()
    }
}
