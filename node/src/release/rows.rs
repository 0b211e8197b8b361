//! What the node keeps for the releases of its enclave: sealed roots, what they hand over to each other,
//! and which of them have served here.
//!
//! | release | what it needs to serve |
//! |---|---|
//! | the first that serves here | nothing |
//! | one that has served here | its sealed root, if a key service keeps it |
//! | a later one | besides, a handover from one that has served here, or what it has taken over already |
//!
//! Without a handover, a later release would be another node, and open none of the vaults.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vettid_wire::link::handover::{LaterImage, Others};
use vettid_wire::{limits, record};

use crate::database::column::count;
use crate::database::{Database, ReadError, WriteError};
use crate::space;

/// The newest header of each vault, as far as hosts can read it.
const HEADERS: &str = "SELECT (SELECT substr(bytes, 1, ?2) FROM record r
        WHERE r.space = s.id AND substr(r.bytes, 1, 1) <> ?1 ORDER BY number DESC LIMIT 1)
    FROM space s";

/// Why a release is not to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotToServe {
    /// Nothing was handed over to it.
    #[error(
        "release {later} has nothing of release {earlier}: see `vettid-node release prepare`, then start release {earlier} once more"
    )]
    NoHandover {
        /// It.
        later: u32,
        /// The latest before it that has served here.
        earlier: u32,
    },
    /// It is earlier than all that have served here.
    #[error("release {0} has never served here, and later ones have: run one of those")]
    Earlier(u32),
    /// There are vaults, and what opens them is gone.
    #[error("there are vaults and no sealed root of this release: restore a node.db that has it")]
    Lost,
    /// The database cannot be read.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// A release that this node keeps something for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptRelease {
    /// Its number.
    pub release: u32,
    /// Whether it has served here.
    pub served: bool,
    /// Whether it was prepared: earlier releases can hand over to it.
    pub prepared: bool,
    /// Vaults whose newest header is sealed for it. One that may move is counted with the later release.
    pub vaults: u64,
}

/// Rows of the releases. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ReleaseRows(Database);

impl ReleaseRows {
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// The sealed root of a release. None of it where there are vaults is a loss, or a release that
    /// cannot open them, unless the release is only to be prepared.
    pub(crate) async fn sealed_root(
        &self,
        release: u32,
        prepares: bool,
    ) -> Result<Option<Vec<u8>>, NotToServe> {
        let root = self.column("sealed_root", release).await?;
        if root.is_some() || prepares || space::counts(&self.0).await? == [0; 3] {
            return Ok(root);
        }
        self.check(release).await?;
        Err(NotToServe::Lost)
    }

    /// Keeps the first sealed root of a release for good: without it, no vault opens again. False if
    /// there is one already.
    pub(crate) async fn keep_sealed_root(
        &self,
        release: u32,
        sealed: Vec<u8>,
    ) -> Result<bool, WriteError> {
        let keep = "INSERT INTO release (number, sealed_root) VALUES (?1, ?2) ON CONFLICT (number)
            DO UPDATE SET sealed_root = excluded.sealed_root WHERE sealed_root IS NULL";
        self.write(keep, release, sealed).await
    }

    /// What there is of other releases, for one that is to serve. It is offered the latest of those that
    /// the network accepts.
    pub(crate) async fn others(
        &self,
        release: u32,
        accepted: &[u32],
    ) -> Result<Others, NotToServe> {
        self.check(release).await?;
        let inheritance = self.column("inheritance", release).await?;
        let later = accepted.iter().copied().filter(|number| *number > release);
        let mut offer = None;
        for number in later.collect::<BTreeSet<_>>().into_iter().rev() {
            offer = self.column("offer", number).await?;
            if offer.is_some() {
                break;
            }
        }
        let most = count(limits::RELEASES);
        let others = self.0.read(move |connection| {
            let handovers = "SELECT handover FROM handover WHERE later = ?1
                ORDER BY earlier DESC LIMIT ?2";
            let handovers: Vec<Vec<u8>> = column_of(connection, handovers, (release, most))?;
            let later = "SELECT later, image FROM handover WHERE earlier = ?1
                ORDER BY later DESC LIMIT ?2";
            let later = connection
                .prepare_cached(later)?
                .query_map((release, most), |row| {
                    Ok(LaterImage {
                        release: row.get(0)?,
                        image: row.get(1)?,
                    })
                })?
                .collect::<Result<_, _>>()?;
            Ok(Others {
                inheritance: inheritance.map(Into::into),
                handovers: handovers.into_iter().map(Into::into).collect(),
                later,
                offer: offer.map(Into::into),
            })
        });
        Ok(others.await?)
    }

