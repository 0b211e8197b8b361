//! Subjects of the bus.

use crate::id::{DeviceRoute, SpaceId};

/// Where the apps of a space publish to their vault.
#[must_use]
pub fn for_vault(space: SpaceId) -> String {
    format!("{SPACES}.{space}.forVault")
}

/// Where the vault of a space publishes to one device.
#[must_use]
pub fn for_app(space: SpaceId, device: DeviceRoute) -> String {
    format!("{SPACES}.{space}.forApp.{device}")
}

/// What the node subscribes to.
pub const EVERY_VAULT: &str = "OwnerSpace.*.forVault";
/// What the node publishes to.
pub const EVERY_APP: &str = "OwnerSpace.*.forApp.*";

/// Private inbox prefix of one device.
#[must_use]
pub fn inbox(device: DeviceRoute) -> String {
    format!("_INBOX_{device}")
}

/// The space of a `forVault` subject.
#[must_use]
pub fn space_of(subject: &str) -> Option<SpaceId> {
    subject
        .strip_prefix(SPACES)?
        .strip_prefix('.')?
        .strip_suffix(".forVault")?
        .parse()
        .ok()
}

/// Every subject pattern, what publishes and what subscribes, for the table in the docs.
pub const ALL: &[(&str, &str, &str)] = &[
    (
        "OwnerSpace.<space>.forVault",
        "devices of the space",
        "node",
    ),
    ("OwnerSpace.<space>.forApp.<device>", "node", "that device"),
    ("_INBOX_<device>.>", "node", "that device"),
];

const SPACES: &str = "OwnerSpace";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_of_its_own_subject_comes_back() {
        let space = SpaceId([5; 16]);

        assert_eq!(space_of(&for_vault(space)), Some(space));
    }

    #[test]
    fn other_subjects_name_no_space() {
        let space = SpaceId([5; 16]);
        for subject in [
            for_app(space, DeviceRoute([1; 16])),
            format!("OwnerSpace.{space}.forVault.more"),
            "OwnerSpace..forVault".into(),
            "OwnerSpace.*.forVault".into(),
            String::new(),
        ] {
            assert_eq!(space_of(&subject), None);
        }
    }
}
