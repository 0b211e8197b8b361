//! A bounded HTTP/1.1 client for a node's API.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
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
    let unexpected = || Unreachable::HttpAnswer {
        address: address.into(),
        status: status.as_u16(),
    };
    if status.is_success() {
        return serde_json::from_slice(&answer).map_err(|_| unexpected().into());
    }
    match serde_json::from_slice::<Failure>(&answer) {
        Ok(failure) => Err(Error::NodeRefused(failure.error)),
        Err(_) => Err(unexpected().into()),
    }
}

async fn exchange(
    address: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Unreachable> {
    let unreachable = || Unreachable::Http(address.to_owned());
    let target = Target::parse(address).ok_or_else(|| not_an_address(address))?;
    let stream = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .map_err(|_| unreachable())?;
    let request = Request::post(format!("{}{path}", target.prefix))
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| not_an_address(address))?;
    if !target.tls {
        return send(stream, request).await.ok_or_else(unreachable);
    }
    let host = target.host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|_| not_an_address(address))?;
    let connector = TlsConnector::from(TLS.clone().ok_or_else(unreachable)?);
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|_| unreachable())?;
    send(stream, request).await.ok_or_else(unreachable)
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Option<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST)
            .collect()
            .await
            .ok()?;
        Some((status, body.to_bytes()))
    }
    .await;
    driver.abort();
    answer
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

fn not_an_address(address: &str) -> Unreachable {
    Unreachable::Address(address.to_owned())
}

/// Time for one exchange.
const LONGEST: Duration = Duration::from_secs(15);
/// Largest answer, bytes: a network file in base64, a token and addresses.
const LARGEST: usize = 256 * 1024;

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
