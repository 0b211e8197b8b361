//! A vault process's end of its lane: it sends without waiting, and waits where an answer is owed.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vettid_wire::cbor;
use vettid_wire::id::DeliveryId;
use vettid_wire::link::LogPage;
use vettid_wire::peer::Delivered;
use vettid_wire::request::Head;

use crate::flow::{FlowError, Inflow, Outflow};
use crate::lane::{Down, EvidenceAnswer, LANE_FRAME, Opening, Place, Up};
use crate::vault_exit::VaultExit;
use crate::vault_process::read_ahead::ReadAhead;

/// Unsent bytes above which they are sent before the batch is done.
const BATCH: usize = 256 * 1024;

/// Bytes of envelopes and deliveries that may wait while an answer is awaited. More envelopes are
/// dropped, which ends their sessions and nothing else; more deliveries come again later.
const WAITING: usize = 4 * 1024 * 1024;

/// What came while something else was done, in order.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// An envelope of a device.
    Envelope(Vec<u8>),
    /// The network's policy is in another epoch.
    Epoch(u64),
    /// Evidence that a session asked for.
    Evidence(u32, Option<EvidenceAnswer>),
    /// Not everything that this vault has sent was stored.
    HandOn,
    /// From another vault, under its ticket.
    Inbound(u64, DeliveryId, Vec<u8>),
    /// Where this node is now.
    Place(Place),
    /// What became of something that this vault sent, under its ticket.
    Settled(u64, DeliveryId, Delivered),
    /// There was no room for what this ticket is for.
    TurnedAway(u64),
}

