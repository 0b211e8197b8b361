//! Which addresses are believed, announced and dialed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use vettid_wire::limits;

/// Text is not a multiaddr that can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadAddress {
    /// Not a multiaddr, or too long.
    #[error("not a multiaddr of at most 256 characters")]
    Malformed,
    /// It must end in the PeerId.
    #[error("does not end in /p2p/<PeerId>")]
    NoPeer,
    /// What stands where a PeerId must is none, as in an example that was copied.
    #[error("no PeerId follows /p2p/: put the one there that the program shows when it is ready")]
    NotAPeer,
}

/// Whether `text` is a multiaddr to listen on or to announce.
pub fn check(text: &str) -> Result<(), BadAddress> {
    parse(text).map(|_| ())
}

/// Whether `text` is a multiaddr that ends in the PeerId of whom it leads to.
pub fn check_peer(text: &str) -> Result<(), BadAddress> {
    parse_peer(text).map(|_| ())
}

pub(crate) fn parse(text: &str) -> Result<Multiaddr, BadAddress> {
    if text.len() > limits::ADDRESS {
        return Err(BadAddress::Malformed);
    }
    text.parse().map_err(|_| {
        let mut named = text.split("/p2p/").skip(1);
        let is_peer = |rest: &str| {
            rest.split('/')
                .next()
                .is_some_and(|p| p.parse::<PeerId>().is_ok())
        };
        if named.all(is_peer) {
            BadAddress::Malformed
        } else {
            BadAddress::NotAPeer
        }
    })
}

/// Splits an address from the PeerId at its end.
pub(crate) fn parse_peer(text: &str) -> Result<(PeerId, Multiaddr), BadAddress> {
    let mut address = parse(text)?;
    match address.pop() {
        Some(Protocol::P2p(peer)) if !address.is_empty() => Ok((peer, address)),
        _ => Err(BadAddress::NoPeer),
    }
}

/// The address without the PeerId at its end, when it is `peer`.
pub(crate) fn without_peer(mut address: Multiaddr, peer: &PeerId) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(last)) if last == *peer) {
        address.pop();
    }
    address
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The IP address that is dialed first.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    }
}

/// What one subscriber of a provider has: an IPv4 address, or 64 bits of IPv6.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let bits = u128::from(ip) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
    }
}

/// What one organization has at least: 24 bits of IPv4, or 48 of IPv6.
pub(crate) fn neighborhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) >> 8 << 8).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 80 << 80).into()),
    }
}

/// Whether an address may be learned from others, announced to them, and dialed.
pub(crate) fn is_usable(address: &Multiaddr, with_private: bool) -> bool {
    if address.to_vec().len() > limits::ADDRESS || !is_transport(address) {
        return false;
    }
    if with_private {
        return true;
    }
    match address.iter().next() {
        Some(Protocol::Memory(_)) | None => false,
        Some(_) => ip(address).is_none_or(is_public),
    }
}

/// TCP, QUIC or memory, perhaps through a relay; nothing that leads elsewhere.
fn is_transport(address: &Multiaddr) -> bool {
    let mut parts = address.iter().peekable();
    let host = parts.next();
    match host {
        Some(Protocol::Memory(_)) => {}
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_),
        ) => match parts.next() {
            Some(Protocol::Tcp(port)) if port != 0 => {}
            Some(Protocol::Udp(port)) if port != 0 && parts.next() == Some(Protocol::QuicV1) => {}
            _ => return false,
        },
        _ => return false,
    }
    if matches!(parts.peek(), Some(Protocol::P2p(_))) {
        parts.next();
    }
    match parts.next() {
        None => true,
        Some(Protocol::P2pCircuit) => {
            matches!(parts.next(), None | Some(Protocol::P2p(_))) && parts.next().is_none()
        }
        Some(_) => false,
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    // RFC 6598, behind a provider's address translation.
    let is_shared = a == 100 && (64..128).contains(&b);
    // RFC 6890 and 2544: for protocols themselves, and for measurements.
    let is_special = (a, b, c) == (192, 0, 0) || a == 198 && (18..20).contains(&b);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || is_shared
        || is_special)
}

/// What is given out for use everywhere, without what stands for an IPv4 address in it: 6to4 and
/// Teredo.
const fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && second == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

    fn usable(text: &str, with_private: bool) -> bool {
        is_usable(&text.parse().expect("multiaddr"), with_private)
    }

    #[test]
    fn public_addresses_are_usable() {
        for text in [
            "/ip4/8.8.8.8/tcp/4001",
            "/ip4/8.8.8.8/udp/4001/quic-v1",
            "/ip6/2a00::1/tcp/4001",
            "/dns/node.example/tcp/4001",
            &format!("/ip4/8.8.8.8/tcp/4001/p2p/{PEER}"),
            &format!("/ip4/8.8.8.8/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{PEER}"),
        ] {
            assert!(usable(text, false), "{text}");
        }
    }

    #[test]
    fn private_addresses_are_usable_in_a_lab_only() {
        for text in [
            "/ip4/127.0.0.1/tcp/4001",
            "/ip4/10.0.0.1/udp/4001/quic-v1",
            "/ip4/192.168.1.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip4/100.64.0.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/::ffff:127.0.0.1/tcp/1",
            "/ip6/::127.0.0.1/tcp/1",
            "/ip6/64:ff9b::a00:1/tcp/1",
            "/ip6/2002:a00:1::/tcp/1",
            "/ip6/2001::a00:1/tcp/1",
            "/ip6/fec0::1/tcp/1",
            "/ip4/192.0.0.8/tcp/1",
            "/ip4/198.19.0.1/tcp/1",
            "/ip4/240.0.0.1/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/memory/1",
        ] {
            assert!(!usable(text, false), "{text}");
            assert!(usable(text, true), "{text}");
        }
    }

    #[test]
    fn other_transports_and_tails_are_never_usable() {
        for text in [
            "/ip4/8.8.8.8/udp/4001",
            "/ip4/8.8.8.8/tcp/0",
            "/ip4/8.8.8.8/tcp/4001/ws",
            "/unix/run%2Fsocket",
            &format!("/p2p/{PEER}"),
            &format!("/ip4/8.8.8.8/tcp/1/p2p-circuit/p2p/{PEER}/p2p-circuit"),
        ] {
            assert!(!usable(text, true), "{text}");
        }
    }

    #[test]
    fn peer_is_split_from_its_address() {
        let text = format!("/ip4/8.8.8.8/tcp/4001/p2p/{PEER}");
        let (peer, address) = parse_peer(&text).expect("address");

        assert_eq!(address.to_string(), "/ip4/8.8.8.8/tcp/4001");
        assert_eq!(without_peer(text.parse().expect("address"), &peer), address);
        assert_eq!(check_peer("/ip4/8.8.8.8/tcp/1"), Err(BadAddress::NoPeer));
        assert_eq!(check(&"/x".repeat(200)), Err(BadAddress::Malformed));
    }

    #[test]
    fn placeholder_of_a_peer_is_told_from_an_address_that_is_none() {
        for peer in ["<PeerId>", "12D3Koo…", "", "PEER/p2p-circuit"] {
            let text = format!("/ip4/8.8.8.8/tcp/4001/p2p/{peer}");
            assert_eq!(check_peer(&text), Err(BadAddress::NotAPeer), "{text}");
        }
        let text = format!("/ip4/8.8.8/tcp/4001/p2p/{PEER}");
        assert_eq!(check_peer(&text), Err(BadAddress::Malformed));
    }
}
