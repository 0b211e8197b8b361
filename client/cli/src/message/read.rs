//! `message list`, `get`, `read` and `search`.

use vettid_sdk::Owner;
use vettid_sdk::wire::id::MessageId;
use vettid_sdk::wire::operation::message as wire;

use super::arguments::{Conversation, List, Search};
use super::names::Names;
use super::show;
use crate::failure::Failure;
use crate::output::Output;

/// A page of a conversation, newest last.
pub(super) async fn list(owner: &Owner, arguments: List) -> Result<Output, Failure> {
    let messages = page(owner, arguments).await?;
    show::all(&messages, &mut Names::of(owner)).await
}

/// The page that the arguments name.
pub(super) async fn page(owner: &Owner, arguments: List) -> Result<Vec<wire::Message>, Failure> {
    let mut messages = owner.call(&request(arguments)?).await?.messages;
    messages.sort_by_key(|message| message.sequence);
    Ok(messages)
}

/// Everything behind the place that was named, page after page; otherwise one page.
pub(super) async fn all_behind(
    owner: &Owner,
    arguments: List,
) -> Result<Vec<wire::Message>, Failure> {
    let mut request = request(arguments)?;
    if matches!(request.from, wire::From::Behind(_)) {
        request.limit = None;
    }
    let mut found = Vec::new();
    loop {
        let page = owner.call(&request).await?;
        found.extend(page.messages);
        found.sort_by_key(|message| message.sequence);
        match (request.from, found.last()) {
            (wire::From::Behind(_), Some(last)) if page.more => {
                request.from = wire::From::Behind(last.sequence);
            }
            _ => return Ok(found),
        }
    }
}

fn request(arguments: List) -> Result<wire::List, Failure> {
    Ok(wire::List {
        conversation: arguments.conversation().ok_or_else(unnamed)?,
        from: arguments.from(),
        limit: arguments.limit,
    })
}

/// One message.
pub(super) async fn get(owner: &Owner, id: MessageId) -> Result<Output, Failure> {
    let message = owner.call(&wire::Get { id }).await?;
    show::one(&message, &mut Names::of(owner)).await
}

/// Marks as read, up to a place or all of it.
pub(super) async fn mark(
    owner: &Owner,
    of: Conversation,
    through: Option<u64>,
) -> Result<Output, Failure> {
    let conversation = of.wire().ok_or_else(unnamed)?;
    let through = match through {
        Some(through) => through,
        None => {
            let request = wire::List {
                conversation,
                from: wire::From::Newest,
                limit: Some(1),
            };
            let newest = owner.call(&request).await?.messages.pop();
            match newest {
                Some(newest) => newest.sequence,
                None => return Ok(Output::done("")),
            }
        }
    };
    let request = wire::MarkRead {
        conversation,
        through,
    };
    // A vault marks as many at once as one record holds.
    while owner.call(&request).await?.more {}
    Ok(Output::done(leaving(owner, conversation, through).await?))
}

/// What was read and disappears now, and when: of the newest messages up to a place, a line for each.
async fn leaving(
    owner: &Owner,
    conversation: wire::Conversation,
    through: u64,
) -> Result<String, Failure> {
    let request = wire::List {
        conversation,
        from: wire::From::Before(through.saturating_add(1)),
        limit: None,
    };
    let messages = owner.call(&request).await?.messages;
    let leave = |message: &&wire::Message| message.from.is_some() && message.disappears.is_some();
    let lines = messages.iter().filter(leave).filter_map(|message| {
        let when = show::goes(message)?;
        Some(format!("{}  disappears {when}", message.sequence))
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// Messages whose text matches.
pub(super) async fn search(owner: &Owner, arguments: &Search) -> Result<Output, Failure> {
    let after = match arguments.after {
        Some(id) => Some(owner.call(&wire::Get { id }).await?.cursor()),
        None => None,
    };
    let request = wire::Search {
        text: arguments.text.as_str().into(),
        conversation: arguments.conversation(),
        limit: arguments.limit,
        after,
    };
    let found = owner.call(&request).await?.messages;
    show::all(&found, &mut Names::of(owner)).await
}

/// The grammar lets nothing through without a conversation.
pub(super) fn unnamed() -> Failure {
    Failure::usage("name a connection, or a group with --group")
}
