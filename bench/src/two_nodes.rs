//! Two nodes of one network with owners who are connected, one of each pair at either node.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use vettid_sdk::Owner;
use vettid_tests::node::Node;
use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{Approve, List, State};
use vettid_wire::operation::invitation::{Accept, Card, CardField, Create};
use vettid_wire::operation::message::{Changes, Conversation, Send};

use crate::system::{enroll_all, make_room};
use crate::talk::{Line, Says};

/// Longest that meeting another owner may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between looks at a connection.
const LOOK: Duration = Duration::from_millis(20);

/// Two running nodes.
pub(crate) struct TwoNodes {
    pub(crate) runtime: Runtime,
    /// From each owner at the first node to the one at the second.
    pub(crate) lines: Vec<Line<Sender>>,
    _nodes: [Node; 2],
}

/// Who says something, and where.
#[derive(Clone)]
pub(crate) struct Sender {
    owner: Owner,
    connection: ConnectionId,
}

impl TwoNodes {
    /// Starts two nodes, enrolls `pairs` owners at each and connects them in pairs.
    pub(crate) fn with_pairs(pairs: usize) -> Result<Self> {
        let runtime = Runtime::new()?;
        let mut here = Node::federated();
        let mut there = Node::beside(&here);
        for node in [&mut here, &mut there] {
            make_room(node);
            node.start();
        }
        let links = |node: &Node| (0..pairs).map(|_| node.invitation()).collect();
        let lines = runtime.block_on(async {
            let senders = enroll_all(links(&here)).await?;
            let hearers = enroll_all(links(&there)).await?;
            let mut lines = Vec::with_capacity(pairs);
            for (from, to) in senders.into_iter().zip(hearers) {
                lines.push(connect(from, to).await?);
            }
            Ok::<_, anyhow::Error>(lines)
        })?;
        Ok(Self {
            runtime,
            lines,
            _nodes: [here, there],
        })
    }
}

impl Says for Sender {
    /// Returns when the message is durable in the vault of who says it.
    async fn say(self, text: String) -> Result<()> {
        let send = Send {
            conversation: Conversation::Connection(self.connection),
            text: Secret::from(text.as_str()),
            reply_to: None,
            attachments: vec![],
            disappear_after: None,
        };
        self.owner.call(&send).await?;
        Ok(())
    }
}

/// Connects two owners, and has the second one's app listen.
async fn connect(from: Owner, to: Owner) -> Result<Line<Sender>> {
    let create = Create {
        class: Class::Remote,
        life: None,
        card: card("from"),
        label: None,
    };
    let link = from.call(&create).await?.link;
    let accept = Accept {
        link,
        card: card("to"),
        alias: None,
    };
    to.call(&accept).await?;
    for owner in [&from, &to] {
        let id = reached(owner, State::Pending).await?;
        owner.call(&Approve { id }).await?;
    }
    let connection = reached(&from, State::Active).await?;
    reached(&to, State::Active).await?;
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(listen(to, said));
    let says = Sender {
        owner: from,
        connection,
    };
    Ok(Line { says, heard })
}

/// The owner's only connection, once it has come so far.
async fn reached(owner: &Owner, state: State) -> Result<ConnectionId> {
    let list = List {
        state: Some(state),
        archived: false,
        tag: None,
        after: None,
        limit: None,
    };
    let look = async {
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(found) = owner.call(&list).await?.connections.first() {
                return Ok::<_, anyhow::Error>(found.id);
            }
        }
    };
    timeout(PATIENCE, look)
        .await
        .with_context(|| format!("no connection became {state:?}"))?
}

/// What an app does that shows messages: hears that there is something, and fetches it. Tells how
/// many of others came each time.
async fn listen(owner: Owner, said: mpsc::UnboundedSender<usize>) -> Result<()> {
    let mut news = owner.messages().await?;
    let mut behind = 0;
    loop {
        news.changed().await?;
        loop {
            let changes = Changes {
                behind,
                limit: None,
            };
            let page = owner.call(&changes).await?;
            let came = page.messages.iter().filter(|it| it.from.is_some()).count();
            behind = page.messages.last().map_or(behind, |last| last.change);
            if came > 0 {
                said.send(came)?;
            }
            if !page.more {
                break;
            }
        }
    }
}

fn card(name: &str) -> Card {
    let field = CardField {
        name: "name".to_owned(),
        value: Secret::from(name),
    };
    Card {
        fields: vec![field],
    }
}