impl Arrival {
    /// Bytes that count as waiting.
    const fn size(&self) -> usize {
        match self {
            Self::Envelope(bytes) | Self::Inbound(_, _, bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Answers that may be outstanding unawaited; then no chunk is stored until one has come.
const GIVEN_UP: u8 = 2;

/// The answer that is awaited.
#[derive(Debug)]
enum Awaited {
    Kdf,
    LogPage(Option<LogPage>),
    Stored(bool),
}

/// The vault process's end.
#[derive(Debug)]
pub(crate) struct LaneEnd {
    socket: OwnedFd,
    inflow: Inflow,
    outflow: Outflow,
    opening: Option<Box<Opening>>,
    arrivals: VecDeque<Arrival>,
    waiting: usize,
    awaited: Option<Awaited>,
    ahead: ReadAhead,
    /// Chunks whose answers were not waited for and have not come.
    given_up: u8,
    appended: u64,
    durable: u64,
    told_to_close: bool,
    refused: bool,
}

impl LaneEnd {
    pub(crate) const fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            inflow: Inflow::new(LANE_FRAME),
            outflow: Outflow::new(LANE_FRAME),
            opening: None,
            arrivals: VecDeque::new(),
            waiting: 0,
            awaited: None,
            ahead: ReadAhead::new(),
            given_up: 0,
            appended: 0,
            durable: 0,
            told_to_close: false,
            refused: false,
        }
    }

    /// Waits for the first frame.
    pub(crate) fn opening(&mut self) -> Result<Opening, VaultExit> {
        loop {
            if let Some(opening) = self.opening.take() {
                return Ok(*opening);
            }
            self.wait()?;
        }
    }

    /// The next thing to do, if it is there already.
    pub(crate) fn next_arrival(&mut self) -> Option<Arrival> {
        let arrival = self.arrivals.pop_front()?;
        self.waiting = self.waiting.saturating_sub(arrival.size());
        Some(arrival)
    }

    /// Sends all that is queued, then waits until something comes. False when nothing came within
    /// [`crate::lane::PATIENCE`], which is that of the socket.
    pub(crate) fn wait(&mut self) -> Result<bool, VaultExit> {
        self.flush()?;
        let filled = self.inflow.fill_patiently(&self.socket).map_err(exit)?;
        self.take(filled)
    }

    /// The same for a longer or shorter time.
    pub(crate) fn wait_for(&mut self, time: Duration) -> Result<bool, VaultExit> {
        self.flush()?;
        if !self.poll(PollFlags::POLLIN, Some(time))? {
            return Ok(false);
        }
        let filled = self.inflow.fill(&self.socket).map_err(exit)?;
        self.take(filled)
    }

    /// Queues a frame; sends when there is a batch.
    pub(crate) fn send(&mut self, frame: &Up<'_>) -> Result<(), VaultExit> {
        self.outflow
            .push(|out| cbor::encode_into(frame, out))
            .map_err(|_| VaultExit::Damaged)?;
        if self.outflow.queued() > BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Hands a record on; the process ends if it is not stored.
    pub(crate) fn append(
        &mut self,
        head: Head,
        checkpoint: bool,
        record: &[u8],
    ) -> Result<(), VaultExit> {
        self.appended = head.number;
        self.send(&Up::Append {
            head,
            checkpoint,
            record,
        })
    }

    /// Waits until every record that was handed on is durable.
    pub(crate) fn settle(&mut self) -> Result<(), VaultExit> {
        while self.durable < self.appended {
            self.wait()?;
        }
        Ok(())
    }

    /// Reads a page of the own log; none when the host cannot.
    pub(crate) fn read_log(&mut self, from: u64) -> Result<Option<LogPage>, VaultExit> {
        match self.ask(&Up::ReadLog(from))? {
            Awaited::LogPage(page) => Ok(page),
            _ => Err(VaultExit::NoFrame),
        }
    }

    /// Reads a chunk of the own snapshot, of `count` chunks; none when it is not there. The next
    /// ones are asked for before they are needed, so that they come while this one is opened.
    pub(crate) fn fetch_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        count: u32,
    ) -> Result<Option<Vec<u8>>, VaultExit> {
        if !self.ahead.continues(snapshot, index) {
            // Answers that are still due would be more questions than one process may have open.
            while self.ahead.is_due() {
                self.wait()?;
            }
            self.ahead.begin(snapshot, index);
        }
        while let Some(index) = self.ahead.next_to_ask(index, count) {
            self.send(&Up::GetChunk { snapshot, index })?;
        }
        loop {
            if let Some(chunk) = self.ahead.take(index) {
                return Ok(chunk);
            }
            self.wait()?;
        }
    }

    /// Stores a chunk of the own snapshot; whether it is durable. An answer that takes longer than
    /// `patience` is not waited for.
    pub(crate) fn put_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<bool, VaultExit> {
        if self.given_up >= GIVEN_UP {
            return Ok(false);
        }
        self.send(&Up::PutChunk {
            snapshot,
            index,
            bytes,
        })?;
        self.flush()?;
        let deadline = Instant::now() + patience;
        loop {
            match self.awaited.take() {
                Some(Awaited::Stored(durable)) => return Ok(durable),
                Some(_) => return Err(VaultExit::NoFrame),
                None => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.given_up = self.given_up.saturating_add(1);
                return Ok(false);
            }
            self.wait_for(left)?;
        }
    }

    /// Waits for its turn to hash.
    pub(crate) fn ask_kdf(&mut self) -> Result<(), VaultExit> {
        match self.ask(&Up::AskKdf)? {
            Awaited::Kdf => Ok(()),
            _ => Err(VaultExit::NoFrame),
        }
    }

    /// Whether the process was told to close.
    pub(crate) const fn is_told_to_close(&self) -> bool {
        self.told_to_close
    }

    /// Gives buffers back while nothing is going on.
    pub(crate) fn release(&mut self) {
        self.inflow.release();
        self.outflow.release();
        if self.arrivals.is_empty() {
            self.arrivals = VecDeque::new();
        }
    }

    /// Sends everything, however long it takes.
    pub(crate) fn flush(&mut self) -> Result<(), VaultExit> {
        loop {
            self.outflow.flush(&self.socket).map_err(exit)?;
            if self.outflow.queued() == 0 {
                return Ok(());
            }
            self.poll(PollFlags::POLLOUT, None)?;
        }
    }

    fn ask(&mut self, question: &Up<'_>) -> Result<Awaited, VaultExit> {
        self.send(question)?;
        loop {
            if let Some(answer) = self.awaited.take() {
                return Ok(answer);
            }
            self.wait()?;
        }
    }

    fn poll(&self, flags: PollFlags, time: Option<Duration>) -> Result<bool, VaultExit> {
        let time = time.map_or(PollTimeout::NONE, |time| {
            PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)
        });
        let mut waits = [PollFd::new(self.socket.as_fd(), flags)];
        match poll(&mut waits, time) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(true),
            Err(_) => Err(VaultExit::Told),
        }
    }

    /// Takes what has come. False when nothing has.
    fn take(&mut self, filled: usize) -> Result<bool, VaultExit> {
        if filled == 0 {
            return Ok(false);
        }
        let mut inflow = std::mem::replace(&mut self.inflow, Inflow::new(LANE_FRAME));
        let taken = self.take_all(&mut inflow);
        self.inflow = inflow;
        taken.map(|()| true)
    }

    const fn has_room(&self, bytes: &[u8]) -> bool {
        self.waiting.saturating_add(bytes.len()) <= WAITING
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.waiting = self.waiting.saturating_add(arrival.size());
        self.arrivals.push_back(arrival);
    }

