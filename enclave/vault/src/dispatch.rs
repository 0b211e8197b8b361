//! From the bytes of a request to those of its reply.

use vettid_wire::cbor;
use vettid_wire::id::{DeviceId, RequestId};
use vettid_wire::limits;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{FromVault, Head, Outcome, Proof, Reply, Request};

use crate::Caller;
use crate::call::Call;
use crate::effect::Served;
use crate::lifecycle::State;
use crate::outside::Outside;
use crate::pace::Pace;
use crate::stop::Stop;
use crate::table;

/// Id of the reply to bytes that have none.
const NO_REQUEST: RequestId = RequestId([0; 16]);

/// Serves one request. Says for which id; refusals are part of what came of it. Whatever comes, and
/// be it no request, counts against the pace of its device before it is served.
pub(crate) fn serve(
    state: &mut State,
    pace: &mut Pace,
    caller: &Caller,
    bytes: &[u8],
    out: &mut Outside<'_>,
) -> (RequestId, Result<Served, Stop>) {
    let registered = state
        .header()
        .is_some_and(|header| header.device(&caller.device_key).is_some());
    let device = DeviceId::of(&caller.device_key);
    let allowed = pace.take(&device, registered, bytes.len(), out.now);
    if bytes.len() > limits::REQUEST {
        let refusal = Refusal::limit("request", limits::REQUEST, bytes.len());
        return (NO_REQUEST, Err(allowed.err().unwrap_or(refusal).into()));
    }
    // Its id is needed to refuse it, so that it is decoded all the same.
    let Ok(request) = cbor::decode::<Request>(bytes) else {
        let refusal = Refusal::from(Code::Malformed);
        return (NO_REQUEST, Err(allowed.err().unwrap_or(refusal).into()));
    };
    let served = match allowed {
        Ok(()) => serve_request(state, &Call::new(caller, &request, bytes), out),
        Err(too_fast) => Err(too_fast.into()),
    };
    (request.id, served)
}

fn serve_request(
    state: &mut State,
    call: &Call<'_>,
    out: &mut Outside<'_>,
) -> Result<Served, Stop> {
    let row = table::find(&call.request.operation).ok_or(Code::UnknownOperation)?;
    let size = call.request.body.len();
    if size > row.limit {
        return Err(Refusal::limit("body", row.limit, size).into());
    }
    match (row.proof, &call.request.proof) {
        (Proof::Session, Some(_)) => return Err(Code::Malformed.into()),
        (Proof::Owner, None) => return Err(Code::ProofInvalid.into()),
        (Proof::Session, None) | (Proof::Owner, Some(_)) => {}
    }
    if let Some(refusal) = state.unusable(call) {
        return Err(refusal.into());
    }
    row.serve(state, call, out)
}

/// Encodes what came of a request.
pub(crate) fn reply(id: RequestId, head: Option<Head>, served: Result<Served, Refusal>) -> Vec<u8> {
    let encode = |outcome, credential| {
        cbor::encode(&FromVault::Reply(Reply {
            id,
            outcome,
            head,
            credential,
        }))
    };
    let bytes = match served {
        Ok(served) => encode(served.outcome, served.credential),
        Err(refusal) => encode(Outcome::Refused(refusal), None),
    };
    match bytes.len() {
        size if size > limits::REPLY => encode(
            Outcome::Refused(Refusal::limit("reply", limits::REPLY, size)),
            None,
        ),
        _ => bytes,
    }
}
