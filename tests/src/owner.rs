//! An owner at a raw app: what honest people do, with every frame in the scenario's hands.

use std::time::Duration;

use vettid_wire::Secret;
use vettid_wire::id::ItemId;
use vettid_wire::operation::{audit, credential, feed, item, transaction_keys, vault};
use vettid_wire::request::{Head, Operation, Reply, Request};
use vettid_wire::{cbor, refusal};

use crate::items::{draft, put, refused, value_of};
use crate::node::Node;
use crate::raw::{ANSWER, Fault, Present, RawApp, RawSession};
use crate::wait::{self, PATIENCE};

/// PIN of an owner who did not choose another.
pub const PIN: &str = "428197";
/// Password of an owner who did not choose another.
pub const PASSWORD: &str = "seven brass otters sing";

/// Patience with a handshake after a crash, at first: what the bus takes while the node is away is
/// lost without a word.
const HASTY: Duration = Duration::from_millis(1000);

/// How often a request is repeated under its id, each time in another session.
const REPEATS: usize = 20;

/// An owner with one device.
pub struct Owner {
    /// His device.
    pub app: RawApp,
    /// His PIN.
    pub pin: String,
    /// What he proves his presence with.
    pub present: Present,
    /// Newest record that any reply told.
    pub seen: Option<Head>,
    session: Option<RawSession>,
}

impl Owner {
    /// A new owner at a running node, with his vault open.
    ///
    /// # Panics
    /// When he cannot enroll.
    #[must_use]
    pub fn enrolled(node: &Node) -> Self {
        Self::enroll(&node.invitation(), PIN, PASSWORD).expect("an enrollment")
    }

    /// Redeems an invitation and sets the vault up.
    ///
    /// # Errors
    /// When node or vault refuses.
    pub fn enroll(link: &str, pin: &str, password: &str) -> Result<Self, Fault> {
        let mut owner = Self::redeemed(RawApp::redeem(link)?, pin, password);
        owner.stage()?;
        owner.create_credential()?;
        Ok(owner)
    }

    /// An owner whose app redeemed an invitation, and who has no vault yet.
    #[must_use]
    pub fn redeemed(app: RawApp, pin: &str, password: &str) -> Self {
        let present = Present {
            keys: vec![],
            credential: vec![],
            password: password.to_owned(),
        };
        Self {
            app,
            pin: pin.to_owned(),
            present,
            seen: None,
            session: None,
        }
    }

