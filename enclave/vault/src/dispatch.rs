//! From the bytes of a request to those of its reply.

use vettid_wire::cbor;
use vettid_wire::id::RequestId;
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

/// Serves one request. Says for which id; refusals are part of what came of it. A request that
/// comes too fast is not looked at beyond its id.
pub(crate) fn serve(
    state: &mut State,
    pace: &mut Pace,
    caller: &Caller,
    bytes: &[u8],
    out: &mut Outside<'_>,
) -> (RequestId, Result<Served, Stop>) {
    if bytes.len() > limits::REQUEST {
        let refusal = Refusal::limit("request", limits::REQUEST, bytes.len());
        return (NO_REQUEST, Err(refusal.into()));
    }
    let Ok(request) = cbor::decode::<Request>(bytes) else {
        return (NO_REQUEST, Err(Code::Malformed.into()));
    };
    let call = Call::new(caller, &request, bytes);
    let registered = state
        .header()
        .is_some_and(|header| header.device(&caller.device_key).is_some());
    let served = match pace.take(&call.device, registered, out.now) {
        Ok(()) => serve_request(state, &call, out),
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
