//! `message send`, with its files.

use std::path::Path;

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::attachment::Upload;
use vettid_sdk::wire::limits;
use vettid_sdk::wire::operation::message as wire;

use super::arguments::Send;
use super::read::unnamed;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Meter;
use crate::secrets::Secrets;

/// Stores the files at the node, then sends the message that names them.
pub(super) async fn send(
    owner: &Owner,
    arguments: Send,
    secrets: &mut Secrets,
    folder: &Path,
    json: bool,
) -> Result<Output, Failure> {
    let conversation = arguments.to.wire().ok_or_else(unnamed)?;
    if arguments.attach.len() > limits::ATTACHMENTS {
        let most = limits::ATTACHMENTS;
        return Err(Failure::usage(format!(
            "a message has at most {most} files"
        )));
    }
    let uploads = arguments
        .attach
        .iter()
        .map(|file| Upload::of(file, media_type(file), &folder.join(UPLOADS)))
        .collect::<Result<Vec<_>, _>>()?;
    let text = secrets.words("text").await?;
    if text.is_empty() && uploads.is_empty() {
        return Err(Failure::usage("there is nothing to say"));
    }
    let mut attachments = Vec::with_capacity(uploads.len());
    for upload in &uploads {
        let mut meter = Meter::new(&upload.name, json);
        let sent = owner.upload(upload, &mut |moved| meter.show(moved)).await;
        drop(meter);
        attachments.push(sent?);
    }
    let request = wire::Send {
        conversation,
        text,
        reply_to: arguments.reply_to,
        attachments,
        disappear_after: arguments
            .disappear_after
            .map(|seconds| seconds.saturating_mul(1_000)),
    };
    let sent = owner.call(&request).await?;
    for upload in &uploads {
        // What stays behind is used for the same file only, and replaced when that has changed.
        let _ = upload.forget();
    }
    let id = sent.id.to_string();
    let json = json!({ "id": id, "sequence": sent.sequence });
    Ok(Output::new(id, json))
}

/// What a file is called on the network, by its extension.
fn media_type(file: &Path) -> &'static str {
    let extension = file.extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// What people send to each other.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("zip", "application/zip"),
];

/// Folder of interrupted uploads, in the home folder.
const UPLOADS: &str = "uploads";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_is_told_by_the_extension() {
        assert_eq!(media_type(Path::new("a/b.JPG")), "image/jpeg");
        assert_eq!(media_type(Path::new("jpg")), "application/octet-stream");
        assert_eq!(media_type(Path::new("a.b")), "application/octet-stream");
    }
}
