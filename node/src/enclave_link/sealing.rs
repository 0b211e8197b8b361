//! What an enclave needs before it serves: a key service where it has none of its own (a connection that
//! is carried, credentials that are handed over, a sealed root that is kept), and what other releases
//! have left for it.
//!
//! What passes to the key service is TLS between enclave and key service. The enclave reaches the one endpoint that is
//! configured and no other.

use std::io;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::{Credentials, ProvideCredentials};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vettid_wire::link::sealing::{Access, FromEnclave, ToEnclave};
use vettid_wire::{Secret, key_arn, limits};

use super::EnclaveMisbehaved;
use crate::database::Database;
use crate::release::ReleaseRows;

/// Time to find credentials, and to connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// Port of the key service.
const HTTPS: u16 = 443;

/// The key service of an enclave on AWS Nitro, as `node.toml` has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyService {
    /// Region that the enclave has its key made in.
    pub region: String,
    /// ARN of the role that this node has.
    pub role: String,
    /// ARN of the role that may have the key deleted; absent: nobody may.
    pub retirement: Option<String>,
    /// `HOST:PORT` to connect to; absent: the region's endpoint of KMS, port 443.
    pub endpoint: Option<String>,
}

/// What is wrong with a key service's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadKeyService {
    /// No place to connect to.
    #[error("endpoint: write HOST:PORT")]
    Endpoint,
    /// An emulated enclave keeps its sealing root itself.
    #[error(
        "the enclave that this node starts keeps its sealing root itself: remove it, or set enclave.address"
    )]
    Emulated,
    /// No region.
    #[error("region: {0}")]
    Region(#[from] key_arn::BadRegion),
    /// No role.
    #[error("{0}: write arn:aws:iam::ACCOUNT:role/NAME")]
    Role(&'static str),
}

impl KeyService {
    /// Checks what can be checked without asking anybody.
    pub fn check(&self) -> Result<(), BadKeyService> {
        key_arn::endpoint(&self.region)?;
        let is_role = |role: &str| role.starts_with("arn:aws:iam::") && role.contains(":role/");
        if !is_role(&self.role) {
            return Err(BadKeyService::Role("role"));
        }
        if self
            .retirement
            .as_deref()
            .is_some_and(|role| !is_role(role))
        {
            return Err(BadKeyService::Role("retirement"));
        }
        let place = self.endpoint.as_deref().map(|place| place.rsplit_once(':'));
        let is_place = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
        match place {
            Some(place) if !place.is_some_and(is_place) => Err(BadKeyService::Endpoint),
            _ => Ok(()),
        }
    }

    /// Where to connect to.
    fn place(&self) -> io::Result<String> {
        if let Some(place) = &self.endpoint {
            return Ok(place.clone());
        }
        let endpoint = key_arn::endpoint(&self.region).map_err(io::Error::other)?;
        Ok(format!("{endpoint}:{HTTPS}"))
    }
}

/// What one link needs until its enclave serves.
pub(super) struct SealingDesk {
    service: Option<KeyService>,
    releases: ReleaseRows,
    purpose: Purpose,
    /// The release that has asked.
    release: Option<u32>,
    /// Whether it was told that it may serve.
    may_serve: bool,
    /// Releases that the network accepts.
    accepted: Vec<u32>,
    connection: Connection,
    /// Bytes carried, both ways together.
    carried: usize,
}

/// What a link to an enclave is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// It serves.
    Serve,
    /// It says what earlier releases seal to, and ends.
    Prepare,
}

enum Connection {
    /// Not asked for yet.
    Undialed,
    Open(TcpStream),
    /// It was open, or could not be opened.
    Ended,
}

impl SealingDesk {
    pub(super) fn new(
        service: Option<KeyService>,
        database: Database,
        purpose: Purpose,
        accepted: Vec<u32>,
    ) -> Self {
        Self {
            service,
            releases: ReleaseRows::new(database),
            purpose,
            release: None,
            may_serve: false,
            accepted,
            connection: Connection::Undialed,
            carried: 0,
        }
    }

