//! `feed.list`: what happened, from a sequence on.

use vettid_wire::operation::feed;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of the feed.
pub(crate) enum List {}

impl Operation for List {
    type Request = feed::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: feed::List) -> Result<feed::Entries, Stop> {
        Ok(on.view().feed(&request)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn feed_goes_on_behind_a_sequence() {
        let mut owner = fixture::owner();

        let first = feed::List {
            after: 0,
            limit: Some(1),
            unread: false,
        };
        let first = owner.call(&first).expect("page");
        let rest = feed::List {
            after: first.entries[0].sequence,
            limit: None,
            unread: false,
        };
        let rest = owner.call(&rest).expect("page");

        assert_eq!(first.entries[0].kind, feed::Kind::VaultCreated);
        assert!(first.more && !rest.more);
        assert_eq!(rest.entries[0].kind, feed::Kind::DeviceAdded);
        assert_eq!(rest.entries[0].device, Some(owner.device_id()));
    }
}
