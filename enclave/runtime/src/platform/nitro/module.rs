//! The Nitro Secure Module: measurements, documents, random bytes.

use aws_nitro_enclaves_nsm_api::api::{Digest, ErrorCode, Request, Response};
use aws_nitro_enclaves_nsm_api::driver;

/// Bytes of a platform configuration register.
pub const PCR_LEN: usize = 48;

/// First register that the image may extend itself; the ones below are the hypervisor's.
pub const CONFIG_PCR: u16 = 16;

/// Most bytes of a field that every version of the module takes.
const FIELD_LIMIT: usize = 512;

/// Most bytes of a document: the driver's answer buffer.
const DOCUMENT_LIMIT: usize = 12 * 1024;

/// Why the module could not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ModuleError {
    /// There is no module: this does not run inside a Nitro enclave.
    #[error("no Nitro Secure Module here: this program runs in a Nitro enclave only")]
    Absent,
    /// The answer is of another kind than was asked for, or its content cannot be right.
    #[error("secure module answered {0:?} with nonsense")]
    Nonsense(Question),
    /// The module refused.
    #[error("secure module refused {0:?}: {1:?}")]
    Refused(Question, Cause),
    /// A field is longer than the module takes.
    #[error("field of {0} bytes is too long for the secure module")]
    TooLong(usize),
}

/// What was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "named as the module's requests")]
pub enum Question {
    Attestation,
    Describe,
    DescribePcr,
    ExtendPcr,
    LockPcrs,
    Random,
}

/// The module's own word for a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "named as the module's error codes")]
pub enum Cause {
    BufferTooSmall,
    InputTooLarge,
    InternalError,
    InvalidArgument,
    InvalidIndex,
    InvalidOperation,
    InvalidResponse,
    ReadOnlyIndex,
    Success,
}

/// What a document says besides what booted and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// Whatever the program wants signed.
    pub user_data: Option<&'a [u8]>,
    /// A verifier's challenge.
    pub nonce: Option<&'a [u8]>,
    /// A key that answers may be encrypted for.
    pub public_key: Option<&'a [u8]>,
}

/// Way to the module: the device, or recorded answers in tests.
pub trait Driver {
    /// Asks one question and waits for the answer.
    fn ask(&self, request: Request) -> Response;
}

/// `/dev/nsm`.
#[derive(Debug)]
pub struct Device(i32);

impl Device {
    /// Opens the device.
    ///
    /// # Errors
    /// [`ModuleError::Absent`] outside a Nitro enclave.
    pub fn open() -> Result<Self, ModuleError> {
        let descriptor = driver::nsm_init();
        if descriptor < 0 {
            Err(ModuleError::Absent)
        } else {
            Ok(Self(descriptor))
        }
    }
}

impl Driver for Device {
    fn ask(&self, request: Request) -> Response {
        driver::nsm_process_request(self.0, request)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        driver::nsm_exit(self.0);
    }
}

/// The module behind a driver, with typed questions.
#[derive(Debug)]
pub struct Module<D> {
    driver: D,
}

impl<D: Driver> Module<D> {
    /// Uses `driver`.
    pub const fn new(driver: D) -> Self {
        Self { driver }
    }

    /// Checks that the module hashes with SHA-384 and returns how many registers it has.
    ///
    /// # Errors
    /// When it refuses, answers nonsense or hashes otherwise.
    pub fn registers(&self) -> Result<u16, ModuleError> {
        match self.driver.ask(Request::DescribeNSM) {
            Response::DescribeNSM {
                max_pcrs,
                digest: Digest::SHA384,
                ..
            } if max_pcrs > CONFIG_PCR => Ok(max_pcrs),
            other => Err(refusal(Question::Describe, other)),
        }
    }

    /// Value of a register.
    ///
    /// # Errors
    /// When the module refuses or the value is not 48 bytes.
    pub fn register(&self, index: u16) -> Result<[u8; PCR_LEN], ModuleError> {
        match self.driver.ask(Request::DescribePCR { index }) {
            Response::DescribePCR { data, .. } => data
                .try_into()
                .map_err(|_| ModuleError::Nonsense(Question::DescribePcr)),
            other => Err(refusal(Question::DescribePcr, other)),
        }
    }

    /// Extends a register with `digest` and returns its value now.
    ///
    /// # Errors
    /// When the module refuses, as it does for a locked register.
    pub fn extend(&self, index: u16, digest: &[u8]) -> Result<[u8; PCR_LEN], ModuleError> {
        match self.driver.ask(Request::ExtendPCR {
            index,
            data: digest.to_vec(),
        }) {
            Response::ExtendPCR { data } => data
                .try_into()
                .map_err(|_| ModuleError::Nonsense(Question::ExtendPcr)),
            other => Err(refusal(Question::ExtendPcr, other)),
        }
    }

    /// Locks the registers below `range` for as long as this enclave runs.
    ///
    /// # Errors
    /// When the module refuses.
    pub fn lock(&self, range: u16) -> Result<(), ModuleError> {
        match self.driver.ask(Request::LockPCRs { range }) {
            Response::LockPCRs => Ok(()),
            other => Err(refusal(Question::LockPcrs, other)),
        }
    }

    /// A signed document that says this.
    ///
    /// # Errors
    /// When a field is too long or the module refuses.
    pub fn attest(&self, said: &Said<'_>) -> Result<Vec<u8>, ModuleError> {
        let fields = [said.user_data, said.nonce, said.public_key];
        for length in fields.into_iter().flatten().map(<[u8]>::len) {
            if length > FIELD_LIMIT {
                return Err(ModuleError::TooLong(length));
            }
        }
        let [user_data, nonce, public_key] =
            fields.map(|field| field.map(|bytes| bytes.to_vec().into()));
        let request = Request::Attestation {
            user_data,
            nonce,
            public_key,
        };
        match self.driver.ask(request) {
            Response::Attestation { document }
                if !document.is_empty() && document.len() <= DOCUMENT_LIMIT =>
            {
                Ok(document)
            }
            other => Err(refusal(Question::Attestation, other)),
        }
    }

    /// Random bytes, as many as the module gives at once (256).
    ///
    /// # Errors
    /// When it refuses or gives fewer than 32.
    pub fn random(&self) -> Result<Vec<u8>, ModuleError> {
        match self.driver.ask(Request::GetRandom) {
            Response::GetRandom { random } if random.len() >= 32 => Ok(random),
            other => Err(refusal(Question::Random, other)),
        }
    }
}

fn refusal(question: Question, response: Response) -> ModuleError {
    let Response::Error(code) = response else {
        return ModuleError::Nonsense(question);
    };
    let cause = match code {
        ErrorCode::BufferTooSmall => Cause::BufferTooSmall,
        ErrorCode::InputTooLarge => Cause::InputTooLarge,
        ErrorCode::InternalError => Cause::InternalError,
        ErrorCode::InvalidArgument => Cause::InvalidArgument,
        ErrorCode::InvalidIndex => Cause::InvalidIndex,
        ErrorCode::InvalidOperation => Cause::InvalidOperation,
        ErrorCode::InvalidResponse => Cause::InvalidResponse,
        ErrorCode::ReadOnlyIndex => Cause::ReadOnlyIndex,
        ErrorCode::Success => Cause::Success,
    };
    ModuleError::Refused(question, cause)
}

#[cfg(test)]
#[path = "module_tests.rs"]
mod tests;
