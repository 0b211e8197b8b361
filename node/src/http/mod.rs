//! The HTTP API: enrollment, renewal, the network file, attachments, health. Everything else is on the bus.
//!
//! ```text
//! POST /v1/enroll       {token, user}             -> {jwt, expires, space, device, bus, network}
//! POST /v1/credentials  {user, time, signature}   -> the same
//! GET  /v1/network      the signed network file
//! PUT  /v1/attachments/{id}/{index}           one sealed chunk, signed by a device
//! GET  /v1/attachments/{id}/{index}?node=…    the same chunk, from here or from that node
//! GET  /healthz /readyz
//! ```
//!
//! It answers strangers, so everything has a bound: connections, time for headers and for the
//! request, body, requests per address.

mod answer;
mod attachments;
mod listener;
mod origin;
mod places;
mod rate;
mod routes;
mod tls;

pub use listener::{Listener, ListenerLimits};
pub use rate::RateLimit;
pub use routes::{Front, api, metrics_api};
pub use tls::{TlsError, acceptor};
