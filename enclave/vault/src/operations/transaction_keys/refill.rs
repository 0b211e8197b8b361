//! `transaction-keys.refill`: fills a device's pool of one-time keys up.

use vettid_wire::limits;
use vettid_wire::operation::transaction_keys;

use crate::audit::Audit;
use crate::effect::{Again, Changing};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::transaction_keys::{mint, public};

/// Fills the pool up. Asked again, it answers with the same keys.
pub(crate) enum Refill {}

impl Operation for Refill {
    type Request = transaction_keys::Refill;
    type Grant = App;
    type Effect = Again;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        by: App,
        _: transaction_keys::Refill,
    ) -> Result<transaction_keys::Refilled, Stop> {
        let mut keys = on.change.transaction_keys(by.device(), on.now)?;
        while keys.len() < limits::TRANSACTION_KEYS {
            let key = mint(on.entropy, on.now);
            on.change.insert_transaction_key(by.device(), &key)?;
            keys.push(key);
        }
        Ok(transaction_keys::Refilled {
            keys: public(&keys),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, refused};
    use std::collections::BTreeSet;
    use vettid_wire::operation::device::Role;
    use vettid_wire::refusal::Code;

    #[test]
    fn refill_gives_twenty_keys_old_and_new_and_repeats_them() {
        let mut owner = fixture::owner();
        let kept: BTreeSet<_> = owner.transaction_keys.iter().map(|key| key.id).collect();

        let first = owner
            .call(&transaction_keys::Refill {})
            .expect("filled")
            .keys;
        let second = owner
            .call(&transaction_keys::Refill {})
            .expect("filled")
            .keys;

        let ids = |keys: &[vettid_wire::request::TransactionKey]| -> BTreeSet<_> {
            keys.iter().map(|key| key.id).collect()
        };
        assert_eq!(first.len(), 20);
        assert_eq!(ids(&first), ids(&second));
        assert!(ids(&first).is_superset(&kept));
    }

    #[test]
    fn expired_keys_are_replaced_and_cannot_be_used() {
        let mut owner = fixture::owner();
        owner.clock.advance(limits::TRANSACTION_KEY + 1);

        assert_eq!(owner.use_credential(), refused(Code::TransactionKeySpent));
        owner.refill();

        assert_eq!(owner.transaction_keys.len(), 20);
        assert!(owner.use_credential().is_ok());
    }

    #[test]
    fn keys_survive_a_restart() {
        let mut owner = fixture::owner();
        owner.refill();
        owner.reopen();
        owner.unlock().expect("unlocked");

        assert!(owner.use_credential().is_ok());
    }

    #[test]
    fn desktop_gets_no_keys() {
        let mut owner = fixture::owner();
        owner.add_device(Role::Desktop);
        owner.use_other_device();

        assert_eq!(
            owner.call(&transaction_keys::Refill {}),
            refused(Code::NotAllowed)
        );
        assert!(owner.audited("transaction-keys.refill", false));
    }
}
