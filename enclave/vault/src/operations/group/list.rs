//! `group.list`: a page of the groups.

use vettid_wire::limits;
use vettid_wire::operation::group::{self, Groups};

use crate::audit::Audit;
use crate::circle::shown::shown;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists groups, newest activity first.
pub(crate) enum List {}

impl Operation for List {
    type Request = group::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: group::List) -> Result<Groups, Stop> {
        let view = on.view();
        let (found, more) = view.group_page(&request)?;
        let (mut groups, mut bytes) = (Vec::new(), 0_usize);
        for group in found {
            let group = shown(view, group)?;
            bytes = bytes.saturating_add(group.members.len().saturating_mul(MEMBER));
            if bytes > PAGE && !groups.is_empty() {
                return Ok(Groups { groups, more: true });
            }
            groups.push(group);
        }
        Ok(Groups { groups, more })
    }
}

/// Bytes of members in one page: half of a reply.
const PAGE: usize = limits::REPLY / 2;
/// Bytes of one member in a reply, at most.
const MEMBER: usize = 64 + limits::ALIAS;
