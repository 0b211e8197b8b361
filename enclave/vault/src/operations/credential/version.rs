//! `credential.version`: which credential is current.

use vettid_wire::operation::credential;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::kept;
use crate::operation::Operation;
use crate::stop::Stop;

/// Says which credential is current; gives it to the device that may have missed it.
pub(crate) enum Version {}

impl Operation for Version {
    type Request = credential::Version;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        _: credential::Version,
    ) -> Result<credential::VersionReport, Stop> {
        let credential = on.view().credential()?.ok_or(Code::Internal)?;
        Ok(credential::VersionReport {
            version: credential.version,
            frozen: credential.frozen,
            alarm: credential.alarm,
            unconfirmed: kept::unconfirmed(on.view(), on.call)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn device_that_used_it_last_gets_the_newest_credential_again() {
        let mut owner = fixture::owner();
        owner.use_credential().expect("used");

        let report = owner.call(&credential::Version {}).expect("report");

        assert_eq!(
            (report.version, report.frozen, report.alarm),
            (2, false, None)
        );
        assert_eq!(report.unconfirmed, owner.credential);
    }

    #[test]
    fn other_device_does_not_get_it() {
        let mut owner = fixture::owner();
        owner.add_device(vettid_wire::operation::device::Role::App);
        owner.use_other_device();

        let report = owner.call(&credential::Version {}).expect("report");

        assert_eq!((report.version, report.unconfirmed), (1, None));
    }

    #[test]
    fn device_that_has_shown_the_newest_one_does_not_get_it_again() {
        let mut owner = fixture::owner();
        owner.password = "a wrong password".into();
        owner.use_credential().expect_err("wrong");

        let report = owner.call(&credential::Version {}).expect("report");

        assert_eq!((report.version, report.unconfirmed), (1, None));
    }
}
