//! A vault in memory with an honest host, a clock that can be set, and seeded randomness: for what
//! real processes cannot show, such as a clock that jumps.

use std::cell::Cell;

use vettid_crypto::sign::SigningKey;
use vettid_crypto::{SealingKey, SecretBytes, SeededEntropy, digest};
use vettid_store::{Database, HeaderKey};
use vettid_vault::{Caller, Clock, HeaderKeys, Vault};
use vettid_wire::id::{DeviceRoute, SessionId, SpaceId};
use vettid_wire::operation::{credential, vault};
use vettid_wire::request::{FromVault, Operation, Outcome, Reply, Request};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor};

use crate::owner::{PASSWORD, PIN};
use crate::raw::{Fault, Present, request_of};
use crate::simulation::disk::VaultDisk;

/// A vault, its host, its clock and one device.
pub struct MemoryVault {
    vault: Vault,
    host: VaultDisk,
    entropy: SeededEntropy,
    caller: Caller,
    /// Time of day, as the host has it.
    pub clock: SetClock,
    /// What its owner proves his presence with.
    pub present: Present,
}

/// A clock that a host sets as it likes.
#[derive(Debug)]
pub struct SetClock(Cell<u64>);

impl MemoryVault {
    /// A vault that was just set up. The same seed gives the same vault.
    ///
    /// # Panics
    /// When it cannot be set up.
    #[must_use]
    pub fn enrolled(seed: u64) -> Self {
        let token = [0x70; 32];
        let clock = SetClock(Cell::new(1_790_000_000_000));
        let template = Database::template().expect("a database");
        let vault = Vault::fresh(SPACE, releases(), digest::sha256(&token), template, &clock);
        let mut scene = Self {
            vault,
            host: VaultDisk::default(),
            entropy: SeededEntropy::dangerous_new(seed),
            caller: Caller {
                device_key: SigningKey::from_seed(&[0x71; 32]).verifying_key(),
                route: ROUTE,
                session: SessionId([1; 16]),
            },
            clock,
            present: Present {
                keys: vec![],
                credential: vec![],
                password: PASSWORD.to_owned(),
            },
        };
        let enroll = vault::Enroll {
            token: Secret::new(token.to_vec()),
            device_name: "phone".to_owned(),
            route: ROUTE,
            pin: Secret::from(PIN),
        };
        scene.present.keys = scene.call(&enroll).expect("staged").transaction_keys;
        let proven = scene
            .present
            .prove(&credential::Create {}, None)
            .expect("a proof");
        let reply = scene.ask(&proven.request);
        scene.present.keep(&reply);
        proven.open::<credential::Created>(reply).expect("set up");
        scene
    }

    /// The process dies; another opens what is on the host, in another session.
    ///
    /// # Panics
    /// When the host cannot be read.
    pub fn reopen(&mut self) {
        self.host.crash();
        let template = Database::template().expect("a database");
        let (host, clock) = (&mut self.host, &self.clock);
        let vault = Vault::existing(SPACE, releases(), template, host, clock);
        self.vault = vault.expect("a readable log");
        self.caller.session.0[0] = self.caller.session.0[0].wrapping_add(1);
    }

    /// Calls an operation that needs no proof.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn call<O: Operation>(&mut self, body: &O) -> Result<O::Reply, Fault> {
        match self.ask(&request_of(body)).outcome {
            Outcome::Done(body) => {
                body.expose(|body| cbor::decode(body).map_err(|_| Fault::Malformed("reply")))
            }
            Outcome::Refused(refusal) => Err(Fault::Refused(refusal)),
            Outcome::Sealed(_) => Err(Fault::Malformed("sealed reply")),
        }
    }

    /// Tries a PIN.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn unlock(&mut self, pin: &str) -> Result<vault::Unlocked, Fault> {
        self.call(&vault::Unlock {
            pin: Secret::from(pin),
            seen: None,
        })
    }

    fn ask(&mut self, request: &Request) -> Reply {
        let bytes = cbor::encode(request);
        let (host, clock, entropy) = (&mut self.host, &self.clock, &mut self.entropy);
        let answer = self.vault.call(&self.caller, &bytes, host, clock, entropy);
        self.host.flush(usize::MAX);
        match cbor::decode(&answer.reply).expect("a message") {
            FromVault::Reply(reply) => reply,
            other => panic!("no reply: {other:?}"),
        }
    }
}

impl SetClock {
    /// Sets it this many milliseconds ahead, or back.
    ///
    /// # Panics
    /// Before 1970.
    pub fn turn(&self, millis: i64) {
        self.0
            .set(self.0.get().checked_add_signed(millis).expect("after 1970"));
    }
}

impl Clock for SetClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.get())
    }
}

fn releases() -> HeaderKeys {
    HeaderKeys::of(HeaderKey::new(1, SealingKey::from_bytes([0x72; 32])))
}

const SPACE: SpaceId = SpaceId([0x73; 16]);
const ROUTE: DeviceRoute = DeviceRoute([0x74; 16]);
