//! AWS Nitro Enclaves: the Secure Module, vsock, and the clock that documents carry.
//!
//! The sealing root comes from AWS KMS with recipient attestation, through the host's connection.

mod console;
pub mod module;
#[cfg(test)]
mod recorded;
pub(super) mod sealing;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use vettid_attestation::nitro::own_claims;
use vettid_attestation::{Measurement, TrustAnchor};
use vettid_crypto::SealingRoot;
use vettid_kms::{Attests, Roots};
use vettid_wire::network::TrustRoot;
use vettid_wire::time::UnixMillis;
use vsock::{VMADDR_CID_ANY, VsockListener};

use super::{Attester, Clock, EntropySource, Listener, PlatformError, Sealer};
use crate::boot::RELEASE;
use crate::host_line::HostLine;
pub use console::tell_registers;
use module::{CONFIG_PCR, Device, Driver, Module, Said};

/// Context id of the host as every enclave sees it.
pub(super) const HOST_CID: u32 = 3;

/// Port that the host connects to.
const LINK_PORT: u32 = 5000;

/// The kernel's name for its source of hardware randomness.
const HARDWARE_SOURCE: &str = "/sys/class/misc/hw_random/rng_current";

/// The one source that is accepted.
const REQUIRED_SOURCE: &str = "nsm-hwrng";

/// The kernel's pool; what is written to it is mixed in and never trusted alone.
const POOL: &str = "/dev/urandom";

/// One Nitro enclave.
#[derive(Debug)]
pub struct Nitro<D: Driver = Device> {
    release: u32,
    module: Module<D>,
    registers: u16,
    measurement: Measurement,
    committed: bool,
    document_time: Option<(UnixMillis, Instant)>,
    listener: Option<VsockListener>,
    source: PathBuf,
    pool: PathBuf,
}

impl Nitro<Device> {
    /// Opens the module and reads what booted.
    ///
    /// # Errors
    /// Outside a Nitro enclave, and inside one that runs in debug mode.
    pub fn open() -> Result<Self, PlatformError> {
        Self::open_as(RELEASE)
    }

    /// The same for a program that stands for `release`. Others than the emulated image stand for their own.
    pub(super) fn open_as(release: u32) -> Result<Self, PlatformError> {
        let (source, pool) = (Path::new(HARDWARE_SOURCE), Path::new(POOL));
        Self::over(release, Module::new(Device::open()?), source, pool)
    }
}

impl<D: Driver> Nitro<D> {
    fn over(
        release: u32,
        module: Module<D>,
        source: &Path,
        pool: &Path,
    ) -> Result<Self, PlatformError> {
        let registers = module.registers()?;
        let (pcr0, pcr1, pcr2) = (
            module.register(0)?,
            module.register(1)?,
            module.register(2)?,
        );
        let measurement =
            Measurement::new(pcr0, pcr1, pcr2).map_err(|_| PlatformError::DebugMode)?;
        Ok(Self {
            release,
            module,
            registers,
            measurement,
            committed: false,
            document_time: None,
            listener: None,
            source: source.to_owned(),
            pool: pool.to_owned(),
        })
    }

    /// A document for whoever answers to `public_key` alone. It says nothing else, so that nobody can
    /// take it for evidence.
    pub(super) fn document_for(&mut self, public_key: &[u8]) -> Result<Vec<u8>, PlatformError> {
        let said = Said {
            public_key: Some(public_key),
            ..Said::default()
        };
        Ok(self.module.attest(&said)?)
    }

    /// Takes the time from a document that the module has just made.
    fn note_time(&mut self, document: &[u8]) -> Result<(), PlatformError> {
        let time = own_claims(document)
            .map_err(|_| PlatformError::NoTime)?
            .timestamp;
        self.document_time = Some((time, Instant::now()));
        Ok(())
    }
}

impl<D: Driver> Attester for Nitro<D> {
    fn measurement(&self) -> Measurement {
        self.measurement
    }

    fn release(&self) -> u32 {
        self.release
    }

    fn trust_root(&self) -> TrustRoot {
        TrustRoot::Nitro
    }

    fn commit(&mut self, digest: &[u8; 48]) -> Result<(), PlatformError> {
        self.module.extend(CONFIG_PCR, digest)?;
        self.module.lock(self.registers)?;
        let said = Said {
            user_data: Some(digest),
            ..Said::default()
        };
        let document = self.module.attest(&said)?;
        self.note_time(&document)?;
        self.committed = true;
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let said = Said {
            user_data: Some(user_data),
            nonce: nonce.map(<[u8; 32]>::as_slice),
            public_key: None,
        };
        let document = self.module.attest(&said)?;
        self.note_time(&document)?;
        Ok(document)
    }
}

impl<D: Driver> Sealer for Nitro<D> {
    fn sealing_root(&mut self, host: &mut HostLine<'_>) -> Result<SealingRoot, PlatformError> {
        sealing::unseal(host, &Roots::amazon(), self)
    }
}

impl<D: Driver> Attests for Nitro<D> {
    type Failure = PlatformError;

    fn for_recipient(&mut self, public_key: &[u8]) -> Result<Vec<u8>, PlatformError> {
        self.document_for(public_key)
    }

    fn over(&mut self, digest: &[u8; 48]) -> Result<Vec<u8>, PlatformError> {
        self.document(digest, None)
    }

    fn made(&self, document: &[u8], digest: &[u8; 48]) -> bool {
        sealing::is_own(document, digest, &TrustAnchor::aws(), &self.measurement)
    }
}

impl<D: Driver> EntropySource for Nitro<D> {
    /// The kernel must draw from the module; the module's bytes are mixed in once more besides.
    fn check_entropy(&mut self) -> Result<(), PlatformError> {
        let source = fs::read_to_string(&self.source).map_err(|_| PlatformError::EntropySource)?;
        if source.trim_end() != REQUIRED_SOURCE {
            return Err(PlatformError::EntropySource);
        }
        let random = self.module.random()?;
        fs::OpenOptions::new()
            .write(true)
            .open(&self.pool)
            .and_then(|mut pool| std::io::Write::write_all(&mut pool, &random))
            .map_err(|_| PlatformError::EntropySource)
    }
}

impl<D: Driver> Clock for Nitro<D> {
    /// The last document's time and what has passed since, by a clock the host cannot set.
    fn now(&self) -> UnixMillis {
        self.document_time
            .map_or_else(UnixMillis::default, |(time, at)| {
                time.plus(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
            })
    }
}

impl<D: Driver> Listener for Nitro<D> {
    /// Refuses before [`Attester::commit`]: no socket opens while registers can still be extended.
    fn listen(&mut self) -> Result<(), PlatformError> {
        if !self.committed {
            return Err(PlatformError::NotCommitted);
        }
        let listener = VsockListener::bind_with_cid_port(VMADDR_CID_ANY, LINK_PORT)
            .map_err(|error| PlatformError::Listen(error.kind()))?;
        self.listener = Some(listener);
        Ok(())
    }

    /// One host, once: nobody else can connect from here on.
    fn accept(&mut self) -> Result<OwnedFd, PlatformError> {
        let listener = self.listener.take().ok_or(PlatformError::NotCommitted)?;
        loop {
            let (stream, from) = listener
                .accept()
                .map_err(|error| PlatformError::Listen(error.kind()))?;
            if from.cid() == HOST_CID {
                return Ok(stream.into());
            }
        }
    }
}
