//! `audit.query`: events from a sequence on.

use vettid_wire::operation::audit;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of events.
pub(crate) enum Query {}

impl Operation for Query {
    type Request = audit::Query;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: audit::Query) -> Result<audit::Events, Stop> {
        Ok(on.view().audit(&request)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn events_name_operation_device_and_subject_and_no_content() {
        let mut owner = fixture::owner();
        let id = owner.put_note("a very private name");

        let query = audit::Query {
            after: 0,
            operation: Some("item.put".into()),
            limit: None,
        };
        let events = owner.call(&query).expect("events").events;

        let [event] = events.as_slice() else {
            panic!("one event: {events:?}")
        };
        assert_eq!(event.body.device, Some(owner.device_id()));
        assert_eq!(event.body.subject.as_deref(), Some(&id.0[..]));
        assert!(event.body.done);
        assert!(!format!("{events:?}").contains("private"));
    }

    #[test]
    fn pages_join_without_gap() {
        let mut owner = fixture::owner();
        let page = |after| audit::Query {
            after,
            operation: None,
            limit: Some(1),
        };

        let first = owner.call(&page(0)).expect("page");
        let second = owner.call(&page(1)).expect("page");

        assert_eq!((first.events[0].body.sequence, first.more), (1, true));
        assert_eq!((second.events[0].body.sequence, second.more), (2, false));
    }
}
