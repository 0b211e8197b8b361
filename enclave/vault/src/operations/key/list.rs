//! `key.list`: every key without its private half.

use vettid_wire::operation::key;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists every key.
pub(crate) enum List {}

impl Operation for List {
    type Request = key::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, _: key::List) -> Result<key::Keys, Stop> {
        Ok(key::Keys {
            keys: on.view().keys()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn vault_without_keys_lists_none() {
        assert!(
            fixture::owner()
                .call(&key::List {})
                .expect("keys")
                .keys
                .is_empty()
        );
    }
}
