//! What other owners say: messages and what becomes of them, the same in connections and groups.
//!
//! Only who sent a message may change it. What names a message that is not there, or belongs
//! elsewhere, is passed over: it is said by somebody who may say anything.

use vettid_store::rows::message::{Body, NewMessage};
use vettid_wire::Secret;
use vettid_wire::attachment::Attachment;
use vettid_wire::content::{Content, Named, READ, ReadOf, Text};
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::message::{Conversation, Failed, Message, Receipt};
use vettid_wire::refusal::Refusal;
use vettid_wire::time::UnixMillis;

use super::{channel, ending, settled};
use crate::effect::Changing;
use crate::stop::Stop;
use crate::text;

/// Where and by whom something is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    /// Where.
    pub(crate) conversation: Conversation,
    /// By whose vault.
    pub(crate) from: VaultId,
    /// When, by that vault's clock.
    pub(crate) at: UnixMillis,
}

impl Voice {
    /// A message.
    pub(crate) fn text(&self, on: &mut Changing<'_>, said: Text) -> Result<(), Stop> {
        let from = Some(&self.from);
        let before = on.change.message_of(&self.conversation, from, &said.id)?;
        if !is_bounded(&said) || before.is_some() {
            return Ok(());
        }
        if !self.has_room(on)? {
            return self.full(on, &said.id);
        }
        // Whoever knew the id of another one's message and used it first does not keep that away.
        let taken = on.change.is_message(&said.id)?;
        let id = match taken {
            true => MessageId::random(on.entropy),
            false => said.id,
        };
        let reply_to = said.reply_to.map(|named| self.named(on, &named));
        let body = Body {
            text: said.text,
            attachments: said.attachments,
        };
        on.change.insert_message(&NewMessage {
            id,
            said: taken.then_some(said.id),
            conversation: self.conversation,
            sender: Some(self.from),
            sent: self.at,
            received: Some(on.now),
            body: &body,
            reply_to: reply_to.transpose()?.flatten(),
            receipt: None,
            disappear_after: said.disappear_after,
        })?;
        on.change.index_message(&id)?;
        on.message_changed()
    }

    /// Another text for a message of the same owner.
    pub(crate) fn edit(
        &self,
        on: &mut Changing<'_>,
        id: &MessageId,
        text: Secret,
    ) -> Result<(), Stop> {
        let Some(message) = self.own(on, id)? else {
            return Ok(());
        };
        if message.removed.is_some() || !is_text(&text) {
            return Ok(());
        }
        let longer = text.len() > message.text.as_ref().map_or(0, Secret::len);
        if longer && !self.has_room(on)? {
            return self.full(on, id);
        }
        let id = &message.id;
        let body = Body {
            text,
            attachments: message.attachments,
        };
        on.change.edit_message(id, &body, self.at)?;
        on.change.index_message(id)?;
        on.message_changed()
    }

    /// A message of the same owner goes.
    pub(crate) fn remove(&self, on: &mut Changing<'_>, id: &MessageId) -> Result<(), Stop> {
        match self.own(on, id)? {
            Some(message) if message.removed.is_none() => {
                on.change.remove_message(&message.id, on.now)?;
                on.change.index_message(&message.id)?;
                on.message_changed()
            }
            _ => Ok(()),
        }
    }

    /// A reaction to any message of the conversation.
    pub(crate) fn react(
        &self,
        on: &mut Changing<'_>,
        to: &Named,
        reaction: Option<&str>,
    ) -> Result<(), Stop> {
        let found = self.named(on, to)?;
        let found = self.find(on, found)?.filter(|it| it.removed.is_none());
        let Some(message) = found.filter(|_| reaction.is_none_or(is_reaction)) else {
            return Ok(());
        };
        let id = &message.id;
        on.change.set_reaction(id, Some(&self.from), reaction)?;
        on.change.touch_message(id)?;
        on.message_changed()
    }

    /// The other owner has read messages of this one.
    pub(crate) fn read(&self, on: &mut Changing<'_>, read: &[ReadOf]) -> Result<(), Stop> {
        let own = match self.conversation {
            Conversation::Connection(_) => None,
            Conversation::Group(_) => Some(on.vault),
        };
        let of_own = read.iter().filter(|read| read.sender == own);
        for id in of_own.flat_map(|read| &read.ids).take(READ) {
            let found = on.change.message_of(&self.conversation, None, id)?;
            let found = self.find(on, found)?.filter(|it| it.removed.is_none());
            let Some(message) = found else {
                continue;
            };
            match self.conversation {
                Conversation::Connection(_) => {
                    on.change.raise_receipt(id, Receipt::Read)?;
                }
                Conversation::Group(_) => on.raise_in_group(id, &self.from, Receipt::Read)?,
            }
            if let Some(after) = message.disappear_after
                && message.disappears.is_none_or(|at| at > on.now.plus(after))
            {
                on.change.set_disappears(id, on.now.plus(after))?;
            }
            on.message_changed()?;
        }
        Ok(())
    }

    /// A message of whoever speaks, by what that vault calls it.
    fn own(&self, on: &Changing<'_>, said: &MessageId) -> Result<Option<Message>, Stop> {
        let id = on
            .change
            .message_of(&self.conversation, Some(&self.from), said)?;
        self.find(on, id)
    }

