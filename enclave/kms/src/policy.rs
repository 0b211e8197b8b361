//! What the policy of a sealing key may say.
//!
//! A key policy decides alone who may use a key, as long as it leaves nothing to the account's own
//! policies; one that lets nobody change it, grant or encrypt stays as it is for good. So the enclave
//! reads it, and takes the key only when all of this holds:
//!
//! - every statement allows, names what it allows, and is for `"*"`, which is this key;
//! - what is allowed is in [`OPEN`] or in [`ATTESTED`]: no patterns, nothing that is left out;
//! - principals are roles and users of the key's own account, by name: not the account itself;
//! - what is in [`ATTESTED`] is for the image that runs alone, by `PCR0` or `ImageSha384`.
//!
//! Whoever could have a data key of this key encrypted or made for himself could seal a root of his
//! choice. So making one is for the image alone as well, and `kms:Encrypt` for nobody. What a key's
//! policy was before is not to be had from the key service: the enclave has its key made under this
//! policy, and vouches for what it sealed ([`vettid_wire::link::sealing::SealedRoot::document`]).

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::json;
use serde_json::value::RawValue;
use vettid_wire::key_arn::KeyArn;
use vettid_wire::link::sealing::Access;

/// Actions that neither use the key nor change who may.
pub(crate) const OPEN: &[&str] = &[
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:ScheduleKeyDeletion",
];

/// Actions that only the image may have done, with an attestation document.
pub(crate) const ATTESTED: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];

/// What a policy says that it must not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyFault {
    /// Not a policy of the accepted shape.
    #[error(
        "is not of the shape that docs/nitro.md shows: allow statements with Principal, Action and Resource"
    )]
    Shape,
    /// A statement for something else than `"*"`.
    #[error("a statement is not for Resource \"*\"")]
    Resource,
    /// An action that could give the key away or change who may use it.
    #[error("allows an action that a sealing key must not allow")]
    Action,
    /// Somebody outside of the account, the account itself, or a pattern.
    #[error("allows something to others than roles and users of the key's account, by name")]
    Principal,
    /// Use of the key that is not bound to this image alone.
    #[error("allows use of the key to other images than this one")]
    Image,
}

/// A role that the host names is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("roles of the sealing key are named arn:aws:iam::ACCOUNT:role/NAME, both of one account")]
pub struct BadRole;

/// Who a new key's policy names.
pub(crate) struct Roles<'a> {
    /// Account of all of them.
    pub(crate) account: &'a str,
    node: &'a str,
    retirement: Option<&'a str>,
}

impl<'a> Roles<'a> {
    pub(crate) fn of(access: &'a Access) -> Result<Self, BadRole> {
        let account = access.role.strip_prefix("arn:aws:iam::").ok_or(BadRole)?;
        let (account, _) = account.split_once(':').ok_or(BadRole)?;
        let roles = Self {
            account,
            node: &access.role,
            retirement: access.retirement.as_deref(),
        };
        let own = format!("arn:aws:iam::{account}:");
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let mut named = roles.retirement.into_iter().chain([roles.node]);
        if is_account && named.all(|role| is_one_of_ours(role, &own)) {
            Ok(roles)
        } else {
            Err(BadRole)
        }
    }

    /// The policy of a key for an image that measures `pcr0`, in hexadecimal.
    pub(crate) fn policy(&self, pcr0: &str) -> String {
        let allow = |who: &str, name: &str, actions: &[&str]| {
            json!({
                "Sid": name,
                "Effect": "Allow",
                "Principal": { "AWS": who },
                "Action": actions,
                "Resource": "*",
            })
        };
        let mut attested = allow(self.node, "SealAndUnseal", ATTESTED);
        if let Some(statement) = attested.as_object_mut() {
            let is_image = json!({
                "StringEqualsIgnoreCase": { "kms:RecipientAttestation:PCR0": pcr0 }
            });
            statement.insert("Condition".to_owned(), is_image);
        }
        let mut statements = vec![attested, allow(self.node, "Look", LOOK)];
        if let Some(role) = self.retirement {
            statements.push(allow(role, "Retire", RETIRE));
        }
        json!({ "Version": VERSION, "Statement": statements }).to_string()
    }
}

