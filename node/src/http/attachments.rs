//! `PUT` and `GET /v1/attachments/{id}/{index}`: chunks as they are, for devices that sign.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;
use vettid_wire::http::{Code, SIGNATURE_HEADER, TIME_HEADER, USER_HEADER, attachment_text};
use vettid_wire::id::{AttachmentId, SpaceId};
use vettid_wire::limits;

use super::answer::Refused;
use super::origin::origin;
use super::routes::{Front, check_time};
use crate::attachment::{CHUNK, Chunk, Entered, Fetching, Reading};
use crate::bus::credentials::user_signed;
use crate::clock::unix_seconds;

/// Time for one piece of a body to come.
const PIECE: Duration = Duration::from_millis(limits::TRANSFER_PAUSE);

/// Time for the rest of a body that is not wanted.
const REST: Duration = Duration::from_secs(15);

/// Time for a body to get its turn and its share of memory.
const MEMORY: Duration = Duration::from_secs(30);

/// Stores a chunk.
pub(super) async fn put(
    State(front): State<Arc<Front>>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let mut pieces = body.into_data_stream();
    let outcome = take(&front, &path, &headers, &mut pieces).await;
    if length(&headers).is_ok() {
        drain(pieces).await;
    }
    outcome
}

async fn take(
    front: &Front,
    path: &(String, String),
    headers: &HeaderMap,
    pieces: &mut BodyDataStream,
) -> Result<Response, Refused> {
    let (id, index) = parse(path)?;
    let space = authenticate(front, "PUT", id, index, headers).await?;
    let size = length(headers)?;
    let chunk = Chunk {
        id,
        index,
        source: None,
    };
    let place = match front.attachments.begin(space, chunk, size).await? {
        Ok(place) => place,
        Err(entered) => return entered_answer(entered),
    };
    let shares = async {
        let turn = front.attachments.body(space).await?;
        Some((turn, front.attachments.memory(size).await?))
    };
    let shares = timeout(MEMORY, shares).await;
    let _shares = shares.ok().flatten().ok_or_else(busy)?;
    let bytes = timeout(longest(size), collect(pieces, size)).await;
    let bytes = bytes.map_err(|_| slow())??;
    let entered = front.attachments.store(place, bytes).await?;
    entered_answer(entered)
}

/// Gives a chunk out, from a byte on; fetches it from another node when it is there.
pub(super) async fn get(
    State(front): State<Arc<Front>>,
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (id, index) = parse(&path)?;
    let space = authenticate(&front, "GET", id, index, &headers).await?;
    let offset = range(&headers)?;
    let own = front.health.enclave().node;
    let origin = origin(query.as_deref().unwrap_or_default())?;
    let origin = origin.filter(|origin| Some(origin.node) != own);
    let chunk = Chunk {
        id,
        index,
        source: origin.as_ref().map(|origin| origin.node),
    };
    if let Some(reading) = front.attachments.open(chunk, offset.unwrap_or(0)).await? {
        return Ok(read_answer(reading, offset));
    }
    let origin = origin.ok_or_else(unknown)?;
    let fetching = Fetching::begin(
        &front.attachments,
        space,
        chunk,
        origin,
        offset.unwrap_or(0),
    );
    Ok(fetched_answer(fetching.await?, offset))
}

fn parse((id, index): &(String, String)) -> Result<(AttachmentId, u32), Refused> {
    let id = id.parse().ok();
    let index = index
        .parse()
        .ok()
        .filter(|index| *index < limits::ATTACHMENT_CHUNKS);
    id.zip(index).ok_or_else(|| {
        Refused::malformed("an attachment is named by 32 hexadecimal digits, a chunk by its number")
    })
}

/// The space of the device that signed the request.
async fn authenticate(
    front: &Front,
    method: &str,
    id: AttachmentId,
    index: u32,
    headers: &HeaderMap,
) -> Result<SpaceId, Refused> {
    let text = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
    let missing = || Refused::malformed("the request is not signed by a device");
    let user = text(USER_HEADER).ok_or_else(missing)?;
    let time: u64 = text(TIME_HEADER)
        .and_then(|time| time.parse().ok())
        .ok_or_else(missing)?;
    let signature = text(SIGNATURE_HEADER)
        .and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok())
        .ok_or_else(missing)?;
    let now = unix_seconds();
    check_time(time, now)?;
    if !user_signed(
        user,
        &attachment_text(method, id, index, user, time),
        &signature,
    ) {
        let message = "the signature is not by this device's key";
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            Code::SignatureWrong,
            message,
        ));
    }
    let enrolled = front.directory.renew(user.to_owned(), now).await??;
    Ok(enrolled.space)
}

/// Bytes of the body, as they must be named before it.
fn length(headers: &HeaderMap) -> Result<u64, Refused> {
    let length: Option<u64> = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    match length {
        None => Err(Refused::new(
            StatusCode::LENGTH_REQUIRED,
            Code::LengthRequired,
            "say how long the chunk is in `content-length`",
        )),
        Some(1..=CHUNK) => length.ok_or_else(unknown),
        Some(_) => Err(Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::ChunkSize,
            format!("a sealed chunk has 1 to {CHUNK} bytes"),
        )),
    }
}

