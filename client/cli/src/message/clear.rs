//! `message clear`: empties a conversation.

use vettid_sdk::Owner;
use vettid_sdk::wire::id::MessageId;
use vettid_sdk::wire::operation::message as wire;

use super::arguments::Conversation;
use super::read::unnamed;
use crate::failure::Failure;
use crate::output::Output;

/// Empties a conversation up to its newest message, or before another one.
pub(super) async fn run(
    owner: &Owner,
    of: Conversation,
    before: Option<MessageId>,
    yes: bool,
) -> Result<Output, Failure> {
    let conversation = of.wire().ok_or_else(unnamed)?;
    if !yes {
        return Err(Failure::usage(
            "nothing brings back what is cleared: say that you mean it with --yes",
        ));
    }
    let through = match before {
        Some(id) => {
            let message = owner.call(&wire::Get { id }).await?;
            if message.conversation != conversation {
                return Err(Failure::usage("this message is of another conversation"));
            }
            message.sequence.saturating_sub(1)
        }
        // What comes meanwhile stays.
        None => {
            let request = wire::List {
                conversation,
                from: wire::From::Newest,
                limit: Some(1),
            };
            let newest = owner.call(&request).await?.messages.pop();
            newest.map_or(0, |newest| newest.sequence)
        }
    };
    let request = wire::Clear {
        conversation,
        through,
    };
    owner.call(&request).await?;
    Ok(Output::done(""))
}
