//! `item.history`: earlier versions of an item, without values.

use vettid_wire::operation::item;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Versions of an item that are kept.
pub(crate) enum History {}

impl Operation for History {
    type Request = item::History;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        request: item::History,
    ) -> Result<item::Versions, Stop> {
        let versions = on.view().versions(&request.id)?;
        if versions.is_empty() {
            return Err(Code::NotFound.into());
        }
        Ok(item::Versions { versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::id::ItemId;

    #[test]
    fn current_version_and_ten_before_it_are_kept() {
        let mut owner = fixture::owner();
        let id = owner.put_note("name 1");
        for version in 1..15 {
            owner.replace_note(id, version, &format!("name {}", version + 1));
        }

        let versions = owner.call(&item::History { id }).expect("history").versions;

        let numbers: Vec<_> = versions.iter().map(|version| version.version).collect();
        assert_eq!(numbers, (5..=15).rev().collect::<Vec<_>>());
        assert_eq!(versions[0].name, "name 15");
        assert_eq!(versions[0].device, owner.device_id());
    }

    #[test]
    fn unknown_item_has_no_history() {
        let refusal = fixture::owner().call(&item::History {
            id: ItemId([0; 16]),
        });

        assert_eq!(refusal, refused(Code::NotFound));
    }
}
