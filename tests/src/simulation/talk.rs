//! What owners do with each other.

use vettid_wire::Secret;
use vettid_wire::connect::Class;
use vettid_wire::id::{ConnectionId, GroupId, MessageId};
use vettid_wire::operation::connection::{self, Connection, State};
use vettid_wire::operation::feed::{self, Kind};
use vettid_wire::operation::group;
use vettid_wire::operation::invitation::{self, Card, CardField};
use vettid_wire::operation::message::{self, Conversation, From, Message};
use vettid_wire::refusal::Refusal;

use super::World;
use super::world::SOON;

impl World {
    /// An owner makes a link.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn invite(&mut self, owner: usize) -> Secret {
        let create = invitation::Create {
            class: Class::Remote,
            life: None,
            card: card(owner),
            label: None,
        };
        self.call(owner, &create).expect("invited").link
    }

    /// An owner uses a link.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn accept(&mut self, owner: usize, link: Secret) -> Result<ConnectionId, Refusal> {
        let accept = invitation::Accept {
            link,
            card: card(owner),
            alias: None,
        };
        Ok(self.call(owner, &accept)?.connection)
    }

    /// A connection as one side has it; none when it does not know it.
    pub fn connection(&mut self, owner: usize, id: ConnectionId) -> Option<Connection> {
        self.call(owner, &connection::Get { id }).ok()
    }

    /// How far it has come there.
    pub fn state(&mut self, owner: usize, id: ConnectionId) -> Option<State> {
        self.connection(owner, id).map(|it| it.state)
    }

    /// Waits until a side has come so far.
    pub fn await_state(&mut self, owner: usize, id: ConnectionId, state: State) {
        let what = format!("connection of {owner} becomes {state:?}");
        self.run_until(&what, SOON, |world| world.state(owner, id) == Some(state));
    }

    /// Both sides see that they may decide.
    pub fn meet(&mut self, inviting: usize, invited: usize) -> ConnectionId {
        let link = self.invite(inviting);
        let id = self.accept(invited, link).expect("accepted");
        for owner in [inviting, invited] {
            self.await_state(owner, id, State::Pending);
        }
        id
    }

    /// Both decide.
    ///
    /// # Panics
    /// When the digits differ or a vault refuses.
    pub fn approve(&mut self, one: usize, other: usize, id: ConnectionId) {
        let codes = [one, other].map(|owner| {
            let seen = self.connection(owner, id).expect("known");
            seen.safety_code
        });
        assert!(
            codes[0].is_some() && codes[0] == codes[1],
            "the same digits"
        );
        for owner in [one, other] {
            self.call(owner, &connection::Approve { id })
                .expect("approved");
        }
        for owner in [one, other] {
            self.await_state(owner, id, State::Active);
        }
    }

    /// Two owners become connected.
    pub fn connect(&mut self, inviting: usize, invited: usize) -> ConnectionId {
        let id = self.meet(inviting, invited);
        self.approve(inviting, invited, id);
        id
    }

    /// An owner says something.
    ///
    /// # Errors
    /// When the vault refuses.
    pub fn try_say(
        &mut self,
        owner: usize,
        conversation: Conversation,
        text: &str,
    ) -> Result<MessageId, Refusal> {
        let send = message::Send {
            conversation,
            text: Secret::from(text),
            reply_to: None,
            attachments: vec![],
            disappear_after: None,
        };
        Ok(self.call(owner, &send)?.id)
    }

    /// An owner says something to another one.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn say(&mut self, owner: usize, id: ConnectionId, text: &str) -> MessageId {
        self.try_say(owner, Conversation::Connection(id), text)
            .expect("said")
    }

    /// Everything of a conversation, in order.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn messages(&mut self, owner: usize, conversation: Conversation) -> Vec<Message> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let behind = all.last().map_or(0, |message| message.sequence);
            let list = message::List {
                conversation,
                from: From::Behind(behind),
                limit: None,
            };
            let page = self.call(owner, &list).expect("a page");
            all.extend(page.messages);
            if !page.more {
                return all;
            }
        }
    }

    /// What an owner has heard in a conversation, in order.
    pub fn heard(&mut self, owner: usize, conversation: Conversation) -> Vec<String> {
        let messages = self.messages(owner, conversation).into_iter();
        let heard = messages.filter(|message| message.from.is_some());
        heard.map(|message| words(&message)).collect()
    }

    /// The same of a connection.
    pub fn heard_from(&mut self, owner: usize, id: ConnectionId) -> Vec<String> {
        self.heard(owner, Conversation::Connection(id))
    }

    /// What an owner has said in a conversation and was told that it failed.
    pub fn failed(&mut self, owner: usize, conversation: Conversation) -> Vec<String> {
        let messages = self.messages(owner, conversation).into_iter();
        let failed = messages.filter(|message| message.failed.is_some());
        failed.map(|message| words(&message)).collect()
    }

    /// What an owner's feed tells.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn feed(&mut self, owner: usize) -> Vec<Kind> {
        let list = feed::List {
            after: 0,
            limit: None,
            unread: false,
        };
        let entries = self.call(owner, &list).expect("a feed").entries;
        entries.into_iter().map(|entry| entry.kind).collect()
    }

    /// An owner makes a group of those behind these connections.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn found(&mut self, owner: usize, members: &[ConnectionId]) -> GroupId {
        let create = group::Create {
            name: "friends".into(),
            members: members.to_vec(),
        };
        self.call(owner, &create).expect("founded").id
    }

    /// Waits until an owner is invited into a group, and accepts.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn join(&mut self, owner: usize, id: GroupId) {
        let what = format!("{owner} is invited");
        self.run_until(&what, SOON, |world| {
            let group = world.call(owner, &group::Get { id });
            group.is_ok_and(|group| group.invited)
        });
        self.call(owner, &group::Accept { id }).expect("accepted");
    }

    /// How many others an owner sees in a group; none when it is no member. An owner who was invited
    /// accepts.
    pub fn members(&mut self, owner: usize, id: GroupId) -> Option<usize> {
        let group = self.call(owner, &group::Get { id }).ok()?;
        if group.invited {
            let _ = self.call(owner, &group::Accept { id });
        }
        group.member.then_some(group.members.len())
    }
}

fn words(message: &Message) -> String {
    let text = message.text.as_ref();
    text.map_or_else(String::new, |text| {
        text.expose(|text| String::from_utf8_lossy(text).into_owned())
    })
}

fn card(owner: usize) -> Card {
    Card {
        fields: vec![CardField {
            name: "name".into(),
            value: Secret::from(format!("owner {owner}").as_str()),
        }],
    }
}