    fn take_all(&mut self, inflow: &mut Inflow) -> Result<(), VaultExit> {
        while let Some(frame) = inflow.next_frame().map_err(exit)? {
            match cbor::decode_exact(frame).map_err(|_| VaultExit::NoFrame)? {
                Down::Frame(envelope) => {
                    if self.has_room(envelope) {
                        self.arrive(Arrival::Envelope(envelope.to_vec()));
                    }
                }
                Down::Inbound {
                    ticket,
                    delivery,
                    body,
                } => {
                    let arrival = if self.has_room(body) {
                        Arrival::Inbound(ticket, delivery, body.to_vec())
                    } else {
                        Arrival::TurnedAway(ticket)
                    };
                    self.arrive(arrival);
                }
                Down::Settled {
                    ticket,
                    delivery,
                    outcome,
                } => self.arrive(Arrival::Settled(ticket, delivery, outcome)),
                Down::Place(place) => self.arrive(Arrival::Place(place)),
                Down::Epoch(epoch) => self.arrive(Arrival::Epoch(epoch)),
                Down::HandOn => self.arrive(Arrival::HandOn),
                Down::Evidence { ticket, answer } => {
                    self.arrive(Arrival::Evidence(ticket, answer));
                }
                Down::Appended(through) => self.durable = self.durable.max(through),
                Down::AppendRefused => self.refused = true,
                Down::LogPage(page) => self.awaited = Some(Awaited::LogPage(page)),
                Down::Chunk {
                    snapshot,
                    index,
                    bytes,
                } => self.ahead.arrived(snapshot, index, bytes),
                // Answers come in the order of their questions.
                Down::Stored(_) if self.given_up > 0 => {
                    self.given_up = self.given_up.saturating_sub(1);
                }
                Down::Stored(durable) => self.awaited = Some(Awaited::Stored(durable)),
                Down::KdfGranted => self.awaited = Some(Awaited::Kdf),
                Down::Open(opening) => self.opening = Some(opening),
                Down::Close => self.told_to_close = true,
            }
        }
        // A record that is not stored takes everything with it, at once.
        if self.refused {
            Err(VaultExit::AppendRefused)
        } else {
            Ok(())
        }
    }
}

