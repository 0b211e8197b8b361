//! `message list --watch`: what is there, then what comes and changes.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vettid_sdk::wire::operation::message as wire;
use vettid_sdk::wire::refusal::{Code, Refusal};
use vettid_sdk::{Error, Owner};

use super::arguments::List;
use super::names::Names;
use super::{read, show};
use crate::failure::Failure;
use crate::output::{Output, line, note};

/// Prints until the program is interrupted. A node that is away is waited for.
pub(super) async fn run(owner: &Owner, arguments: List, json: bool) -> Result<Output, Failure> {
    let conversation = arguments.conversation();
    let mut names = Names::of(owner);
    let mut newest = owner.messages().await?;
    // Before the list, so that nothing falls between the two.
    let open = owner.status().await?.open;
    let mut behind = open.ok_or_else(|| Refusal::new(Code::Locked))?.messages;
    let listed = match conversation {
        Some(_) => read::all_behind(owner, arguments).await?,
        None => Vec::new(),
    };
    for message in &listed {
        tell(message, conversation.is_none(), &mut names, json).await?;
    }
    loop {
        let changes = changes(owner, behind).await?;
        behind = behind.max(changes.newest().unwrap_or_default());
        for cleared in &changes.cleared {
            if conversation.is_none_or(|only| only == cleared.conversation) {
                let called = names.conversation(&cleared.conversation).await;
                line(&show::cleared(cleared, &called), json)?;
            }
        }
        for message in &changes.messages {
            let told = listed
                .iter()
                .any(|one| (one.id, one.change) == (message.id, message.change));
            if !told && conversation.is_none_or(|only| only == message.conversation) {
                tell(message, conversation.is_none(), &mut names, json).await?;
            }
        }
        if changes.more {
            continue;
        }
        // A vault that was locked meanwhile announces nothing; asked, it says that it is.
        if let Ok(Err(_)) = timeout(LOOK, newest.changed()).await {
            return Err(Failure::Interrupted);
        }
    }
}

/// What is new or has changed, however long the node is away.
async fn changes(owner: &Owner, behind: u64) -> Result<wire::Messages, Failure> {
    let request = wire::Changes {
        behind,
        limit: None,
    };
    let mut complained = false;
    loop {
        match owner.call(&request).await {
            Err(Error::Unreachable(error)) => {
                if !complained {
                    note(&format!("{error}; waiting for it"));
                }
                complained = true;
                sleep(AWAY).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

async fn tell(
    message: &wire::Message,
    with_conversation: bool,
    names: &mut Names<'_>,
    json: bool,
) -> Result<(), Failure> {
    let mut row = show::row(message, names).await?;
    if with_conversation {
        row.insert(0, names.conversation(&message.conversation).await);
    }
    line(&Output::new(row.join("  "), show::to_json(message)?), json)
}

/// Silence after which the vault is asked whether there is anything.
const LOOK: Duration = Duration::from_secs(20);

/// Pause before a node that is away is asked again.
const AWAY: Duration = Duration::from_secs(5);
