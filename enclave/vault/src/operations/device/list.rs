//! `device.list`: every device.

use vettid_wire::operation::device;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists every device, revoked ones included.
pub(crate) enum List {}

impl Operation for List {
    type Request = device::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, by: Device, _: device::List) -> Result<device::Devices, Stop> {
        let devices = on
            .header
            .devices
            .iter()
            .map(|known| device::Device {
                id: known.id(),
                name: known.name.clone(),
                role: known.role,
                added: known.added,
                revoked: known.revoked,
                this: known.id() == *by.device(),
            })
            .collect();
        Ok(device::Devices { devices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::refusal::Code;

    #[test]
    fn list_tells_which_device_asks() {
        let mut owner = fixture::owner();
        owner.add_device(device::Role::Desktop);

        let devices = owner.call(&device::List {}).expect("devices").devices;

        let seen: Vec<_> = devices
            .iter()
            .map(|device| (device.role, device.this))
            .collect();
        assert_eq!(
            seen,
            [(device::Role::App, true), (device::Role::Desktop, false)]
        );
        assert_eq!(devices[0].name, "phone");
    }

    #[test]
    fn unregistered_device_learns_of_no_other() {
        let mut owner = fixture::owner();
        owner.use_other_device();

        assert_eq!(owner.call(&device::List {}), refused(Code::UnknownDevice));
    }
}
