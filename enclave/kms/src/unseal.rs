//! From a connection to the key service to the sealing root.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use data_encoding::HEXLOWER;
use vettid_crypto::recipient::RecipientKey;
use vettid_crypto::{DataKey, Entropy, Label, SealingRoot, SecretBytes, Zeroize, digest, seal};
use vettid_wire::key_arn::{self, KeyArn};
use vettid_wire::link::sealing::{Access, SealedRoot};
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use crate::api::{Api, Credentials, FreshKey};
use crate::envelope;
use crate::failure::KmsError;
use crate::policy::{self, Roles};
use crate::tls::{self, Roots};

/// What a root is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What the host says of the key service.
    pub access: &'a Access,
    /// Authorities that the key service's certificate is under.
    pub roots: &'a Roots,
    /// Number of the release that runs.
    pub release: u32,
    /// What of it the key's policy names.
    pub pcr0: &'a [u8; 48],
    /// Time of requests, and at which certificates are judged.
    pub now: UnixMillis,
}

/// The platform, as far as sealing needs it.
pub trait Attests {
    /// Why it makes no document, or why there is no root.
    type Failure: From<KmsError>;

    /// A document for whoever answers to `public_key` alone.
    ///
    /// # Errors
    /// When the platform makes none.
    fn for_recipient(&mut self, public_key: &[u8]) -> Result<Vec<u8>, Self::Failure>;

    /// A document over `digest`.
    ///
    /// # Errors
    /// When the platform makes none.
    fn over(&mut self, digest: &[u8; 48]) -> Result<Vec<u8>, Self::Failure>;

    /// Whether this image on this platform made `document` over `digest`, at whatever time.
    fn made(&self, document: &[u8], digest: &[u8; 48]) -> bool;
}

/// A sealing root.
#[derive(Debug)]
pub struct Unsealed {
    /// The root.
    pub root: SealingRoot,
    /// What the host must keep before anything is sealed under a root that is new.
    pub to_keep: Option<Vec<u8>>,
}

/// Gets the root that the host has sealed, or draws one where it has none yet.
///
/// # Errors
/// When the key is not fit to seal, the key service does not give it to this image, or what the host
/// kept is something else.
pub fn unseal<S: Read + Write, A: Attests>(
    stream: S,
    terms: &Terms<'_>,
    entropy: &mut impl Entropy,
    platform: &mut A,
) -> Result<Unsealed, A::Failure> {
    let access = terms.access;
    let credentials = Credentials::of(access)?;
    let kept = access.sealed_root.as_deref();
    let kept = kept.map(|kept| read(kept, terms, platform)).transpose()?;
    let endpoint = key_arn::endpoint(&access.region).map_err(KmsError::from)?;
    let mut api = Api {
        stream: tls::connect(stream, &endpoint, terms.roots, terms.now)?,
        endpoint: &endpoint,
        region: &access.region,
        credentials,
        now: terms.now,
    };
    match kept {
        Some((kept, key)) => open(&mut api, &kept, &key, terms, platform),
        None => draw(&mut api, terms, entropy, platform),
    }
}

/// Opens what an earlier boot has sealed.
fn open<S: Read + Write, A: Attests>(
    api: &mut Api<'_, S>,
    kept: &SealedRoot,
    key: &KeyArn,
    terms: &Terms<'_>,
    platform: &mut A,
) -> Result<Unsealed, A::Failure> {
    let description = api.describe(key)?;
    description.check(key)?;
    policy::check(&api.policy(key)?, key, &HEXLOWER.encode(terms.pcr0)).map_err(KmsError::from)?;
    // Behind the policy, which lets nobody make one.
    api.check_grants(key)?;
    let recipient = RecipientKey::generate().map_err(|_| KmsError::NoRecipientKey)?;
    let document = platform.for_recipient(recipient.public_key())?;
    let envelope = api.unwrapped_key(key, &kept.data_key, &context(terms.release), &document)?;
    let data_key: DataKey = secret(&envelope::open(&envelope, &recipient)?, KmsError::Envelope)?;
    let opened = seal::open(&data_key, Label::SealingRoot, &binding(kept), &kept.root)
        .map_err(|_| KmsError::Damaged)?;
    Ok(Unsealed {
        root: secret(&opened, KmsError::Damaged)?,
        to_keep: None,
    })
}

