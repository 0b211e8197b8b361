//! Sealing: the root that AWS KMS gives to this image alone. What is checked is in `vettid-kms`.

use vettid_attestation::{Evidence, Measurement, Platform, TrustAnchor};
use vettid_crypto::SealingRoot;
use vettid_kms::{Attests, KmsError, Roots, Terms};

use crate::host_line::HostLine;
use crate::platform::{Attester, Clock, KernelEntropy, PlatformError};

/// Gets the root through the host, which keeps it sealed. A new root is used once the host has it.
///
/// # Errors
/// When the host gives no access to a key service, the key service does not give the root, or a new
/// one is not kept.
pub(in crate::platform) fn unseal(
    host: &mut HostLine<'_>,
    roots: &Roots,
    platform: &mut (impl Attester + Attests<Failure = PlatformError> + Clock),
) -> Result<SealingRoot, PlatformError> {
    let (release, measurement) = (platform.release(), platform.measurement());
    let access = host.access(release)?.ok_or(PlatformError::NoKeyService)?;
    let terms = Terms {
        access: &access,
        roots,
        release,
        pcr0: measurement.pcr0(),
        now: platform.now(),
    };
    let mut dialed = host.dial()?;
    let unsealed = vettid_kms::unseal(&mut dialed, &terms, &mut KernelEntropy, platform);
    let fault = dialed.fault();
    let unsealed = unsealed.map_err(|error| match (error, fault) {
        (PlatformError::Kms(KmsError::Connection(_)), Some(fault)) => fault.into(),
        (error, _) => error,
    })?;
    if let Some(sealed) = unsealed.to_keep
        && !host.keep(sealed)?
    {
        return Err(PlatformError::NotKept);
    }
    Ok(unsealed.root)
}

/// Whether `document` is one over `digest`, under `anchor`, of what measures so.
pub(in crate::platform) fn is_own<P: Platform>(
    document: &[u8],
    digest: &[u8; 48],
    anchor: &TrustAnchor<P>,
    measurement: &Measurement,
) -> bool {
    let archived = Evidence::<P>::parse(document)
        .and_then(|evidence| evidence.verify_archived(anchor))
        .ok();
    archived.is_some_and(|archived| {
        let statement = archived.statement();
        statement.measurement == *measurement && statement.user_data.as_deref() == Some(digest)
    })
}
