//! Preparing a later release: its enclave says, attested, what earlier ones seal to, and ends.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vettid_wire::link::sealing::{FromEnclave as Say, ToEnclave};
use vettid_wire::link::{FromEnclave, FromHost, Hello};
use vettid_wire::version;

use super::frames::Received;
use super::sealing::{KeyService, Purpose, SealingDesk, plain};
use super::session::{Ended, next_frame, send};
use super::transport::{Address, Reading, Writing};
use crate::database::{Database, ReadError};
use crate::release::ReleaseRows;

/// Time that the enclave has to listen.
const REACHING: Duration = Duration::from_secs(10);

/// Time that it has to make its offer: it may have to ask its key service first.
const OFFERING: Duration = Duration::from_secs(60);

/// Pause between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a release was not prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPrepared {
    /// Nobody listens.
    #[error("no enclave listens at {0}: start the later release there, then try again")]
    Unreachable(Address),
    /// It gave up.
    #[error("the enclave says: {0}")]
    Refused(String),
    /// It said something else, or nothing in time.
    #[error("the enclave at {0} made no offer: {1}")]
    NoOffer(Address, String),
    /// It is not later than one that has served here.
    #[error(
        "release {release} is not later than release {served}, which has served here: start the image of \
         the release to move to"
    )]
    NotLater {
        /// What the enclave is.
        release: u32,
        /// The latest that has served.
        served: u32,
    },
    /// What has served here cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The offer was not kept.
    #[error("the offer could not be stored: see the log")]
    NotKept,
}

/// Has the enclave at `address` make its offer, and keeps it; the number of its release.
pub(crate) async fn prepare(
    address: Address,
    network: Vec<u8>,
    service: Option<KeyService>,
    database: Database,
) -> Result<u32, NotPrepared> {
    let served = ReleaseRows::new(database.clone()).served().await?;
    let connected = timeout(REACHING, connect(&address)).await;
    let (reading, writing) = connected.map_err(|_| NotPrepared::Unreachable(address.clone()))?;
    let line = Line {
        address: &address,
        received: Received::new(reading),
        writing,
        desk: SealingDesk::new(service, database, Purpose::Prepare, Vec::new()),
        served: served.last().copied().unwrap_or_default(),
    };
    let offered = timeout(OFFERING, line.hear_offer(network)).await;
    offered.unwrap_or_else(|_| Err(NotPrepared::NoOffer(address.clone(), "not in time".into())))
}

/// Tries until the enclave listens.
async fn connect(address: &Address) -> (Reading, Writing) {
    loop {
        match address.connect().await {
            Ok(halves) => return halves,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// The way to an enclave that is to make an offer.
struct Line<'a> {
    address: &'a Address,
    received: Received,
    writing: Writing,
    desk: SealingDesk,
    /// The latest release that has served here.
    served: u32,
}

impl Line<'_> {
    async fn hear_offer(mut self, network: Vec<u8>) -> Result<u32, NotPrepared> {
        self.send(&FromHost::Hello(Hello {
            version: version::LINK,
            network,
            max_open: 1,
            idle: 0,
            memory: 0,
            peers: Vec::new(),
        }))
        .await?;
        loop {
            let said = tokio::select! {
                frame = next_frame(&mut self.received) => self.or_no_offer(frame)?,
                heard = self.desk.hear() => {
                    self.send(&FromHost::Sealing(heard)).await?;
                    continue;
                }
            };
            let FromEnclave::Sealing(said) = said else {
                return Err(self.no_offer("it serves instead"));
            };
            if let Some(release) = self.obey(said).await? {
                return Ok(release);
            }
        }
    }

    /// Does what it asks for; the number of its release once its offer is kept.
    async fn obey(&mut self, said: Say) -> Result<Option<u32>, NotPrepared> {
        let why = match &said {
            Say::Failed(why) => Some(plain(why)),
            _ => None,
        };
        let (offers, asks) = match &said {
            Say::Offer { release, .. } => (Some(*release), None),
            Say::Ask(release) | Say::Others(release) => (None, Some(*release)),
            _ => (None, None),
        };
        let served = self.served;
        // Before anything is made or kept for it.
        if let Some(release) = asks.filter(|release| *release <= served) {
            return Err(NotPrepared::NotLater { release, served });
        }
        let answer = self.desk.obey(said).await;
        let answer = answer.map_err(|error| self.no_offer(&error.to_string()))?;
        if let Some(why) = why {
            return Err(NotPrepared::Refused(why));
        }
        match (offers, answer) {
            (Some(_), Some(ToEnclave::Kept(false)) | None) => Err(NotPrepared::NotKept),
            (Some(release), Some(answer)) => {
                // Whether it hears that its offer is kept makes no difference.
                let _ = self.send(&FromHost::Sealing(answer)).await;
                Ok(Some(release))
            }
            (None, Some(answer)) => {
                self.send(&FromHost::Sealing(answer)).await?;
                Ok(None)
            }
            (None, None) => Ok(None),
        }
    }

    async fn send(&mut self, frame: &FromHost) -> Result<(), NotPrepared> {
        let sent = send(frame, &mut self.writing).await;
        self.or_no_offer(sent)
    }

    fn or_no_offer<T>(&self, outcome: Result<T, Ended>) -> Result<T, NotPrepared> {
        outcome.map_err(|ended| match ended {
            Ended::Misbehaved(why) => self.no_offer(&why.to_string()),
            Ended::Asked | Ended::Lost => self.no_offer("it hung up; is it one of this network?"),
        })
    }

    fn no_offer(&self, why: &str) -> NotPrepared {
        NotPrepared::NoOffer(self.address.clone(), why.to_owned())
    }
}