    /// A message of the conversation, whoever sent it.
    fn named(&self, on: &Changing<'_>, named: &Named) -> Result<Option<MessageId>, Stop> {
        let sender = Some(&named.sender).filter(|sender| **sender != on.vault);
        let found = on
            .change
            .message_of(&self.conversation, sender, &named.id)?;
        Ok(found)
    }

    fn find(&self, on: &Changing<'_>, id: Option<MessageId>) -> Result<Option<Message>, Stop> {
        let found = id.map(|id| on.message(&id)).transpose()?;
        Ok(found.flatten())
    }

    /// The other vault has no room for a message of this one.
    pub(crate) fn not_kept(&self, on: &mut Changing<'_>, id: &MessageId) -> Result<(), Stop> {
        match on.change.message_of(&self.conversation, None, id)? {
            Some(id) => settled::fail_message(on, &id, &self.from, Failed::Refused),
            None => Ok(()),
        }
    }

    /// Whether there is room for more of whoever speaks. Of all conversations together, and in a group, the
    /// second half is shared out, so that nobody can take from the others what is theirs.
    pub(crate) fn has_room(&self, on: &Changing<'_>) -> Result<bool, Stop> {
        let bytes = |weight: u64| usize::try_from(weight).unwrap_or(usize::MAX);
        let all = bytes(on.change.weight(&self.conversation)?);
        // Counts what everybody has said only when that can matter.
        let half = limits::CONVERSATIONS / 2;
        if bytes(on.change.bytes()?) >= half {
            let (total, conversations) = on.change.weights()?;
            let (total, share) = (bytes(total), half / bytes(conversations).max(1));
            if total >= limits::CONVERSATIONS || total >= half && all >= share {
                return Ok(false);
            }
        }
        let Conversation::Group(id) = &self.conversation else {
            return Ok(all < limits::CONVERSATION);
        };
        let members = on.change.count_group_members(id)?.max(1);
        let members = usize::try_from(members).unwrap_or(usize::MAX);
        let own = bytes(on.change.weight_of(&self.conversation, &self.from)?);
        let half = limits::CONVERSATION / 2;
        Ok(all < half || all < limits::CONVERSATION && own < half / members)
    }

    /// There is no room for something. In a connection everything else would wait for it: it is passed
    /// over, and its sender told. In a group it can come again later.
    fn full(&self, on: &mut Changing<'_>, said: &MessageId) -> Result<(), Stop> {
        if let Conversation::Connection(id) = &self.conversation
            && on.change.count_outbox_on(id)? < ending::TOLD
        {
            return channel::say(on, id, &Content::NotKept(*said), None);
        }
        let weight = on.change.weight(&self.conversation)?;
        let weight = usize::try_from(weight).unwrap_or(usize::MAX);
        Err(Refusal::limit("conversation", limits::CONVERSATION, weight).into())
    }
}

impl Changing<'_> {
    /// Every device is told the number of the newest change.
    pub(crate) fn message_changed(&mut self) -> Result<(), Stop> {
        self.traces.news.messages = Some(self.change.newest_change()?);
        Ok(())
    }

    /// A message as it is now: one whose time to disappear has come is removed.
    pub(crate) fn message(&self, id: &MessageId) -> Result<Option<Message>, Stop> {
        let found = self.change.message(id)?;
        Ok(found.map(|found| found.as_of(self.now)))
    }

    /// A message as everybody can name it; none when it is not there.
    pub(crate) fn name_of(&self, id: &MessageId) -> Result<Option<Named>, Stop> {
        let said = self.change.said_as(id)?;
        Ok(said.map(|(sender, id)| Named {
            sender: sender.unwrap_or(self.vault),
            id,
        }))
    }

    /// A message to a group has come further at one member. Of one that was removed nothing is kept.
    pub(crate) fn raise_in_group(
        &mut self,
        id: &MessageId,
        member: &VaultId,
        receipt: Receipt,
    ) -> Result<(), Stop> {
        let message = self.message(id)?;
        if message.is_none_or(|it| it.removed.is_some()) {
            return Ok(());
        }
        self.change.raise_receipt_of(id, member, receipt)?;
        if let Some(least) = self.change.least_receipt(id)? {
            self.change.raise_least_receipt(id, least)?;
        }
        self.message_changed()
    }
}

/// Whether a message is one that this vault could have sent.
fn is_bounded(said: &Text) -> bool {
    let says = !said.text.is_empty() || !said.attachments.is_empty();
    says && is_text(&said.text)
        && said.attachments.len() <= limits::ATTACHMENTS
        && said.attachments.iter().all(Attachment::is_bounded)
        && said.disappear_after.is_none_or(is_time)
}

/// Whether text is one of bounded length.
pub(crate) fn is_text(text: &Secret) -> bool {
    text.len() <= limits::TEXT && text::utf8(text).is_ok()
}

/// Whether a reaction is a short word or an emoji.
pub(crate) fn is_reaction(reaction: &str) -> bool {
    text::line("reaction", limits::REACTION, reaction).is_ok()
}

/// Whether a message may disappear after so long.
pub(crate) fn is_time(after: u64) -> bool {
    (1..=limits::DISAPPEAR).contains(&after)
}
