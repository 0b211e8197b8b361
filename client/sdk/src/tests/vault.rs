//! A vault with as much behavior as a device can notice.

use std::collections::BTreeMap;

use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::{Label, ReplyKey, SecretBytes, seal};
use vettid_wire::cbor::{self, Wire};
use vettid_wire::home::HomeNode;
use vettid_wire::id::{ItemId, RequestId, TransactionKeyId, VaultId};
use vettid_wire::operation::{Done, credential, item, transaction_keys, vault};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{
    Credential, Head, Outcome, OwnerSecret, Reply, Request, TransactionKey, proof_context,
};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, limits};

use crate::entropy::OsEntropy;

pub(super) const VAULT: VaultId = VaultId([0x76; 32]);

/// One owner's vault.
#[derive(Default)]
pub(super) struct Vault {
    /// Operations that were carried out, repeats not counted.
    pub(super) done: Vec<String>,
    /// Newest record.
    pub(super) head: u64,
    /// Last byte of every record's hash: copies that went their own ways differ in it.
    pub(super) branch: u8,
    /// It does not look at what a device that asks for its state has seen.
    pub(super) heedless: bool,
    pub(super) locked: bool,
    /// Everything is refused, with this.
    pub(super) refuses: Option<Code>,
    /// Operations that were asked for, refused ones too.
    pub(super) asked: Vec<String>,
    /// What devices that asked for its state had seen.
    pub(super) named: Vec<Option<Head>>,
    pub(super) exists: bool,
    pub(super) version: u64,
    /// Keys that the device believes in and the vault no longer does.
    pub(super) forgets_keys: bool,
    /// Newest entry of the feed.
    pub(super) feed: u64,
    /// Where its node is.
    pub(super) home: Option<HomeNode>,
    staged: bool,
    pin: Option<Secret>,
    password: Option<Secret>,
    keys: BTreeMap<TransactionKeyId, BoxSecret>,
    replies: BTreeMap<RequestId, ([u8; 32], Reply)>,
}

type Done_ = Result<Outcome, Refusal>;

impl Vault {
    /// The process ends: what was staged is gone, what was stored is not.
    pub(super) fn crash(&mut self) {
        self.staged = false;
        self.locked = self.exists;
    }

    /// A day goes by: no reply is kept any more.
    pub(super) fn forget_replies(&mut self) {
        self.replies.clear();
    }

    pub(super) fn times_done(&self, operation: &str) -> usize {
        self.done.iter().filter(|name| *name == operation).count()
    }

    pub(super) fn serve(&mut self, request: &Request, now: UnixMillis) -> Reply {
        let digest = request.digest();
        if !self.locked
            && let Some((known, reply)) = self.replies.get(&request.id)
        {
            if *known == digest {
                return reply.clone();
            }
            return self.reply(request.id, Err(Code::RequestIdReused.into()), None);
        }
        let (outcome, credential) = self.carry_out(request, now);
        let done = outcome.is_ok();
        if done {
            self.done.push(request.operation.clone());
            self.head += u64::from(request.operation != "vault.status");
        }
        let reply = self.reply(request.id, outcome, credential);
        if done {
            self.replies.insert(request.id, (digest, reply.clone()));
        }
        reply
    }

    fn reply(&self, id: RequestId, outcome: Done_, credential: Option<Credential>) -> Reply {
        Reply {
            id,
            outcome: outcome.unwrap_or_else(Outcome::Refused),
            head: self.exists.then_some(self.record(self.head)),
            credential,
        }
    }

    fn record(&self, number: u64) -> Head {
        let mut hash = [0; 32];
        hash[31] = self.branch;
        Head { number, hash }
    }

    /// Whether its history is another than what a device has seen.
    fn contradicts(&self, seen: Option<Head>) -> bool {
        seen.is_some_and(|seen| seen.number > self.head || seen != self.record(seen.number))
    }

    fn carry_out(&mut self, request: &Request, now: UnixMillis) -> (Done_, Option<Credential>) {
        self.asked.push(request.operation.clone());
        if let Some(code) = self.refuses {
            return (Err(code.into()), None);
        }
        if self.locked && !matches!(request.operation.as_str(), "vault.unlock" | "vault.status") {
            return (Err(Code::Locked.into()), None);
        }
        if self.exists
            && matches!(
                request.operation.as_str(),
                "vault.enroll" | "credential.create"
            )
        {
            return (Err(Code::AlreadyEnrolled.into()), None);
        }
        if request.proof.is_some() {
            return self.with_owner(request);
        }
        (self.without_owner(request, now), None)
    }

