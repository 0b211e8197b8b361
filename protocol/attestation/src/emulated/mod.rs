//! The emulated platform: development roots, and an attester that makes documents under them.
//!
//! For development networks. Everything here is known to the host that runs it, so its documents
//! protect nothing; they are of exactly the format that the hardware's have, so that everything
//! behind them is the same code. Images for hardware are built without this module. What checks
//! emulated evidence is not in here and always there: apps need it.
//!
//! ```text
//!  development root ──▶ zonal (20 days) ──▶ instance (1 day) ──▶ leaf (3 hours) ──▶ document
//!  one a network         the attester makes these anew as time goes by
//! ```

mod attester;
pub(crate) mod certificate;
mod der;
pub(crate) mod document;
mod root;

use vettid_crypto::digest::sha384;

pub use attester::EmulatedAttester;
pub use root::{DevelopmentRoot, NotARoot};

use crate::measurement::{DebugMode, Measurement};

/// What an emulated enclave measures: its program's SHA-384 as PCR0, and fixed values as the rest.
/// Refused for a digest of zeros.
pub fn measurement(program: [u8; 48]) -> Result<Measurement, DebugMode> {
    Measurement::new(
        program,
        sha384(b"vettid/1/emulated-boot"),
        sha384(b"vettid/1/emulated-application"),
    )
}
