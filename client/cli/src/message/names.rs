//! Who is who in a conversation, for people.

use std::collections::BTreeMap;

use vettid_sdk::Owner;
use vettid_sdk::wire::id::VaultId;
use vettid_sdk::wire::operation::message::{Conversation, Message};
use vettid_sdk::wire::operation::{connection, group};

use crate::connection::name;
use crate::output::one_line;

/// Names, asked for once.
pub(super) struct Names<'a> {
    owner: &'a Owner,
    known: BTreeMap<Conversation, Known>,
}

/// One conversation.
#[derive(Default)]
struct Known {
    label: String,
    members: BTreeMap<VaultId, String>,
}

impl<'a> Names<'a> {
    pub(super) fn of(owner: &'a Owner) -> Self {
        Self {
            owner,
            known: BTreeMap::new(),
        }
    }

    /// What a conversation is called.
    pub(super) async fn conversation(&mut self, of: &Conversation) -> String {
        self.known(of).await.label.clone()
    }

    /// Who sent a message.
    pub(super) async fn sender(&mut self, message: &Message) -> String {
        let Some(vault) = &message.from else {
            return OWN.into();
        };
        let known = self.known(&message.conversation).await;
        let named = known.members.get(vault).cloned();
        // Nobody else is called what this owner is called.
        named
            .filter(|name| !name.is_empty() && name != OWN)
            .unwrap_or_else(|| vault.to_string())
    }

    async fn known(&mut self, of: &Conversation) -> &Known {
        if !self.known.contains_key(of) {
            let found = self.ask(of).await;
            self.known.insert(*of, found);
        }
        self.known.entry(*of).or_default()
    }

    /// What the vault says of a conversation; one that is gone is known by its id.
    async fn ask(&self, of: &Conversation) -> Known {
        match of {
            Conversation::Connection(id) => {
                match self.owner.call(&connection::Get { id: *id }).await {
                    Ok(found) => {
                        let label = one_line(&name(&found).unwrap_or_else(|| id.to_string()));
                        let members = BTreeMap::from([(found.vault, label.clone())]);
                        Known { label, members }
                    }
                    Err(_) => Known {
                        label: id.to_string(),
                        members: BTreeMap::new(),
                    },
                }
            }
            Conversation::Group(id) => match self.owner.call(&group::Get { id: *id }).await {
                Ok(found) => {
                    let member = |one: &group::Member| (one.vault, one_line(&one.name));
                    Known {
                        label: one_line(&found.name),
                        members: found.members.iter().map(member).collect(),
                    }
                }
                Err(_) => Known {
                    label: id.to_string(),
                    members: BTreeMap::new(),
                },
            },
        }
    }
}

/// What this owner is called.
const OWN: &str = "you";
