//! A stand-in for AWS KMS: its API over TLS, for one account, under an authority of its own.
//!
//! It decides as the service does: by signature and age of the request, key policy, and attestation
//! document, whose trust root is a development root. What it makes is as the service makes it; tests may
//! have it lie. It is test code, and no program of the product can reach it.

mod envelope;
mod policy;
mod server;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use data_encoding::{BASE64, HEXLOWER};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair as CertificateKey};
use serde_json::{Value, json};
use vettid_attestation::nitro::{Claims, Document};
use vettid_attestation::{Emulated, Evidence, TrustAnchor};
use vettid_crypto::{DataKey, Label, SecretBytes, seal};
use vettid_wire::Secret;
use vettid_wire::key_arn::KeyArn;
use vettid_wire::link::sealing::Access;
use vettid_wire::time::MINUTE;

use crate::raw::{SystemEntropy, now};

/// Region of the keys.
pub const REGION: &str = "eu-central-1";

/// Account of the keys.
pub const ACCOUNT: &str = "111122223333";

/// Role whose credentials callers have.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/vettid-node";

/// The role's credentials.
pub const ACCESS_KEY_ID: &str = "ASIAEXAMPLEEXAMPLE00";

/// Their secret.
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Their token.
pub const SESSION_TOKEN: &str = "FwoGZXIvYXdzEXAMPLE//////////wEaDEXAMPLE==";

/// The service.
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    /// Certificate of its authority, DER.
    pub authority: Vec<u8>,
    state: Arc<Mutex<State>>,
}

/// What an answer becomes, by the name of the call.
type Lie = Box<dyn Fn(&str, &mut Value) + Send>;

struct State {
    /// Development root that documents chain to.
    root: Vec<u8>,
    master: DataKey,
    keys: BTreeMap<String, Key>,
    asked: Vec<String>,
    lie: Option<Lie>,
    /// Uses of keys that are answered as if the key were not known yet.
    unknown: u32,
}

struct Key {
    policy: String,
    metadata: Value,
    grants: Vec<Value>,
}

/// An error as the service names it.
type Fault = &'static str;

impl StandIn {
    /// Starts one that believes documents under `root`, a development root's certificate.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(root: &[u8]) -> Self {
        let (authority, certificate, key) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            root: root.to_vec(),
            master: DataKey::generate(&mut SystemEntropy),
            keys: BTreeMap::new(),
            asked: Vec::new(),
            lie: None,
            unknown: 0,
        }));
        server::serve(listener, (certificate, key), Arc::clone(&state));
        Self {
            address,
            authority,
            state,
        }
    }

    /// Makes a key with a policy, as an administrator may.
    ///
    /// # Panics
    /// When a test's thread has panicked.
    #[must_use]
    pub fn key_with(&self, policy: &str) -> KeyArn {
        self.state().create(policy).parse().expect("an ARN")
    }

    /// Gives a key another policy, whatever its own says.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn set_policy(&self, key: &KeyArn, policy: &str) {
        let mut state = self.state();
        let key = state.keys.get_mut(key.as_str()).expect("a key");
        policy.clone_into(&mut key.policy);
    }

    /// Answers the next uses of keys as if the key were not known yet.
    ///
    /// # Panics
    /// When a test's thread has panicked.
    pub fn be_slow(&self, uses: u32) {
        self.state().unknown = uses;
    }

    /// Makes a data key for a role, without a document: the key and how it is wrapped.
    ///
    /// # Panics
    /// When the key's policy does not allow it.
    #[must_use]
    pub fn data_key(&self, key: &KeyArn, context: &Value) -> (Vec<u8>, Vec<u8>) {
        let ask = json!({ "KeyId": key.as_str(), "EncryptionContext": context });
        let answer = self.state().answer("GenerateDataKey", &ask);
        let answer = answer.expect("allowed");
        let bytes = |name: &str| {
            let text = answer[name].as_str().expect("text");
            BASE64.decode(text.as_bytes()).expect("base64")
        };
        (bytes("Plaintext"), bytes("CiphertextBlob"))
    }

    /// Gives somebody a grant for a key.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn grant(&self, key: &KeyArn) {
        let mut state = self.state();
        let key = state.keys.get_mut(key.as_str()).expect("a key");
        key.grants.push(json!({ "GrantId": "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60" }));
    }

    /// Has every later answer changed.
    pub fn lie(&self, lie: impl Fn(&str, &mut Value) + Send + 'static) {
        self.state().lie = Some(Box::new(lie));
    }

    /// Has later answers be true again.
    pub fn tell_the_truth(&self) {
        self.state().lie = None;
    }

    /// Names of the calls since the last look.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    /// What a host says of the service.
    #[must_use]
    pub fn access(sealed_root: Option<Vec<u8>>) -> Access {
        Access {
            region: REGION.to_owned(),
            role: ROLE.to_owned(),
            retirement: None,
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Secret::from(SECRET_ACCESS_KEY),
            session_token: Some(Secret::from(SESSION_TOKEN)),
            sealed_root: sealed_root.map(Into::into),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }
}

impl State {
    /// Does one call of an authentic caller.
    fn call(&mut self, call: &str, ask: &Value) -> Result<Value, Fault> {
        self.asked.push(call.to_owned());
        let mut answer = self.answer(call, ask)?;
        if let Some(lie) = &self.lie {
            lie(call, &mut answer);
        }
        Ok(answer)
    }

