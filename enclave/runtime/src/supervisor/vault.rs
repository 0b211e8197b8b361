//! One vault process as the supervisor sees it: a socket, two queues and a phase.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use vettid_wire::cbor;
use vettid_wire::id::SpaceId;
use vettid_wire::link::Closed;
use vettid_wire::request::Head;

use crate::flow::{FlowError, Inflow, Outflow};
use crate::lane::{Down, LANE_FRAME};
use crate::memory::Watched;

/// Unsent bytes of a vault process above which envelopes for it are dropped.
const BUSY: usize = 4 * 1024 * 1024;

/// Unsent bytes of one above which it may ask nothing more: it does not read the answers that it has.
/// More than the largest answers to all questions that it may have open.
const DEAF: usize = 12 * 1024 * 1024;

/// Unsent bytes that do not move for this long mean that the process hangs.
const STALL: Duration = Duration::from_secs(30);

/// Appends of one vault process that wait for the host.
const APPENDS: usize = 4096;

/// Cuts of its log that it may make without a record between them.
const CUTS: u32 = 16;

/// Where a vault process is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Ordered from the zygote, or opening its vault.
    Opening {
        /// It is killed then.
        deadline: Duration,
    },
    /// Serves.
    Open,
    /// Was told to end, or is being killed. Frames of it are still passed on.
    Closing {
        /// What the host is told, unless the process knows better.
        why: Closed,
        /// It is killed then.
        deadline: Duration,
    },
}

/// One vault process.
#[derive(Debug)]
pub(super) struct Vault {
    pub(super) space: SpaceId,
    pub(super) pid: Option<i32>,
    pub(super) memory: Watched,
    pub(super) phase: Phase,
    pub(super) sessions: u32,
    pub(super) inflow: Inflow,
    socket: OwnedFd,
    outflow: Outflow,
    unsent_since: Option<Duration>,
    appends: VecDeque<Head>,
    /// Newest record that it has written, or seen in its log.
    newest: u64,
    /// Cuts of the log that may follow.
    cuts: u32,
    pub(super) writable_wanted: bool,
    /// It is on the supervisor's list of those with something to send.
    pub(super) listed: bool,
    /// Nothing more of it is read.
    pub(super) hung_up: bool,
    /// It is being killed, which was said already.
    pub(super) killed: bool,
}

impl Vault {
    /// A process that was just ordered, and must be open by `deadline`.
    pub(super) const fn new(space: SpaceId, socket: OwnedFd, deadline: Duration) -> Self {
        Self {
            space,
            pid: None,
            memory: Watched::new(),
            phase: Phase::Opening { deadline },
            sessions: 0,
            inflow: Inflow::new(LANE_FRAME),
            socket,
            outflow: Outflow::new(LANE_FRAME),
            unsent_since: None,
            appends: VecDeque::new(),
            newest: 0,
            cuts: 2,
            writable_wanted: false,
            listed: false,
            hung_up: false,
            killed: false,
        }
    }

    /// Reads once.
    pub(super) fn fill(&mut self) -> Result<usize, FlowError> {
        self.inflow.fill(&self.socket)
    }

    /// Whether envelopes are for it. One that was told to end answers what reached it before.
    pub(super) const fn is_serving(&self) -> bool {
        !matches!(self.phase, Phase::Closing { .. })
    }

    /// Queues what somebody else sent; false when the process is too far behind and it is dropped.
    pub(super) fn offer(&mut self, frame: &Down<'_>) -> bool {
        if self.outflow.queued() > BUSY {
            return false;
        }
        self.tell(frame);
        true
    }

    /// Whether it asks without reading the answers.
    pub(super) const fn is_deaf(&self) -> bool {
        self.outflow.queued() > DEAF
    }

    /// Queues a frame, however much waits: what was not offered is an answer, of which there are only
    /// as many as questions.
    pub(super) fn tell(&mut self, frame: &Down<'_>) {
        let pushed = self.outflow.push(|out| cbor::encode_into(frame, out));
        debug_assert!(pushed.is_ok());
    }

    /// Sends what the socket takes. True when some is left.
    pub(super) fn flush(&mut self, now: Duration) -> Result<bool, FlowError> {
        let sent = self.outflow.flush(&self.socket)?;
        let left = self.outflow.queued() > 0;
        self.unsent_since = match self.unsent_since {
            _ if !left => None,
            Some(since) if sent == 0 => Some(since),
            _ => Some(now),
        };
        Ok(left)
    }

