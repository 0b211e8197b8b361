//! Reference values: measurements that a network accepts, with the release each belongs to.

use vettid_wire::network;

use crate::measurement::{DebugMode, Measurement};

/// One accepted image. Release numbers count up; the policy's floor retires old ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReferenceValue {
    /// What the image measures.
    pub measurement: Measurement,
    /// The release that the image is.
    pub release: u32,
}

impl TryFrom<&network::ReferenceValue> for ReferenceValue {
    type Error = DebugMode;

    fn try_from(value: &network::ReferenceValue) -> Result<Self, DebugMode> {
        Ok(Self {
            measurement: Measurement::new(value.pcr0, value.pcr1, value.pcr2)?,
            release: value.release,
        })
    }
}
