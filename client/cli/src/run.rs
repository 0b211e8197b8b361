//! From the command line to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, Change, Command, Device};
use crate::failure::Failure;
use crate::output::{Output, note, print};
use crate::secrets::Secrets;
use crate::{
    audit, connection, credential, device, enroll, feed, group, home, invitation, item, key,
    message, password, pin, release, tag, vault,
};

/// Runs one command.
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> = arguments.collect();
    let wants_json = given.iter().any(|argument| argument == "--json");
    match Arguments::try_parse_from(given) {
        Ok(arguments) => {
            let json = arguments.json;
            ExitCode::from(print(&run(arguments), json))
        }
        Err(error) if wants_json && error.use_stderr() => {
            let message = error.kind().to_string();
            let place = error.render().to_string();
            let first = place.lines().next().unwrap_or(&message).to_owned();
            ExitCode::from(print(&Err(Failure::usage(first)), true))
        }
        Err(error) => {
            // Nothing can be said where nothing can be printed.
            let _ = error.print();
            let helped = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            if helped {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            }
        }
    }
}

fn run(arguments: Arguments) -> Result<Output, Failure> {
    // A worker beside this thread: the connection lives on while a person types.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::System("runtime", error.to_string()))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = command(arguments) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        }
    })
}

async fn command(arguments: Arguments) -> Result<Output, Failure> {
    let Arguments {
        home,
        secrets: options,
        command,
        json,
    } = arguments;
    let folder = home::folder(home)?;
    let mut secrets = Secrets::open(options)?;
    if let Command::Enroll(arguments) = command {
        return enroll::run(&folder, arguments, &mut secrets).await;
    }
    let owner = home::owner(&folder)?;
    let had_pending = owner.has_pending();
    let outcome = match command {
        Command::Enroll(_) | Command::Status => vault::status(&owner).await,
        Command::Unlock => vault::unlock(&owner, &mut secrets).await,
        Command::Lock => vault::lock(&owner).await,
        Command::Item(command) => item::run(&owner, command, &mut secrets, options).await,
        Command::Tag(command) => tag::run(&owner, command).await,
        Command::Key(command) => key::run(&owner, command, &mut secrets, options).await,
        Command::Invitation(command) => invitation::run(&owner, command, &mut secrets).await,
        Command::Connection(command) => connection::run(&owner, command).await,
        Command::Message(command) => {
            message::run(&owner, command, &mut secrets, &folder, json).await
        }
        Command::Group(command) => group::run(&owner, command).await,
        Command::Device(Device::List) => device::list(&owner).await,
        Command::Feed(command) => feed::run(&owner, command).await,
        Command::Pin(Change::Change) => pin::change(&owner, &mut secrets).await,
        Command::Password(Change::Change) => password::change(&owner, &mut secrets).await,
        Command::Credential(command) => credential::run(&owner, command, &mut secrets).await,
        Command::Release(command) => release::run(&owner, command, &mut secrets).await,
        Command::Audit(command) => audit::run(&owner, command, &mut secrets).await,
    };
    if had_pending && !owner.has_pending() {
        note(
            "an earlier command that was interrupted is settled now; `vettid audit query` says how",
        );
    }
    outcome
}