    /// Keeps what a release has taken over.
    pub(crate) async fn inherit(
        &self,
        release: u32,
        inheritance: Vec<u8>,
    ) -> Result<(), WriteError> {
        let keep = "INSERT INTO release (number, inheritance) VALUES (?1, ?2) ON CONFLICT (number)
            DO UPDATE SET inheritance = excluded.inheritance";
        self.write(keep, release, inheritance).await.map(drop)
    }

    /// Keeps what a release hands over to an image of a later one.
    pub(crate) async fn hand_over(
        &self,
        (earlier, later): (u32, LaterImage),
        handover: Vec<u8>,
    ) -> Result<(), WriteError> {
        let keep = move |connection: &Connection| {
            connection.execute(
                "INSERT INTO handover (earlier, later, image, handover) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (earlier, later, image) DO UPDATE SET handover = excluded.handover",
                params![earlier, later.release, later.image, handover],
            )
        };
        self.0.transact(keep).await.map(drop)
    }

    /// Keeps what earlier releases seal to when they hand over to this one.
    pub(crate) async fn offer(&self, release: u32, offer: Vec<u8>) -> Result<(), WriteError> {
        let keep = "INSERT INTO release (number, offer) VALUES (?1, ?2)
            ON CONFLICT (number) DO UPDATE SET offer = excluded.offer";
        self.write(keep, release, offer).await.map(drop)
    }

    /// Notes that a release serves here.
    pub(crate) async fn note_served(&self, release: u32) -> Result<(), WriteError> {
        let note = move |connection: &Connection| {
            connection.execute(
                "INSERT INTO release (number, served) VALUES (?1, 1)
                 ON CONFLICT (number) DO UPDATE SET served = 1 WHERE served = 0",
                [release],
            )
        };
        self.0.transact(note).await.map(drop)
    }

    /// ReleaseRows that have served here.
    pub(crate) async fn served(&self) -> Result<Vec<u32>, ReadError> {
        let served = "SELECT number FROM release WHERE served ORDER BY number";
        self.0
            .read(move |connection| column_of(connection, served, ()))
            .await
    }

    /// All that is known, and how many vaults each release opens; the earliest first.
    pub(crate) async fn kept(&self) -> Result<Vec<KeptRelease>, ReadError> {
        self.0
            .read(|connection| {
                let mut known: Vec<KeptRelease> = connection
                    .prepare(
                        "SELECT number, served, offer IS NOT NULL FROM release ORDER BY number",
                    )?
                    .query_map([], |row| {
                        Ok(KeptRelease {
                            release: row.get(0)?,
                            served: row.get(1)?,
                            prepared: row.get(2)?,
                            vaults: 0,
                        })
                    })?
                    .collect::<Result<_, _>>()?;
                let shown = count(record::SHOWN);
                let bounds = (&[record::kind::CHANGESET][..], shown);
                let fronts: Vec<Option<Vec<u8>>> = column_of(connection, HEADERS, bounds)?;
                for front in fronts.into_iter().flatten() {
                    let release = record::release_of(&front);
                    if let Some(known) = known.iter_mut().find(|k| Some(k.release) == release) {
                        known.vaults = known.vaults.saturating_add(1);
                    }
                }
                Ok(known)
            })
            .await
    }

    /// Whether a release may serve: one that none before it has served may, else one that something was
    /// handed over to. Without that it would be another node, even if it has served already.
    async fn check(&self, release: u32) -> Result<(), NotToServe> {
        let served = self.served().await?;
        let earlier = served.iter().rev().find(|served| **served < release);
        let Some(&earlier) = earlier else {
            return match served.is_empty() || served.contains(&release) {
                true => Ok(()),
                false => Err(NotToServe::Earlier(release)),
            };
        };
        let handed = "SELECT (SELECT count(*) FROM handover WHERE later = ?1)
            + (SELECT count(inheritance) FROM release WHERE number = ?1)";
        let handed: i64 = self
            .0
            .read(move |connection| connection.query_row(handed, [release], |row| row.get(0)))
            .await?;
        match handed {
            0 => Err(NotToServe::NoHandover {
                later: release,
                earlier,
            }),
            _ => Ok(()),
        }
    }

    async fn column(
        &self,
        column: &'static str,
        release: u32,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let select = format!("SELECT {column} FROM release WHERE number = ?1");
        let read = move |connection: &Connection| {
            let found = connection.query_row(&select, [release], |row| row.get(0));
            Ok(found.optional()?.flatten())
        };
        self.0.read(read).await
    }

    async fn write(
        &self,
        statement: &'static str,
        release: u32,
        value: Vec<u8>,
    ) -> Result<bool, WriteError> {
        self.0
            .transact(move |connection| {
                let changed = connection.execute(statement, params![release, value]);
                changed.map(|changed| changed > 0)
            })
            .await
    }
}

/// One column of all rows.
fn column_of<T: rusqlite::types::FromSql>(
    connection: &Connection,
    select: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<T>> {
    connection
        .prepare_cached(select)?
        .query_map(params, |row| row.get(0))?
        .collect()
}
