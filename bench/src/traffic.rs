//! Requests from app to app through bus, node and enclave, against what each must at least cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use rusqlite::{Connection, OpenFlags};
use tokio::task::JoinSet;
use vettid_sdk::Owner;
use vettid_tests::programs::nats_server;
use vettid_wire::id::ItemId;
use vettid_wire::operation::item::Get;

use crate::figure::Figure;
use crate::rounds::{median, side_by_side};
use crate::size::Size;
use crate::sqlite;
use crate::system::{System, put};

/// Vaults that are open.
const VAULTS: usize = 16;
/// Requests under way at once, over all vaults.
const IN_FLIGHT: usize = 64;
/// Value of every item, bytes.
const KIB: usize = 1024;
/// Length of one round.
const SPAN: Duration = Duration::from_secs(3);
/// Requests of one round of the latency figure.
const SINGLE: u32 = 2_000;

/// `item.get` of 1 KB, 64 under way over 16 vaults, against raw NATS request and reply.
pub(crate) fn read_throughput(size: Size) -> Result<Figure> {
    let system = System::with_owners(VAULTS)?;
    let items = first_items(&system)?;
    let raw = system.runtime.block_on(RawBus::start(&system))?;
    let (ours, reference) = side_by_side(
        size,
        || system.runtime.block_on(flood_gets(&system.owners, &items)),
        || system.runtime.block_on(raw.flood()),
    )?;
    Ok(Figure::new("read_throughput", ours, reference, "1/s"))
}

/// The same, one at a time: median latency.
pub(crate) fn read_latency(size: Size) -> Result<Figure> {
    let system = System::with_owners(1)?;
    let items = first_items(&system)?;
    let raw = system.runtime.block_on(RawBus::start(&system))?;
    let (owner, id) = (
        system.owners.first().context("owner")?,
        *items.first().context("item")?,
    );
    let (ours, reference) = side_by_side(
        size,
        || {
            system.runtime.block_on(async {
                let mut times = Vec::new();
                for _ in 0..SINGLE {
                    let start = Instant::now();
                    owner.call(&Get { id }).await?;
                    times.push(start.elapsed().as_secs_f64() * 1e6);
                }
                Ok::<_, anyhow::Error>(median(&mut times))
            })
        },
        || system.runtime.block_on(raw.latency()),
    )?;
    Ok(Figure::new("read_latency_p50", ours, reference, "us"))
}

/// Durable `item.put` of 1 KB, 64 under way over 16 vaults, against one SQLite writer.
pub(crate) fn write_throughput(size: Size) -> Result<Figure> {
    let system = System::with_owners(VAULTS)?;
    let folder = tempfile::tempdir_in(system.node.folder().parent().context("folder")?)?;
    // Every worker replaces an item of its own, so that vaults stay small and nobody conflicts.
    let (ours, reference) = side_by_side(
        size,
        || system.runtime.block_on(flood_puts(&system.owners)),
        || sqlite::commits_per_second(folder.path(), SPAN),
    )?;
    Ok(Figure::new(
        "durable_write_throughput",
        ours,
        reference,
        "1/s",
    ))
}

/// Bytes that one put of 1 KB appends to the log of a vault of 10 MB.
pub(crate) fn log_bytes() -> Result<Figure> {
    let system = System::with_owners(1)?;
    let owner = system.owners.first().context("owner")?;
    let written = system.runtime.block_on(async {
        fill(owner, 10 * KIB * KIB).await?;
        let before = log_size(&system)?;
        owner.call(&put(None, KIB)).await?;
        Ok::<_, anyhow::Error>(log_size(&system)?.saturating_sub(before))
    })?;
    Ok(Figure::new(
        "log_bytes_per_kib_put",
        f64::from(u32::try_from(written)?),
        1024.0,
        "B",
    ))
}

/// Puts items of 60 KB until the vault holds about `bytes`.
pub(crate) async fn fill(owner: &Owner, bytes: usize) -> Result<()> {
    const SIZE: usize = 60 * KIB;
    for _ in 0..bytes / SIZE {
        owner.call(&put(None, SIZE)).await?;
    }
    Ok(())
}

