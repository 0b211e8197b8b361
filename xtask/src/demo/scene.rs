//! What the story plays with: a node, two owners, a wiretap.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::federation::Federation;
use super::owner::{Field, Item, Owner};
use super::wiretap::Wiretap;
use crate::local_node::{Binaries, LocalNode};
use crate::repository::Repository;
use crate::tools::Tools;

/// One item of each sensitivity.
pub(crate) const ITEMS: [Item; 3] = [
    Item {
        name: "Library card of the green house",
        category: "other",
        sensitivity: "data",
        field: Field {
            kind: "text",
            label: "number",
            value: "LC-4401-green-heron",
        },
    },
    Item {
        name: "Mail account",
        category: "login",
        sensitivity: "secret",
        field: Field {
            kind: "password",
            label: "password",
            value: "mail-secret-amber-otter",
        },
    },
    Item {
        name: "Wallet of the family",
        category: "crypto-wallet",
        sensitivity: "critical",
        field: Field {
            kind: "password",
            label: "seed",
            value: "wallet-seed-violet-lynx",
        },
    },
];

/// Everything a step can reach.
pub(crate) struct Scene {
    /// The work tree.
    pub(crate) repository: Repository,
    /// Folder for the node and the owners' homes.
    pub(crate) folder: PathBuf,
    /// Tools, once the first step provided them.
    pub(crate) tools: Option<Tools>,
    /// Programs, once they are built.
    pub(crate) binaries: Option<Binaries>,
    /// The node, once it is made.
    pub(crate) node: Option<LocalNode>,
    /// The owners, once they enrolled.
    pub(crate) owners: Vec<Owner>,
    /// Ids of the first owner's items, in the order of `ITEMS`.
    pub(crate) kept: Vec<String>,
    /// A phone copied before its credential was used.
    pub(crate) copied: Option<Owner>,
    /// What passed on the bus.
    pub(crate) wiretap: Option<Wiretap>,
    /// The second part of the story.
    pub(crate) federation: Federation,
}

impl Scene {
    /// An empty scene in `folder`.
    pub(crate) fn new(repository: Repository, folder: PathBuf) -> Self {
        Self {
            repository,
            folder,
            tools: None,
            binaries: None,
            node: None,
            owners: Vec::new(),
            kept: Vec::new(),
            copied: None,
            wiretap: None,
            federation: Federation::default(),
        }
    }

    /// Programs and tools; an error before they are there.
    pub(crate) fn parts(&self) -> Result<(&Binaries, &Tools)> {
        let binaries = self.binaries.as_ref().context("nothing is built yet")?;
        Ok((binaries, self.tools.as_ref().context("no tools yet")?))
    }

    /// The node; an error before it is made.
    pub(crate) fn node(&mut self) -> Result<&mut LocalNode> {
        self.node.as_mut().context("the node is not made yet")
    }

    /// One owner; an error before he enrolled.
    pub(crate) fn owner(&self, number: usize) -> Result<&Owner> {
        self.owners
            .get(number)
            .context("the owner has not enrolled yet")
    }

    /// Id of one kept item.
    pub(crate) fn item(&self, number: usize) -> Result<&str> {
        self.kept
            .get(number)
            .map(String::as_str)
            .context("the item is not kept yet")
    }

    /// Every word that only the owners may know.
    pub(crate) fn private_words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for item in &ITEMS {
            words.extend([item.name.to_owned(), item.field.value.to_owned()]);
        }
        words.extend(self.owners.iter().map(|owner| owner.password.to_owned()));
        words
    }
}
