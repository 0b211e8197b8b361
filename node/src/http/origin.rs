//! The query of a fetch: which node stores the chunk, and how its host is reached.

use vettid_federation::key::parse_peer;
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::limits;

use super::answer::Refused;

/// Largest query, bytes: a node with all its peers and addresses, percent-encoded.
const QUERY: usize = 8 * 1024;

/// The node that a query names, if it names one: `node`, `peer` and `address`, the last two
/// repeatable.
pub(super) fn origin(query: &str) -> Result<Option<HomeNode>, Refused> {
    let wrong = || Refused::malformed("the query takes `node`, `peer` and `address` of one node");
    if query.is_empty() {
        return Ok(None);
    }
    if query.len() > QUERY {
        return Err(wrong());
    }
    let mut node: Option<NodeId> = None;
    let (mut peers, mut addresses) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let value = decode(value).ok_or_else(wrong)?;
        match name {
            "node" if node.is_none() => node = Some(value.parse().map_err(|_| wrong())?),
            "peer" => peers.push(parse_peer(&value).map_err(|_| wrong())?.into()),
            "address" => addresses.push(value),
            _ => return Err(wrong()),
        }
        if addresses.len() > limits::HOME_ADDRESSES {
            return Err(wrong());
        }
    }
    let home = HomeNode {
        node: node.ok_or_else(wrong)?,
        peers,
        addresses,
    };
    if home.is_bounded() {
        Ok(Some(home))
    } else {
        Err(wrong())
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_federation::HostKey;
    use vettid_federation::key::peer_text;

    fn query(extra: &str) -> String {
        let peer = peer_text(&HostKey::from_seed([1; 32]).peer());
        let node = NodeId([2; 32]);
        format!("node={node}&peer={peer}&address=%2Fip4%2F192.0.2.1%2Ftcp%2f4001{extra}")
    }

    #[test]
    fn node_with_its_peer_and_addresses_is_read() {
        let read = origin(&query("&address=/dns/b/tcp/1"))
            .expect("read")
            .expect("named");

        assert_eq!(read.node, NodeId([2; 32]));
        assert_eq!(read.peers.len(), 1);
        assert_eq!(read.addresses, ["/ip4/192.0.2.1/tcp/4001", "/dns/b/tcp/1"]);
        assert_eq!(origin("").map(|read| read.is_none()), Ok(true));
    }

    #[test]
    fn everything_else_is_refused() {
        let many = "&address=a".repeat(limits::HOME_ADDRESSES);
        let long = format!("&address={}", "a".repeat(limits::ADDRESS + 1));
        for extra in [
            "&x=1",
            "&node=node1",
            "&peer=p",
            "&address=%2",
            "&address=%zz",
            "&",
        ] {
            assert!(origin(&query(extra)).is_err(), "{extra}");
        }
        assert!(origin(&query(&many)).is_err());
        assert!(origin(&query(&long)).is_err());
        assert!(origin("peer=p").is_err());
        assert!(origin(&"a".repeat(QUERY + 1)).is_err());
    }
}
