//! Mailboxes of one host, in memory, with the bounds of the real ones.

use std::collections::BTreeMap;

use vettid_wire::id::{DeliveryId, MailboxId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::federation::{Mail, MailOutcome};
use vettid_wire::time::UnixMillis;

/// Bytes of one page.
const PAGE_BYTES: usize = limits::LINK_FRAME - 64 * 1024;

/// What waits for closed vaults.
#[derive(Clone, Debug, Default)]
pub struct Mailboxes {
    spaces: BTreeMap<MailboxId, SpaceId>,
    boxes: BTreeMap<SpaceId, Mailbox>,
    newest: u64,
}

#[derive(Clone, Debug, Default)]
struct Mailbox {
    mails: BTreeMap<u64, Post>,
    numbers: BTreeMap<DeliveryId, u64>,
    bytes: u64,
}

/// Something in a mailbox.
#[derive(Clone, Debug)]
pub struct Post {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Not shown after this.
    pub expires: UnixMillis,
    /// Sealed.
    pub bytes: Vec<u8>,
}

impl Mailboxes {
    /// Notes whose mailbox this is.
    pub fn bind(&mut self, space: SpaceId, mailbox: MailboxId) {
        self.spaces.retain(|_, bound| *bound != space);
        self.spaces.insert(mailbox, space);
    }

    /// Stores something once.
    pub fn put(&mut self, mailbox: MailboxId, post: Post) -> MailOutcome {
        let Some(space) = self.spaces.get(&mailbox) else {
            return MailOutcome::Unknown;
        };
        let kept = self.boxes.entry(*space).or_default();
        if kept.numbers.contains_key(&post.delivery) {
            return MailOutcome::Stored;
        }
        let size = post.bytes.len() as u64;
        if kept.mails.len() as u64 >= limits::MAILBOX_MESSAGES
            || kept.bytes + size > limits::MAILBOX_BYTES
        {
            return MailOutcome::Full;
        }
        self.newest += 1;
        kept.bytes += size;
        kept.numbers.insert(post.delivery, self.newest);
        kept.mails.insert(self.newest, post);
        MailOutcome::Stored
    }

    /// A page of what is behind a number.
    #[must_use]
    pub fn page(&self, space: SpaceId, behind: u64, now: UnixMillis) -> Vec<Mail> {
        let Some(kept) = self.boxes.get(&space) else {
            return Vec::new();
        };
        let mut total = 0;
        let fits = |(_, post): &(&u64, &Post)| {
            let is_first = total == 0;
            total += post.bytes.len();
            is_first || total <= PAGE_BYTES
        };
        kept.mails
            .range(behind + 1..)
            .filter(|(_, post)| post.expires > now)
            .take(limits::MAIL_PAGE)
            .take_while(fits)
            .map(|(number, post)| Mail {
                number: *number,
                bytes: post.bytes.clone(),
            })
            .collect()
    }

    /// Forgets what is with its vault.
    pub fn forget(&mut self, space: SpaceId, behind: u64, through: u64) {
        if let Some(kept) = self.boxes.get_mut(&space) {
            kept.retain(|number, _| *number <= behind || *number > through);
        }
    }

    /// Forgets what has expired.
    pub fn sweep(&mut self, now: UnixMillis) {
        for kept in self.boxes.values_mut() {
            kept.retain(|_, post| post.expires > now);
        }
    }

    /// Everything of a space that was removed goes, its mailbox too.
    pub fn remove(&mut self, space: SpaceId) {
        self.spaces.retain(|_, bound| *bound != space);
        self.boxes.remove(&space);
    }

    /// Loses what waits for a space.
    pub fn lose(&mut self, space: SpaceId) {
        self.boxes.remove(&space);
    }

    /// How many wait for a space.
    #[must_use]
    pub fn waiting(&self, space: SpaceId) -> usize {
        self.boxes.get(&space).map_or(0, |kept| kept.mails.len())
    }

    /// How many wait for anybody.
    #[must_use]
    pub fn len(&self) -> usize {
        self.boxes.values().map(|kept| kept.mails.len()).sum()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Mailbox {
    fn retain(&mut self, stays: impl Fn(&u64, &Post) -> bool) {
        self.mails.retain(|number, post| stays(number, post));
        let mails = &self.mails;
        self.numbers.retain(|_, number| mails.contains_key(number));
        self.bytes = self.mails.values().map(|it| it.bytes.len() as u64).sum();
    }
}
