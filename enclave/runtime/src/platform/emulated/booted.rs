//! The emulated enclave as the program of a booted image: the machine's own secure module measures
//! and tells the time, and what it says is signed under the development root.
//!
//! An image keeps nothing, so whoever emulates the hardware below it keeps the secrets:
//!
//! ```text
//! image ─── dials context 3, port 5001 ──▶ whoever emulates the hardware
//!       ◀── development root's key, 48 bytes · length, 2 bytes, and certificate of the authority
//!           that a stand-in for the key service is under, DER · development root's certificate, DER ───
//! ```
//!
//! For tests of the image. Everything above this module and below the signature is what runs on
//! hardware.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester};
use vettid_attestation::nitro::MAX_CERTIFICATE;
use vettid_attestation::{Emulated, Measurement, TrustAnchor};
use vettid_crypto::{SealingRoot, Zeroizing};
use vettid_kms::{Attests, Roots};
use vettid_wire::network::TrustRoot;
use vettid_wire::time::UnixMillis;
use vsock::VsockStream;

use super::FolderError;
use crate::host_line::HostLine;
use crate::platform::nitro::module::{Device, Driver};
use crate::platform::nitro::{HOST_CID, Nitro, sealing};
use crate::platform::{
    Attester, Clock, EntropySource, KernelEntropy, Listener, PlatformError, Sealer,
};

/// Port that the secrets come from.
const SECRETS_PORT: u32 = 5001;

/// Whoever emulates the hardware answers within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of an answer.
const ANSWER: u64 = 48 + 2 + 2 * MAX_CERTIFICATE as u64;

/// An emulated enclave inside a booted image.
#[derive(Debug)]
pub struct Booted<D: Driver = Device> {
    nitro: Nitro<D>,
    signer: Option<Signer>,
}

#[derive(Debug)]
struct Signer {
    certificate: Vec<u8>,
    attester: EmulatedAttester,
    key_service: Roots,
}

impl Booted<Device> {
    /// Opens the machine's module and reads what booted; the program stands for `release`.
    ///
    /// # Errors
    /// Outside of a machine with a secure module.
    pub fn open(release: u32) -> Result<Self, PlatformError> {
        Ok(Self {
            nitro: Nitro::open_as(release)?,
            signer: None,
        })
    }
}

impl<D: Driver> Booted<D> {
    /// What the module has just said, under the development root.
    fn sign(&mut self, said: &[u8]) -> Result<Vec<u8>, PlatformError> {
        let signer = self.signer.as_mut().ok_or(PlatformError::NotCommitted)?;
        let signed = signer.attester.sign_for_module(said);
        signed.map_err(|_| PlatformError::NoDocument)
    }
}

/// What an emulated machine keeps for its enclave.
struct Secrets {
    root: DevelopmentRoot,
    key_service: Roots,
}

impl Secrets {
    fn fetch() -> Result<Self, PlatformError> {
        let mut answer = Zeroizing::new(Vec::new());
        VsockStream::connect_with_cid_port(HOST_CID, SECRETS_PORT)
            .and_then(|keeper| {
                keeper.set_read_timeout(Some(PATIENCE))?;
                keeper.take(ANSWER).read_to_end(&mut answer)
            })
            .map_err(FolderError::from)?;
        Ok(Self::parse(&answer).ok_or(FolderError::Damaged)?)
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let (key, rest) = answer.split_first_chunk::<48>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (authority, certificate) = rest.split_at_checked(length)?;
        Some(Self {
            root: DevelopmentRoot::from_parts(key, certificate.to_vec()).ok()?,
            key_service: Roots::dangerous_stand_in(authority)?,
        })
    }
}

impl<D: Driver> Attester for Booted<D> {
    fn measurement(&self) -> Measurement {
        self.nitro.measurement()
    }

    fn release(&self) -> u32 {
        self.nitro.release()
    }

    /// A root that nothing chains to until the configuration is committed.
    fn trust_root(&self) -> TrustRoot {
        let signer = self.signer.as_ref();
        TrustRoot::Emulated(signer.map_or_else(Vec::new, |signer| signer.certificate.clone()))
    }

    fn commit(&mut self, digest: &[u8; 48]) -> Result<(), PlatformError> {
        self.nitro.commit(digest)?;
        let Secrets { root, key_service } = Secrets::fetch()?;
        let certificate = root.certificate().to_vec();
        let attester = EmulatedAttester::new(root, &self.measurement(), &mut KernelEntropy);
        self.signer = Some(Signer {
            certificate,
            attester,
            key_service,
        });
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let said = self.nitro.document(user_data, nonce)?;
        self.sign(&said)
    }
}

impl<D: Driver> Sealer for Booted<D> {
    fn sealing_root(&mut self, host: &mut HostLine<'_>) -> Result<SealingRoot, PlatformError> {
        let signer = self.signer.as_ref().ok_or(PlatformError::NotCommitted)?;
        let roots = signer.key_service.clone();
        sealing::unseal(host, &roots, self)
    }
}

impl<D: Driver> Attests for Booted<D> {
    type Failure = PlatformError;

    fn for_recipient(&mut self, public_key: &[u8]) -> Result<Vec<u8>, PlatformError> {
        let said = self.nitro.document_for(public_key)?;
        self.sign(&said)
    }

    fn over(&mut self, digest: &[u8; 48]) -> Result<Vec<u8>, PlatformError> {
        self.document(digest, None)
    }

    fn made(&self, document: &[u8], digest: &[u8; 48]) -> bool {
        let signer = self.signer.as_ref();
        let anchor = signer.and_then(|signer| TrustAnchor::parse(&signer.certificate).ok());
        let own = self.measurement();
        anchor.is_some_and(|anchor| sealing::is_own::<Emulated>(document, digest, &anchor, &own))
    }
}

impl<D: Driver> EntropySource for Booted<D> {
    fn check_entropy(&mut self) -> Result<(), PlatformError> {
        self.nitro.check_entropy()
    }
}

impl<D: Driver> Clock for Booted<D> {
    fn now(&self) -> UnixMillis {
        self.nitro.now()
    }
}

impl<D: Driver> Listener for Booted<D> {
    fn listen(&mut self) -> Result<(), PlatformError> {
        self.nitro.listen()
    }

    fn accept(&mut self) -> Result<OwnedFd, PlatformError> {
        self.nitro.accept()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::SeededEntropy;

    #[test]
    fn secrets_are_taken_whole_or_not_at_all() {
        let entropy = &mut SeededEntropy::dangerous_new(1);
        let root = DevelopmentRoot::generate(UnixMillis(1_700_000_000_000), entropy);
        let key = root.expose_key(<[u8]>::to_vec);
        // Any certificate will do for an authority.
        let length = u16::try_from(root.certificate().len()).expect("short");
        let authority = [&length.to_be_bytes()[..], root.certificate()].concat();
        let whole = [&key, &authority[..], root.certificate()].concat();

        let secrets = Secrets::parse(&whole).expect("secrets");

        assert_eq!(secrets.root.certificate(), root.certificate());
        for cut in [0, 47, 49, 50, 50 + authority.len() - 2, whole.len() - 1] {
            assert!(Secrets::parse(&whole[..cut]).is_none(), "{cut}");
        }
    }
}