    fn without_owner(&mut self, request: &Request, now: UnixMillis) -> Done_ {
        match request.operation.as_str() {
            "vault.enroll" => {
                let entered: vault::Enroll = body(request);
                self.staged = true;
                self.pin = Some(entered.pin);
                self.keys.clear();
                let transaction_keys = self.fill(now);
                Ok(plain(&vault::Enrolled {
                    vault: VAULT,
                    transaction_keys,
                }))
            }
            "vault.unlock" => {
                let entered: vault::Unlock = body(request);
                if self.contradicts(entered.seen) {
                    return Err(Code::RolledBack.into());
                }
                if self.pin.as_ref() != Some(&entered.pin) {
                    return Err(Code::WrongPin.into());
                }
                self.locked = false;
                Ok(plain(&vault::Unlocked {
                    vault: VAULT,
                    transaction_keys_left: 0,
                    feed: 0,
                    failed_attempts: 0,
                }))
            }
            "vault.status" => {
                let asked: vault::Status = body(request);
                self.named.push(asked.seen);
                if self.contradicts(asked.seen) && !self.heedless {
                    return Err(Code::RolledBack.into());
                }
                Ok(plain(&self.report()))
            }
            "transaction-keys.refill" => {
                self.forgets_keys = false;
                let keys = self.fill(now);
                Ok(plain(&transaction_keys::Refilled { keys }))
            }
            "credential.version" => Ok(plain(&credential::VersionReport {
                version: self.version,
                frozen: false,
                alarm: None,
                unconfirmed: Some(self.credential()),
            })),
            "item.put" => Ok(plain(&item::Written {
                id: ItemId([1; 16]),
                version: 1,
            })),
            _ => Ok(plain(&Done {})),
        }
    }

    fn report(&self) -> vault::StatusReport {
        let open = (self.exists && !self.locked).then_some(vault::OpenStatus {
            vault: VAULT,
            items: 0,
            bytes: 0,
            credential_version: self.version,
            credential_frozen: false,
            transaction_keys_left: 0,
            feed: self.feed,
            messages: 0,
            devices: 1,
            home: self.home.clone(),
        });
        vault::StatusReport {
            locked: self.locked,
            failed_attempts: 0,
            wait_until: None,
            open,
        }
    }

    fn with_owner(&mut self, request: &Request) -> (Done_, Option<Credential>) {
        let proof = request.proof.as_ref().expect("a proof");
        let Some(key) = self
            .keys
            .remove(&proof.transaction_key)
            .filter(|_| !self.forgets_keys)
        else {
            return (Err(Code::TransactionKeySpent.into()), None);
        };
        let context = proof_context(request.id, &request.operation, &request.body);
        let opened = key
            .open(Label::OwnerProof, &[&context], &proof.sealed)
            .expect("opens");
        let secret: OwnerSecret = cbor::decode(&opened).expect("a secret");
        if request.operation == "credential.create" {
            if !self.staged {
                return (Err(Code::NotEnrolled.into()), None);
            }
            self.password = Some(secret.password.clone());
            self.exists = true;
        } else if proof.credential != self.credential().blob {
            return (Err(Code::CredentialStale.into()), None);
        } else if self.password.as_ref() != Some(&secret.password) {
            return (Err(Code::WrongPassword.into()), None);
        }
        self.version += 1;
        let reply = match request.operation.as_str() {
            "credential.create" => cbor::encode(&credential::Created {
                vault: VAULT,
                credential_key: [3; 32],
            }),
            "password.change" => {
                let input = secret.input.expect("the new password");
                self.password = Some(input.expose(|input| cbor::decode(input).expect("bytes")));
                cbor::encode(&Done {})
            }
            _ => cbor::encode(&Done {}),
        };
        let key = secret
            .reply_key
            .expose(|bytes| ReplyKey::from_bytes(bytes.try_into().expect("32")));
        let context: &[&[u8]] = &[&request.id.0];
        let sealed = seal::seal(&key, Label::ReplyOutput, context, &reply, &mut OsEntropy);
        (Ok(Outcome::Sealed(sealed)), Some(self.credential()))
    }

    fn credential(&self) -> Credential {
        Credential {
            version: self.version,
            blob: self.version.to_be_bytes().to_vec(),
        }
    }

    fn fill(&mut self, now: UnixMillis) -> Vec<TransactionKey> {
        let made = |_| {
            let id = TransactionKeyId::random(&mut OsEntropy);
            let secret = BoxSecret::generate(&mut OsEntropy);
            let public = secret.public().0;
            self.keys.insert(id, secret);
            TransactionKey {
                id,
                public,
                expires: now.plus(limits::TRANSACTION_KEY),
            }
        };
        (0..3).map(made).collect()
    }
}

fn plain(reply: &impl Wire) -> Outcome {
    Outcome::Done(Secret::new(cbor::encode(reply)))
}

fn body<T: Wire>(request: &Request) -> T {
    request
        .body
        .expose(|body| cbor::decode(body).expect("a request"))
}
