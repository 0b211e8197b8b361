//! Who is who in a conversation, for people.

use std::collections::BTreeMap;

use vettid_sdk::Owner;
use vettid_sdk::wire::id::VaultId;
use vettid_sdk::wire::operation::group;
use vettid_sdk::wire::operation::message::{Conversation, Message};

use super::people::{OWN, People};
use crate::output::one_line;

/// Names, asked for once.
pub(super) struct Names<'a> {
    owner: &'a Owner,
    people: Option<People>,
    known: BTreeMap<Conversation, Known>,
}

/// One conversation.
#[derive(Default)]
struct Known {
    label: String,
    members: BTreeMap<VaultId, String>,
}

impl<'a> Names<'a> {
    pub(super) const fn of(owner: &'a Owner) -> Self {
        Self {
            owner,
            people: None,
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
        named.unwrap_or_else(|| vault.to_string())
    }

    async fn known(&mut self, of: &Conversation) -> &Known {
        if !self.known.contains_key(of) {
            let found = self.ask(of).await;
            self.known.insert(*of, found);
        }
        self.known.entry(*of).or_default()
    }

    /// What the vault says of a conversation; what it does not say is known by its id.
    async fn ask(&mut self, of: &Conversation) -> Known {
        let is_newer = |people: &People| match of {
            Conversation::Connection(id) => people.connected(*id).is_none(),
            Conversation::Group(_) => false,
        };
        if self.people.as_ref().is_none_or(is_newer) {
            self.people = People::ask(self.owner).await.ok();
        }
        let people = self.people.as_ref();
        match of {
            Conversation::Connection(id) => {
                let connected = people.and_then(|people| people.connected(*id));
                let named = connected.and_then(|(vault, name)| Some((vault, name?)));
                Known {
                    label: named
                        .as_ref()
                        .map_or_else(|| id.to_string(), |(_, name)| name.clone()),
                    members: named.into_iter().collect(),
                }
            }
            Conversation::Group(id) => match self.owner.call(&group::Get { id: *id }).await {
                Ok(found) => {
                    let members = found.members.into_iter().map(|one| (one.vault, one.name));
                    Known {
                        label: one_line(&found.name),
                        members: people
                            .map_or_else(BTreeMap::new, |people| people.members(members)),
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
