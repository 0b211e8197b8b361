//! What each path does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use vettid_crypto::{InvitationSecret, SecretBytes};
use vettid_wire::http::{Code, Credentials as CredentialsBody, Enroll, Renew, renewal_text};
use vettid_wire::invitation::stored;
use vettid_wire::limits;
use vettid_wire::time::SECOND;

use super::answer::Refused;
use super::attachments;
use super::rate::RateLimit;
use crate::attachment::Attachments;
use crate::bus::credentials::{Credentials, is_user_key, user_signed};
use crate::clock::unix_seconds;
use crate::federation::Joined;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::network::NetworkFile;
use crate::space::{Directory, Enrolled};

/// Largest request body, bytes: a token, a key, a signature.
const BODY: usize = 8 * 1024;

/// Time for one request.
const REQUEST: Duration = Duration::from_secs(15);

/// What the API needs of the node.
pub struct Front {
    /// Spaces and devices.
    pub directory: Directory,
    /// Signs device tokens.
    pub credentials: Arc<Credentials>,
    /// Handed to every app.
    pub network: watch::Receiver<NetworkFile>,
    /// Where the bus is, best first.
    pub bus: Vec<String>,
    /// Answers the health paths.
    pub health: Health,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The network of nodes, which counts too.
    pub(crate) joined: Joined,
    /// Bounds each address.
    pub rate: RateLimit,
    /// Bounds each address in chunks of attachments.
    pub chunk_rate: RateLimit,
    /// Chunks of attachments.
    pub(crate) attachments: Attachments,
}

/// The API.
pub fn api(front: Arc<Front>) -> Router {
    let limited = Router::new()
        .route("/v1/enroll", post(enroll))
        .route("/v1/credentials", post(renew))
        .route("/v1/network", get(network))
        .layer(from_fn_with_state(Arc::clone(&front), limit));
    let chunks = Router::new()
        .route(
            "/v1/attachments/{id}/{index}",
            put(attachments::put).get(attachments::get),
        )
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&front), limit_chunks));
    let router = Router::new()
        .merge(limited)
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { unknown_path() })
        .method_not_allowed_fallback(|| async { wrong_method() });
    let chunks = chunks.method_not_allowed_fallback(|| async { wrong_method() });
    // Bodies of chunks are bounded and watched where they are read.
    headed(bounded(router).merge(chunks).with_state(front))
}

/// The metrics listener's only path.
pub fn metrics_api(front: Arc<Front>) -> Router {
    let shown = async |State(front): State<Arc<Front>>| {
        let ready = front.health.readiness().is_ready();
        front.metrics.ready.set(i64::from(ready));
        let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0");
        (
            [(header::CONTENT_TYPE, kind)],
            front.metrics.to_text(front.joined.metrics().as_ref()),
        )
    };
    let router = Router::new()
        .route("/metrics", get(shown))
        .fallback(|| async { unknown_path() })
        .with_state(front);
    headed(bounded(router))
}

fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(BODY))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST,
        ))
}

fn headed(mut router: Router) -> Router {
    for (name, value) in HEADERS {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        router = router.layer(SetResponseHeaderLayer::overriding(name, value));
    }
    router
}

/// Nothing here is ever a page, a frame or a thing to keep.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
];

async fn enroll(State(front): State<Arc<Front>>, body: Bytes) -> Result<Response, Refused> {
    let Enroll { token, user } = read(&body)?;
    if !is_user_key(&user) {
        return Err(Refused::malformed("`user` must be a public NATS user key"));
    }
    let half: [u8; 32] = BASE64URL_NOPAD
        .decode(token.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Refused::malformed("`token` must be 32 bytes in base64url"))?;
    let hash = stored(&InvitationSecret::from_bytes(half));
    let enrolled = front
        .directory
        .enroll(hash, user.clone(), unix_seconds())
        .await??;
    front.metrics.enrollments_begun.inc();
    front.issue(&user, enrolled)
}

async fn renew(State(front): State<Arc<Front>>, body: Bytes) -> Result<Response, Refused> {
    let Renew {
        user,
        time,
        signature,
    } = read(&body)?;
    let now = unix_seconds();
    check_time(time, now)?;
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| Refused::malformed("`signature` must be base64url"))?;
    if !user_signed(&user, &renewal_text(&user, time), &signature) {
        let message = "the signature is not by this device's key";
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            Code::SignatureWrong,
            message,
        ));
    }
    let enrolled = front.directory.renew(user.clone(), now).await??;
    front.issue(&user, enrolled)
}

/// Refuses what was signed too long ago, or too early.
pub(super) fn check_time(time: u64, now: u64) -> Result<(), Refused> {
    if (time / SECOND).abs_diff(now) > limits::CLOCK_SKEW / SECOND {
        let message = "the device's clock is wrong by more than 5 minutes: set it";
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            Code::ClockWrong,
            message,
        ));
    }
    Ok(())
}

impl Front {
    fn issue(&self, user: &str, enrolled: Enrolled) -> Result<Response, Refused> {
        let Enrolled {
            space,
            device,
            not_before,
        } = enrolled;
        let jwt = self
            .credentials
            .device_token(user, space, device, not_before)?;
        self.metrics.credentials_issued.inc();
        let lifetime = limits::BUS_CREDENTIAL / SECOND;
        let body = CredentialsBody {
            jwt,
            expires: not_before.saturating_add(lifetime).saturating_mul(SECOND),
            space: space.to_string(),
            device: device.to_string(),
            bus: self.bus.clone(),
            network: self.network.borrow().to_base64(),
        };
        Ok(Json(body).into_response())
    }
}

async fn network(State(front): State<Arc<Front>>) -> Response {
    let kind = HeaderValue::from_static("application/cbor");
    let signed = front.network.borrow().signed.clone();
    ([(header::CONTENT_TYPE, kind)], signed).into_response()
}

async fn ready(State(front): State<Arc<Front>>) -> Response {
    let readiness = front.health.readiness();
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// Counts requests and refuses those of an address that asks too often.
async fn limit(
    State(front): State<Arc<Front>>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    request: Request,
    next: Next,
) -> Response {
    limited(&front, &front.rate, peer, request, next).await
}

/// The same for chunks, of which an attachment has many.
async fn limit_chunks(
    State(front): State<Arc<Front>>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    request: Request,
    next: Next,
) -> Response {
    limited(&front, &front.chunk_rate, peer, request, next).await
}

async fn limited(
    front: &Front,
    rate: &RateLimit,
    peer: SocketAddr,
    request: Request,
    next: Next,
) -> Response {
    front.metrics.http_requests_answered.inc();
    match rate.take(peer.ip(), Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            front.metrics.http_requests_limited.inc();
            Refused::too_fast(seconds).into_response()
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|_| Refused::malformed("the body is not the JSON this path takes"))
}

fn unknown_path() -> Response {
    Refused::new(
        StatusCode::NOT_FOUND,
        Code::NotFound,
        "there is nothing here",
    )
    .into_response()
}

fn wrong_method() -> Response {
    let message = "this path takes another method";
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::MethodNotAllowed,
        message,
    )
    .into_response()
}
