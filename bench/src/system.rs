//! A node with owners in it: real processes, reached through the app's own library.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use vettid_sdk::keystore::MemoryKeystore;
use vettid_sdk::transport::Dialer;
use vettid_sdk::{Entry, Owner, SystemClock, enroll};
use vettid_tests::node::Node;
use vettid_wire::Secret;
use vettid_wire::id::ItemId;
use vettid_wire::invitation::Invitation;
use vettid_wire::operation::item::{Category, Draft, Field, FieldKind, Put, Sensitivity};

/// PIN of every owner.
pub(crate) const PIN: &str = "428197";

/// A running node and its owners.
pub(crate) struct System {
    pub(crate) runtime: Runtime,
    pub(crate) node: Node,
    pub(crate) owners: Vec<Owner>,
}

impl System {
    /// Starts a node and enrolls `count` owners.
    pub(crate) fn with_owners(count: usize) -> Result<Self> {
        let runtime = Runtime::new()?;
        let mut node = Node::made();
        make_room(&node);
        node.start();
        let links = (0..count).map(|_| node.invitation()).collect();
        let owners = runtime.block_on(enroll_all(links))?;
        Ok(Self {
            runtime,
            node,
            owners,
        })
    }
}

/// Sets the bounds of a node that does not run so that none of them is what is measured.
pub(crate) fn make_room(node: &Node) {
    node.configure(|config| {
        vettid_tests::node::set(config, "http", "requests_per_minute", 100_000.into());
        vettid_tests::node::set(config, "enclave", "memory_mib", 8_192.into());
    });
}

/// Enrolls at every link, two at a time: password hashing takes a core each.
pub(crate) async fn enroll_all(links: Vec<String>) -> Result<Vec<Owner>> {
    let mut owners = Vec::with_capacity(links.len());
    let mut under_way = JoinSet::new();
    for link in links {
        if under_way.len() >= 2 {
            owners.push(under_way.join_next().await.context("an enrollment")???);
        }
        under_way.spawn(async move { enroll_one(&link).await });
    }
    while let Some(owner) = under_way.join_next().await {
        owners.push(owner??);
    }
    Ok(owners)
}

async fn enroll_one(link: &str) -> Result<Owner> {
    let entry = Entry {
        invitation: Invitation::parse(link)?,
        device_name: "bench".to_owned(),
        pin: Secret::from(PIN),
        password: Secret::from("seven brass otters sing"),
    };
    Ok(enroll(
        MemoryKeystore::default(),
        Dialer,
        Arc::new(SystemClock),
        &entry,
    )
    .await?)
}

/// A data item with one value of `size` bytes.
pub(crate) fn put(id: Option<(ItemId, u64)>, size: usize) -> Put {
    let value = (0..size)
        .map(|at| b'a' + u8::try_from(at * 7 % 26).unwrap_or_default())
        .collect();
    let field = Field {
        id: u32::from(id.is_some()),
        label: "value".to_owned(),
        kind: FieldKind::Text,
        value: Some(Secret::new(value)),
    };
    Put {
        id: id.map(|(id, _)| id),
        base: id.map(|(_, version)| version),
        draft: Draft {
            name: "entry".to_owned(),
            category: Category::Note,
            sensitivity: Sensitivity::Data,
            fields: vec![field],
            tags: Vec::new(),
            favorite: false,
            notes: None,
        },
    }
}
