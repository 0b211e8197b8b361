//! Whether an address can be listened at, known before anything listens.
//!
//! A TCP listener of the transport shares its address with every other program of the same user that
//! does so too, and each gets a part of the connections: a second host in a place where one runs
//! would not notice. So addresses are tried beforehand with a socket that shares nothing.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, setsockopt, socket, sockopt,
};

use crate::address::{self, BadAddress};
use crate::driver::StartError;

/// Why an address cannot be listened at, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFree {
    /// The machine has no such address.
    #[error("this machine has no such address: choose one that it has")]
    Foreign,
    /// The system does not let this program have it.
    #[error("{0}: choose another address")]
    Refused(io::Error),
    /// Somebody listens there.
    #[error("another program listens there: end it, or choose another address")]
    Taken,
}

impl From<io::Error> for NotFree {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrInUse => Self::Taken,
            ErrorKind::AddrNotAvailable => Self::Foreign,
            _ => Self::Refused(error),
        }
    }
}

/// Where a program listens on its machine. With port 0 the system picks one that is free.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    address: SocketAddr,
    kind: SockType,
    /// With `[::]`: whether the IPv4 addresses are left to others, as the transport does.
    only_six: bool,
}

impl Place {
    /// Where TCP connections are taken; `[::]` is of IPv4 too.
    #[must_use]
    pub const fn tcp(address: SocketAddr) -> Self {
        Self::new(address, SockType::Stream, false)
    }

    /// Where datagrams are taken; `[::]` is of IPv4 too.
    #[must_use]
    pub const fn udp(address: SocketAddr) -> Self {
        Self::new(address, SockType::Datagram, false)
    }

    /// Where a program in Go takes TCP connections: with `0.0.0.0` at all addresses, those of IPv6 too if
    /// the machine has any.
    #[must_use]
    pub fn tcp_of_go(address: SocketAddr) -> Self {
        let six = || {
            socket(
                AddressFamily::Inet6,
                SockType::Stream,
                SockFlag::SOCK_CLOEXEC,
                None,
            )
        };
        if address.ip().is_unspecified() && six().is_ok() {
            return Self::tcp((Ipv6Addr::UNSPECIFIED, address.port()).into());
        }
        Self::tcp(address)
    }

    const fn new(address: SocketAddr, kind: SockType, only_six: bool) -> Self {
        Self {
            address,
            kind,
            only_six,
        }
    }

    /// Where the transport listens for a multiaddr: TCP or QUIC of an IP address. Of others nothing is
    /// known beforehand.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let address: Multiaddr = address::parse(text).ok()?;
        let mut parts = address.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let (port, kind) = match parts.next()? {
            Protocol::Tcp(port) => (port, SockType::Stream),
            Protocol::Udp(port) => (port, SockType::Datagram),
            _ => return None,
        };
        Some(Self::new(SocketAddr::new(ip, port), kind, true))
    }

    /// Whether it could be listened at now.
    pub fn check_free(self) -> Result<(), NotFree> {
        if self.address.port() == 0 {
            return Ok(());
        }
        Ok(self.occupy().map_err(io::Error::from)?)
    }

    /// Whether only one of the two can be listened at.
    fn meets(self, other: Self) -> bool {
        let (one, two) = (self.address, other.address);
        self.kind == other.kind
            && one.port() == two.port()
            && one.port() != 0
            && (one.ip() == two.ip() || self.spans(two) || other.spans(one))
    }

    fn spans(self, other: SocketAddr) -> bool {
        let is_family = self.address.is_ipv4() == other.is_ipv4();
        let is_both = self.address.is_ipv6() && !self.only_six;
        self.address.ip().is_unspecified() && (is_family || is_both)
    }

    /// Takes it as the transport does, but for itself alone, and gives it back.
    fn occupy(self) -> nix::Result<()> {
        let family = match self.address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let probe = socket(family, self.kind, SockFlag::SOCK_CLOEXEC, None)?;
        if self.address.is_ipv6() {
            setsockopt(&probe, sockopt::Ipv6V6Only, &self.only_six)?;
        }
        if self.kind == SockType::Stream {
            // Connections of an earlier listener that are not quite over do not matter.
            setsockopt(&probe, sockopt::ReuseAddr, &true)?;
        }
        match self.address {
            SocketAddr::V4(address) => bind(probe.as_raw_fd(), &SockaddrIn::from(address)),
            SocketAddr::V6(address) => bind(probe.as_raw_fd(), &SockaddrIn6::from(address)),
        }
    }
}

/// A program is to listen at two places of which it can listen at one only.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{one} and {other} are the same address: choose another for one of them")]
pub struct Twins {
    /// What one of them is called in the configuration.
    pub one: String,
    /// What the other is.
    pub other: String,
}

/// Refuses two places of one program of which it can listen at one only; each has a name.
pub fn check_apart<N: Display>(places: &[(N, Place)]) -> Result<(), Twins> {
    let mut rest = places.iter();
    while let Some((one, place)) = rest.next() {
        if let Some((other, _)) = rest.as_slice().iter().find(|(_, p)| p.meets(*place)) {
            return Err(Twins {
                one: one.to_string(),
                other: other.to_string(),
            });
        }
    }
    Ok(())
}

