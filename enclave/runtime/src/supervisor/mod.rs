//! The supervisor: one thread between the host and many vault processes.
//!
//! ```text
//! host ══ link ══ supervisor ══ lane ══ vault process, one per open vault
//!                     ╚═ control ══ zygote
//! ```
//!
//! It routes what it cannot read. Session frames are opaque to it; log records and chunks are
//! sealed. What it adds is scope: every question of a vault process is about the space whose socket
//! it came from, and evidence names that space ([`crate::lane`]). With other enclaves it has sessions
//! of its own ([`crate::peering`]), over which it carries what vaults have sealed for each other
//! ([`crate::delivery`]).
//!
//! No queue is without bound, nobody waits for anybody: a vault process that does not read loses
//! envelopes, a host that does not read stops the vault processes, whoever speaks nonsense is
//! killed or cut off, and whoever stalls is as well.

mod broker;
mod federation;
mod from_host;
mod openings;
mod questions;
mod vault;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::geteuid;
use vettid_crypto::SealingRoot;
use vettid_wire::id::{NetworkId, SpaceId};
use vettid_wire::link::{Entry, FromEnclave, Hello};

use crate::boot::Serving;
use crate::delivery::Courier;
use crate::evidence::Evidence;
use crate::federation::Federation;
use crate::handover::Shared;
use crate::heads::Heads;
use crate::host_link::{HostFault, HostLink};
use crate::kdf_queue::KdfQueue;
use crate::lane::Place;
use crate::log_line::{LogEvent, LogSafe};
use crate::memory::Watched;
use crate::peering::Peering;
use crate::platform::{KernelEntropy, Platform};
use crate::residency::{Residency, ResidencyLimits};
use crate::slot::{FreeSlots, Slot};
use crate::zygote::{Zygote, ZygoteError};
use questions::Questions;
use vault::Vault;

/// Most vaults that any host may have opened.
const MOST_VAULTS: u32 = 4096;

/// Openings within a second.
const OPENINGS: usize = 200;

/// Spaces whose newest head is remembered for this boot.
const HEADS: usize = 65_536;

/// How often deadlines, idle vaults and memory are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Log lines in one tick; more are left out.
const LOG_LINES: u32 = 16;

