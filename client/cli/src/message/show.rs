//! Messages, for people and for scripts.

use serde_json::{Value, json};
use vettid_sdk::wire::attachment::Attachment;
use vettid_sdk::wire::limits;
use vettid_sdk::wire::operation::message as wire;
use vettid_sdk::wire::time::SECOND;

use super::names::Names;
use crate::failure::Failure;
use crate::invitation::text;
use crate::output::{Output, one_line, size, table};
use crate::time;

/// Several messages, a row each.
pub(super) async fn all(
    messages: &[wire::Message],
    names: &mut Names<'_>,
) -> Result<Output, Failure> {
    let mut rows = Vec::with_capacity(messages.len());
    for message in messages {
        rows.push(row(message, names).await?);
    }
    let json: Result<Vec<_>, _> = messages.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "messages": json? })))
}

/// One message, with all that is known of it.
pub(super) async fn one(message: &wire::Message, names: &mut Names<'_>) -> Result<Output, Failure> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("id", message.id.to_string()),
        row("in", names.conversation(&message.conversation).await),
        row("sequence", message.sequence.to_string()),
        row("from", names.sender(message).await),
        row("sent", time::text(message.sent)),
    ];
    for (name, at) in [
        ("received", message.received),
        ("read", message.read),
        ("edited", message.edited),
        ("removed", message.removed),
    ] {
        rows.extend(at.map(|at| row(name, time::text(at))));
    }
    rows.extend(goes(message).map(|when| row("disappears", when)));
    rows.extend(message.reply_to.map(|id| row("answers", id.to_string())));
    if !fate(message).is_empty() {
        rows.push(row("receipt", fate(message).into()));
    }
    for reaction in &message.reactions {
        let whose = if reaction.from.is_none() {
            "you"
        } else {
            "other"
        };
        let said = format!("{} ({whose})", one_line(&reaction.reaction));
        rows.push(row("reaction", said));
    }
    if usize::try_from(message.reacted).is_ok_and(|all| all > message.reactions.len()) {
        rows.push(row("reactions", format!("{} in all", message.reacted)));
    }
    for (number, attachment) in (1..).zip(&message.attachments) {
        rows.push(row("file", listed(number, attachment).join("  ")));
    }
    rows.push(row("text", said(message)?));
    Ok(Output::new(table(&rows), to_json(message)?))
}

/// One message in a row.
pub(super) async fn row(
    message: &wire::Message,
    names: &mut Names<'_>,
) -> Result<Vec<String>, Failure> {
    Ok(vec![
        message.sequence.to_string(),
        message.id.to_string(),
        time::text(message.sent),
        names.sender(message).await,
        fate(message).into(),
        said(message)?,
    ])
}

/// A file of a message in a row.
pub(super) fn listed(number: usize, attachment: &Attachment) -> Vec<String> {
    vec![
        number.to_string(),
        one_line(&attachment.name),
        size(attachment.size),
        one_line(&attachment.media_type),
    ]
}

/// A file of a message, for scripts.
pub(super) fn attachment_json(number: usize, attachment: &Attachment) -> Value {
    json!({
        "number": number,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "bytes": attachment.size,
    })
}

/// What a message says, with what was done to it. No line of it looks like another message.
fn said(message: &wire::Message) -> Result<String, Failure> {
    if message.removed.is_some() {
        return Ok("(removed)".into());
    }
    let mut parts = Vec::new();
    if let Some(said) = &message.text {
        parts.push(text(said)?.replace('\n', "\n    | "));
    }
    for (number, attachment) in (1..).zip(&message.attachments) {
        let listed = listed(number, attachment).join(", ");
        parts.push(format!("[file {listed}]"));
    }
    if message.edited.is_some() {
        parts.push("(edited)".into());
    }
    parts.push(reactions(message));
    parts.extend(goes(message).map(|when| format!("(disappears {when})")));
    parts.retain(|part| !part.is_empty());
    Ok(parts.join("  "))
}