/// Whether a host could listen at all of its addresses, as far as taking them does not show it.
///
/// QUIC's socket shares nothing, and is not tried: while another thread starts a program, the system
/// holds a copy of each open socket for it, and the address of one that was just closed stays taken.
pub(crate) fn check_all(texts: &[String]) -> Result<(), StartError> {
    for text in texts {
        check(text)?;
        let shared = Place::of(text).filter(|place| place.kind == SockType::Stream);
        shared
            .map_or(Ok(()), Place::check_free)
            .map_err(|why| not_free(text, &why))?;
    }
    Ok(())
}

fn check(text: &str) -> Result<(), StartError> {
    let wrong = |why: BadAddress| StartError::Address {
        address: text.to_owned(),
        why,
    };
    address::check(text).map_err(wrong)
}

fn not_free(address: &str, why: &NotFree) -> StartError {
    StartError::Listen {
        address: address.to_owned(),
        cause: why.to_string(),
    }
}

/// An error of the transport's listening. What the system said is at its bottom, as a text.
pub(crate) fn failed(address: &str, error: &(dyn Error + 'static)) -> StartError {
    let place = Place::of(address);
    if let Some(why) = place.and_then(|place| place.check_free().err()) {
        return not_free(address, &why);
    }
    let texts =
        std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    let shown = texts.filter(|text| !text.is_empty()).last();
    StartError::Listen {
        address: address.to_owned(),
        cause: shown.unwrap_or_else(|| "taken, or not one of this machine's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn said(text: &str) -> Option<String> {
        let place = Place::of(text)?;
        place.check_free().err().map(|why| why.to_string())
    }

    fn port(address: io::Result<SocketAddr>) -> u16 {
        address.expect("an address").port()
    }

    #[test]
    fn address_that_somebody_has_is_taken_until_it_is_given_back() {
        let ip = crate::tests::own_ip();
        let tcp = TcpListener::bind((ip, 0)).expect("a port");
        let udp = UdpSocket::bind((ip, 0)).expect("a port");
        let texts = [
            format!("/ip4/{ip}/tcp/{}", port(tcp.local_addr())),
            format!("/ip4/{ip}/udp/{}/quic-v1", port(udp.local_addr())),
        ];

        let taken = Some("another program listens there: end it, or choose another address".into());
        for text in &texts {
            assert_eq!(said(text), taken, "{text}");
        }
        drop((tcp, udp));
        for text in &texts {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_of_ipv4_and_of_ipv6_are_apart() {
        let Ok(six) = TcpListener::bind("[::1]:0") else {
            // A machine without it.
            return;
        };
        let four = TcpListener::bind("0.0.0.0:0").expect("a port");
        let (free, taken) = (port(four.local_addr()), port(six.local_addr()));

        assert_eq!(said(&format!("/ip6/::/tcp/{free}")), None);
        assert!(said(&format!("/ip6/::1/tcp/{taken}")).is_some());
    }

    #[test]
    fn places_that_only_one_can_listen_at_are_twins() {
        let tcp = |text: &str| Place::tcp(text.parse().expect("an address"));
        let of = |text: &str| Place::of(text).expect("a place");
        let told = |one, two| {
            let places = [("one", one), ("other", tcp("127.9.9.9:9")), ("two", two)];
            check_apart(&places).err().map(|twins| twins.to_string())
        };
        for (one, two) in [
            (tcp("127.0.0.1:1"), tcp("127.0.0.1:1")),
            (tcp("127.0.0.1:1"), tcp("0.0.0.0:1")),
            (tcp("[::]:1"), tcp("127.0.0.1:1")),
            (tcp("127.0.0.1:1"), of("/ip4/127.0.0.1/tcp/1")),
            (of("/ip6/::/udp/1/quic-v1"), of("/ip6/::1/udp/1/quic-v1")),
        ] {
            let said = "one and two are the same address: choose another for one of them";
            assert_eq!(told(one, two).as_deref(), Some(said), "{one:?} {two:?}");
            assert_eq!(told(two, one).as_deref(), Some(said), "{two:?} {one:?}");
        }
        for (one, two) in [
            (tcp("127.0.0.1:0"), tcp("127.0.0.1:0")),
            (tcp("127.0.0.1:1"), tcp("127.0.0.1:2")),
            (tcp("127.0.0.1:1"), tcp("127.0.0.2:1")),
            (tcp("[::1]:1"), tcp("0.0.0.0:1")),
            (of("/ip4/0.0.0.0/tcp/1"), of("/ip6/::/tcp/1")),
            (
                of("/ip4/127.0.0.1/tcp/1"),
                of("/ip4/127.0.0.1/udp/1/quic-v1"),
            ),
        ] {
            assert_eq!(told(one, two), None, "{one:?} {two:?}");
        }
    }

    #[test]
    fn address_of_another_machine_is_told_apart() {
        let said = said("/ip4/192.0.2.1/tcp/4001");

        let foreign = "this machine has no such address: choose one that it has";
        assert_eq!(said.as_deref(), Some(foreign));
    }

    #[test]
    fn nothing_is_said_of_what_cannot_be_known() {
        for text in [
            "/ip4/127.0.0.1/tcp/0",
            "/ip4/127.0.0.1/udp/0/quic-v1",
            "/dns4/localhost/tcp/1",
            "/memory/1",
            "none",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
