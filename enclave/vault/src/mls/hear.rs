//! Messages of a group, opened.
//!
//! What is refused leaves nothing: a key that opened something which is not taken can still open the
//! same again, so whoever shows a message in another place than its own does not make it unreadable.

use openmls::prelude::{
    ContentType, GroupEpoch, MlsGroup, ProcessedMessageContent, ProtocolMessage, Sender,
    StagedCommit,
};
use openmls_traits::OpenMlsProvider as _;
use vettid_wire::Secret;
use vettid_wire::id::VaultId;

use super::config::Window;
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
    /// Whether it comes from whom, and with what beside it, it has to.
    fits: &'a dyn Fn(&VaultId, &[u8]) -> bool,
    /// How far apart messages may be.
    window: Window,
    /// Whether a change may be made, given who makes it and in which epoch.
    change: F,
}

impl Mls<'_> {
    /// Opens a message of a connection that `fits`, given who says it and what goes with it: something
    /// said, or new keys of its sender, which are taken only where `allow` says so, given who makes the
    /// change and in which epoch.
    pub(crate) fn hear(
        &self,
        id: &[u8; 16],
        message: &[u8],
        fits: &dyn Fn(&VaultId, &[u8]) -> bool,
        allow: impl FnOnce(&VaultId, u64) -> bool,
    ) -> Result<Heard, NotMls> {
        let may = May {
            kinds: &[ContentType::Application, ContentType::Commit],
            orders: None,
            fits,
            window: Window::Usual,
            change: allow,
        };
        self.attempt(id, |group| self.open(group, message, may))
    }

    /// Opens something said in a group, with the group's id beside it, and nothing else.
    pub(crate) fn hear_words(
        &self,
        id: &[u8; 16],
        message: &[u8],
        window: Window,
    ) -> Result<Heard, NotMls> {
        let may = May {
            kinds: &[ContentType::Application],
            orders: None,
            fits: &|_, aad| aad == id,
            window,
            change: |_: &VaultId, _| false,
        };
        self.attempt(id, |group| self.open(group, message, may))
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
            fits: &|_, _| true,
            window: Window::Usual,
            change: |from: &VaultId, _| from == by,
        };
        self.attempt(id, |group| self.open(group, message, may))
    }

    fn open(
        &self,
        group: &mut MlsGroup,
        message: &[u8],
        may: May<'_, impl FnOnce(&VaultId, u64) -> bool>,
    ) -> Result<Heard, NotMls> {
        let message = protocol_message(message)?;
        let kind = message.content_type();
        if message.group_id() != group.group_id() || !may.kinds.contains(&kind) {
            return Err(NotMls::NotOpened);
        }
        let epoch = group.epoch();
        timely(&message, epoch)?;
        self.look_through(group, may.window)?;
        let is_past = message.epoch() < epoch;
        let processed = group
            .process_message(self.provider(), message)
            .map_err(|error| match not_opened(&error) {
                // No change brings the keys of an earlier state any more.
                NotMls::Ahead if is_past && may.window == Window::Usual => NotMls::NotOpened,
                why => why,
            })?;
        let from = vault_of(processed.credential())?;
        let Sender::Member(index) = *processed.sender() else {
            return Err(NotMls::NotAllowed);
        };
        let aad = processed.aad().to_vec();
        if !(may.fits)(&from, &aad) {
            return Err(NotMls::NotAllowed);
        }
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
                heard.removed = commit.self_removed();
                let key = group.member_at(index).map(|found| found.signature_key);
                let ordered = may.orders == Some(&from);
                let allowed = keeps_sender(&commit, &from, key.as_deref())
                    && (ordered || commit.queued_proposals().next().is_none())
                    && (may.change)(&from, epoch.as_u64());
                if !allowed {
                    return Err(NotMls::NotAllowed);
                }
                self.merge_change(group, *commit, may.orders.is_none())?;
            }
            _ => return Err(NotMls::NotAllowed),
        }
        Ok(heard)
    }

    /// Makes a change. Whoever orders those of a larger group is the only one that seals to its members;
    /// in one of two this vault does.
    fn merge_change(
        &self,
        group: &mut MlsGroup,
        commit: StagedCommit,
        seals: bool,
    ) -> Result<(), NotMls> {
        group
            .merge_staged_commit(self.provider(), commit)
            .map_err(|_| NotMls::NoKeys)?;
        match seals {
            true => usable::members(self.provider().crypto(), group),
            false => Ok(()),
        }
    }
}

/// Whether a message can be opened in this epoch of its group: one of a later epoch comes early, a
/// change of an earlier one late.
fn timely(message: &ProtocolMessage, epoch: GroupEpoch) -> Result<(), NotMls> {
    if message.epoch() > epoch {
        return Err(NotMls::Early);
    }
    if message.content_type() == ContentType::Commit && message.epoch() < epoch {
        return Err(NotMls::Late);
    }
    Ok(())
}