/// Why the supervisor ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Ended {
    /// The host asked for it.
    #[error("host asked to end")]
    Asked,
    /// The host is gone or broke the protocol; every vault is closed.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// The kernel refused to wait for sockets.
    #[error("kernel refused to wait: {0}")]
    System(#[from] Errno),
    /// The zygote is gone, and all vault processes with it.
    #[error(transparent)]
    Zygote(#[from] ZygoteError),
}

const LINK_TOKEN: u64 = 0;
const ZYGOTE_TOKEN: u64 = 1;
const FIRST_SLOT_TOKEN: u64 = 2;

/// The supervisor of one boot and one host connection.
#[derive(Debug)]
pub struct Supervisor<P> {
    platform: P,
    sealing_root: SealingRoot,
    shared: Shared,
    evidence: Evidence,
    federation: Federation,
    place: Place,
    network: NetworkId,
    epoch: u64,
    zygote: Zygote,
    host: HostLink,
    epoll: Epoll,
    link_writable_wanted: bool,
    vaults: BTreeMap<Slot, Vault>,
    spaces: HashMap<SpaceId, Slot>,
    waiting: VecDeque<(SpaceId, Entry)>,
    free: FreeSlots,
    residency: Residency,
    own: Watched,
    own_memory: Option<u64>,
    kdf: KdfQueue,
    heads: Heads,
    questions: Questions,
    unflushed: Vec<Slot>,
    started: Instant,
    now: Duration,
    ticked: Duration,
    measured: Option<Slot>,
    dropped: u64,
    log_lines: u32,
    ending: Option<Duration>,
}

impl<P: Platform> Supervisor<P> {
    /// Takes over from the boot. The host is told that the enclave is ready.
    ///
    /// # Errors
    /// When the kernel refuses to watch the sockets.
    pub fn new(serving: Serving<P>, zygote: Zygote) -> Result<Self, Ended> {
        let limits = limits(&serving.hello);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut host = HostLink::new(serving.link, serving.inflow);
        epoll.add(&host, EpollEvent::new(EpollFlags::EPOLLIN, LINK_TOKEN))?;
        epoll.add(&zygote, EpollEvent::new(EpollFlags::EPOLLIN, ZYGOTE_TOKEN))?;
        host.send(&FromEnclave::Ready(serving.ready));
        let accepted = federation::accepts(&serving.network, &serving.platform.measurement());
        let (network, node) = (serving.network.id(), serving.node);
        let peers = serving.hello.peers.iter().map(|peer| peer.to_vec());
        let place = federation::place(network, node, peers.collect());
        let peering = Peering::new(network, node, serving.policy, &mut KernelEntropy);
        let courier = Courier::new(node, serving.mailbox);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut supervisor = Self {
            network,
            epoch: serving.network.epoch,
            platform: serving.platform,
            sealing_root: serving.sealing_root,
            shared: serving.shared,
            evidence: serving.evidence,
            federation: Federation::new(peering, courier),
            place,
            zygote,
            host,
            epoll,
            link_writable_wanted: false,
            vaults: BTreeMap::new(),
            spaces: HashMap::new(),
            waiting: VecDeque::new(),
            free: FreeSlots::new(u16::try_from(limits.vaults).unwrap_or(u16::MAX)),
            residency: Residency::new(limits),
            own: Watched::new(),
            own_memory: None,
            kdf: KdfQueue::new(cores),
            heads: Heads::new(HEADS),
            questions: Questions::default(),
            unflushed: Vec::new(),
            started: Instant::now(),
            now: Duration::ZERO,
            ticked: Duration::ZERO,
            measured: None,
            dropped: 0,
            log_lines: 0,
            ending: None,
        };
        supervisor.measure();
        supervisor.tell_start(accepted);
        Ok(supervisor)
    }

    /// Says what the operator should know of how it starts.
    fn tell_start(&mut self, accepted: bool) {
        if !accepted {
            self.log(LogEvent::NotAReferenceValue);
        }
        if self.shared.offer_refused {
            self.log(LogEvent::OfferRefused);
        }
        if self.shared.handover_refused {
            self.log(LogEvent::HandoverRefused);
        }
        if !geteuid().is_root() {
            self.log(LogEvent::SharedUser);
        }
    }

    /// Serves until the host asks to end, or something that cannot be gone without is gone. Every
    /// vault process dies with this one.
    pub fn run(mut self) -> Ended {
        loop {
            if let Err(ended) = self.turn() {
                let _ = self.host.flush(self.now);
                return ended;
            }
        }
    }

    /// Waits once and does all that there is to do.
    fn turn(&mut self) -> Result<(), Ended> {
        // What came with the greeting is there already, and makes no socket readable.
        self.take_from_host()?;
        let mut events = [EpollEvent::empty(); 128];
        let count = self.wait(&mut events)?;
        self.now = self.started.elapsed();
        for event in events.iter().take(count) {
            match event.data() {
                LINK_TOKEN if event.events().contains(EpollFlags::EPOLLOUT) => {
                    self.host.flush(self.now)?;
                    self.hear_host()?;
                }
                LINK_TOKEN => self.hear_host()?,
                ZYGOTE_TOKEN => self.hear_zygote()?,
                token => {
                    let slot = token.saturating_sub(FIRST_SLOT_TOKEN);
                    self.hear_vault(Slot::new(u16::try_from(slot).unwrap_or(u16::MAX)))?;
                }
            }
        }
        if self.now.saturating_sub(self.ticked) >= TICK {
            self.ticked = self.now;
            self.tick()?;
        }
        self.flush()
    }

    /// Waits for sockets, at most until the next tick. While the host does not read, vault
    /// processes are not listened to.
    fn wait(&self, events: &mut [EpollEvent]) -> Result<usize, Ended> {
        let left = TICK.saturating_sub(self.now.saturating_sub(self.ticked));
        let left = u16::try_from(left.as_millis())
            .unwrap_or(u16::MAX)
            .saturating_add(1);
        if !self.host.is_saturated() {
            return match self.epoll.wait(events, EpollTimeout::from(left)) {
                Err(Errno::EINTR) => Ok(0),
                other => Ok(other?),
            };
        }
        let mut waits = [
            PollFd::new(self.host.as_fd(), PollFlags::POLLIN | PollFlags::POLLOUT),
            PollFd::new(self.zygote.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waits, PollTimeout::from(left)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = waits.map(|wait| wait.revents().unwrap_or(PollFlags::empty()));
        let both = [(LINK_TOKEN, ready[0]), (ZYGOTE_TOKEN, ready[1])];
        let mut count = 0;
        for ((token, _), event) in both
            .iter()
            .filter(|(_, ready)| !ready.is_empty())
            .zip(events.iter_mut())
        {
            *event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT, *token);
            count += 1;
        }
        Ok(count)
    }

    /// Sends what this turn has queued, and watches for room where not all could go.
    fn flush(&mut self) -> Result<(), Ended> {
        for slot in std::mem::take(&mut self.unflushed) {
            let Some(vault) = self.vaults.get_mut(&slot) else {
                continue;
            };
            vault.listed = false;
            // A process that hung up says so by its end.
            let left = !vault.hung_up && vault.flush(self.now).unwrap_or(false);
            if left != vault.writable_wanted && !vault.hung_up {
                vault.writable_wanted = left;
                self.epoll.modify(&*vault, &mut lane_event(slot, left))?;
            }
        }
        self.host.flush(self.now)?;
        let wanted = self.host.has_unsent();
        if wanted != self.link_writable_wanted {
            self.link_writable_wanted = wanted;
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, wanted);
            self.epoll
                .modify(&self.host, &mut EpollEvent::new(flags, LINK_TOKEN))?;
        }
        Ok(())
    }

    /// Says something to the operator, unless too much was said already.
    fn log(&mut self, event: impl LogSafe) {
        if self.log_lines < LOG_LINES {
            self.log_lines = self.log_lines.saturating_add(1);
            self.host.send(&FromEnclave::Log(event.line()));
        }
    }
}

fn lane_event(slot: Slot, writable: bool) -> EpollEvent {
    let mut flags = EpollFlags::EPOLLIN;
    flags.set(EpollFlags::EPOLLOUT, writable);
    EpollEvent::new(
        flags,
        FIRST_SLOT_TOKEN.saturating_add(u64::from(slot.number())),
    )
}

/// What the host asked for, within what this program can give.
fn limits(hello: &Hello) -> ResidencyLimits {
    ResidencyLimits {
        vaults: usize::try_from(hello.max_open.clamp(1, MOST_VAULTS)).unwrap_or(1),
        memory: hello.memory.saturating_mul(1024),
        idle: Duration::from_millis(hello.idle.max(1000)),
        openings: OPENINGS,
    }
}
