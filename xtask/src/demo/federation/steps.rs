//! The steps of the second part, in order.

use super::{bond, trials};
use crate::demo::scene::Scene;
use crate::demo::step::Step;

/// Told after the story of one node.
pub(crate) const STEPS: &[Step<Scene>] = &[
    Step {
        name: "network",
        words: "Two people found a network: neither of them can sign its file alone",
        run: bond::found,
    },
    Step {
        name: "introducers",
        words: "Start a bootstrap node and a relay; a second signed file names them",
        run: bond::introduce,
    },
    Step {
        name: "two-nodes",
        words: "Two operators start a node each; the enclaves admit each other",
        run: bond::nodes,
    },
    Step {
        name: "two-owners",
        words: "An owner enrolls at each node",
        run: bond::owners,
    },
    Step {
        name: "connect",
        words: "Cleo invites Dan; before both agree nothing can be said",
        run: bond::connect,
    },
    Step {
        name: "safety-code",
        words: "They compare six digits, which are the same where nobody is in between",
        run: bond::compare,
    },
    Step {
        name: "approve",
        words: "Both approve",
        run: bond::approve,
    },
    Step {
        name: "messages",
        words: "They talk; each message is delivered, then read",
        run: bond::talk,
    },
    Step {
        name: "locked-vault",
        words: "Dan locks his vault; what Cleo says meanwhile waits at his node",
        run: trials::locked,
    },
    Step {
        name: "killed-node",
        words: "kill -9 Dan's node, enclave and bus; what Cleo says meanwhile waits at hers",
        run: trials::killed,
    },
    Step {
        name: "relay-only",
        words: "The nodes cannot reach each other any more; the relay carries what they seal",
        run: trials::relayed,
    },
    Step {
        name: "changed-enclave",
        words: "A third operator changes one byte of the enclave; nobody admits it",
        run: trials::changed,
    },
    Step {
        name: "revoke",
        words: "Cleo ends the connection: nothing more can be said",
        run: trials::revoke,
    },
    Step {
        name: "hosts-saw",
        words: "What each host saw",
        run: trials::hosts_saw,
    },
    Step {
        name: "hosts-read-nothing",
        words: "Look for a word of it in every file of both nodes, bootstrap node and relay",
        run: trials::ciphertext,
    },
];
