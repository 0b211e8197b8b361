//! The connection to the key service: TLS 1.3 that ends here, under Amazon's own authorities.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use vettid_wire::time::UnixMillis;

use crate::failure::KmsError;

/// What the subject of an accepted authority contains.
const AMAZON: &[u8] = b"Amazon Root CA ";

/// The authorities whose certificates are believed.
#[derive(Clone, Debug)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Amazon Root CA 1 to 4, out of Mozilla's list.
    #[must_use]
    pub fn amazon() -> Self {
        let all = webpki_roots::TLS_SERVER_ROOTS.iter();
        let own = all.filter(|anchor| {
            let mut windows = anchor.subject.windows(AMAZON.len());
            windows.any(|window| window == AMAZON)
        });
        Self(Arc::new(own.cloned().collect()))
    }

    /// One authority, for a stand-in of the key service; none when it is no certificate.
    #[cfg(feature = "stand-in")]
    #[must_use]
    pub fn dangerous_stand_in(certificate: &[u8]) -> Option<Self> {
        let mut store = RootCertStore::empty();
        store.add(certificate.to_vec().into()).ok()?;
        Some(Self(Arc::new(store)))
    }
}

/// Speaks TLS over `stream` with `name`; the handshake comes with the first byte.
pub(crate) fn connect<S: Read + Write>(
    stream: S,
    name: &str,
    roots: &Roots,
    now: UnixMillis,
) -> Result<StreamOwned<ClientConnection, S>, KmsError> {
    let failed = KmsError::NotGenuine;
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots.0), Arc::clone(&provider))
            .build()
            .map_err(|_| failed)?;
    let time = Arc::new(Now(UnixTime::since_unix_epoch(Duration::from_millis(
        now.0,
    ))));
    let config = ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| failed)?
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|_| failed)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|_| failed)?;
    Ok(StreamOwned::new(connection, stream))
}

/// The enclave's own time, which certificates are judged at.
#[derive(Debug)]
struct Now(UnixTime);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_four_authorities_are_believed_and_nobody_else() {
        let roots = Roots::amazon().0;

        assert_eq!(roots.len(), 4);
        for number in '1'..='4' {
            let name = format!("Amazon Root CA {number}");
            let is_it = |subject: &[u8]| subject.ends_with(name.as_bytes());
            let found = roots.roots.iter().filter(|root| is_it(&root.subject));
            assert_eq!(found.count(), 1, "{name}");
        }
    }
}