/// Reactions to a message, each with how many have it; nothing without any.
fn reactions(message: &wire::Message) -> String {
    let mut counted: Vec<(String, u32)> = Vec::new();
    for one in &message.reactions {
        let reaction = one_line(&one.reaction);
        match counted.iter_mut().find(|(known, _)| *known == reaction) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counted.push((reaction, 1)),
        }
    }
    if counted.is_empty() {
        return String::new();
    }
    let shown = counted.into_iter().map(|(reaction, count)| match count {
        1 => reaction,
        count => format!("{reaction} {count}"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    if usize::try_from(message.reacted).is_ok_and(|all| all > message.reactions.len()) {
        return format!("[{shown}, … {} in all]", message.reacted);
    }
    format!("[{shown}]")
}

/// When a message disappears; none for one that stays, or is gone.
pub(super) fn goes(message: &wire::Message) -> Option<String> {
    let after = message
        .disappear_after
        .filter(|_| message.removed.is_none())?;
    let seconds = after.div_ceil(SECOND);
    // Until it is known to be read, its sender keeps it as long as it may take to be delivered.
    let latest = message.sent.plus(limits::DELIVERY_TIME).plus(after);
    Some(match message.disappears {
        None => format!("{seconds} s after you read it"),
        Some(at) if at == latest => {
            let latest = time::text(at);
            format!("{seconds} s after it is read, {latest} at the latest")
        }
        Some(at) => time::text(at),
    })
}

/// What became of a message.
const fn fate(message: &wire::Message) -> &'static str {
    match (message.failed, message.receipt) {
        (Some(wire::Failed::Expired), _) => "expired",
        (Some(wire::Failed::Refused), _) => "refused",
        (None, Some(wire::Receipt::Waiting)) => "waiting",
        (None, Some(wire::Receipt::Stored)) => "stored",
        (None, Some(wire::Receipt::Delivered)) => "delivered",
        (None, Some(wire::Receipt::Read)) => "read",
        (None, None) => "",
    }
}

pub(super) fn to_json(message: &wire::Message) -> Result<Value, Failure> {
    let (kind, conversation) = conversation(&message.conversation);
    let reactions: Vec<_> = message
        .reactions
        .iter()
        .map(|one| {
            let from = one.from.map(|vault| vault.to_string());
            json!({ "from": from, "reaction": one.reaction })
        })
        .collect();
    let attachments: Vec<_> = (1..)
        .zip(&message.attachments)
        .map(|(number, one)| attachment_json(number, one))
        .collect();
    Ok(json!({
        "id": message.id.to_string(),
        kind: conversation,
        "sequence": message.sequence,
        "change": message.change,
        "from": message.from.map(|vault| vault.to_string()),
        "sent": message.sent.0,
        "received": message.received.map(|at| at.0),
        "text": message.text.as_ref().map(text).transpose()?,
        "edited": message.edited.map(|at| at.0),
        "removed": message.removed.map(|at| at.0),
        "reply_to": message.reply_to.map(|id| id.to_string()),
        "attachments": attachments,
        "reactions": reactions,
        "reacted": message.reacted,
        "receipt": Some(fate(message)).filter(|fate| !fate.is_empty()),
        "disappear_after": message.disappear_after,
        "disappears": message.disappears.map(|at| at.0),
        "read": message.read.map(|at| at.0),
    }))
}

/// A conversation that was emptied.
pub(super) fn cleared(cleared: &wire::Cleared, called: &str) -> Output {
    let (kind, id) = conversation(&cleared.conversation);
    let (through, change) = (cleared.through, cleared.change);
    Output::new(
        format!("({called} was cleared up to {through})"),
        json!({ kind: id, "cleared": through, "change": change }),
    )
}

/// Kind and id of a conversation.
pub(crate) fn conversation(of: &wire::Conversation) -> (&'static str, String) {
    match of {
        wire::Conversation::Connection(id) => ("connection", id.to_string()),
        wire::Conversation::Group(id) => ("group", id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::Secret;
    use vettid_sdk::wire::home::HomeNode;
    use vettid_sdk::wire::id::{AttachmentId, ConnectionId, MessageId, NodeId, VaultId};
    use vettid_sdk::wire::time::UnixMillis;

    fn message(text: &str) -> wire::Message {
        wire::Message {
            id: MessageId([1; 16]),
            conversation: wire::Conversation::Connection(ConnectionId([2; 16])),
            sequence: 7,
            change: 9,
            from: None,
            sent: UnixMillis(0),
            received: None,
            text: Some(text.into()),
            edited: None,
            removed: None,
            reply_to: None,
            attachments: vec![],
            reactions: vec![],
            reacted: 0,
            receipt: Some(wire::Receipt::Stored),
            failed: None,
            disappear_after: None,
            disappears: None,
            read: None,
        }
    }

    #[test]
    fn second_line_of_a_text_is_no_second_message() {
        assert_eq!(said(&message("one\n8  two")).unwrap(), "one\n    | 8  two");
    }

    #[test]
    fn files_are_told_with_number_name_and_size_and_never_with_their_key() {
        let mut message = message("");
        message.attachments = vec![Attachment {
            id: AttachmentId([3; 16]),
            name: "a\nb.jpg".into(),
            media_type: "image/jpeg".into(),
            size: 3 * 1024 * 1024,
            chunk: 1024,
            key: Secret::new(vec![0x4b; 32]),
            home: HomeNode {
                node: NodeId([4; 32]),
                peers: vec![],
                addresses: vec![],
            },
        }];

        let (text, json) = (said(&message).unwrap(), to_json(&message).unwrap());

        assert_eq!(text, "[file 1, a b.jpg, 3.0 MiB, image/jpeg]");
        let file = json!({
            "number": 1, "name": "a\nb.jpg", "media_type": "image/jpeg", "bytes": 3 * 1024 * 1024
        });
        assert_eq!(json["attachments"], json!([file]));
        assert!(!json.to_string().contains(&"4b".repeat(8)));
        assert_eq!(json["receipt"], "stored");
    }

    #[test]
    fn reactions_stand_behind_what_they_are_to() {
        let reaction = |number, reaction: &str| wire::Reaction {
            from: Some(VaultId([number; 32])),
            reaction: reaction.into(),
        };
        let mut message = message("hello");
        message.reactions = vec![reaction(1, "+"), reaction(2, "a\nb"), reaction(3, "+")];
        message.reacted = 3;

        assert_eq!(said(&message).unwrap(), "hello  [+ 2, a b]");
        message.reacted = 80;
        assert_eq!(said(&message).unwrap(), "hello  [+ 2, a b, … 80 in all]");
    }

    #[test]
    fn message_that_disappears_says_when() {
        let received = wire::Message {
            disappear_after: Some(90_000),
            ..message("hello")
        };
        let read = wire::Message {
            disappears: Some(UnixMillis(1_790_000_000_000)),
            ..received.clone()
        };
        let own = wire::Message {
            disappears: Some(UnixMillis(limits::DELIVERY_TIME + 90_000)),
            ..received.clone()
        };

        for (message, when) in [
            (received, "90 s after you read it"),
            (read, "2026-09-21T14:13:20Z"),
            (
                own,
                "90 s after it is read, 1970-01-17T00:01:30Z at the latest",
            ),
        ] {
            let shown = said(&message).unwrap();
            assert_eq!(shown, format!("hello  (disappears {when})"));
        }
    }

    #[test]
    fn conversation_that_was_emptied_says_up_to_where() {
        let emptied = wire::Cleared {
            conversation: wire::Conversation::Connection(ConnectionId([2; 16])),
            through: 7,
            change: 9,
        };

        let told = cleared(&emptied, "Ada");

        assert_eq!(told.text, "(Ada was cleared up to 7)");
        let id = "02".repeat(16);
        let json = json!({ "connection": id, "cleared": 7, "change": 9 });
        assert_eq!(told.json, json);
    }

    #[test]
    fn removed_message_says_nothing_else() {
        let removed = wire::Message {
            removed: Some(UnixMillis(5)),
            disappear_after: Some(90_000),
            ..message("")
        };

        assert_eq!(said(&removed).unwrap(), "(removed)");
    }
}