    fn create(&mut self, policy: &str) -> String {
        let id = format!("00000000-0000-0000-0000-{:012}", self.keys.len() + 1);
        let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}");
        let metadata = json!({
            "AWSAccountId": ACCOUNT, "KeyId": id, "Arn": arn, "CreationDate": 1.79e9,
            "Enabled": true, "Description": "", "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": false,
        });
        let key = Key {
            policy: policy.to_owned(),
            metadata,
            grants: Vec::new(),
        };
        self.keys.insert(arn.clone(), key);
        arn
    }

    fn answer(&mut self, call: &str, ask: &Value) -> Result<Value, Fault> {
        if call == "CreateKey" {
            // Without it, a policy that locks its account out is refused.
            if ask["BypassPolicyLockoutSafetyCheck"] != true {
                return Err("MalformedPolicyDocumentException");
            }
            let policy = ask["Policy"].as_str().ok_or("ValidationException")?;
            let arn = self.create(policy);
            return Ok(json!({ "KeyMetadata": self.keys[&arn].metadata }));
        }
        if matches!(call, "GenerateDataKey" | "Decrypt") && self.unknown > 0 {
            self.unknown -= 1;
            return Err("NotFoundException");
        }
        let arn = ask["KeyId"].as_str().ok_or("ValidationException")?;
        let claims = document(ask, &self.root)?;
        let key = self.keys.get(arn).ok_or("NotFoundException")?;
        let claims = claims.as_deref().map(|bytes| {
            let document = Document::parse(bytes).expect("it was verified");
            Registers::of(document.unverified_claims())
        });
        if !policy::allows(&key.policy, &format!("kms:{call}"), ROLE, claims.as_ref()) {
            return Err("AccessDeniedException");
        }
        match call {
            "DescribeKey" => Ok(json!({ "KeyMetadata": key.metadata })),
            "GetKeyPolicy" => Ok(json!({ "Policy": key.policy, "PolicyName": "default" })),
            "ListGrants" => Ok(json!({ "Grants": key.grants, "Truncated": false })),
            _ if key.metadata["Enabled"] != true => Err("DisabledException"),
            "GenerateDataKey" => {
                let data_key = DataKey::generate(&mut SystemEntropy);
                let wrapped = data_key.expose(|data_key| {
                    let context = context(arn, ask);
                    let context: [&[u8]; 1] = [context.as_bytes()];
                    seal::seal(
                        &self.master,
                        Label::SealingRoot,
                        &context,
                        data_key,
                        &mut SystemEntropy,
                    )
                });
                let mut answer = data_key.expose(|key| enclosed(arn, key, claims.as_ref()));
                answer["CiphertextBlob"] = BASE64.encode(&wrapped).into();
                Ok(answer)
            }
            "Decrypt" => {
                let wrapped = ask["CiphertextBlob"].as_str().unwrap_or_default();
                let wrapped = BASE64.decode(wrapped.as_bytes());
                let wrapped = wrapped.map_err(|_| "ValidationException")?;
                let context = context(arn, ask);
                let context: [&[u8]; 1] = [context.as_bytes()];
                let key = seal::open(&self.master, Label::SealingRoot, &context, &wrapped)
                    .map_err(|_| "InvalidCiphertextException")?;
                Ok(enclosed(arn, &key, claims.as_ref()))
            }
            _ => Err("UnsupportedOperationException"),
        }
    }
}

/// Key and encryption context, in a form that is always the same.
fn context(arn: &str, ask: &Value) -> String {
    format!("{arn} {}", ask["EncryptionContext"])
}

/// The answer with a key, for the recipient alone where there is one.
fn enclosed(arn: &str, key: &[u8], recipient: Option<&Registers>) -> Value {
    match recipient {
        Some(recipient) => json!({
            "KeyId": arn,
            "Plaintext": "",
            "CiphertextForRecipient": BASE64.encode(&envelope::around(key, &recipient.public_key)),
        }),
        None => json!({ "KeyId": arn, "Plaintext": BASE64.encode(key) }),
    }
}

/// What conditions of a policy look at.
struct Registers {
    pcrs: BTreeMap<u8, String>,
    public_key: Vec<u8>,
}

impl Registers {
    fn of(claims: &Claims<'_>) -> Self {
        let pcrs = claims.pcrs.iter();
        Self {
            pcrs: pcrs
                .map(|(index, pcr)| (*index, HEXLOWER.encode(pcr)))
                .collect(),
            public_key: claims.public_key.unwrap_or_default().to_vec(),
        }
    }
}

/// The document of the request, if it has one and it is authentic.
fn document(ask: &Value, root: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let Some(recipient) = ask.get("Recipient") else {
        return Ok(None);
    };
    if recipient["KeyEncryptionAlgorithm"] != "RSAES_OAEP_SHA_256" {
        return Err("ValidationException");
    }
    let bytes = recipient["AttestationDocument"]
        .as_str()
        .unwrap_or_default();
    let bytes = BASE64.decode(bytes.as_bytes());
    let bytes = bytes.map_err(|_| "ValidationException")?;
    let anchor = TrustAnchor::<Emulated>::parse(root).expect("a development root");
    let evidence = Evidence::parse(&bytes).map_err(|_| "ValidationException")?;
    let archived = evidence
        .verify_archived(&anchor)
        .map_err(|_| "ValidationException")?;
    let age = now().0.abs_diff(archived.statement().timestamp.0);
    if age > 5 * MINUTE {
        return Err("ValidationException");
    }
    Ok(Some(bytes))
}

/// An authority, and a certificate under it for the service's name with its key, all in DER.
fn certificates() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let key = || CertificateKey::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (authority_key, own_key) = (key(), key());
    let root = authority.self_signed(&authority_key).expect("signed");
    let name = format!("kms.{REGION}.amazonaws.com");
    let own = CertificateParams::new(vec![name]).expect("parameters");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let own = own.signed_by(&own_key, &issuer).expect("signed");
    (
        root.der().to_vec(),
        own.der().to_vec(),
        own_key.serialize_der(),
    )
}