    /// Does what the enclave asks for.
    pub(super) async fn obey(
        &mut self,
        ask: FromEnclave,
    ) -> Result<Option<ToEnclave>, EnclaveMisbehaved> {
        match ask {
            FromEnclave::Ask(release) => {
                self.is(release)?;
                Ok(Some(ToEnclave::Access(self.access(release).await)))
            }
            FromEnclave::Dial => self.dial().await,
            FromEnclave::Bytes(bytes) => self.carry(&bytes).await,
            FromEnclave::Keep(sealed) if sealed.len() > limits::SEALED_ROOT => {
                Err(EnclaveMisbehaved::Sealing)
            }
            FromEnclave::Keep(sealed) => {
                let release = self.release.ok_or(EnclaveMisbehaved::Turn)?;
                Ok(Some(ToEnclave::Kept(self.keep(release, sealed).await)))
            }
            FromEnclave::Others(release) => {
                self.is(release)?;
                Ok(Some(self.others(release).await))
            }
            FromEnclave::Failed(why) if why.len() > limits::SEALING_FAILURE => {
                Err(EnclaveMisbehaved::Sealing)
            }
            FromEnclave::Failed(why) => {
                tracing::error!(why = plain(&why), "the enclave does not serve");
                Ok(None)
            }
            other => self.keep_shared(other).await,
        }
    }

    /// Keeps what releases share.
    async fn keep_shared(&self, what: FromEnclave) -> Result<Option<ToEnclave>, EnclaveMisbehaved> {
        let own = self.release.ok_or(EnclaveMisbehaved::Turn)?;
        let serves = self.may_serve;
        let fits = |bytes: &[u8]| match bytes.len() > limits::HANDOVER {
            true => Err(EnclaveMisbehaved::Sealing),
            false => Ok(()),
        };
        let kept = match what {
            FromEnclave::Inherit(inheritance) if serves => {
                fits(&inheritance)?;
                self.releases.inherit(own, inheritance).await
            }
            FromEnclave::HandOver { to, handover } if serves && to.release > own => {
                fits(&handover)?;
                self.releases.hand_over((own, to), handover).await
            }
            FromEnclave::Offer { release, offer }
                if self.purpose == Purpose::Prepare && release == own =>
            {
                fits(&offer)?;
                self.releases.offer(own, offer).await
            }
            _ => return Err(EnclaveMisbehaved::Turn),
        };
        if let Err(error) = &kept {
            tracing::error!(%error, "what releases share is not kept");
        }
        Ok(Some(ToEnclave::Kept(kept.is_ok())))
    }

    async fn others(&mut self, release: u32) -> ToEnclave {
        if self.purpose == Purpose::Prepare {
            return ToEnclave::MakeOffer;
        }
        let others = self.releases.others(release, &self.accepted).await;
        if let Err(error) = &others {
            tracing::error!(%error, "this release is not to serve");
        }
        self.may_serve = others.is_ok();
        ToEnclave::Others(others.ok())
    }

    /// One link is to one release.
    fn is(&mut self, release: u32) -> Result<(), EnclaveMisbehaved> {
        match self.release.replace(release) {
            Some(before) if before != release => Err(EnclaveMisbehaved::Turn),
            _ => Ok(()),
        }
    }

    /// The release that was told that it may serve.
    pub(super) fn may_serve(&self) -> Option<u32> {
        self.release.filter(|_| self.may_serve)
    }

