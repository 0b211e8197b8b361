//! All operations, a line each. Dispatch walks this table, and the reference is generated from it.

use vettid_store::Room;
use vettid_wire::request::{Operation as _, Proof};

use crate::audit::Audit;
use crate::call::Call;
use crate::effect::{Effect, Served, name};
use crate::grant::{Grant, Kind};
use crate::lifecycle::State;
use crate::operation::Operation;
use crate::operations::{
    audit, connection, credential, device, feed, group, invitation, item, key, message, password,
    pin, release, tag, transaction_keys, vault,
};
use crate::outside::Outside;
use crate::stop::Stop;

/// Every operation, by name.
static TABLE: [Row; 75] = [
    Row::of::<audit::Export>(),
    Row::of::<audit::Query>(),
    Row::of::<audit::Verify>(),
    Row::of::<connection::Approve>(),
    Row::of::<connection::Block>(),
    Row::of::<connection::Decline>(),
    Row::of::<connection::Get>(),
    Row::of::<connection::List>(),
    Row::of::<connection::Revoke>(),
    Row::of::<connection::Rotate>(),
    Row::of::<connection::Unblock>(),
    Row::of::<connection::Update>(),
    Row::of::<connection::Verify>(),
    Row::of::<credential::Create>(),
    Row::of::<credential::ReportLost>(),
    Row::of::<credential::RotateIdentity>(),
    Row::of::<credential::Version>(),
    Row::of::<device::List>(),
    Row::of::<feed::List>(),
    Row::of::<feed::Read>(),
    Row::of::<group::Accept>(),
    Row::of::<group::Add>(),
    Row::of::<group::Create>(),
    Row::of::<group::Decline>(),
    Row::of::<group::Get>(),
    Row::of::<group::Leave>(),
    Row::of::<group::List>(),
    Row::of::<group::Remove>(),
    Row::of::<group::Rename>(),
    Row::of::<invitation::Accept>(),
    Row::of::<invitation::Cancel>(),
    Row::of::<invitation::Create>(),
    Row::of::<invitation::Inspect>(),
    Row::of::<invitation::List>(),
    Row::of::<item::Get>(),
    Row::of::<item::History>(),
    Row::of::<item::List>(),
    Row::of::<item::Otp>(),
    Row::of::<item::Put>(),
    Row::of::<item::PutCritical>(),
    Row::of::<item::Remove>(),
    Row::of::<item::Restore>(),
    Row::of::<item::Reveal>(),
    Row::of::<item::RevealCritical>(),
    Row::of::<item::Search>(),
    Row::of::<key::Generate>(),
    Row::of::<key::Import>(),
    Row::of::<key::List>(),
    Row::of::<key::Public>(),
    Row::of::<key::Remove>(),
    Row::of::<key::Sign>(),
    Row::of::<message::Changes>(),
    Row::of::<message::Clear>(),
    Row::of::<message::Edit>(),
    Row::of::<message::Get>(),
    Row::of::<message::List>(),
    Row::of::<message::MarkRead>(),
    Row::of::<message::React>(),
    Row::of::<message::Remove>(),
    Row::of::<message::Search>(),
    Row::of::<message::Send>(),
    Row::of::<password::Change>(),
    Row::of::<pin::Change>(),
    Row::of::<release::Approve>(),
    Row::of::<release::Status>(),
    Row::of::<tag::List>(),
    Row::of::<tag::Merge>(),
    Row::of::<tag::Put>(),
    Row::of::<tag::Remove>(),
    Row::of::<tag::Rename>(),
    Row::of::<transaction_keys::Refill>(),
    Row::of::<vault::Enroll>(),
    Row::of::<vault::Lock>(),
    Row::of::<vault::Status>(),
    Row::of::<vault::Unlock>(),
];

/// One operation, as reviewers read it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name, `noun.verb`.
    pub operation: &'static str,
    /// Grant that it needs.
    pub grant: Kind,
    /// Proof that is enclosed.
    pub proof: Proof,
    /// What it does, and so what becomes of a repeated request.
    pub effect: &'static str,
    /// What it leaves in the audit chain.
    pub audit: Audit,
    /// How much room it finds in a database that is nearly full.
    pub room: Room,
    /// Most bytes of its body.
    pub limit: usize,
    serve: Serve,
}

type Serve = fn(&mut State, &Call<'_>, &mut Outside<'_>) -> Result<Served, Stop>;

impl Row {
    const fn of<O: Operation>() -> Self {
        const {
            assert!(
                O::Grant::KIND.matches(O::Request::PROOF),
                "grant and proof do not match"
            );
            assert!(
                O::Request::ONCE || !O::Effect::KEEPS,
                "apps must know that it is done once"
            );
        }
        Self {
            operation: name::<O>(),
            grant: O::Grant::KIND,
            proof: O::Request::PROOF,
            effect: O::Effect::NAME,
            audit: O::AUDIT,
            room: O::ROOM,
            limit: O::LIMIT,
            serve: O::Effect::serve::<O>,
        }
    }

    /// Serves one call.
    pub(crate) fn serve(
        &self,
        state: &mut State,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<Served, Stop> {
        (self.serve)(state, call, out)
    }
}

/// Every operation, by name.
#[must_use]
pub fn table() -> Vec<Row> {
    TABLE.to_vec()
}

/// The operation of a name.
pub(crate) fn find(operation: &str) -> Option<&'static Row> {
    let found = TABLE
        .binary_search_by(|row| row.operation.cmp(operation))
        .ok()?;
    TABLE.get(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_order_of_names_and_has_none_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.operation < b.operation));
    }

    #[test]
    fn every_operation_is_found_by_its_name_and_nothing_else_is() {
        for row in table() {
            assert_eq!(
                find(row.operation).map(|row| row.operation),
                Some(row.operation)
            );
        }
        assert!(find("item.steal").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn operations_that_weaken_protection_need_what_they_must() {
        let grant = |operation| find(operation).expect("in the table").grant;

        for operation in [
            "audit.export",
            "credential.report-lost",
            "key.remove",
            "pin.change",
        ] {
            assert_eq!(grant(operation), Kind::FreshPin, "{operation}");
        }
        for operation in ["item.otp", "item.reveal", "transaction-keys.refill"] {
            assert_eq!(grant(operation), Kind::App, "{operation}");
        }
        for operation in [
            "credential.rotate-identity",
            "item.put-critical",
            "item.reveal-critical",
            "key.generate",
            "key.import",
            "key.sign",
            "password.change",
        ] {
            assert_eq!(grant(operation), Kind::OwnerPresent, "{operation}");
        }
    }

    #[test]
    fn body_limits_stay_within_a_request() {
        assert!(
            TABLE
                .iter()
                .all(|row| row.limit <= vettid_wire::limits::REQUEST)
        );
    }
}