/// A socket that is closed means that the supervisor is gone.
const fn exit(error: FlowError) -> VaultExit {
    match error {
        FlowError::Closed => VaultExit::Told,
        FlowError::Oversize { .. } => VaultExit::NoFrame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The supervisor's end, in the test's hands.
    struct Supervisor {
        socket: UnixStream,
        inflow: Inflow,
    }

    impl Supervisor {
        fn say(&self, frame: &Down<'_>) {
            let mut outflow = Outflow::new(LANE_FRAME);
            outflow
                .push(|out| cbor::encode_into(frame, out))
                .expect("push");
            outflow.flush(&self.socket).expect("flush");
        }

        fn hears(&mut self) -> Vec<String> {
            self.inflow.fill(&self.socket).expect("fill");
            let mut heard = Vec::new();
            while let Some(frame) = self.inflow.next_frame().expect("frame") {
                let frame: Up<'_> = cbor::decode_exact(frame).expect("decodes");
                heard.push(format!("{frame:?}"));
            }
            heard
        }
    }

    fn lane() -> (LaneEnd, Supervisor) {
        let (ours, socket) = UnixStream::pair().expect("pair");
        ours.set_read_timeout(Some(Duration::from_millis(20)))
            .expect("timeout");
        (
            LaneEnd::new(ours.into()),
            Supervisor {
                socket,
                inflow: Inflow::new(LANE_FRAME),
            },
        )
    }

    fn head(number: u64) -> Head {
        Head {
            number,
            hash: [0; 32],
        }
    }

    #[test]
    fn envelopes_that_come_before_an_answer_wait_in_order() {
        let (mut lane, mut supervisor) = lane();
        supervisor.say(&Down::Frame(b"one"));
        supervisor.say(&Down::Frame(b"two"));
        supervisor.say(&Down::Stored(true));

        assert_eq!(lane.put_chunk(3, 0, &[], HOUR), Ok(true));

        assert_eq!(
            supervisor.hears(),
            ["PutChunk { snapshot: 3, index: 0, bytes: [] }"]
        );
        for expected in [b"one", b"two"] {
            assert!(matches!(lane.next_arrival(), Some(Arrival::Envelope(e)) if e == expected));
        }
        assert!(lane.next_arrival().is_none());
    }

    #[test]
    fn answers_that_take_too_long_are_not_mistaken_for_later_ones() {
        let (mut lane, mut supervisor) = lane();
        for _ in 0..GIVEN_UP {
            assert_eq!(lane.put_chunk(3, 0, &[], Duration::ZERO), Ok(false));
        }
        assert_eq!(supervisor.hears().len(), usize::from(GIVEN_UP));
        assert_eq!(lane.put_chunk(3, 0, &[], HOUR), Ok(false));

        for durable in [true, true, false] {
            supervisor.say(&Down::Stored(durable));
        }
        assert_eq!(lane.wait(), Ok(true));
        assert_eq!(lane.put_chunk(4, 0, &[], HOUR), Ok(false));
    }

    #[expect(clippy::disallowed_methods, reason = "nothing forks here")]
    #[test]
    fn chunks_are_read_in_order_whatever_order_they_come_in() {
        let (mut lane, mut supervisor) = lane();
        let host = std::thread::spawn(move || {
            let mut asked = Vec::new();
            while asked.len() < 4 {
                asked.extend(supervisor.hears());
            }
            for index in (0..4_u8).rev() {
                supervisor.say(&Down::Chunk {
                    snapshot: 3,
                    index: index.into(),
                    bytes: (index != 2).then_some(&[index]),
                });
            }
            (asked, supervisor)
        });

        let read: Vec<_> = (0..4).map(|index| lane.fetch_chunk(3, index, 4)).collect();

        assert_eq!(
            read,
            [
                Ok(Some(vec![0])),
                Ok(Some(vec![1])),
                Ok(None),
                Ok(Some(vec![3]))
            ]
        );
        let (asked, _supervisor) = host.join().expect("asked");
        let expected = (0..4).map(|index| format!("GetChunk {{ snapshot: 3, index: {index} }}"));
        assert_eq!(asked, expected.collect::<Vec<_>>());
    }

    #[test]
    fn settling_waits_for_the_last_record_and_not_for_less() {
        let (mut lane, supervisor) = lane();
        lane.append(head(7), false, b"a").expect("append");
        lane.append(head(8), false, b"b").expect("append");
        supervisor.say(&Down::Appended(7));
        supervisor.say(&Down::Frame(b"x"));
        lane.wait().expect("wait");
        assert_eq!((lane.appended, lane.durable), (8, 7));

        supervisor.say(&Down::Appended(8));

        assert_eq!(lane.settle(), Ok(()));
    }

    #[test]
    fn a_refused_record_ends_whatever_is_waited_for() {
        let (mut lane, supervisor) = lane();
        lane.append(head(1), true, b"a").expect("append");
        supervisor.say(&Down::AppendRefused);

        assert_eq!(lane.settle(), Err(VaultExit::AppendRefused));
    }

    #[test]
    fn an_answer_of_another_kind_is_no_answer() {
        let (mut lane, supervisor) = lane();
        supervisor.say(&Down::Stored(true));

        assert_eq!(lane.read_log(0), Err(VaultExit::NoFrame));
    }

    #[test]
    fn a_flood_while_an_answer_is_awaited_is_bounded() {
        let (mut lane, supervisor) = lane();
        for _ in 0..100 {
            supervisor.say(&Down::Frame(&[1; 60_000]));
            lane.wait().expect("wait");
        }

        assert!(lane.waiting <= WAITING);
        assert!(lane.arrivals.len() < 80);
    }

    #[test]
    fn a_flood_of_deliveries_is_turned_away_by_its_tickets() {
        let (mut lane, supervisor) = lane();
        for ticket in 1..=80 {
            supervisor.say(&Down::Inbound {
                ticket,
                delivery: DeliveryId([1; 16]),
                body: &[1; 60_000],
            });
            lane.wait().expect("wait");
        }

        let (mut taken, mut turned_away) = (0, Vec::new());
        while let Some(arrival) = lane.next_arrival() {
            match arrival {
                Arrival::Inbound(..) => taken += 1,
                Arrival::TurnedAway(ticket) => turned_away.push(ticket),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, WAITING / 60_000);
        assert_eq!(turned_away, (70..=80).collect::<Vec<u64>>());
        assert_eq!(lane.waiting, 0);
    }

    #[test]
    fn waiting_ends_with_its_time_and_with_the_supervisor() {
        let (mut lane, supervisor) = lane();
        assert_eq!(lane.wait_for(Duration::from_millis(1)), Ok(false));
        assert_eq!(lane.wait(), Ok(false));

        drop(supervisor);

        assert_eq!(lane.wait(), Err(VaultExit::Told));
    }
}
