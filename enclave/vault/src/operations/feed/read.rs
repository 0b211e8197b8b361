//! `feed.read`: marks entries as read.

use vettid_wire::operation::{Done, feed};

use crate::audit::Audit;
use crate::effect::{Again, Changing};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Marks entries up to a sequence as read. What is read stays read.
pub(crate) enum Read {}

impl Operation for Read {
    type Request = feed::Read;
    type Grant = Device;
    type Effect = Again;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Changing<'_>, _: Device, request: feed::Read) -> Result<Done, Stop> {
        on.change.mark_feed_read(request.through, on.now)?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn read_entries_are_no_longer_unread_and_keep_their_time() {
        let mut owner = fixture::owner();
        let unread = feed::List {
            after: 0,
            limit: None,
            unread: true,
        };

        owner.call(&feed::Read { through: 1 }).expect("read");
        owner.clock.advance(1000);
        owner.call(&feed::Read { through: 1 }).expect("read again");

        let left = owner.call(&unread).expect("page").entries;
        assert_eq!(
            left.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
            [2]
        );
        let all = owner
            .call(&feed::List {
                unread: false,
                ..unread
            })
            .expect("page")
            .entries;
        assert_eq!(all[0].read, Some(fixture::NOON));
    }
}
