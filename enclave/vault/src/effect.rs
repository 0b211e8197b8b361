//! What an operation may do to the vault, as a type: it decides what the operation is run with, and
//! what surrounds it.
//!
//! | effect | runs with | a repeated request |
//! |---|---|---|
//! | [`Reads`] | the committed state | is carried out again |
//! | [`Again`] | one transaction | is carried out again, which harms nothing |
//! | [`Once`] | one transaction | gets the kept reply |
//! | [`crate::credential::Present`] | one transaction that also replaces the credential | gets the kept reply |
//! | [`Turns`] | the vault's own life: header, keys, states | gets the kept reply, if there is one |

use vettid_crypto::Entropy;
use vettid_store::{Change, Database, Header, Room, View};
use vettid_wire::id::{ConnectionId, DeviceId, VaultId};
use vettid_wire::link::Closed;
use vettid_wire::operation::feed;
use vettid_wire::operation::message::Conversation;
use vettid_wire::operation::release::Offered;
use vettid_wire::request::{Credential, Operation as _, Outcome};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor};

use crate::audit::{self, Audit};
use crate::call::Call;
use crate::connect::News;
use crate::credential::Renewal;
use crate::grant::{Device, Facts, Grant, OwnerPresent};
use crate::header_keys::HeaderKeys;
use crate::kept;
use crate::lifecycle::State;
use crate::mls::AtHand;
use crate::operation::Operation;
use crate::outside::Outside;
use crate::stop::Stop;

/// What came of a call that was not refused, or was refused with something to show for it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) outcome: Outcome,
    pub(crate) credential: Option<Credential>,
    pub(crate) feed: Option<u64>,
    pub(crate) close: Option<Closed>,
}

impl Served {
    /// An outcome and nothing else.
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            credential: None,
            feed: None,
            close: None,
        }
    }
}

/// What an operation may do to the vault.
pub(crate) trait Effect {
    /// What it is run with.
    type On<'a>;
    /// As in the table.
    const NAME: &'static str;
    /// Whether a repeated request is answered with what was kept.
    const KEEPS: bool = false;

    /// Serves one call of an operation with this effect.
    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop>;
}

/// Reads the committed state. Writes nothing.
pub(crate) enum Reads {}

/// What a reading operation is run with.
pub(crate) struct Reading<'a> {
    pub(crate) database: &'a mut Database,
    pub(crate) header: &'a Header,
    pub(crate) keys: &'a HeaderKeys,
    pub(crate) call: &'a Call<'a>,
    pub(crate) now: UnixMillis,
}

impl Reading<'_> {
    /// The committed state.
    pub(crate) fn view(&self) -> View<'_> {
        self.database.view()
    }
}

impl Effect for Reads {
    type On<'a> = Reading<'a>;
    const NAME: &'static str = "reads";

    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        let by = O::Grant::earn(state.facts(call, out.now))?;
        let request = call.body()?;
        let open = state.unlocked()?;
        let (database, header) = (&mut open.database, &open.gate.header);
        let keys = &open.gate.log.keys;
        let reply = O::run(
            &mut Reading {
                database,
                header,
                keys,
                call,
                now: out.now,
            },
            by,
            request,
        )?;
        Ok(Served::new(Outcome::Done(encode(&reply))))
    }
}

/// Changes the database; a repeat gets the kept reply.
pub(crate) enum Once {}

/// Changes the database in a way that may be repeated; no reply is kept.
pub(crate) enum Again {}

/// What a changing operation is run with.
pub(crate) struct Changing<'a> {
    pub(crate) change: &'a Change<'a>,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) vault: VaultId,
    pub(crate) now: UnixMillis,
    /// Whether there is a search index to keep current.
    pub(crate) indexed: bool,
    /// The release that the owner may approve.
    pub(crate) offered: Option<Offered>,
    /// Groups that need not be read.
    pub(crate) at_hand: Option<&'a AtHand>,
    pub(crate) traces: &'a mut Traces,
}

