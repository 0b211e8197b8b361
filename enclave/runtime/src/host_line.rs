//! The host's connection before the enclave serves: one question at a time, and a way through it to
//! the key service.
//!
//! Everything here waits, all together no longer than 45 s, which is less than the host waits for
//! `Ready`; whatever comes out of turn ends the boot. The host may carry, delay or drop what passes, as
//! on any network.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use vettid_wire::link::handover::{LaterImage, Others};
use vettid_wire::link::sealing::{Access, FromEnclave as Say, ToEnclave};
use vettid_wire::link::{FromEnclave, FromHost};
use vettid_wire::{cbor, limits};

use crate::flow::{self, FlowError, Inflow, Outflow};

/// All that is said before the enclave serves is said within this time.
const PATIENCE: Duration = Duration::from_secs(45);

/// Why nothing more is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// The connection broke off or a frame was too long.
    #[error("host: {0}")]
    Flow(#[from] FlowError),
    /// The host said something that was not asked.
    #[error("host spoke out of turn")]
    OutOfTurn,
    /// The host did not answer in time.
    #[error("host did not answer in time")]
    Silent,
    /// More came from the key service than it has to say.
    #[error("key service does not stop talking")]
    TooMuch,
}

/// The host's connection.
#[derive(Debug)]
pub struct HostLine<'a> {
    link: &'a OwnedFd,
    inflow: &'a mut Inflow,
    until: Instant,
    /// Bytes that the key service has sent.
    received: usize,
}

/// What the host wants of a release.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// That it serves, with what there is of others.
    Serve(Others),
    /// That it says what earlier ones seal to, and ends.
    Offer,
    /// Nothing.
    Nothing,
}

/// A connection to the key service through the host.
#[derive(Debug)]
pub struct Dialed<'l, 'a> {
    line: &'l mut HostLine<'a>,
    /// What was heard and not read yet.
    pending: Vec<u8>,
    fault: Option<LineError>,
}

impl<'a> HostLine<'a> {
    /// Speaks over `link`, on which `inflow` reads.
    pub(crate) fn new(link: &'a OwnedFd, inflow: &'a mut Inflow) -> Self {
        Self::until(link, inflow, Instant::now() + PATIENCE)
    }

    fn until(link: &'a OwnedFd, inflow: &'a mut Inflow, until: Instant) -> Self {
        Self {
            link,
            inflow,
            until,
            received: 0,
        }
    }

    /// How the key service is reached, and what was sealed for `release`; nothing when the host gives no access to one.
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn access(&mut self, release: u32) -> Result<Option<Access>, LineError> {
        self.say(Say::Ask(release))?;
        match self.hear()? {
            ToEnclave::Access(access) => Ok(access),
            _ => Err(LineError::OutOfTurn),
        }
    }

    /// What there is of other releases, for this one.
    pub(crate) fn others(&mut self, release: u32) -> Result<Wanted, LineError> {
        self.say(Say::Others(release))?;
        match self.answer()? {
            ToEnclave::Others(Some(others)) => Ok(Wanted::Serve(others)),
            ToEnclave::Others(None) => Ok(Wanted::Nothing),
            ToEnclave::MakeOffer => Ok(Wanted::Offer),
            _ => Err(LineError::OutOfTurn),
        }
    }

    /// Has the host open a connection to the key service.
    ///
    /// # Errors
    /// When the host is gone.
    pub fn dial(&mut self) -> Result<Dialed<'_, 'a>, LineError> {
        self.say(Say::Dial)?;
        Ok(Dialed {
            line: self,
            pending: Vec::new(),
            fault: None,
        })
    }

    /// Has the host keep a sealed root; whether it is durable.
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn keep(&mut self, sealed: Vec<u8>) -> Result<bool, LineError> {
        self.have_kept(Say::Keep(sealed))
    }

    /// Has the host keep what was taken over of earlier releases; whether it is durable.
    pub(crate) fn inherit(&mut self, inheritance: Vec<u8>) -> Result<bool, LineError> {
        self.have_kept(Say::Inherit(inheritance))
    }