/// Has a key made that never had another policy than this image's, draws a root and seals it.
fn draw<S: Read + Write, A: Attests>(
    api: &mut Api<'_, S>,
    terms: &Terms<'_>,
    entropy: &mut impl Entropy,
    platform: &mut A,
) -> Result<Unsealed, A::Failure> {
    let roles = Roles::of(terms.access).map_err(KmsError::from)?;
    let description = api.create(&roles.policy(&HEXLOWER.encode(terms.pcr0)))?;
    let key = description.arn()?;
    if key.account() != roles.account || key.region() != terms.access.region {
        return Err(KmsError::OtherKey.into());
    }
    description.check(&key)?;
    let recipient = RecipientKey::generate().map_err(|_| KmsError::NoRecipientKey)?;
    let document = platform.for_recipient(recipient.public_key())?;
    let FreshKey {
        wrapped,
        for_recipient,
    } = api.fresh_key(&key, &context(terms.release), &document)?;
    let data_key: DataKey = secret(
        &envelope::open(&for_recipient, &recipient)?,
        KmsError::Envelope,
    )?;
    let root = SealingRoot::generate(entropy);
    let mut sealed = SealedRoot {
        key: key.to_string(),
        release: terms.release,
        data_key: wrapped,
        root: Vec::new(),
        document: Vec::new(),
    };
    sealed.root = root.expose(|root| {
        seal::seal(
            &data_key,
            Label::SealingRoot,
            &binding(&sealed),
            root,
            entropy,
        )
    });
    let digest = digest_of(&sealed);
    sealed.document = platform.over(&digest)?;
    // A platform whose documents prove nothing seals nothing.
    if !platform.made(&sealed.document, &digest) {
        return Err(KmsError::NotOwn.into());
    }
    let to_keep = cbor::encode(&sealed);
    if to_keep.len() > limits::SEALED_ROOT {
        return Err(KmsError::TooLarge("GenerateDataKey").into());
    }
    Ok(Unsealed {
        root,
        to_keep: Some(to_keep),
    })
}

/// What the host kept, if this image at this release has sealed it.
fn read<A: Attests>(
    kept: &[u8],
    terms: &Terms<'_>,
    platform: &A,
) -> Result<(SealedRoot, KeyArn), KmsError> {
    let sealed = Some(kept).filter(|kept| kept.len() <= limits::SEALED_ROOT);
    let sealed = sealed.and_then(|kept| cbor::decode_exact::<SealedRoot>(kept).ok());
    let sealed = sealed.ok_or(KmsError::Damaged)?;
    if sealed.release != terms.release {
        let (kept, running) = (sealed.release, terms.release);
        return Err(KmsError::KeptForRelease { kept, running });
    }
    if !platform.made(&sealed.document, &digest_of(&sealed)) {
        return Err(KmsError::NotOwn);
    }
    let key: KeyArn = sealed.key.parse()?;
    if key.region() != terms.access.region {
        return Err(KmsError::KeptInRegion);
    }
    Ok((sealed, key))
}

/// What the wrapped data key is bound to by the key service.
fn context(release: u32) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("vettid:purpose", Label::SealingRoot.as_str().to_owned()),
        ("vettid:release", release.to_string()),
    ])
}

/// What a root is bound to by its seal.
fn binding(sealed: &SealedRoot) -> [&[u8]; 2] {
    [sealed.key.as_bytes(), &sealed.data_key]
}

/// What the enclave that sealed a root vouches for.
fn digest_of(sealed: &SealedRoot) -> [u8; 48] {
    let release = sealed.release.to_be_bytes();
    let parts: [&[u8]; 4] = [
        sealed.key.as_bytes(),
        &release,
        &sealed.data_key,
        &sealed.root,
    ];
    digest::labeled384(Label::SealedRoot, &parts)
}

fn secret<T: SecretBytes<32>>(bytes: &[u8], otherwise: KmsError) -> Result<T, KmsError> {
    let mut bytes: [u8; 32] = bytes.try_into().map_err(|_| otherwise)?;
    let secret = T::from_bytes(bytes);
    bytes.zeroize();
    Ok(secret)
}