/// Time for a body of `size` bytes, pauses included.
pub(super) const fn longest(size: u64) -> Duration {
    PIECE.saturating_add(Duration::from_secs(size / limits::TRANSFER_SLOWEST))
}

/// Takes a body of exactly `size` bytes that does not stall.
async fn collect(pieces: &mut BodyDataStream, size: u64) -> Result<Bytes, Refused> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(piece) = timeout(PIECE, pieces.next()).await.map_err(|_| slow())? {
        let piece = piece.map_err(|_| Refused::malformed("the body broke off"))?;
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > size {
            return Err(Refused::malformed("the body is longer than was said"));
        }
    }
    if bytes.len() as u64 == size {
        Ok(bytes.into())
    } else {
        Err(Refused::malformed("the body is shorter than was said"))
    }
}

/// Reads the rest of a body that is not wanted, within bounds: an answer that is given before the
/// end of the request is lost when the connection closes.
async fn drain(mut pieces: BodyDataStream) {
    let rest = async {
        let mut room = CHUNK;
        while let Some(Ok(piece)) = pieces.next().await {
            match room.checked_sub(piece.len() as u64) {
                Some(left) => room = left,
                None => return,
            }
        }
    };
    // Whoever sends slower than that is told nothing.
    let _ = timeout(REST, rest).await;
}

/// First byte that is wanted, if the request says so: `bytes=N-` alone is taken.
fn range(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    let Some(range) = headers.get(header::RANGE) else {
        return Ok(None);
    };
    let start = range.to_str().ok().and_then(|text| {
        let start = text.strip_prefix("bytes=")?.strip_suffix('-')?;
        start.parse::<u64>().ok().filter(|start| *start < CHUNK)
    });
    start.map(Some).ok_or_else(|| {
        Refused::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::Range,
            "ask for `bytes=N-`, with N within the chunk",
        )
    })
}

fn entered_answer(entered: Entered) -> Result<Response, Refused> {
    match entered {
        Entered::New => Ok(StatusCode::CREATED.into_response()),
        Entered::Known => Ok(StatusCode::OK.into_response()),
        Entered::Foreign => Err(Refused::new(
            StatusCode::CONFLICT,
            Code::AttachmentTaken,
            "another vault has an attachment of this id: choose another",
        )),
        Entered::Full => Err(Refused::new(
            StatusCode::INSUFFICIENT_STORAGE,
            Code::Quota,
            "this vault has as many attachments at the node as it may",
        )),
    }
}

fn read_answer(reading: Reading, offset: Option<u64>) -> Response {
    let (size, left) = (reading.size(), reading.left());
    let body = stream::unfold(Some(reading), async |reading| {
        let mut reading = reading?;
        match reading.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    answer(Body::from_stream(body), size, left, offset)
}

fn fetched_answer(fetching: Fetching, offset: Option<u64>) -> Response {
    let (size, left) = (fetching.size(), fetching.left());
    let body = stream::unfold(Some(fetching), async |fetching| {
        let mut fetching = fetching?;
        match fetching.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(fetching))),
            Err(error) => Some((Err(error), None)),
        }
    });
    answer(Body::from_stream(body), size, left, offset)
}

fn answer(body: Body, size: u64, left: u64, offset: Option<u64>) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(left));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(offset) = offset {
        let last = size.saturating_sub(1);
        if let Ok(range) = HeaderValue::from_str(&format!("bytes {offset}-{last}/{size}")) {
            headers.insert(header::CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn unknown() -> Refused {
    let message = "there is no such chunk here";
    Refused::new(StatusCode::NOT_FOUND, Code::AttachmentUnknown, message)
}

fn busy() -> Refused {
    Refused::unavailable()
}

fn slow() -> Refused {
    let message = format!(
        "the body came too slowly: at least {} KiB a second, pauses of at most {} s",
        limits::TRANSFER_SLOWEST / 1024,
        PIECE.as_secs()
    );
    Refused::new(StatusCode::REQUEST_TIMEOUT, Code::TooSlow, message)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Whether a body is taken whose pieces of 64 KiB come so many seconds apart.
    async fn is_taken(size: u64, seconds: u64) -> bool {
        let pieces = stream::unfold(size, move |left| async move {
            let piece = left.min(64 * 1024);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            let bytes = Bytes::from(vec![0; usize::try_from(piece).expect("small")]);
            (piece > 0).then_some((Ok::<_, Infallible>(bytes), left - piece))
        });
        let mut body = Body::from_stream(pieces).into_data_stream();
        let collected = timeout(longest(size), collect(&mut body, size)).await;
        collected.is_ok_and(|collected| collected.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn body_is_taken_at_the_slowest_speed_and_not_below() {
        const SIZE: u64 = 1024 * 1024;

        // 64 KiB in four seconds are 16 KiB a second.
        assert!(is_taken(SIZE, 4).await);
        assert!(!is_taken(SIZE, 8).await);
        let nothing = stream::pending::<Result<Bytes, Infallible>>();
        let mut nothing = Body::from_stream(nothing).into_data_stream();
        assert_eq!(collect(&mut nothing, 1).await, Err(slow()));
    }

    #[test]
    fn whoever_is_too_slow_hears_how_fast_it_must_be() {
        let said = format!("{:?}", slow());

        assert!(said.contains("16 KiB a second"), "{said}");
    }
}