    /// Has the host keep what a later release needs; whether it is durable.
    pub(crate) fn hand_over(
        &mut self,
        to: LaterImage,
        handover: Vec<u8>,
    ) -> Result<bool, LineError> {
        self.have_kept(Say::HandOver { to, handover })
    }

    /// Has the host keep what earlier releases seal to; whether it is durable.
    pub(crate) fn offer(&mut self, release: u32, offer: Vec<u8>) -> Result<bool, LineError> {
        self.have_kept(Say::Offer { release, offer })
    }

    fn have_kept(&mut self, what: Say) -> Result<bool, LineError> {
        self.say(what)?;
        match self.answer()? {
            ToEnclave::Kept(durable) => Ok(durable),
            _ => Err(LineError::OutOfTurn),
        }
    }

    /// The next that is not of the key service, which may still be hanging up.
    fn answer(&mut self) -> Result<ToEnclave, LineError> {
        loop {
            match self.hear()? {
                ToEnclave::Bytes(_) => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Tells the host why this enclave does not serve, if it still hears.
    pub(crate) fn fail(&mut self, why: &str) {
        let short: String = why.chars().take(limits::SEALING_FAILURE / 4).collect();
        let _ = self.say(Say::Failed(short));
    }

    fn say(&mut self, what: Say) -> Result<(), LineError> {
        let frame = FromEnclave::Sealing(what);
        let mut outflow = Outflow::new(limits::LINK_FRAME);
        outflow.push(|out| cbor::encode_into(&frame, out))?;
        loop {
            outflow.flush(self.link)?;
            if outflow.queued() == 0 {
                return Ok(());
            }
            self.wait(PollFlags::POLLOUT)?;
        }
    }

    fn hear(&mut self) -> Result<ToEnclave, LineError> {
        loop {
            if let Some(frame) = self.inflow.next_frame()? {
                let Ok(FromHost::Sealing(heard)) = cbor::decode_exact(frame) else {
                    return Err(LineError::OutOfTurn);
                };
                if let ToEnclave::Bytes(bytes) = &heard {
                    self.received = self.received.saturating_add(bytes.len());
                }
                if self.received > limits::SEALING_CONNECTION {
                    return Err(LineError::TooMuch);
                }
                return Ok(heard);
            }
            self.wait(PollFlags::POLLIN)?;
            self.inflow.fill(self.link)?;
        }
    }

    fn wait(&self, flags: PollFlags) -> Result<(), LineError> {
        match flow::wait(self.link, flags, self.until)? {
            true => Ok(()),
            false => Err(LineError::Silent),
        }
    }
}

impl Dialed<'_, '_> {
    /// What went wrong with the host itself, if that ended the connection.
    #[must_use]
    pub const fn fault(&self) -> Option<LineError> {
        self.fault
    }

    fn hear(&mut self) -> Result<Vec<u8>, LineError> {
        match self.line.hear()? {
            ToEnclave::Bytes(bytes) => Ok(bytes),
            _ => Err(LineError::OutOfTurn),
        }
    }

    fn noted(&mut self, fault: LineError) -> io::Error {
        self.fault = Some(fault);
        io::ErrorKind::ConnectionAborted.into()
    }
}

impl Read for Dialed<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pending = self.hear().map_err(|fault| self.noted(fault))?;
        }
        let count = (&*self.pending).read(out)?;
        self.pending.drain(..count);
        Ok(count)
    }
}

