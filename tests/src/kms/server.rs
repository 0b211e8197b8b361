//! HTTP over TLS: a request, its signature, an answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::HEXLOWER;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use vettid_crypto::digest::sha256;
use vettid_crypto::mac::hmac_sha256;
use vettid_wire::time::{MINUTE, UnixMillis};

use super::{ACCESS_KEY_ID, Fault, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN, State};
use crate::raw::now;

/// Answers whoever connects, as long as the test runs.
pub(super) fn serve(
    listener: TcpListener,
    (certificate, key): (Vec<u8>, Vec<u8>),
    state: Arc<Mutex<State>>,
) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivatePkcs8KeyDer::from(key).into(),
        )
        .expect("a certificate");
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, state) = (Arc::clone(&config), Arc::clone(&state));
            thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream);
                while let Some(request) = Request::read(&mut stream) {
                    let (status, answer) = request.answer(&state);
                    let body = answer.to_string();
                    let head = format!(
                        "HTTP/1.1 {status}\r\nx-amzn-RequestId: 0\r\n\
                         Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    // A caller that has seen enough hangs up.
                    let _ = stream.write_all(format!("{head}{body}").as_bytes());
                }
            });
        }
    });
}

struct Request {
    first_line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// Reads one; nothing when the caller has hung up.
    fn read(stream: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.lines();
        let first_line = lines.next().expect("a request line").to_owned();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers["content-length"].parse().expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Self {
            first_line,
            headers,
            body,
        })
    }

    fn answer(&self, state: &Mutex<State>) -> (&'static str, Value) {
        let answer = self.check().and_then(|call| {
            let ask: Value =
                serde_json::from_slice(&self.body).map_err(|_| "ValidationException")?;
            state.lock().expect("nobody panicked").call(call, &ask)
        });
        match answer {
            Ok(answer) => ("200 OK", answer),
            Err(fault) => (
                "400 Bad Request",
                json!({ "__type": fault, "message": "no" }),
            ),
        }
    }

    /// The call, if the caller is who the credentials are for.
    fn check(&self) -> Result<&str, Fault> {
        let header = |name: &str| self.headers.get(name).map_or("", String::as_str);
        let call = header("x-amz-target").strip_prefix("TrentService.");
        let is_right = self.first_line == "POST / HTTP/1.1"
            && header("host") == format!("kms.{REGION}.amazonaws.com")
            && header("content-type") == "application/x-amz-json-1.1";
        let call = call.filter(|_| is_right).ok_or("ValidationException")?;
        let authorization = header("authorization");
        let part = |name: &str| {
            let (_, rest) = authorization.split_once(name)?;
            rest.split([',', ' ']).next()
        };
        let credential = part("Credential=").ok_or("MissingAuthenticationTokenException")?;
        let [id, date, region, service, end] = credential
            .split('/')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| "IncompleteSignatureException")?;
        if id != ACCESS_KEY_ID || header("x-amz-security-token") != SESSION_TOKEN {
            return Err("UnrecognizedClientException");
        }
        let names = part("SignedHeaders=").ok_or("IncompleteSignatureException")?;
        for needed in ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"] {
            if !names.split(';').any(|name| name == needed) {
                return Err("IncompleteSignatureException");
            }
        }
        let signed: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", header(name)))
            .collect();
        let hash = |bytes: &[u8]| HEXLOWER.encode(&sha256(bytes));
        let canonical = format!("POST\n/\n\n{signed}\n{names}\n{}", hash(&self.body));
        let time = header("x-amz-date");
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/{end}\n{}",
            hash(canonical.as_bytes())
        );
        let first = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        let key = [date, REGION, "kms", "aws4_request"]
            .iter()
            .fold(first, |key, part| {
                hmac_sha256(&key, part.as_bytes()).to_vec()
            });
        let signature = HEXLOWER.encode(&hmac_sha256(&key, text.as_bytes()));
        if !is_young(time) {
            return Err("InvalidSignatureException");
        }
        if part("Signature=") != Some(signature.as_str()) || !time.starts_with(date) {
            return Err("InvalidSignatureException");
        }
        Ok(call)
    }
}

/// Whether a time, `YYYYMMDD'T'HHMMSS'Z'`, is within five minutes of now.
fn is_young(time: &str) -> bool {
    let digits = |text: String| text.replace(['T', 'Z'], "");
    let written = |at: u64| {
        let [year, month, day, hour, minute, second] = UnixMillis(at).calendar();
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    };
    let (now, time) = (now().0, digits(time.to_owned()));
    written(now - 5 * MINUTE) <= time && time <= written(now + 5 * MINUTE)
}
