//! Noise, and where content must never be.

use proptest::prelude::*;
use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::id::{ItemId, RequestId};
use vettid_wire::limits;
use vettid_wire::operation::item::{Draft, Get};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Outcome, Request};

use crate::fixture::{self, Owner, draft, encode, field, secret};

fn refusal(owner: &mut Owner, bytes: &[u8]) -> Refusal {
    match owner.send(bytes).outcome {
        Outcome::Refused(refusal) => refusal,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn request_that_is_malformed_unknown_or_too_large_is_refused_for_its_reason() {
    let mut owner = fixture::owner();
    let request = |operation: &str, size: usize| {
        cbor::encode(&Request {
            id: RequestId([1; 16]),
            operation: operation.into(),
            body: Secret::new(vec![0; size]),
            proof: None,
        })
    };

    assert_eq!(refusal(&mut owner, b"noise"), Code::Malformed.into());
    assert_eq!(refusal(&mut owner, &[]), Code::Malformed.into());
    assert_eq!(
        refusal(&mut owner, &request("item.steal", 1)),
        Code::UnknownOperation.into()
    );
    assert_eq!(
        refusal(&mut owner, &request("item.get", 1)),
        Code::Malformed.into()
    );
    let size = limits::REQUEST + 1;
    let expected = Refusal::limit("request", limits::REQUEST, size);
    assert_eq!(refusal(&mut owner, &vec![0; size]), expected);
    let body = refusal(&mut owner, &request("item.get", 3000));
    assert_eq!(body, Refusal::limit("body", 2048, 3000));
}

#[test]
fn unknown_fields_and_trailing_bytes_are_refused() {
    let mut owner = fixture::owner();
    let mut bytes = encode(
        RequestId([1; 16]),
        &Get {
            id: ItemId([1; 16]),
        },
    );
    bytes.push(0);

    assert_eq!(refusal(&mut owner, &bytes), Code::Malformed.into());
}

#[test]
fn proof_is_enclosed_where_it_belongs_and_nowhere_else() {
    let mut owner = fixture::owner();
    let id = owner.next_request_id();
    let with_proof = owner.present_request(
        id,
        &Get {
            id: ItemId([1; 16]),
        },
        None,
    );
    assert_eq!(refusal(&mut owner, &with_proof), Code::Malformed.into());

    let id = owner.next_request_id();
    let without = encode(id, &vettid_wire::operation::credential::RotateIdentity {});

    assert_eq!(refusal(&mut owner, &without), Code::ProofInvalid.into());
}

#[test]
fn nothing_that_the_host_holds_shows_content() {
    let mut owner = fixture::owner();
    owner.put(Draft {
        fields: vec![field("visible-label", "visible-value")],
        tags: vec!["visible-tag".into()],
        notes: Some(secret("visible-notes")),
        ..draft("visible-name")
    });
    owner.put_critical("visible-critical", "visible-pin");
    owner.search("visible");
    owner.use_credential().expect("used");

    for (_, record) in owner.host.log.values() {
        let shown = record.windows(8).any(|window| window == b"visible-");
        let named = record.windows(5).any(|window| window == b"phone");
        assert!(!shown && !named);
    }
}

#[test]
fn state_of_a_vault_is_not_printed_with_its_secrets() {
    let mut owner = fixture::owner();
    owner.put_note("visible-name");

    let printed = format!("{:?}", owner.vault);

    assert!(!printed.contains("visible-name"));
    assert!(!printed.contains(fixture::PIN) && !printed.contains(fixture::PASSWORD));
    assert!(printed.contains("VaultKey(..)") && printed.contains("SealingKey(..)"));
}

#[test]
fn refused_requests_leave_no_content_in_the_audit_chain() {
    let mut owner = fixture::owner();
    owner.clock.advance(6 * 60_000);
    owner.export_audit().expect_err("pin needed");

    let view = owner.vault.database().view();
    let all = vettid_wire::operation::audit::Query {
        after: 0,
        operation: None,
        limit: None,
    };
    let events = view.audit(&all).expect("events").events;

    assert_eq!(
        events.last().map(|event| event.body.subject.is_none()),
        Some(true)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_refused_and_changes_nothing(
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..40),
        cut in 0_usize..200,
    ) {
        let mut owner = fixture::owner();
        let before = owner.host.newest();
        let put = vettid_wire::operation::item::Put { id: None, base: None, draft: draft("x") };
        let whole = encode(RequestId([1; 16]), &put);
        let cut = &whole[..cut.min(whole.len() - 1)];

        prop_assert_eq!(refusal(&mut owner, cut).code, Code::Malformed);
        for bytes in noise {
            owner.send(&bytes);
        }

        prop_assert_eq!(owner.host.newest(), before);
    }
}
