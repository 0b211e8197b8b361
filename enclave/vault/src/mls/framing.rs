//! Messages of MLS and their bytes.

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, ProcessMessageError, ProtocolMessage,
    ValidationError, Welcome,
};

use super::group::NotMls;

/// Encodes a message.
pub(super) fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>, NotMls> {
    message.to_bytes().map_err(|_| NotMls::NoKeys)
}

fn body(bytes: &[u8]) -> Result<MlsMessageIn, NotMls> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| NotMls::NotOpened)
}

/// Decodes a welcome.
pub(super) fn welcome_in(bytes: &[u8]) -> Result<Welcome, NotMls> {
    match body(bytes)?.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(NotMls::NotOpened),
    }
}

/// Decodes a message of a group; only encrypted ones are.
pub(super) fn protocol_message(bytes: &[u8]) -> Result<ProtocolMessage, NotMls> {
    match body(bytes)?.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        _ => Err(NotMls::NotOpened),
    }
}

/// Why a message was not processed.
pub(super) fn not_opened<E>(error: &ProcessMessageError<E>) -> NotMls {
    match error {
        ProcessMessageError::StorageError(_) => NotMls::NoKeys,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
            MessageDecryptionError::SecretTreeError(SecretTreeError::TooDistantInTheFuture),
        )) => NotMls::Ahead,
        _ => NotMls::NotOpened,
    }
}