    /// First half of the set-up: nothing of it is durable.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn stage(&mut self) -> Result<vault::Enrolled, Fault> {
        let request = vault::Enroll {
            token: self.app.token.clone(),
            device_name: "phone".to_owned(),
            route: self.app.route,
            pin: Secret::from(self.pin.as_str()),
        };
        let enrolled = self.call(&request)?;
        self.present.keys.clone_from(&enrolled.transaction_keys);
        Ok(enrolled)
    }

    /// Second half of the set-up: the first commit.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn create_credential(&mut self) -> Result<credential::Created, Fault> {
        self.prove(&credential::Create {}, None)
    }

    /// The session; opened if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn session(&mut self) -> Result<&mut RawSession, Fault> {
        if self.session.is_none() {
            self.session = Some(self.app.open()?);
        }
        Ok(self.session.as_mut().expect("just opened"))
    }

    /// Another session, however often the node must be asked for it.
    ///
    /// # Panics
    /// When the node does not come back.
    pub fn reconnect(&mut self) {
        let (mut last, mut patience) = (None, HASTY);
        self.session = None;
        let session = wait::within(PATIENCE, || match self.app.open_within(patience) {
            Ok(session) => Some(session),
            Err(fault) => {
                // Asking again is right if the node was away, waiting if the machine is slow.
                if fault == Fault::Silent {
                    patience = patience * 3 / 2;
                }
                last = Some(fault);
                None
            }
        });
        let mut session =
            session.unwrap_or_else(|| panic!("the node does not come back: {last:?}"));
        // Who has a session is told when it ends, so an answer is worth waiting for.
        session.patience = ANSWER;
        self.session = Some(session);
    }

    /// Forgets the session; the next request opens another.
    pub fn hang_up(&mut self) -> Option<RawSession> {
        self.session.take()
    }

    /// Calls an operation that needs no proof.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn call<O: Operation>(&mut self, body: &O) -> Result<O::Reply, Fault> {
        let answer = self.session()?.call(body);
        self.note(answer)
    }

    /// Calls an operation that needs the owner.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn prove<O: Operation>(
        &mut self,
        body: &O,
        input: Option<Secret>,
    ) -> Result<O::Reply, Fault> {
        self.session()?;
        let session = self.session.as_mut().expect("just opened");
        let answer = self.present.call(session, body, input);
        self.note(answer)
    }

    /// Unlocks with the PIN, and with the newest record that was seen.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn unlock(&mut self) -> Result<vault::Unlocked, Fault> {
        let (pin, seen) = (self.pin.clone(), self.seen);
        self.try_pin(&pin, seen)
    }

    /// Tries a PIN.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn try_pin(&mut self, pin: &str, seen: Option<Head>) -> Result<vault::Unlocked, Fault> {
        self.call(&vault::Unlock {
            pin: Secret::from(pin),
            seen,
        })
    }

    /// Opens the vault again after a crash: another session, and the PIN.
    ///
    /// # Panics
    /// When the node or the vault does not come back.
    pub fn come_back(&mut self) -> vault::Unlocked {
        let mut last = None;
        let back = wait::within(PATIENCE, || {
            self.reconnect();
            match self.unlock() {
                Ok(unlocked) => Some(unlocked),
                Err(fault) => {
                    assert_eq!(fault.code(), None, "refused after coming back: {fault}");
                    last = Some(fault);
                    None
                }
            }
        });
        back.unwrap_or_else(|| panic!("the vault does not come back: {last:?}"))
    }

    /// Repeats a request under its id until it is answered, across every crash.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn insist(&mut self, request: &Request) -> Reply {
        for _ in 0..REPEATS {
            match self.try_once(request) {
                Ok(reply) if refused(&reply) != Some(refusal::Code::Locked) => return reply,
                Ok(_) | Err(_) => drop(self.come_back()),
            }
        }
        panic!("no answer, however often it is asked for");
    }

    /// Sends a request once and waits for its reply.
    ///
    /// # Errors
    /// When none comes.
    pub fn try_once(&mut self, request: &Request) -> Result<Reply, Fault> {
        let session = self.session()?;
        let reply = session
            .send(request)
            .and_then(|()| session.reply(request.id));
        self.note(reply)
    }

    /// Keeps a data item with one field.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn put(&mut self, name: &str, value: &str) -> Result<item::Written, Fault> {
        self.call(&put(name, value))
    }

    /// The value of an item's one field.
    ///
    /// # Errors
    /// When the vault refuses.
    ///
    /// # Panics
    /// When the item has no such value.
    pub fn value(&mut self, id: ItemId) -> Result<String, Fault> {
        Ok(value_of(&self.call(&item::Get { id })?))
    }

    /// Keeps a critical item with one field.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn put_critical(&mut self, name: &str, value: &str) -> Result<item::Written, Fault> {
        let mut draft = draft(name, value, item::Sensitivity::Critical);
        draft.fields[0].value = None;
        let values = item::CriticalValues {
            values: vec![Secret::from(value)],
        };
        let input = Secret::new(cbor::encode(&values));
        self.prove(
            &item::PutCritical {
                id: None,
                base: None,
                draft,
            },
            Some(input),
        )
    }

    /// The value of a critical item's one field.
    ///
    /// # Errors
    /// When the vault refuses.
    ///
    /// # Panics
    /// When the item has no such value.
    pub fn critical_value(&mut self, id: ItemId) -> Result<String, Fault> {
        let item = self.prove(&item::RevealCritical { id, version: None }, None)?;
        Ok(value_of(&item))
    }

    /// Takes fresh one-time keys.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn refill(&mut self) -> Result<(), Fault> {
        self.present.keys = self.call(&transaction_keys::Refill {})?.keys;
        Ok(())
    }

    /// What the vault says of itself.
    ///
    /// # Errors
    /// When it refuses.
    pub fn status(&mut self) -> Result<vault::StatusReport, Fault> {
        self.call(&vault::Status { seen: None })
    }

    /// Kinds of everything in the feed, oldest first.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn feed(&mut self) -> Result<Vec<feed::Kind>, Fault> {
        let list = feed::List {
            after: 0,
            limit: None,
            unread: false,
        };
        Ok(self
            .call(&list)?
            .entries
            .iter()
            .map(|entry| entry.kind)
            .collect())
    }

    /// Number of audit events, once the whole chain was found unbroken and its head traced to the
    /// vault's id.
    ///
    /// # Errors
    /// When the vault refuses.
    ///
    /// # Panics
    /// When the chain is broken.
    pub fn verified_audit(&mut self) -> Result<u64, Fault> {
        let verdict = self.call(&audit::Verify {})?;
        assert_eq!(verdict.broken_at, None, "audit chain");
        let vault = self.status()?.open.expect("an open vault").vault;
        let key = verdict.head.identity.verify(&vault);
        assert_eq!(key.map(|key| key.0), Ok(verdict.head.identity.newest()));
        Ok(verdict.events)
    }

    /// What the audit chain says of an operation: whether each was done.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn audited(&mut self, operation: &str) -> Result<Vec<bool>, Fault> {
        let query = audit::Query {
            after: 0,
            operation: Some(operation.to_owned()),
            limit: None,
        };
        let events = self.call(&query)?.events;
        Ok(events.iter().map(|event| event.body.done).collect())
    }

    /// Takes what the session learned; a session that broke is forgotten.
    fn note<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        let head = self.session.as_ref().and_then(|session| session.head);
        if head.map(|head| head.number) > self.seen.map(|head| head.number) {
            self.seen = head;
        }
        if answer.as_ref().is_err_and(|fault| fault.code().is_none()) {
            self.session = None;
        }
        answer
    }
}
