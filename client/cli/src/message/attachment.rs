//! `message attachment`: files of a message.

use std::path::{Path, PathBuf};

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::attachment::Attachment;
use vettid_sdk::wire::id::MessageId;
use vettid_sdk::wire::operation::message as wire;

use super::arguments::Attachment as Command;
use super::show;
use crate::failure::Failure;
use crate::output::{Output, size, table, turns};
use crate::progress::Meter;

/// Runs one of them.
pub(super) async fn run(owner: &Owner, command: Command, json: bool) -> Result<Output, Failure> {
    match command {
        Command::List { id } => {
            let files = files(owner, id).await?;
            let numbered = || (1..).zip(&files);
            let rows: Vec<_> = numbered().map(|(n, one)| show::listed(n, one)).collect();
            let json: Vec<_> = numbered()
                .map(|(n, one)| show::attachment_json(n, one))
                .collect();
            Ok(Output::new(table(&rows), json!({ "attachments": json })))
        }
        Command::Save { id, number, to } => {
            let files = files(owner, id).await?;
            let file = number.checked_sub(1).and_then(|place| files.get(place));
            let file = file.ok_or_else(|| {
                let count = files.len();
                Failure::Usage(
                    "no-such-attachment",
                    format!("the message has {count} files"),
                )
            })?;
            save(owner, file, to, json).await
        }
    }
}

async fn files(owner: &Owner, id: MessageId) -> Result<Vec<Attachment>, Failure> {
    Ok(owner.call(&wire::Get { id }).await?.attachments)
}

async fn save(
    owner: &Owner,
    file: &Attachment,
    to: Option<PathBuf>,
    json: bool,
) -> Result<Output, Failure> {
    let to = target(to, &file.name)?;
    let mut meter = Meter::new(&file.name, json);
    let saved = owner
        .download(file, &to, &mut |moved| meter.show(moved))
        .await;
    drop(meter);
    saved?;
    Ok(Output::new(
        format!("{}  {}", to.display(), size(file.size)),
        json!({ "file": to.to_string_lossy(), "bytes": file.size }),
    ))
}

/// Where a file goes. The name that its sender gave it is used within a folder only, if it is a name
/// at all.
fn target(to: Option<PathBuf>, name: &str) -> Result<PathBuf, Failure> {
    let folder = match to {
        Some(to) if !to.is_dir() => return in_folder(to),
        Some(folder) => folder,
        None => PathBuf::new(),
    };
    if is_plain(name) {
        Ok(folder.join(name))
    } else {
        Err(Failure::Usage(
            "attachment-name",
            "the file's own name cannot be used here: name another with --to".into(),
        ))
    }
}

/// A file that is to be made, in a folder that is there.
fn in_folder(to: PathBuf) -> Result<PathBuf, Failure> {
    let folder = if to.as_os_str().as_encoded_bytes().ends_with(b"/") {
        Some(to.as_path())
    } else {
        to.parent()
    };
    match folder {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let folder = folder.display();
            Err(Failure::Usage(
                "no-folder",
                format!("there is no folder {folder}: make it, or name another with --to"),
            ))
        }
        _ => Ok(to),
    }
}

/// Whether a name is no path, not hidden, and shows what it is.
fn is_plain(name: &str) -> bool {
    let only_name = Path::new(name).file_name().is_some_and(|own| own == name);
    let plain = |c: char| !c.is_control() && !turns(c) && !matches!(c, '/' | '\\' | ':');
    only_name && !name.starts_with(['.', '-', ' ']) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_sender_leads_nowhere_else() {
        for name in [
            "",
            ".",
            "..",
            "../a",
            "/etc/a",
            "a/b",
            ".bashrc",
            "-rf",
            "a\nb",
            "c:a",
            "a\\b",
            "gpj\u{202e}.exe",
        ] {
            let refused = target(None, name).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{name}");
        }
        assert_eq!(target(None, "a b.jpg").unwrap(), Path::new("a b.jpg"));
    }

    #[test]
    fn file_is_not_fetched_for_a_folder_that_is_not_there() {
        let to = |path: &str| target(Some(path.into()), "a b.jpg");

        for path in ["/nowhere/x", "/nowhere/"] {
            let refused = to(path).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{path}");
            assert!(refused.message().contains("there is no folder /nowhere"));
        }
        assert_eq!(to("x").unwrap(), Path::new("x"));
    }

    #[test]
    fn folder_takes_the_file_under_its_own_name_and_a_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();

        assert_eq!(target(Some(path.clone()), "a").unwrap(), path.join("a"));
        let named = path.join("mine");
        assert_eq!(target(Some(named.clone()), "../a").unwrap(), named);
    }
}
