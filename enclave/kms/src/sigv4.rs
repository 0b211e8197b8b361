//! Signatures of requests: AWS Signature Version 4, `AWS4-HMAC-SHA256`, headers only.
//!
//! Source: AWS General Reference, "Create a signed AWS API request".

use core::fmt::Write as _;

use data_encoding::HEXLOWER;
use vettid_crypto::digest::sha256;
use vettid_crypto::mac::hmac_sha256;
use vettid_crypto::{WipedVec, Zeroizing};
use vettid_wire::Secret;
use vettid_wire::time::UnixMillis;

/// What a signature is for.
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// A `POST /`, as far as it is signed.
pub(crate) struct Post<'a> {
    /// Names in lower case and values, in the order of the names. `x-amz-date` is among them.
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) body: &'a [u8],
}

/// The value of the `authorization` header.
pub(crate) fn authorization(
    post: &Post<'_>,
    scope: &Scope<'_>,
    now: UnixMillis,
    (key_id, key): (&str, &Secret),
) -> String {
    let time = timestamp(now);
    let date = time.get(..8).unwrap_or_default();
    let names: Vec<&str> = post.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = String::from("POST\n/\n\n");
    for (name, value) in post.headers {
        // Writing to a string cannot fail.
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(
        canonical,
        "\n{names}\n{}",
        HEXLOWER.encode(&sha256(post.body))
    );
    let scope_text = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope_text}\n{}",
        HEXLOWER.encode(&sha256(canonical.as_bytes()))
    );
    let mut first = WipedVec::new(Vec::with_capacity(key.len().saturating_add(4)));
    first.append(b"AWS4");
    key.expose(|key| first.append(key));
    let mut signing = Zeroizing::new(hmac_sha256(&first, date.as_bytes()));
    for part in [scope.region, scope.service, "aws4_request"] {
        *signing = hmac_sha256(signing.as_slice(), part.as_bytes());
    }
    let signature = HEXLOWER.encode(&hmac_sha256(signing.as_slice(), to_sign.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope_text}, SignedHeaders={names}, Signature={signature}"
    )
}

/// A time as `YYYYMMDD'T'HHMMSS'Z'`.
pub(crate) fn timestamp(time: UnixMillis) -> String {
    let [year, month, day, hour, minute, second] = time.calendar();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_ID: &str = "AKIDEXAMPLE";

    fn key() -> Secret {
        Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    }

    // 2015-08-30T12:36:00Z, the time of the published test suite.
    const TIME: UnixMillis = UnixMillis(1_440_938_160_000);

    #[test]
    fn published_request_gets_its_published_signature() {
        let headers = [
            ("host", "example.amazonaws.com".to_owned()),
            ("x-amz-date", timestamp(TIME)),
        ];
        let post = Post {
            headers: &headers,
            body: b"",
        };
        let scope = Scope {
            region: "us-east-1",
            service: "service",
        };

        let authorization = authorization(&post, &scope, TIME, (KEY_ID, &key()));

        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }
}
