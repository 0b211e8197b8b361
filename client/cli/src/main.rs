//! The owner's command line.
//!
//! One file a noun; [`arguments`] is the grammar, [`secrets`] the only way in for secrets,
//! [`output`] the only way out for answers, [`failure`] the exit codes.

mod arguments;
mod audit;
mod connection;
mod credential;
mod device;
mod ending;
mod enroll;
mod failure;
mod feed;
mod group;
mod hardening;
mod home;
mod invitation;
mod item;
mod key;
mod link;
mod message;
mod output;
mod password;
mod pin;
mod progress;
mod release;
mod run;
mod secrets;
mod tag;
mod time;
mod vault;

use std::process::ExitCode;

fn main() -> ExitCode {
    hardening::harden();
    run::main(std::env::args_os())
}
