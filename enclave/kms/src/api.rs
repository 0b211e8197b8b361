//! The six calls that sealing needs, in the JSON of the key service.
//!
//! Source: AWS KMS API Reference, `TrentService`, JSON 1.1. Only what is looked at is read.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use data_encoding::BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vettid_crypto::Zeroizing;
use vettid_wire::Secret;
use vettid_wire::key_arn::KeyArn;
use vettid_wire::link::sealing::Access;
use vettid_wire::time::UnixMillis;

use crate::failure::{KeyFault, KmsError, Refusal};
use crate::http::{self, Answer};
use crate::sigv4::{Post, Scope, authorization, timestamp};

const SERVICE: &str = "kms";

/// Pauses between attempts to use a key that was just made.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The one policy that a key has.
const POLICY: &str = "default";

/// A connection to the key service of one region.
pub(crate) struct Api<'a, S> {
    pub(crate) stream: S,
    pub(crate) endpoint: &'a str,
    pub(crate) region: &'a str,
    pub(crate) credentials: Credentials<'a>,
    pub(crate) now: UnixMillis,
}

/// What requests are signed with: the host's, in a form that cannot be mistaken for anything else in a
/// request's head.
pub(crate) struct Credentials<'a> {
    id: &'a str,
    secret: &'a Secret,
    token: Option<Zeroizing<String>>,
}

impl<'a> Credentials<'a> {
    pub(crate) fn of(access: &'a Access) -> Result<Self, KmsError> {
        let id = access.access_key_id.as_str();
        let is_plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !(16..=128).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(KmsError::BadCredentials);
        }
        let token = access.session_token.as_ref();
        let token = token.map(|token| token.expose(plain)).transpose()?;
        Ok(Self {
            id,
            secret: &access.secret_access_key,
            token,
        })
    }
}

