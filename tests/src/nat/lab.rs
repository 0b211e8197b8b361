//! The networks: a public one, and two homes behind gates.

use std::fs;

use super::namespace::Namespace;

/// How a gate translates addresses (RFC 4787 has the words).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nat {
    /// Full cone: one mapping for everybody, and everybody may send to it.
    Full,
    /// Port restricted: one mapping for everybody, and only those who were sent to may answer.
    Restricted,
    /// Symmetric: another mapping for each destination, and only that one may answer.
    Symmetric,
}

/// All networks of one scenario.
pub struct Lab {
    /// Where everybody can be reached.
    pub public: Namespace,
    /// Where the nodes are.
    pub homes: [Namespace; 2],
    /// Between them.
    gates: [Namespace; 2],
}

impl Lab {
    /// Address of the bootstrap node.
    pub const BOOTSTRAP: &str = "203.0.113.1";
    /// Address of the relay.
    pub const RELAY: &str = "203.0.113.2";

    /// Makes the networks with these two gates.
    ///
    /// # Panics
    /// When the kernel refuses.
    #[must_use]
    pub fn between(nats: [Nat; 2]) -> Self {
        let public = Namespace::create();
        public.ip("link add public type bridge");
        public.ip("link set public up");
        for address in [Self::BOOTSTRAP, Self::RELAY] {
            public.ip(&format!("address add {address}/24 dev public"));
        }
        let gates = [Namespace::create(), Namespace::create()];
        let homes = [Namespace::create(), Namespace::create()];
        for (number, ((gate, home), nat)) in gates.iter().zip(&homes).zip(nats).enumerate() {
            Self::connect(&public, gate, number);
            Self::furnish(gate, home, number);
            gate.nft(&nat.rules(&Self::home(number)));
        }
        Self {
            public,
            homes,
            gates,
        }
    }

    /// Keeps everything out that comes to one gate from the other, until they are [joined](Self::join).
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn part(&self) {
        let gates = "203.0.113.10, 203.0.113.20";
        for gate in &self.gates {
            gate.nft(&format!(
                "table ip apart {{\nchain inward {{ type filter hook prerouting priority -300;\n\
                 ip saddr {{ {gates} }} drop\n}}\n}}\n"
            ));
        }
    }

    /// Lets through again what [`Self::part`] keeps out.
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn join(&self) {
        for gate in &self.gates {
            gate.nft("delete table ip apart\n");
        }
    }

    /// Address of a node at home.
    #[must_use]
    pub fn home(number: usize) -> String {
        format!("192.168.{}.2", number + 1)
    }

    fn connect(public: &Namespace, gate: &Namespace, number: usize) {
        let peer = gate.name();
        public.ip(&format!(
            "link add gate{number} type veth peer name wan netns {peer}"
        ));
        public.ip(&format!("link set gate{number} master public up"));
        gate.ip(&format!("address add 203.0.113.{}0/24 dev wan", number + 1));
        gate.ip("link set wan up");
    }

    fn furnish(gate: &Namespace, home: &Namespace, number: usize) {
        let (peer, net) = (home.name(), format!("192.168.{}", number + 1));
        gate.ip(&format!(
            "link add lan type veth peer name eth0 netns {peer}"
        ));
        gate.ip(&format!("address add {net}.1/24 dev lan"));
        gate.ip("link set lan up");
        home.ip(&format!("address add {net}.2/24 dev eth0"));
        home.ip("link set eth0 up");
        home.ip(&format!("route add default via {net}.1"));
        gate.within(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
            .expect("a router");
    }
}

impl Nat {
    /// What this translation is to `nftables`. A gate takes nothing that is for itself: an entry for
    /// that would stand in the way of the mapping.
    fn rules(self, home: &str) -> String {
        let (inward, outward) = match self {
            Self::Full => (format!("iifname wan dnat to {home}"), "masquerade"),
            Self::Restricted => (String::new(), "masquerade"),
            Self::Symmetric => (String::new(), "masquerade fully-random"),
        };
        format!(
            "table ip gate {{\n\
             chain inward {{ type nat hook prerouting priority -100;\n{inward}\n}}\n\
             chain outward {{ type nat hook postrouting priority 100;\noifname wan {outward}\n}}\n\
             chain own {{ type filter hook input priority 0;\niifname wan ct state new drop\n}}\n\
             }}\n"
        )
    }
}