/// The vault that a change is made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside {
    /// Which.
    pub(crate) vault: VaultId,
    /// Whether there is a search index.
    pub(crate) indexed: bool,
    /// The release that its owner may approve.
    pub(crate) offered: Option<Offered>,
}

/// What a change leaves behind beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// What it was about, for the audit chain.
    subject: Option<Vec<u8>>,
    /// Newest feed entry, if it made one.
    pub(crate) feed: Option<u64>,
    /// The vault ends after it.
    close: Option<Closed>,
    /// What becomes of the credential.
    pub(crate) renewal: Renewal,
    /// Whether the owner has approved the release that is offered.
    pub(crate) approved: bool,
    /// What other vaults and the devices are told.
    pub(crate) news: News,
}

impl<'a> Changing<'a> {
    /// Lends what a change may use.
    pub(crate) fn new(
        change: &'a Change<'a>,
        out: &'a mut Outside<'_>,
        inside: Inside,
        traces: &'a mut Traces,
    ) -> Self {
        let (entropy, now, at_hand) = (&mut *out.entropy, out.now, out.at_hand);
        let Inside {
            vault,
            indexed,
            offered,
        } = inside;
        Self {
            change,
            entropy,
            vault,
            now,
            indexed,
            offered,
            at_hand,
            traces,
        }
    }

    /// Says what this is about.
    pub(crate) fn about(&mut self, subject: &[u8]) {
        self.traces.subject = Some(subject.to_vec());
    }

    /// Adds an entry to the feed.
    pub(crate) fn tell(&mut self, kind: feed::Kind, device: &DeviceId) -> Result<(), Stop> {
        let sequence = self.change.append_feed(self.now, kind, Some(device))?;
        self.traces.feed = Some(sequence);
        Ok(())
    }

    /// Adds an entry about a connection or group to the feed, unless the same was told of it and not
    /// read: whoever is at the other end must not push everything else out.
    pub(crate) fn tell_of(&mut self, kind: feed::Kind, about: &Conversation) -> Result<(), Stop> {
        let unread = self.change.unread_feed_about(kind, about)?;
        let sequence = match unread {
            Some(_) => self.change.newest_feed()?,
            None => self
                .change
                .append_feed_about(self.now, kind, None, Some(about))?,
        };
        self.traces.news.feed = Some(sequence);
        Ok(())
    }

    /// Destroys what MLS keeps of a conversation.
    pub(crate) fn remove_mls(&self, conversation: &Conversation) -> Result<(), Stop> {
        self.let_go(conversation);
        Ok(self.change.remove_mls(conversation)?)
    }

    /// Destroys the keys of a connection.
    pub(crate) fn remove_channel(&self, connection: &ConnectionId) -> Result<(), Stop> {
        self.let_go(&Conversation::Connection(*connection));
        Ok(self.change.remove_channel(connection)?)
    }

    fn let_go(&self, conversation: &Conversation) {
        if let Some(at_hand) = self.at_hand {
            at_hand.let_go(conversation);
        }
    }

    /// The vault may move to the release that is offered. Spends the grant.
    pub(crate) fn approve(&mut self, _: OwnerPresent) {
        self.traces.approved = true;
    }

    /// Ends the vault after this.
    pub(crate) fn close(&mut self, why: Closed) {
        self.traces.close = Some(why);
    }
}

impl Traces {
    /// What it was about.
    pub(crate) fn subject(&self) -> Option<&[u8]> {
        self.subject.as_deref()
    }
}

impl Effect for Once {
    type On<'a> = Changing<'a>;
    const NAME: &'static str = "changes once";
    const KEEPS: bool = true;

    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        change(state, call, out, (O::AUDIT, O::ROOM, true), |on, facts| {
            let by = O::Grant::earn(facts)?;
            Ok(encode(&O::run(on, by, call.body()?)?))
        })
    }
}