/// A token that can stand in a header.
fn plain(token: &[u8]) -> Result<Zeroizing<String>, KmsError> {
    let is_plain = token.iter().all(u8::is_ascii_graphic);
    let text = core::str::from_utf8(token).ok().filter(|_| is_plain);
    let text = text.ok_or(KmsError::BadCredentials)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A data key as it comes: wrapped for later, and encrypted for the asking enclave.
pub(crate) struct FreshKey {
    pub(crate) wrapped: Vec<u8>,
    pub(crate) for_recipient: Vec<u8>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ask<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bypass_policy_lockout_safety_check: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_usage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_spec: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context: Option<&'a BTreeMap<&'static str, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<Recipient>,
}

impl<'a> Ask<'a> {
    fn about(key: &'a KeyArn) -> Self {
        Self {
            key_id: Some(key.as_str()),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Recipient {
    key_encryption_algorithm: &'static str,
    attestation_document: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    key_metadata: Description,
}

/// What the key service says of a key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Description {
    #[serde(rename = "AWSAccountId")]
    account: String,
    arn: String,
    enabled: bool,
    key_state: String,
    key_manager: String,
    key_spec: String,
    key_usage: String,
    origin: String,
    multi_region: bool,
    custom_key_store_id: Option<String>,
}

impl Description {
    /// The key's name.
    pub(crate) fn arn(&self) -> Result<KeyArn, KmsError> {
        Ok(self.arn.parse()?)
    }

    /// Checks that it is this key, and of the kind whose material never left the key service.
    pub(crate) fn check(&self, key: &KeyArn) -> Result<(), KmsError> {
        if self.arn != key.as_str() || self.account != key.account() {
            return Err(KmsError::OtherKey);
        }
        let faults = [
            (
                !self.enabled || self.key_state != "Enabled",
                KeyFault::NotEnabled,
            ),
            (self.key_manager != "CUSTOMER", KeyFault::NotOwn),
            (self.origin == "EXTERNAL", KeyFault::Imported),
            (
                self.origin != "AWS_KMS" || self.custom_key_store_id.is_some(),
                KeyFault::CustomStore,
            ),
            (self.multi_region, KeyFault::SeveralRegions),
            (
                self.key_spec != "SYMMETRIC_DEFAULT" || self.key_usage != "ENCRYPT_DECRYPT",
                KeyFault::NotSymmetric,
            ),
        ];
        let fault = faults.into_iter().find(|(is_at_fault, _)| *is_at_fault);
        fault.map_or(Ok(()), |(_, fault)| Err(fault.into()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyAnswer {
    policy: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GrantsAnswer {
    grants: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyAnswer {
    key_id: String,
    ciphertext_blob: Option<String>,
    ciphertext_for_recipient: Option<String>,
    plaintext: Option<String>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "__type", default)]
    kind: String,
}

impl<S: Read + Write> Api<'_, S> {
    /// Has a key made under a policy that it has from its first moment.
    pub(crate) fn create(&mut self, policy: &str) -> Result<Description, KmsError> {
        let ask = Ask {
            policy: Some(policy),
            bypass_policy_lockout_safety_check: Some(true),
            description: Some("Sealing root of a VettID node"),
            key_usage: Some("ENCRYPT_DECRYPT"),
            key_spec: Some("SYMMETRIC_DEFAULT"),
            ..Ask::default()
        };
        let Described { key_metadata } = self.call("CreateKey", &ask)?;
        Ok(key_metadata)
    }

    /// What kind of key it is.
    pub(crate) fn describe(&mut self, key: &KeyArn) -> Result<Description, KmsError> {
        let Described { key_metadata } = self.call("DescribeKey", &Ask::about(key))?;
        Ok(key_metadata)
    }

    /// The text of the key's policy.
    pub(crate) fn policy(&mut self, key: &KeyArn) -> Result<String, KmsError> {
        let ask = Ask {
            policy_name: Some(POLICY),
            ..Ask::about(key)
        };
        let answer: PolicyAnswer = self.call("GetKeyPolicy", &ask)?;
        Ok(answer.policy)
    }

    /// Checks that nobody has a grant for the key.
    pub(crate) fn check_grants(&mut self, key: &KeyArn) -> Result<(), KmsError> {
        let ask = Ask {
            limit: Some(1),
            ..Ask::about(key)
        };
        let answer: GrantsAnswer = self.call("ListGrants", &ask)?;
        if answer.grants.is_empty() && !answer.truncated {
            Ok(())
        } else {
            Err(KmsError::Grants)
        }
    }

    /// Has a data key made, for whoever `document` is about. A key that was just made is not known
    /// everywhere at once, so it is asked for again a few times.
    pub(crate) fn fresh_key(
        &mut self,
        key: &KeyArn,
        context: &BTreeMap<&'static str, String>,
        document: &[u8],
    ) -> Result<FreshKey, KmsError> {
        const CALL: &str = "GenerateDataKey";
        let ask = Ask {
            key_spec: Some("AES_256"),
            encryption_context: Some(context),
            recipient: Some(Recipient::of(document)),
            ..Ask::about(key)
        };
        let not_yet = KmsError::Refused(CALL, Refusal::NotFound);
        let mut pauses = PAUSES.iter();
        let mut answer: KeyAnswer = loop {
            match (self.call(CALL, &ask), pauses.next()) {
                (Err(refused), Some(pause)) if refused == not_yet => std::thread::sleep(*pause),
                (answer, _) => break answer?,
            }
        };
        let wrapped = decode(answer.ciphertext_blob.take(), CALL)?;
        let for_recipient = for_recipient(answer, key, CALL)?;
        Ok(FreshKey {
            wrapped,
            for_recipient,
        })
    }

    /// Has a wrapped data key unwrapped, for whoever `document` is about.
    pub(crate) fn unwrapped_key(
        &mut self,
        key: &KeyArn,
        wrapped: &[u8],
        context: &BTreeMap<&'static str, String>,
        document: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        const CALL: &str = "Decrypt";
        let ask = Ask {
            encryption_algorithm: Some("SYMMETRIC_DEFAULT"),
            ciphertext_blob: Some(BASE64.encode(wrapped)),
            encryption_context: Some(context),
            recipient: Some(Recipient::of(document)),
            ..Ask::about(key)
        };
        let answer = self.call(CALL, &ask)?;
        for_recipient(answer, key, CALL)
    }

    fn call<R: DeserializeOwned>(
        &mut self,
        operation: &'static str,
        ask: &Ask<'_>,
    ) -> Result<R, KmsError> {
        let malformed = KmsError::Malformed(operation);
        let body = serde_json::to_vec(ask).map_err(|_| malformed)?;
        let head = self.head(operation, &body);
        let Answer { status, body } = http::exchange(&mut self.stream, operation, &head, &body)?;
        if status != 200 {
            let kind = serde_json::from_slice(&body).map_or(String::new(), |Fault { kind }| kind);
            let refusal = Refusal::of(status, &kind, ask.recipient.is_some());
            return Err(KmsError::Refused(operation, refusal));
        }
        serde_json::from_slice(&body).map_err(|_| malformed)
    }

    fn head(&self, operation: &str, body: &[u8]) -> String {
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("host", self.endpoint.to_owned()),
            ("x-amz-date", timestamp(self.now)),
        ];
        if let Some(token) = &self.credentials.token {
            headers.push(("x-amz-security-token", token.as_str().to_owned()));
        }
        headers.push(("x-amz-target", format!("TrentService.{operation}")));
        let post = Post {
            headers: &headers,
            body,
        };
        let scope = Scope {
            region: self.region,
            service: SERVICE,
        };
        let credentials = (self.credentials.id, self.credentials.secret);
        let authorization = authorization(&post, &scope, self.now, credentials);
        headers.push(("authorization", authorization));
        headers.push(("content-length", body.len().to_string()));
        let mut head = String::from("POST / HTTP/1.1\r\n");
        for (name, value) in headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(&value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

impl Recipient {
    fn of(document: &[u8]) -> Self {
        Self {
            key_encryption_algorithm: "RSAES_OAEP_SHA_256",
            attestation_document: BASE64.encode(document),
        }
    }
}

/// What an answer has for the recipient alone, if it is about this key.
fn for_recipient(answer: KeyAnswer, key: &KeyArn, call: &'static str) -> Result<Vec<u8>, KmsError> {
    if answer.key_id != key.as_str() {
        return Err(KmsError::OtherKey);
    }
    if answer.plaintext.is_some_and(|text| !text.is_empty()) {
        return Err(KmsError::InTheOpen);
    }
    decode(answer.ciphertext_for_recipient, call)
}

fn decode(text: Option<String>, call: &'static str) -> Result<Vec<u8>, KmsError> {
    let text = text.ok_or(KmsError::Malformed(call))?;
    BASE64
        .decode(text.as_bytes())
        .map_err(|_| KmsError::Malformed(call))
}