fn log_size(system: &System) -> Result<u64> {
    let path = system.node.folder().join("node.db");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let query = "SELECT coalesce(sum(length(bytes)), 0) FROM record";
    Ok(u64::try_from(
        database.query_row(query, [], |row| row.get::<_, i64>(0))?,
    )?)
}

fn first_items(system: &System) -> Result<Vec<ItemId>> {
    system.runtime.block_on(async {
        let mut items = Vec::with_capacity(system.owners.len());
        for owner in &system.owners {
            items.push(owner.call(&put(None, KIB)).await?.id);
        }
        Ok(items)
    })
}

/// Keeps [`IN_FLIGHT`] requests under way for [`SPAN`]; how many were answered a second.
async fn flood_gets(owners: &[Owner], items: &[ItemId]) -> Result<f64> {
    let answered = Arc::new(AtomicU64::new(0));
    let mut under_way = JoinSet::new();
    let start = Instant::now();
    for turn in 0..IN_FLIGHT {
        let index = turn % owners.len();
        let owner = owners.get(index).context("owner")?.clone();
        let id = *items.get(index).context("item")?;
        let answered = Arc::clone(&answered);
        under_way.spawn(async move {
            while start.elapsed() < SPAN {
                owner.call(&Get { id }).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    per_second(answered.load(Ordering::Relaxed), start)
}

async fn flood_puts(owners: &[Owner]) -> Result<f64> {
    let answered = Arc::new(AtomicU64::new(0));
    let mut under_way = JoinSet::new();
    let start = Instant::now();
    for turn in 0..IN_FLIGHT {
        let owner = owners.get(turn % owners.len()).context("owner")?.clone();
        let answered = Arc::clone(&answered);
        under_way.spawn(async move {
            let mut at = None;
            while start.elapsed() < SPAN {
                let written = owner.call(&put(at, KIB)).await?;
                at = Some((written.id, written.version));
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    per_second(answered.load(Ordering::Relaxed), start)
}

fn per_second(answered: u64, start: Instant) -> Result<f64> {
    Ok(f64::from(u32::try_from(answered)?) / start.elapsed().as_secs_f64())
}

/// A `nats-server` of its own, one client and one responder: what a message must at least cost.
struct RawBus {
    client: async_nats::Client,
    server: tokio::process::Child,
}

impl RawBus {
    async fn start(system: &System) -> Result<Self> {
        let mut address = system.node.bus();
        address.set_port(address.port() + 100);
        let server = tokio::process::Command::new(nats_server())
            .args([
                "--addr",
                &address.ip().to_string(),
                "--port",
                &address.port().to_string(),
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let url = format!("nats://{address}");
        let options = || async_nats::ConnectOptions::new().retry_on_initial_connect();
        let responder = options().connect(&url).await?;
        let mut requests = responder.subscribe("echo").await?;
        responder.flush().await?;
        tokio::spawn(async move {
            while let Some(message) = requests.next().await {
                if let Some(reply) = message.reply
                    && responder.publish(reply, message.payload).await.is_err()
                {
                    break;
                }
            }
        });
        let client = options().connect(&url).await?;
        let bus = Self { client, server };
        bus.ask_until_answered().await?;
        Ok(bus)
    }

    /// The responder's subscription may reach the server after the first request.
    async fn ask_until_answered(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self
                .client
                .request("echo", vec![7; KIB].into())
                .await
                .is_ok()
            {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        bail!("raw bus does not answer (server {:?})", self.server.id())
    }

    async fn flood(&self) -> Result<f64> {
        let answered = Arc::new(AtomicU64::new(0));
        let mut under_way = JoinSet::new();
        let start = Instant::now();
        for _ in 0..IN_FLIGHT {
            let (client, answered) = (self.client.clone(), Arc::clone(&answered));
            under_way.spawn(async move {
                while start.elapsed() < SPAN {
                    client.request("echo", vec![7; KIB].into()).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        per_second(answered.load(Ordering::Relaxed), start)
    }

    async fn latency(&self) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..SINGLE {
            let start = Instant::now();
            self.client.request("echo", vec![7; KIB].into()).await?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(&mut times))
    }
}
