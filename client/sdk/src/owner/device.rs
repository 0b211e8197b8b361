//! A device that is connected to its vault whenever something is asked.

use core::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use vettid_wire::id::{DeviceId, VaultId};
use vettid_wire::request::{Operation, Outcome};
use vettid_wire::time::UnixMillis;

use super::presence::is_before_looking;
use crate::attachment::Chunks;
use crate::call::{self, Prepared};
use crate::clock::Clock;
use crate::driver::{Answered, Ask, Command, Driver, Parts};
use crate::error::{Error, Fault, Unreachable};
use crate::keeper::Keeper;
use crate::keystore::{Keystore, KeystoreError, State};
use crate::pass::Pass;
use crate::session::Endpoint;
use crate::transport::Dial;
use crate::trust::Trust;

/// An enrolled device of an owner.
///
/// Cheap to clone; all clones share one session with the vault, which is opened when something is
/// asked. Calls may run at the same time: they travel together and are answered by id. A dropped
/// call is not taken back: a change may still happen.
#[derive(Clone)]
pub struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    keeper: Arc<Keeper>,
    clock: Arc<dyn Clock>,
    commands: mpsc::Sender<Command>,
    feed: watch::Receiver<u64>,
    messages: watch::Receiver<u64>,
    chunks: Box<dyn Chunks>,
    turn: tokio::sync::Mutex<()>,
}

impl Owner {
    /// Takes an enrolled device up. Connects to nothing yet; needs a tokio runtime.
    pub fn open(
        mut keystore: impl Keystore,
        dial: impl Dial,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let kept = keystore.load()?.ok_or(KeystoreError::NotEnrolled)?;
        if kept.state.enrollment.is_some() {
            return Err(KeystoreError::Unfinished.into());
        }
        start(Arc::new(Keeper::new(Box::new(keystore), kept)), dial, clock)
    }

    /// Calls an operation that needs no more than the session.
    pub async fn call<O: Operation>(&self, request: &O) -> Result<O::Reply, Error> {
        self.call_at_most(request, SENDS).await
    }

    /// Newest sequence of the feed, as far as the vault has told; zero before it did. A session is
    /// kept open from now on, and what happens while there is none is caught up with.
    pub async fn feed(&self) -> Result<watch::Receiver<u64>, Error> {
        self.send(Command::Watch).await?;
        Ok(self.shared.feed.clone())
    }

    /// Number of the newest change of a message, in the same way: fetch changes by number.
    pub async fn messages(&self) -> Result<watch::Receiver<u64>, Error> {
        self.send(Command::Watch).await?;
        Ok(self.shared.messages.clone())
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> Option<VaultId> {
        self.shared.keeper.read(|state| state.vault)
    }

    /// This device.
    pub fn device(&self) -> Result<DeviceId, Error> {
        let public = self.shared.keeper.read(|state| state.keys.public())?;
        Ok(DeviceId::of(&public))
    }

    /// Calls an operation, sending it at most `sends` times.
    pub(crate) async fn call_at_most<O: Operation>(
        &self,
        request: &O,
        sends: u32,
    ) -> Result<O::Reply, Error> {
        let prepared = call::prepare(request)?;
        let id = prepared.id;
        let Answered { reply, repeated } = self.ask(prepared, sends).await?;
        match reply.outcome {
            Outcome::Refused(refusal) if O::ONCE && repeated && is_before_looking(refusal.code) => {
                Err(Unreachable::Since(refusal).into())
            }
            outcome => call::read::<O>(id, outcome, None),
        }
    }

    /// Sends a request until its answer comes.
    pub(crate) async fn ask(&self, prepared: Prepared, sends: u32) -> Result<Answered, Error> {
        self.send_until_answered(prepared, sends, false).await
    }

    /// Sends a request that an earlier program may have sent. Its answer may be an old one.
    pub(crate) async fn ask_again(&self, prepared: Prepared) -> Result<Answered, Error> {
        self.send_until_answered(prepared, SENDS, true).await
    }

    async fn send_until_answered(
        &self,
        prepared: Prepared,
        sends: u32,
        again: bool,
    ) -> Result<Answered, Error> {
        let (answer, heard) = oneshot::channel();
        let Prepared { id, message } = prepared;
        self.send(Command::Ask(Ask {
            id,
            message,
            sends,
            again,
            answer,
        }))
        .await?;
        match tokio::time::timeout(LONGEST, heard).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(Fault::Stopped.into()),
            Err(_) => Err(Unreachable::Unanswered.into()),
        }
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.shared.keeper
    }

    /// What this device accepts, by the newest network file that it has.
    pub(crate) fn trust(&self) -> Result<Trust, Error> {
        self.keeper().read(trust_of)
    }

    pub(crate) fn chunks(&self) -> &dyn Chunks {
        &*self.shared.chunks
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    /// Held while the credential is in use: every use replaces it.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.turn.lock().await
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.shared
            .commands
            .send(command)
            .await
            .map_err(|_| Fault::Stopped.into())
    }
}

/// Starts the task of a device that has access to its bus.
pub(crate) fn start(
    keeper: Arc<Keeper>,
    dial: impl Dial,
    clock: Arc<dyn Clock>,
) -> Result<Owner, Error> {
    let (endpoint, trust) = keeper.read(|state| {
        let access = state.bus.as_ref().ok_or(KeystoreError::Unfinished)?;
        let endpoint = Endpoint {
            key: state.keys.identity()?,
            static_key: state.keys.session()?,
            space: access.space,
            route: access.route,
        };
        Ok::<_, Error>((endpoint, Arc::new(Mutex::new(trust_of(state)?))))
    })?;
    let pass = Pass::new(
        dial.clone(),
        Arc::clone(&keeper),
        Arc::clone(&trust),
        Arc::clone(&clock),
    );
    let chunks = Box::new(dial.clone());
    let (commands, received) = mpsc::channel(COMMANDS);
    let (feed_told, feed) = watch::channel(0);
    let (messages_told, messages) = watch::channel(0);
    let driver = Driver::new(Parts {
        dial,
        pass: Arc::new(pass),
        keeper: Arc::clone(&keeper),
        trust,
        clock: Arc::clone(&clock),
        endpoint,
        commands: received,
        feed: feed_told,
        messages: messages_told,
    });
    tokio::spawn(driver.run());
    let turn = tokio::sync::Mutex::new(());
    Ok(Owner {
        shared: Arc::new(Shared {
            keeper,
            clock,
            commands,
            feed,
            messages,
            chunks,
            turn,
        }),
    })
}

/// What a device accepts, by what it keeps.
fn trust_of(state: &State) -> Result<Trust, Error> {
    let file = state.network_file.as_ref();
    let file = file.ok_or(KeystoreError::Unfinished)?;
    Ok(file.expose(|file| Trust::new(state.anchor.clone(), state.remembered, file))?)
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// How often a request is sent, the first time counted: the vault does a repeated one once.
pub(crate) const SENDS: u32 = 4;
/// An answer must come within this.
const LONGEST: Duration = Duration::from_secs(90);
/// Commands that wait for the driver at most.
const COMMANDS: usize = 256;
