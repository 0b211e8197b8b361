//! Whether an address can be listened on, known before anything listens.
//!
//! A TCP listener of the transport shares its address with every other program of the same user that
//! does so too, and each gets a part of the connections: a second host in a place where one runs
//! would not notice. So addresses are tried beforehand with a socket that shares nothing.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, setsockopt, socket, sockopt,
};

use crate::address::{self, BadAddress};
use crate::driver::StartError;

/// Why an address cannot be listened on, and what to do.
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

/// Whether the transport could listen on an address: TCP or QUIC of an IP address. Of others nothing
/// is known beforehand.
pub fn check_free(text: &str) -> Result<(), NotFree> {
    match address::parse(text).as_ref().map(place) {
        Ok(Some((address, kind))) => Ok(occupy(address, kind).map_err(io::Error::from)?),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Whether a host could listen on all of its addresses.
pub(crate) fn check_all_free(texts: &[String]) -> Result<(), StartError> {
    for text in texts {
        check(text)?;
        check_free(text).map_err(|why| StartError::Listen {
            address: text.clone(),
            cause: why.to_string(),
        })?;
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

/// What is at the bottom of an error of the transport, which shows nothing of it.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let shown = causes
        .map(ToString::to_string)
        .filter(|text| !text.is_empty());
    shown
        .last()
        .unwrap_or_else(|| "taken, or not one of this machine's".to_owned())
}

/// Address and kind of the socket that listens; none where the system picks a port.
fn place(address: &Multiaddr) -> Option<(SocketAddr, SockType)> {
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
    (port != 0).then_some((SocketAddr::new(ip, port), kind))
}

/// Takes an address as the transport does, but for itself alone, and gives it back.
fn occupy(address: SocketAddr, kind: SockType) -> nix::Result<()> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let probe = socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    if address.is_ipv6() {
        setsockopt(&probe, sockopt::Ipv6V6Only, &true)?;
    }
    if kind == SockType::Stream {
        // Connections of an earlier listener that are not quite over do not matter.
        setsockopt(&probe, sockopt::ReuseAddr, &true)?;
    }
    match address {
        SocketAddr::V4(address) => bind(probe.as_raw_fd(), &SockaddrIn::from(address)),
        SocketAddr::V6(address) => bind(probe.as_raw_fd(), &SockaddrIn6::from(address)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn said(text: &str) -> Option<String> {
        check_free(text).err().map(|why| why.to_string())
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
