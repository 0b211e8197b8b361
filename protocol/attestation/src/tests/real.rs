//! Documents of real hardware, at their own time. They are other people's data and not part of
//! this repository: the folder is named by `VETTID_NITRO_VECTORS`, or is beside the repository.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use vettid_crypto::digest::sha256;
use vettid_crypto::p384;
use vettid_wire::time::UnixMillis;
use x509_cert::der::DateTime;

use super::fixture::{NONCE, chain_error};
use crate::nitro::certificate::Certificate;
use crate::nitro::chain::{self, Moment};
use crate::nitro::root::Root;
use crate::nitro::{AWS_FINGERPRINT, CertificateFault, Document, DocumentError, own_claims};
use crate::{
    AppraisalError, Cache, Emulated, Evidence, Measurement, Nitro, NonceExpectation, Policy,
    ReferenceValue, Trust, TrustAnchor, appraise,
};

const FOLDER: &str = "VETTID_NITRO_VECTORS";

struct Real {
    name: String,
    bytes: Vec<u8>,
    described: Value,
}

impl Real {
    fn is(&self, what: &str) -> bool {
        self.described[what].as_bool().expect(what)
    }

    fn second(&self, what: &str) -> u64 {
        let text = self.described[what]
            .as_str()
            .expect(what)
            .replace("+00:00", "Z");
        text.parse::<DateTime>()
            .expect(what)
            .unix_duration()
            .as_secs()
    }

    fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.described["timestamp_ms"].as_u64().expect("timestamp"))
    }

    /// Chain and signature, whatever the registers say.
    fn verify_at(&self, now: UnixMillis) -> Result<bool, AppraisalError> {
        let document = Document::parse(&self.bytes)?;
        let claims = document.unverified_claims();
        let moment = Moment { time: now, skew: 0 };
        let cache = Cache::default();
        let chain = chain::verify(
            &Root::aws(),
            &claims.cabundle,
            claims.certificate,
            moment,
            &cache,
        )?;
        Ok(document.is_signed_by(&chain.key))
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/vectors/nitro"
            ))
        },
        PathBuf::from,
    );
    if folder.join("vectors.json").is_file() {
        return Some(folder);
    }
    println!(
        "passed over: no Nitro documents in {} (set {FOLDER})",
        folder.display()
    );
    None
}

/// Every described document; none if the folder is not there.
fn documents() -> Vec<Real> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let described = fs::read_to_string(folder.join("vectors.json")).expect("vectors.json");
    let Value::Array(all) = serde_json::from_str(&described).expect("JSON") else {
        panic!("vectors.json is no array");
    };
    all.into_iter()
        .map(|described| {
            let name = described["file"].as_str().expect("file").to_owned();
            let bytes = fs::read(folder.join(&name)).expect("document");
            Real {
                name,
                bytes,
                described,
            }
        })
        .collect()
}

#[test]
fn real_documents_verify_from_their_first_to_their_last_second_and_no_longer() {
    for real in documents() {
        let (first, last) = (real.second("valid_from"), real.second("valid_until"));
        let at = |millis| real.verify_at(UnixMillis(millis));
        let is_signed = Ok(real.is("signature_valid"));

        assert_eq!(at(real.timestamp().0), is_signed, "{}", real.name);
        assert_eq!(at(first * 1000), is_signed, "{}", real.name);
        assert_eq!(at(last * 1000 + 999), is_signed, "{}", real.name);
        assert_eq!(
            at(first * 1000 - 1),
            Err(chain_error(4, CertificateFault::NotYetValid)),
            "{}",
            real.name
        );
        assert_eq!(
            at(last * 1000 + 1000),
            Err(chain_error(4, CertificateFault::Expired)),
            "{}",
            real.name
        );
    }
}

#[test]
fn real_documents_say_what_is_described() {
    for real in documents() {
        let document = Document::parse(&real.bytes).expect("document");
        let claims = document.unverified_claims();
        let length = |what: &str| {
            real.described[what]
                .as_u64()
                .map(|length| usize::try_from(length).expect("small"))
        };

        assert_eq!(Some(claims.module_id), real.described["module_id"].as_str());
        assert_eq!(claims.timestamp, real.timestamp());
        assert_eq!(Some(claims.pcrs.len()), length("pcr_count"));
        assert_eq!(Some(claims.cabundle.len()), length("cabundle"));
        assert_eq!(claims.public_key.map(<[u8]>::len), length("public_key_len"));
        assert_eq!(claims.user_data.map(<[u8]>::len), length("user_data_len"));
        assert_eq!(claims.nonce.map(<[u8]>::len), length("nonce_len"));
        for (index, value) in &claims.pcrs {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            let described = real.described["pcrs"][index.to_string()].as_str();
            assert_eq!(
                hex,
                described.unwrap_or(&"0".repeat(96)),
                "{} PCR{index}",
                real.name
            );
        }
    }
}