impl Write for Dialed<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(limits::SEALING_PIECE);
        let piece = bytes.get(..count).unwrap_or_default().to_vec();
        let said = self.line.say(Say::Bytes(piece));
        said.map_err(|fault| self.noted(fault))?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use vettid_wire::link;

    use super::*;

    /// A host that answers each question with what `answer` says, and the line to it.
    fn at_host<T>(
        answer: impl Fn(Say) -> Vec<FromHost> + Send,
        speak: impl FnOnce(&mut HostLine<'_>) -> T,
    ) -> T {
        let (ours, mut theirs) = UnixStream::pair().expect("pair");
        let ours = OwnedFd::from(ours);
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut received, mut piece) = (Vec::new(), [0; 4096]);
                loop {
                    let count = theirs.read(&mut piece).unwrap_or(0);
                    if count == 0 {
                        return;
                    }
                    received.extend_from_slice(&piece[..count]);
                    while let Some((frame, length)) = link::read(&received).expect("a frame") {
                        received.drain(..length);
                        let FromEnclave::Sealing(said) = frame else {
                            panic!("{frame:?}");
                        };
                        let mut out = Vec::new();
                        for frame in answer(said) {
                            assert!(link::write(&frame, &mut out));
                        }
                        // The line may have had enough.
                        let _ = theirs.write_all(&out);
                    }
                }
            });
            let mut inflow = Inflow::new(limits::LINK_FRAME);
            let said = speak(&mut HostLine::new(&ours, &mut inflow));
            drop(ours);
            said
        })
    }

    fn bytes(bytes: &[u8]) -> FromHost {
        FromHost::Sealing(ToEnclave::Bytes(bytes.to_vec()))
    }

    #[test]
    fn bytes_pass_both_ways_in_pieces_until_the_other_end_hangs_up() {
        let echo = |ask| match ask {
            Say::Bytes(sent) if sent == b"end" => vec![bytes(b"")],
            Say::Bytes(sent) => vec![bytes(&sent)],
            _ => vec![],
        };
        let length = limits::SEALING_PIECE * 2 + 5;
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();

        let mut echoed = vec![0; sent.len()];
        let ended = at_host(echo, |line| {
            let mut line = line.dial().expect("dialed");
            line.write_all(&sent).expect("sent");
            line.read_exact(&mut echoed).expect("echoed");
            line.write_all(b"end").expect("sent");
            line.read(&mut [0; 10]).expect("an end")
        });

        assert_eq!((echoed, ended), (sent, 0));
    }

    #[test]
    fn what_was_not_asked_ends_the_boot() {
        let kept = || FromHost::Sealing(ToEnclave::Kept(true));
        for wrong in [kept(), bytes(b"x"), FromHost::Ping(1)] {
            let access = at_host(|_| vec![wrong.clone()], |line| line.access(1));
            assert_eq!(access, Err(LineError::OutOfTurn), "{wrong:?}");
        }
        let read = at_host(|_| vec![kept()], fault);
        assert_eq!(read, Some(LineError::OutOfTurn));
    }

    /// What ends a connection that is read as long as it goes on.
    fn fault(line: &mut HostLine<'_>) -> Option<LineError> {
        let mut dialed = line.dial().expect("dialed");
        let read = dialed.read_to_end(&mut Vec::new());
        assert!(read.is_err(), "{read:?}");
        dialed.fault()
    }

    #[test]
    fn host_that_sends_without_end_is_silent_or_hangs_up_is_left() {
        let half = limits::SEALING_CONNECTION / 2;
        let flood = |_| vec![bytes(&vec![0; half + 1]), bytes(&vec![0; half])];
        let flooded = at_host(flood, fault);
        assert_eq!(flooded, Some(LineError::TooMuch));

        let (ours, _theirs) = UnixStream::pair().expect("pair");
        let (ours, mut inflow) = (OwnedFd::from(ours), Inflow::new(limits::LINK_FRAME));
        let silent = HostLine::until(&ours, &mut inflow, Instant::now()).access(1);
        assert_eq!(silent, Err(LineError::Silent));

        let (ours, theirs) = UnixStream::pair().expect("pair");
        drop(theirs);
        let (ours, mut inflow) = (OwnedFd::from(ours), Inflow::new(limits::LINK_FRAME));
        let gone = HostLine::new(&ours, &mut inflow).access(1);
        assert_eq!(gone, Err(LineError::Flow(FlowError::Closed)));
    }

    #[test]
    fn keeping_is_answered_behind_what_is_left_of_the_connection() {
        let answers = |_| vec![bytes(b""), FromHost::Sealing(ToEnclave::Kept(false))];

        let durable = at_host(answers, |line| line.keep(vec![1, 2, 3]));

        assert_eq!(durable, Ok(false));
    }
}