impl Effect for Again {
    type On<'a> = Changing<'a>;
    const NAME: &'static str = "changes again";

    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        change(state, call, out, (O::AUDIT, O::ROOM, false), |on, facts| {
            let by = O::Grant::earn(facts)?;
            Ok(encode(&O::run(on, by, call.body()?)?))
        })
    }
}

/// Runs a change in one transaction, with its audit event and its kept reply.
fn change(
    state: &mut State,
    call: &Call<'_>,
    out: &mut Outside<'_>,
    (audit, room, keep): (Audit, Room, bool),
    run: impl FnOnce(&mut Changing<'_>, Facts) -> Result<Secret, Stop>,
) -> Result<Served, Stop> {
    Device::earn(state.facts(call, out.now))?;
    if keep && let Some(served) = kept::repeat(state.unlocked()?.view(), call)? {
        return Ok(served);
    }
    let facts = state.facts(call, out.now);
    let open = state.unlocked()?;
    let mut traces = Traces::default();
    let inside = open.inside();
    let outcome = open.commit(room, out, |change, out| {
        let now = out.now;
        let reply = run(&mut Changing::new(change, out, inside, &mut traces), facts)?;
        if audit != Audit::Never {
            audit::note_call(change, call, traces.subject(), true, now)?;
        }
        let outcome = Outcome::Done(reply);
        if keep {
            kept::keep(change, call, &outcome, None, now)?;
        }
        Ok(outcome)
    });
    match outcome {
        Ok(outcome) => {
            open.news.absorb(traces.news);
            Ok(Served {
                feed: traces.feed,
                close: traces.close,
                ..Served::new(outcome)
            })
        }
        Err(Stop::Refused(refusal)) => {
            if audit == Audit::Always {
                open.note_refusal(call, out, traces.subject())?;
            }
            Err(refusal.into())
        }
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// Turns the vault from one state into another, or replaces its header.
pub(crate) enum Turns {}

/// What an operation on the vault's own life is run with.
pub(crate) struct Turning<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) call: &'a Call<'a>,
    pub(crate) out: Outside<'a>,
    /// Takes the place of the plain reply, where the operation has kept another form of it.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) credential: Option<Credential>,
    pub(crate) feed: Option<u64>,
    /// The vault ends after it, refused or not.
    pub(crate) close: Option<Closed>,
}

impl Effect for Turns {
    type On<'a> = Turning<'a>;
    const NAME: &'static str = "turns the vault";

    fn serve<O: Operation<Effect = Self>>(
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        let registered = Device::earn(state.facts(call, out.now)).is_ok();
        if registered && let Some(served) = kept::repeat(state.unlocked()?.view(), call)? {
            return Ok(served);
        }
        let by = match O::Grant::earn(state.facts(call, out.now)) {
            Ok(by) => by,
            Err(refused) => {
                if registered && O::AUDIT == Audit::Always {
                    state.unlocked()?.note_refusal(call, out, None)?;
                }
                return Err(refused);
            }
        };
        let request: O::Request = call.body()?;
        let mut on = Turning {
            state,
            call,
            out: out.lend(),
            outcome: None,
            credential: None,
            feed: None,
            close: None,
        };
        let reply = match O::run(&mut on, by, request) {
            Ok(reply) => reply,
            Err(Stop::Refused(why)) if on.close.is_some() => {
                return Ok(Served {
                    close: on.close,
                    ..Served::new(Outcome::Refused(why))
                });
            }
            Err(stop) => return Err(stop),
        };
        let outcome = on.outcome.unwrap_or_else(|| Outcome::Done(encode(&reply)));
        Ok(Served {
            outcome,
            credential: on.credential,
            feed: on.feed,
            close: on.close,
        })
    }
}

/// Encodes a reply.
pub(crate) fn encode(reply: &impl cbor::Wire) -> Secret {
    Secret::new(cbor::encode(reply))
}

/// Name of an operation on the wire.
pub(crate) const fn name<O: Operation>() -> &'static str {
    O::Request::NAME
}