    /// Whether the process takes nothing any more.
    pub(super) fn is_stuck(&self, now: Duration) -> bool {
        self.unsent_since
            .is_some_and(|since| now.saturating_sub(since) > STALL)
    }

    /// A record is on its way to the host; false when too many are.
    pub(super) fn appending(&mut self, head: Head) -> bool {
        let follows = self
            .appends
            .back()
            .is_none_or(|last| head.number > last.number);
        let accepted = follows && self.appends.len() < APPENDS;
        if accepted {
            self.appends.push_back(head);
            self.newest = self.newest.max(head.number);
            self.cuts = self.cuts.saturating_add(1).min(CUTS);
        }
        accepted
    }

    /// A page of its log, which ends with this record, is on its way to it.
    pub(super) fn reading(&mut self, newest: u64) {
        self.newest = self.newest.max(newest);
    }

    /// The newest record that anything it says can depend on.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// The log is cut; false when more was cut than there were records to cut behind.
    pub(super) const fn cutting(&mut self) -> bool {
        let may = self.cuts > 0;
        self.cuts = self.cuts.saturating_sub(1);
        may
    }

    /// The oldest record that is on its way to the host.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.appends.front().map(|head| head.number)
    }

    /// Every record up to `through` is durable. Returns the newest of those that were on their way;
    /// none when the host confirms what was never sent.
    pub(super) fn appended(&mut self, through: u64) -> Option<Head> {
        let newest = self
            .appends
            .iter()
            .rposition(|head| head.number <= through)?;
        self.appends.drain(..=newest).next_back()
    }
}

impl AsFd for Vault {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn vault() -> (Vault, UnixStream) {
        let (ours, process) = UnixStream::pair().expect("pair");
        (
            Vault::new(SpaceId([1; 16]), ours.into(), Duration::MAX),
            process,
        )
    }

    fn head(number: u64) -> Head {
        Head {
            number,
            hash: [0; 32],
        }
    }

    #[test]
    fn a_log_is_not_cut_more_often_than_there_are_records() {
        let (mut vault, _process) = vault();
        assert!(vault.cutting() && vault.cutting());
        assert!(!vault.cutting());

        assert!(vault.appending(head(1)));

        assert!(vault.cutting());
        assert!(!vault.cutting());
    }

    #[test]
    fn nothing_depends_on_more_than_was_read_and_written() {
        let (mut vault, _process) = vault();
        assert_eq!(vault.newest(), 0);

        vault.reading(7);
        assert_eq!(vault.newest(), 7);
        assert!(vault.appending(head(8)));
        // A page that was asked for before.
        vault.reading(7);

        assert_eq!(vault.newest(), 8);
    }

    #[test]
    fn a_process_that_does_not_read_loses_envelopes_but_no_answers() {
        let (mut vault, _process) = vault();
        let mut taken = 0;
        while vault.offer(&Down::Frame(&[1; 60_000])) {
            taken += 1;
        }

        assert!(taken * 60_000 >= BUSY && taken * 60_000 < BUSY + 200_000);
        let before = vault.outflow.queued();
        vault.tell(&Down::Appended(1));
        assert!(vault.outflow.queued() > before);
    }

    #[test]
    fn a_process_that_takes_nothing_for_long_is_stuck() {
        let (mut vault, _process) = vault();
        while vault.offer(&Down::Frame(&[1; 60_000])) {}
        let at = Duration::from_secs;
        assert_eq!(vault.flush(at(0)), Ok(true));
        assert_eq!(vault.flush(at(10)), Ok(true));

        assert!(!vault.is_stuck(at(30)));
        assert!(vault.is_stuck(at(31)));
    }

    #[test]
    fn confirmation_of_several_records_gives_the_newest_of_them() {
        let (mut vault, _process) = vault();
        for number in 1..=4 {
            assert!(vault.appending(head(number)));
        }

        assert_eq!(vault.appended(3), Some(head(3)));
        assert_eq!(vault.appended(3), None);
        assert_eq!(vault.appended(9), Some(head(4)));
        assert_eq!(vault.appended(10), None);
    }

    #[test]
    fn records_must_count_up_and_not_pile_up() {
        let (mut vault, _process) = vault();
        assert!(vault.appending(head(5)));
        assert!(!vault.appending(head(5)));

        let taken = (6..)
            .take_while(|number| vault.appending(head(*number)))
            .count();

        assert_eq!(taken, APPENDS - 1);
    }
}