#[test]
fn real_documents_of_debug_mode_are_refused_for_it_and_for_nothing_else() {
    for real in documents() {
        let evidence = Evidence::<Nitro>::parse(&real.bytes);
        if real.is("debug_mode") {
            assert_eq!(
                evidence.err(),
                Some(AppraisalError::DebugMode),
                "{}",
                real.name
            );
        } else {
            let archived = evidence
                .expect("evidence")
                .verify_archived(&TrustAnchor::aws());
            let why = (!real.is("signature_valid")).then_some(AppraisalError::Signature);
            assert_eq!(archived.err(), why, "{}", real.name);
        }
    }
}

#[test]
fn real_documents_are_refused_where_emulated_ones_are_asked_for() {
    for real in documents() {
        let evidence = Evidence::<Emulated>::parse(&real.bytes);

        assert_eq!(
            evidence.err(),
            Some(AppraisalError::WrongPlatform),
            "{}",
            real.name
        );
    }
}

#[test]
fn real_documents_are_not_appraised_for_a_live_peer() {
    for real in documents().iter().filter(|real| !real.is("debug_mode")) {
        let value = {
            let document = Document::parse(&real.bytes).expect("document");
            let measurement = Measurement::of(document.unverified_claims()).expect("not debug");
            ReferenceValue {
                measurement,
                release: 1,
            }
        };
        let policy = Policy::new(Trust::Nitro, vec![value], 1).expect("policy");
        let at = |now| {
            let nonce = NonceExpectation::Fresh(&NONCE);
            appraise(&real.bytes, &[], &policy, nonce, now, &mut Cache::default()).err()
        };
        let bound = matches!(real.described["user_data_len"], Value::Number(_));
        let why = match (real.is("signature_valid"), bound) {
            (false, _) => AppraisalError::Signature,
            (true, true) => AppraisalError::BundleMismatch,
            (true, false) => AppraisalError::BundleMissing,
        };

        assert_eq!(at(real.timestamp()), Some(why), "{}", real.name);
        assert_eq!(
            at(real.timestamp().plus(4 * 3_600_000)),
            Some(chain_error(4, CertificateFault::Expired)),
            "{}",
            real.name
        );
    }
}

type Verify = fn(&[u8], &[u8], &[u8]) -> bool;

/// A back end's verdict on every signature of a document: chain first, document last.
fn verdicts(real: &[u8], der: Verify, raw: Verify) -> Vec<bool> {
    let document = Document::parse(real).expect("document");
    let claims = document.unverified_claims();
    let mut key = *Root::aws().key();
    let mut verdicts = Vec::new();
    for one in claims.cabundle.iter().skip(1).chain([&claims.certificate]) {
        let certificate = Certificate::parse(one).expect("certificate");
        verdicts.push(der(&key, certificate.signed, certificate.signature));
        key = certificate.key;
    }
    verdicts.push(raw(&key, &document.signed_bytes(), document.signature()));
    verdicts
}

#[test]
fn both_back_ends_give_the_same_verdict_on_every_signature() {
    let fast: [Verify; 2] = [
        |key, message, signature| p384::fast::verify_der(key, message, signature).is_ok(),
        |key, message, signature| p384::fast::verify(key, message, signature).is_ok(),
    ];
    let portable: [Verify; 2] = [
        |key, message, signature| p384::portable::verify_der(key, message, signature).is_ok(),
        |key, message, signature| p384::portable::verify(key, message, signature).is_ok(),
    ];
    for real in documents() {
        let mut right = vec![true; 5];
        right[4] = real.is("signature_valid");
        let mut damaged = real.bytes.clone();
        *damaged.last_mut().expect("bytes") ^= 1;

        for bytes in [&real.bytes, &damaged] {
            let verdict = verdicts(bytes, fast[0], fast[1]);
            assert_eq!(
                verdict,
                verdicts(bytes, portable[0], portable[1]),
                "{}",
                real.name
            );
            if *bytes == real.bytes {
                assert_eq!(verdict, right, "{}", real.name);
            }
        }
    }
}

#[test]
fn document_of_the_hardware_emulator_is_refused_without_a_panic() {
    let Some(folder) = folder() else { return };
    let bytes = fs::read(folder.join("qemu-10.0.13-nsm-UNSIGNED.cose")).expect("document");

    assert_eq!(
        Document::parse(&bytes).err(),
        Some(DocumentError::Algorithm)
    );
    // Its own enclave can still read what it says.
    let claims = own_claims(&bytes).expect("claims");
    assert!(claims.timestamp.0 > 0);
    assert!(claims.pcrs.len() >= 16);
}

#[test]
fn pinned_root_is_the_certificate_that_aws_publishes() {
    let Some(folder) = folder() else { return };
    let der = fs::read(folder.join("aws-nitro-root-g1.der")).expect("root");

    assert_eq!(sha256(&der), AWS_FINGERPRINT);
    assert_eq!(Root::parse(&der), Ok(Root::aws()));
    assert!(TrustAnchor::<Emulated>::parse(&der).is_err());
}
