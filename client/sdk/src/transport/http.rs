//! A bounded HTTP/1.1 client for a node's API.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use vettid_wire::http::{Credentials, Failure};

use crate::error::{Error, Unreachable};

/// Posts `body` and reads the credentials that a node answers with.
pub(super) async fn post(
    address: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<Credentials, Error> {
    let text = serde_json::to_vec(body).map_err(|_| not_an_address(address))?;
    let exchange = exchange(address, path, text);
    let (status, answer) = tokio::time::timeout(LONGEST, exchange)
        .await
        .map_err(|_| Unreachable::Http(address.to_owned()))??;
    if status.is_success() {
        let credentials = serde_json::from_slice(&answer);
        return credentials.map_err(|_| unexpected(address, status).into());
    }
    Err(refused(address, status, &answer))
}

/// What an answer means that is no success.
pub(super) fn refused(address: &str, status: StatusCode, answer: &[u8]) -> Error {
    match serde_json::from_slice::<Failure>(answer) {
        Ok(failure) => Error::NodeRefused(failure.error),
        Err(_) => unexpected(address, status).into(),
    }
}

/// An answer that no node gives.
fn unexpected(address: &str, status: StatusCode) -> Unreachable {
    Unreachable::HttpAnswer {
        address: address.to_owned(),
        status: status.as_u16(),
    }
}

async fn exchange(
    address: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Unreachable> {
    let mut line = Line::connect(address).await?;
    let request = line
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| not_an_address(address))?;
    let response = line.send(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|_| Unreachable::Http(address.to_owned()))?;
    Ok((status, body.to_bytes()))
}

/// A connection to a node's API, for one request.
pub(super) struct Line {
    address: String,
    authority: String,
    prefix: String,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

impl Line {
    /// Connects to `http://` or `https://`.
    pub(super) async fn connect(address: &str) -> Result<Self, Unreachable> {
        let unreachable = || Unreachable::Http(address.to_owned());
        let target = Target::parse(address).ok_or_else(|| not_an_address(address))?;
        let stream = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(|_| unreachable())?;
        if !target.tls {
            return Self::over(stream, address, target).await;
        }
        let host = target.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| not_an_address(address))?;
        let connector = TlsConnector::from(TLS.clone().ok_or_else(unreachable)?);
        let stream = connector.connect(name, stream).await;
        Self::over(stream.map_err(|_| unreachable())?, address, target).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: &str,
        target: Target,
    ) -> Result<Self, Unreachable> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Unreachable::Http(address.to_owned()))?;
        Ok(Self {
            address: address.to_owned(),
            authority: target.authority,
            prefix: target.prefix,
            sender,
            driver: tokio::spawn(connection),
        })
    }

    /// Begins a request for `path`.
    pub(super) fn request(&self, method: Method, path: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
    }

    /// Sends a request; the answer, whose body comes as long as this lives.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unreachable> {
        let sent = self.sender.send_request(request).await;
        sent.map_err(|_| Unreachable::Http(self.address.clone()))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Where an address leads.
#[derive(Debug, Eq, PartialEq)]
struct Target {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    prefix: String,
}

impl Target {
    fn parse(address: &str) -> Option<Self> {
        let uri: Uri = address.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Self {
            tls,
            host: uri.host()?.to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: uri.authority()?.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// The platform's authorities; `SSL_CERT_FILE` names others.
static TLS: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
});

pub(super) fn not_an_address(address: &str) -> Unreachable {
    Unreachable::Address(address.to_owned())
}

/// Time for one exchange.
const LONGEST: Duration = Duration::from_secs(15);
/// Largest answer, bytes: a network file in base64, a token and addresses.
pub(super) const LARGEST: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(address: &str) -> Option<(bool, String, u16, String)> {
        let Target {
            tls,
            host,
            port,
            prefix,
            ..
        } = Target::parse(address)?;
        Some((tls, host, port, prefix))
    }

    #[test]
    fn address_says_host_port_and_whether_it_is_secret() {
        assert_eq!(
            parts("http://127.0.0.1:8420"),
            Some((false, "127.0.0.1".into(), 8420, String::new()))
        );
        assert_eq!(
            parts("https://home.example/node/"),
            Some((true, "home.example".into(), 443, "/node".into()))
        );
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in [
            "",
            "home.example",
            "ftp://home.example",
            "http://",
            "nats://a:1",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn silence_at_an_address_is_reported_with_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);

        let outcome = post(&address, "/v1/enroll", &"x").await;

        assert_eq!(outcome.err(), Some(Unreachable::Http(address).into()));
    }
}
