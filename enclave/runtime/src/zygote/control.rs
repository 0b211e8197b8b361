//! What supervisor and zygote tell each other: messages of eight bytes over a socket that keeps
//! their borders.

use crate::slot::Slot;

/// Bytes of every message: kind, code, slot, number.
pub(crate) const MESSAGE_LEN: usize = 8;

/// Supervisor to zygote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// Fork a vault process; its end of the socket pair comes along.
    Fork(Slot),
    /// Kill the vault process in this slot, if it still runs.
    Kill(Slot),
}

/// How a vault process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(u8),
    /// By this signal.
    Killed(u8),
}

/// Zygote to supervisor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Report {
    /// The vault process in this slot has ended and is reaped.
    Ended(Slot, Ending),
    /// The kernel refused the fork, with this error number.
    Refused(Slot, i32),
    /// The vault process in this slot runs under this process id.
    Started(Slot, i32),
}

const FORK: u8 = 1;
const KILL: u8 = 2;
const STARTED: u8 = 3;
const EXITED: u8 = 4;
const KILLED: u8 = 5;
const REFUSED: u8 = 6;

impl Order {
    pub(crate) fn encode(self) -> [u8; MESSAGE_LEN] {
        match self {
            Self::Fork(slot) => message(FORK, 0, slot, 0),
            Self::Kill(slot) => message(KILL, 0, slot, 0),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match parts(bytes)? {
            (FORK, 0, slot, 0) => Some(Self::Fork(slot)),
            (KILL, 0, slot, 0) => Some(Self::Kill(slot)),
            _ => None,
        }
    }
}

impl Report {
    pub(crate) fn encode(self) -> [u8; MESSAGE_LEN] {
        match self {
            Self::Started(slot, pid) => message(STARTED, 0, slot, pid),
            Self::Ended(slot, Ending::Exited(code)) => message(EXITED, code, slot, 0),
            Self::Ended(slot, Ending::Killed(signal)) => message(KILLED, signal, slot, 0),
            Self::Refused(slot, error) => message(REFUSED, 0, slot, error),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match parts(bytes)? {
            (STARTED, 0, slot, pid) => Some(Self::Started(slot, pid)),
            (EXITED, code, slot, 0) => Some(Self::Ended(slot, Ending::Exited(code))),
            (KILLED, signal, slot, 0) => Some(Self::Ended(slot, Ending::Killed(signal))),
            (REFUSED, 0, slot, error) => Some(Self::Refused(slot, error)),
            _ => None,
        }
    }
}

fn message(kind: u8, code: u8, slot: Slot, number: i32) -> [u8; MESSAGE_LEN] {
    let [s0, s1] = slot.number().to_be_bytes();
    let [n0, n1, n2, n3] = number.to_be_bytes();
    [kind, code, s0, s1, n0, n1, n2, n3]
}

fn parts(bytes: &[u8]) -> Option<(u8, u8, Slot, i32)> {
    let [kind, code, s0, s1, n0, n1, n2, n3] = <[u8; MESSAGE_LEN]>::try_from(bytes).ok()?;
    let slot = Slot::new(u16::from_be_bytes([s0, s1]));
    Some((kind, code, slot, i32::from_be_bytes([n0, n1, n2, n3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_reports_survive_the_way_and_are_not_mistaken_for_each_other() {
        let slot = Slot::new(513);
        for order in [Order::Fork(slot), Order::Kill(slot)] {
            assert_eq!(Order::decode(&order.encode()), Some(order));
            assert_eq!(Report::decode(&order.encode()), None);
        }
        for report in [
            Report::Started(slot, 70_000),
            Report::Ended(slot, Ending::Exited(3)),
            Report::Ended(slot, Ending::Killed(9)),
            Report::Refused(slot, 11),
        ] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
            assert_eq!(Order::decode(&report.encode()), None);
        }
    }

    #[test]
    fn short_long_and_unknown_messages_are_refused() {
        assert_eq!(Order::decode(&[]), None);
        assert_eq!(Order::decode(&[FORK; 9]), None);
        assert_eq!(Report::decode(&[99, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