/// Version of the policy language. In the older one, other things are patterns.
const VERSION: &str = "2012-10-17";

/// What an enclave does at every boot to check its key.
const LOOK: &[&str] = &["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"];

/// What whoever retires a key does.
const RETIRE: &[&str] = &[
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:ScheduleKeyDeletion",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    #[serde(rename = "Statement")]
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    #[serde(rename = "Effect")]
    effect: String,
    #[serde(rename = "Principal")]
    principal: Principal,
    #[serde(rename = "Action", deserialize_with = "one_or_more")]
    actions: Vec<String>,
    #[serde(rename = "Resource")]
    resource: String,
    #[serde(rename = "Condition")]
    condition: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    #[serde(rename = "AWS", deserialize_with = "one_or_more")]
    aws: Vec<String>,
}

/// The one condition under which an image alone may use a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "StringEqualsIgnoreCase")]
    equals: Registers,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Registers {
    #[serde(
        rename = "kms:RecipientAttestation:ImageSha384",
        deserialize_with = "one_or_more"
    )]
    image: Vec<String>,
    #[serde(
        rename = "kms:RecipientAttestation:PCR0",
        deserialize_with = "one_or_more"
    )]
    pcr0: Vec<String>,
}

/// Checks the policy of `key` for an image that measures `pcr0`, in hexadecimal.
pub(crate) fn check(text: &str, key: &KeyArn, pcr0: &str) -> Result<(), PolicyFault> {
    let policy: Policy = serde_json::from_str(text).map_err(|_| PolicyFault::Shape)?;
    if policy.version != VERSION {
        return Err(PolicyFault::Shape);
    }
    let own = format!("arn:aws:iam::{}:", key.account());
    policy
        .statements
        .iter()
        .try_for_each(|statement| statement.check(&own, pcr0))
}

impl Statement {
    fn check(&self, own: &str, pcr0: &str) -> Result<(), PolicyFault> {
        if self.effect != "Allow" {
            return Err(PolicyFault::Shape);
        }
        if self.resource != "*" {
            return Err(PolicyFault::Resource);
        }
        let mut principals = self.principal.aws.iter();
        if principals.len() == 0 || !principals.all(|name| is_one_of_ours(name, own)) {
            return Err(PolicyFault::Principal);
        }
        let is_in = |list: &[&str]| self.actions.iter().any(|action| list.contains(&&**action));
        let mut actions = self.actions.iter().map(String::as_str);
        if !actions.all(|action| OPEN.contains(&action) || ATTESTED.contains(&action)) {
            return Err(PolicyFault::Action);
        }
        if is_in(ATTESTED) && !self.is_for_image(pcr0) {
            return Err(PolicyFault::Image);
        }
        Ok(())
    }

    /// Whether the statement holds for this image and no other. Where both registers are named, both
    /// must be as they are said to be.
    fn is_for_image(&self, pcr0: &str) -> bool {
        let Some(condition) = &self.condition else {
            return false;
        };
        let Ok(Condition { equals }) = serde_json::from_str(condition.get()) else {
            return false;
        };
        let is_own =
            |values: &[String]| values.iter().all(|value| value.eq_ignore_ascii_case(pcr0));
        let names_any = !equals.pcr0.is_empty() || !equals.image.is_empty();
        names_any && is_own(&equals.pcr0) && is_own(&equals.image)
    }
}

/// A role or user of the account `own`, by its name.
fn is_one_of_ours(principal: &str, own: &str) -> bool {
    let name = principal.strip_prefix(own).unwrap_or_default();
    let name = ["role/", "user/"]
        .iter()
        .find_map(|kind| name.strip_prefix(kind));
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
}

/// A text or a list of some, as policies write both.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        More(Vec<String>),
    }
    match Texts::deserialize(deserializer)? {
        Texts::One(text) => Ok(vec![text]),
        Texts::More(texts) if texts.is_empty() => Err(D::Error::custom("empty list")),
        Texts::More(texts) => Ok(texts),
    }
}

#[cfg(test)]
mod tests;
