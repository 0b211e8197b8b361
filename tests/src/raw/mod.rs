//! An app without manners: its own HTTP, bus and session frames, so that a scenario can send what
//! no honest app would.

mod app;
mod bus;
mod http;
mod proof;
mod session;

pub use app::{ANSWER, RawApp};
pub use bus::{BusLine, Said};
pub use http::{Answer, exchange, request};
pub use proof::{Present, Proven};
pub use session::{RawSession, request_of};

use std::time::SystemTime;

use vettid_crypto::Entropy;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::UnixMillis;

/// Why something was not done.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The bus refused something.
    #[error("the bus said {0}")]
    Bus(String),
    /// The connection ended.
    #[error("the connection ended")]
    Closed,
    /// The HTTP API refused: status and code.
    #[error("HTTP {0} {1}")]
    Http(u16, String),
    /// What came is not what the protocol says.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The vault refused.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The node says that the session is not known.
    #[error("reset")]
    Reset,
    /// The session broke.
    #[error("session: {0}")]
    Session(#[from] vettid_session::Error),
    /// Nothing came in time.
    #[error("no answer")]
    Silent,
}

impl Fault {
    /// The vault's reason, if it was the vault that refused.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("random bytes");
    }
}

/// Time of day.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now() -> UnixMillis {
    let passed = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    UnixMillis(u64::try_from(passed.as_millis()).expect("before the end of time"))
}