    /// What the key service sends next; never, where there is no connection. Cancel-safe.
    pub(super) async fn hear(&mut self) -> ToEnclave {
        let Connection::Open(stream) = &mut self.connection else {
            return std::future::pending().await;
        };
        let mut piece = vec![0; limits::SEALING_PIECE];
        let count = match stream.read(&mut piece).await {
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "the connection to the key service broke");
                0
            }
        };
        piece.truncate(count);
        self.carried = self.carried.saturating_add(count);
        if self.carried > limits::SEALING_CONNECTION {
            tracing::warn!("the key service says too much: its connection is closed");
            piece.clear();
        }
        if piece.is_empty() {
            self.connection = Connection::Ended;
        }
        ToEnclave::Bytes(piece)
    }

    async fn access(&self, release: u32) -> Option<Access> {
        let Some(service) = &self.service else {
            tracing::error!("the enclave asks for a key service: set enclave.kms in node.toml");
            return None;
        };
        let prepares = self.purpose == Purpose::Prepare;
        let sealed_root = match self.releases.sealed_root(release, prepares).await {
            Ok(sealed) => sealed.map(Into::into),
            // Taken for none, a new one would be made.
            Err(error) => {
                tracing::error!(%error, "the sealed root cannot be read");
                return None;
            }
        };
        let credentials = timeout(PATIENCE, credentials(service)).await;
        let credentials = credentials.unwrap_or_else(|_| {
            tracing::error!("no AWS credentials in time: give this instance its role");
            None
        })?;
        Some(Access {
            region: service.region.clone(),
            role: service.role.clone(),
            retirement: service.retirement.clone(),
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: Secret::from(credentials.secret_access_key()),
            session_token: credentials.session_token().map(Secret::from),
            sealed_root,
        })
    }

    async fn dial(&mut self) -> Result<Option<ToEnclave>, EnclaveMisbehaved> {
        let (Connection::Undialed, Some(service)) = (&self.connection, &self.service) else {
            return Err(EnclaveMisbehaved::Turn);
        };
        let connected = match service.place() {
            Ok(place) => timeout(PATIENCE, TcpStream::connect(place)).await,
            Err(error) => Ok(Err(error)),
        };
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match connected {
            Ok(stream) => {
                self.connection = Connection::Open(stream);
                Ok(None)
            }
            Err(error) => {
                tracing::error!(%error, "the key service cannot be reached");
                self.connection = Connection::Ended;
                Ok(Some(ToEnclave::Bytes(Vec::new())))
            }
        }
    }

    async fn carry(&mut self, bytes: &[u8]) -> Result<Option<ToEnclave>, EnclaveMisbehaved> {
        self.carried = self.carried.saturating_add(bytes.len());
        if bytes.len() > limits::SEALING_PIECE || self.carried > limits::SEALING_CONNECTION {
            return Err(EnclaveMisbehaved::Sealing);
        }
        match &mut self.connection {
            Connection::Undialed => Err(EnclaveMisbehaved::Turn),
            // It has been told, and may not have heard it yet.
            Connection::Ended => Ok(None),
            Connection::Open(stream) => {
                if stream.write_all(bytes).await.is_err() {
                    self.connection = Connection::Ended;
                    return Ok(Some(ToEnclave::Bytes(Vec::new())));
                }
                Ok(None)
            }
        }
    }

    async fn keep(&self, release: u32, sealed: Vec<u8>) -> bool {
        match self.releases.keep_sealed_root(release, sealed).await {
            Ok(true) => {
                tracing::info!(release, "the sealing root is kept");
                true
            }
            Ok(false) => {
                tracing::error!("the enclave made another sealing root, which is not kept");
                false
            }
            Err(error) => {
                tracing::error!(%error, "the sealing root is not kept");
                false
            }
        }
    }
}

/// What an enclave says of a boot that failed, without anything that is no text.
pub(super) fn plain(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).collect()
}

/// Credentials of this machine's role, or of the environment.
async fn credentials(service: &KeyService) -> Option<Credentials> {
    let region = Region::new(service.region.clone());
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).region(region);
    let loaded = loader.load().await;
    match loaded.credentials_provider()?.provide_credentials().await {
        Ok(credentials) => Some(credentials),
        Err(error) => {
            tracing::error!(%error, "no AWS credentials: give this instance its role");
            None
        }
    }
}

#[cfg(test)]
mod tests;
