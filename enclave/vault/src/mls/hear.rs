//! Messages of a group, opened.
//!
//! What is refused leaves nothing: a key that opened something which is not taken can still open the
//! same again, so whoever shows a message in another place than its own does not make it unreadable.

use openmls::prelude::{ContentType, ProcessedMessageContent, Sender};
use openmls_traits::OpenMlsProvider as _;
use vettid_wire::Secret;
use vettid_wire::id::VaultId;

use super::framing::{not_opened, protocol_message};
use super::group::{Mls, NotMls};
use super::member::{keeps_sender, vault_of};
use super::usable;

/// A message that was opened.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Whose it is.
    pub(crate) from: VaultId,
    /// What goes with it, readable by whoever carries it and authenticated.
    pub(crate) aad: Vec<u8>,
    /// What it says; none for a change of the group, which is made.
    pub(crate) said: Option<Secret>,
    /// Whether this vault was put out by it.
    pub(crate) removed: bool,
}

/// What a message may be.
struct May<'a, F> {
    kinds: &'a [ContentType],
    /// Who may do more than renew its own keys.
    orders: Option<&'a VaultId>,
    /// Whether a change may be made, given who makes it and in which epoch.
    change: F,
}

impl Mls<'_> {
    /// Opens a message of a connection: something said, or new keys of its sender, which are taken
    /// only where `allow` says so, given who makes the change and in which epoch.
    pub(crate) fn hear(
        &self,
        id: &[u8; 16],
        message: &[u8],
        allow: impl FnOnce(&VaultId, u64) -> bool,
    ) -> Result<Heard, NotMls> {
        let may = May {
            kinds: &[ContentType::Application, ContentType::Commit],
            orders: None,
            change: allow,
        };
        self.provider()
            .storage()
            .attempt(|| self.open(id, message, may))
    }

    /// Opens something said in a group, and nothing else.
    pub(crate) fn hear_words(&self, id: &[u8; 16], message: &[u8]) -> Result<Heard, NotMls> {
        let may = May {
            kinds: &[ContentType::Application],
            orders: None,
            change: |_: &VaultId, _| false,
        };
        self.provider()
            .storage()
            .attempt(|| self.open(id, message, may))
    }

    /// Makes a change of a group by the vault that orders them.
    pub(crate) fn hear_change(
        &self,
        id: &[u8; 16],
        message: &[u8],
        by: &VaultId,
    ) -> Result<Heard, NotMls> {
        let may = May {
            kinds: &[ContentType::Commit],
            orders: Some(by),
            change: |from: &VaultId, _| from == by,
        };
        self.provider()
            .storage()
            .attempt(|| self.open(id, message, may))
    }

    fn open(
        &self,
        id: &[u8; 16],
        message: &[u8],
        may: May<'_, impl FnOnce(&VaultId, u64) -> bool>,
    ) -> Result<Heard, NotMls> {
        let mut group = self.group(id)?;
        let message = protocol_message(message)?;
        let kind = message.content_type();
        if message.group_id() != group.group_id() || !may.kinds.contains(&kind) {
            return Err(NotMls::NotOpened);
        }
        let epoch = group.epoch();
        if message.epoch() > epoch {
            return Err(NotMls::Early);
        }
        if kind == ContentType::Commit && message.epoch() < epoch {
            return Err(NotMls::Late);
        }
        let processed = group
            .process_message(self.provider(), message)
            .map_err(|error| not_opened(&error))?;
        let from = vault_of(processed.credential())?;
        let Sender::Member(index) = *processed.sender() else {
            return Err(NotMls::NotAllowed);
        };
        let aad = processed.aad().to_vec();
        let mut heard = Heard {
            from,
            aad,
            said: None,
            removed: false,
        };
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(said) => {
                heard.said = Some(Secret::new(said.into_bytes()));
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                let key = group.member_at(index).map(|found| found.signature_key);
                if !keeps_sender(&commit, &from, key.as_deref())
                    || may.orders != Some(&from) && commit.queued_proposals().next().is_some()
                    || !(may.change)(&from, epoch.as_u64())
                {
                    return Err(NotMls::NotAllowed);
                }
                heard.removed = commit.self_removed();
                group
                    .merge_staged_commit(self.provider(), *commit)
                    .map_err(|_| NotMls::NoKeys)?;
                // Whoever orders the changes of a larger group is the only one that seals to its
                // members.
                if may.orders.is_none() {
                    usable::members(self.provider().crypto(), &group)?;
                }
            }
            _ => return Err(NotMls::NotAllowed),
        }
        Ok(heard)
    }
}
