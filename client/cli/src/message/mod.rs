//! `message`: what owners say to each other.

mod arguments;
mod attachment;
mod clear;
mod names;
mod people;
mod read;
mod say;
mod show;
mod watch;

pub(crate) use arguments::Message;
pub(crate) use show::conversation;

use std::path::Path;

use vettid_sdk::Owner;
use vettid_sdk::wire::operation::message as wire;

use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::Secrets;

/// Runs one of them. `folder` keeps what an interrupted transfer needs.
pub(crate) async fn run(
    owner: &Owner,
    command: Message,
    secrets: &mut Secrets,
    folder: &Path,
    json: bool,
) -> Result<Output, Failure> {
    match command {
        Message::Send(arguments) => say::send(owner, arguments, secrets, folder, json).await,
        Message::Edit { id } => {
            let text = secrets.words("text").await?;
            done(owner.call(&wire::Edit { id, text }).await)
        }
        Message::List(arguments) if arguments.watch => watch::run(owner, arguments, json).await,
        Message::List(arguments) => read::list(owner, arguments).await,
        Message::Get { id } => read::get(owner, id).await,
        Message::Read { of, through } => read::mark(owner, of, through).await,
        Message::Search(arguments) => read::search(owner, &arguments).await,
        Message::Remove { id, everywhere } => {
            done(owner.call(&wire::Remove { id, everywhere }).await)
        }
        Message::Clear { of, before, yes } => clear::run(owner, of, before, yes).await,
        Message::React { id, reaction } => done(owner.call(&wire::React { id, reaction }).await),
        Message::Attachment(command) => attachment::run(owner, command, json).await,
    }
}

fn done<T>(outcome: Result<T, vettid_sdk::Error>) -> Result<Output, Failure> {
    outcome?;
    Ok(Output::done(""))
}
