//! `password.change`: the next credential opens with another password.

use vettid_store::Room;
use vettid_wire::Secret;
use vettid_wire::operation::{Done, credential, feed};

use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Replaces the password. Secret input: the new one.
pub(crate) enum Change {}

impl Operation for Change {
    type Request = credential::ChangePassword;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        _: credential::ChangePassword,
    ) -> Result<Done, Stop> {
        let password: Secret = by.presence().input()?;
        text::password(&password)?;
        on.tell(feed::Kind::PasswordChanged, by.device())?;
        on.renew_password(by, password);
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use vettid_wire::cbor;
    use vettid_wire::refusal::{Code, Refusal};

    fn input(password: &str) -> Option<Secret> {
        Some(Secret::new(cbor::encode(&Secret::from(password))))
    }

    #[test]
    fn replaced_password_is_needed_from_then_on() {
        let mut owner = fixture::owner();

        owner
            .call_present(&credential::ChangePassword {}, input("another password"))
            .expect("changed");

        assert_eq!(owner.use_credential(), refused(Code::WrongPassword));
        owner.password = "another password".into();
        assert!(owner.use_credential().is_ok());
        assert!(owner.feed_kinds().contains(&feed::Kind::PasswordChanged));
    }

    #[test]
    fn unacceptable_password_is_refused_and_the_one_before_stays() {
        let mut owner = fixture::owner();

        let short = owner.call_present(&credential::ChangePassword {}, input("short"));
        let long = owner.call_present(&credential::ChangePassword {}, input(&"x".repeat(1025)));
        let none = owner.call_present(&credential::ChangePassword {}, None);

        assert_eq!(short, refused(Code::InvalidValue));
        assert_eq!(long, Err(Refusal::limit("password", 1024, 1025)));
        assert_eq!(none, refused(Code::Malformed));
        assert!(owner.use_credential().is_ok());
    }
}
