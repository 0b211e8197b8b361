//! How large the things may be that an enclave says about other nodes.

use vettid_wire::limits;
use vettid_wire::link::federation::FromEnclave;

/// A delivery as it is sealed for the spool or a mailbox, bytes: padding and framing around it.
const SEALED: usize = limits::DELIVERY + limits::DELIVERY / 4;

/// A message of a session between enclaves, bytes: a full frame and what seals it.
const MESSAGE: usize = limits::ENVELOPE;

/// Whether nothing in a frame is larger than such a thing may be.
pub(crate) fn is_bounded(frame: &FromEnclave) -> bool {
    match frame {
        FromEnclave::Frame { bytes, .. } => bytes.len() <= MESSAGE,
        FromEnclave::Spool { bytes, .. } | FromEnclave::MailPut { bytes, .. } => {
            bytes.len() <= SEALED
        }
        FromEnclave::PublishHome { record, .. } => record.len() <= limits::HOME_RECORD,
        FromEnclave::Dial(node) => node.is_bounded(),
        FromEnclave::Admitted { .. }
        | FromEnclave::Refused { .. }
        | FromEnclave::Settled { .. }
        | FromEnclave::Mailbox { .. }
        | FromEnclave::MailRead { .. }
        | FromEnclave::MailDrop { .. }
        | FromEnclave::FindHome { .. } => true,
    }
}
