//! The emulated module: signs documents about one measurement.

use std::collections::BTreeMap;

use vettid_crypto::Entropy;
use vettid_crypto::p384::SigningKey;
use vettid_wire::time::UnixMillis;

use super::certificate::{Template, authority, leaf};
use super::der;
use super::document::{ES384_HEADER, Fields, payload, sign};
use super::root::DevelopmentRoot;
use crate::anchor::EMULATED_MODULE;
use crate::attester::{AttestedClaims, Attester, NotAttested};
use crate::measurement::Measurement;
use crate::nitro::{MAX_USER_FIELD, PCR, own_claims};

/// Attests one emulated enclave under a development root.
#[derive(Debug)]
pub struct EmulatedAttester {
    root: DevelopmentRoot,
    module_id: String,
    pcrs: BTreeMap<u8, [u8; PCR]>,
    zonal: SigningKey,
    instance: SigningKey,
    leaf: SigningKey,
    chain: Option<Chain>,
}

/// Certificates that the attester shows for a while.
#[derive(Debug)]
struct Chain {
    issued: u64,
    cabundle: Vec<Vec<u8>>,
    leaf: Vec<u8>,
}

impl EmulatedAttester {
    /// An attester for an enclave that measures `measurement`, with keys of its own.
    pub fn new(
        root: DevelopmentRoot,
        measurement: &Measurement,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Self {
        let mut tag = [0; 8];
        entropy.fill(&mut tag);
        let mut pcrs: BTreeMap<_, _> = (0..16).map(|index| (index, [0; PCR])).collect();
        pcrs.insert(0, *measurement.pcr0());
        pcrs.insert(1, *measurement.pcr1());
        pcrs.insert(2, *measurement.pcr2());
        Self {
            root,
            module_id: format!("{EMULATED_MODULE}{:016x}", u64::from_be_bytes(tag)),
            pcrs,
            zonal: SigningKey::generate(entropy),
            instance: SigningKey::generate(entropy),
            leaf: SigningKey::generate(entropy),
            chain: None,
        }
    }

    /// Signs what the module of an emulated machine says, which signs nothing itself: its registers,
    /// time and claims, under this attester's name and chain.
    ///
    /// `document` is one that the module has just made. Nobody else's is ever to be given here.
    pub fn sign_for_module(&mut self, document: &[u8]) -> Result<Vec<u8>, NotAttested> {
        let said = own_claims(document).map_err(|_| NotAttested::Platform)?;
        let claims = AttestedClaims {
            user_data: said.user_data,
            nonce: said.nonce,
            public_key: said.public_key,
        };
        Ok(self.sign(&said.pcrs, &claims, said.timestamp))
    }

    fn sign(
        &mut self,
        pcrs: &BTreeMap<u8, [u8; PCR]>,
        claims: &AttestedClaims<'_>,
        now: UnixMillis,
    ) -> Vec<u8> {
        let module_id = self.module_id.clone();
        let chain = self.renew(now.seconds());
        let fields = Fields {
            module_id: &module_id,
            timestamp: now,
            pcrs,
            certificate: &chain.leaf,
            cabundle: &chain.cabundle,
            claims: *claims,
        };
        sign(ES384_HEADER, &payload(&fields.entries()), &self.leaf)
    }

    /// Makes a new chain, unless there is one with most of its time ahead.
    fn renew(&mut self, now: u64) -> &Chain {
        let is_current =
            |chain: &Chain| now >= chain.issued && now < chain.issued.saturating_add(RENEWAL);
        let chain = self.chain.take().filter(is_current);
        let chain = chain.unwrap_or_else(|| self.issue(now));
        self.chain.insert(chain)
    }

    fn issue(&self, now: u64) -> Chain {
        let name = |level: &str| der::name(&format!("{level}.{}", self.module_id));
        let (zonal, instance) = (name("zonal"), name("instance"));
        let make = |issuer: &[u8], subject: &[u8], key: &SigningKey, span: u64| Template {
            serial: now,
            ..Template::new(issuer, subject, key)
                .valid(now.saturating_sub(LEAD), now.saturating_add(span))
        };
        let certificates = vec![
            self.root.certificate().to_vec(),
            make(self.root.name(), &zonal, &self.zonal, ZONAL)
                .with(authority(Some(1)))
                .sign(self.root.key()),
            make(&zonal, &instance, &self.instance, INSTANCE)
                .with(authority(Some(0)))
                .sign(&self.zonal),
        ];
        let leaf = make(&instance, &name("leaf"), &self.leaf, LEAF)
            .with(leaf())
            .sign(&self.instance);
        Chain {
            issued: now,
            cabundle: certificates,
            leaf,
        }
    }
}

impl Attester for EmulatedAttester {
    fn attest(
        &mut self,
        claims: &AttestedClaims<'_>,
        now: UnixMillis,
    ) -> Result<Vec<u8>, NotAttested> {
        let sizes = [claims.user_data, claims.nonce, claims.public_key];
        if sizes
            .into_iter()
            .flatten()
            .any(|claim| claim.len() > MAX_USER_FIELD)
        {
            return Err(NotAttested::ClaimSize);
        }
        let pcrs = self.pcrs.clone();
        Ok(self.sign(&pcrs, claims, now))
    }
}

/// How far before its making a certificate is valid, s, as the hardware's are.
const LEAD: u64 = 3;
/// A chain is made anew after this long, s, so that its leaf outlives every document under it.
const RENEWAL: u64 = 60 * 60;
const LEAF: u64 = 3 * 60 * 60;
const INSTANCE: u64 = 24 * 60 * 60;
const ZONAL: u64 = 20 * INSTANCE;
