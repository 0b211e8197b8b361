//! The emulated enclave, for development: everything is as in the real one but what protects it.

use std::process::ExitCode;

use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::{OwnerVault, template};
use vettid_runtime::platform::emulated::EmulatedPlatform;
use vettid_runtime::platform::emulated::command::{Command, USAGE, create_network};
use vettid_runtime::vault_process::live;

fn main() -> ExitCode {
    match Command::parse(std::env::args_os().skip(1)) {
        Some(Command::Run { socket, folder }) => launch(template, live::<OwnerVault>, || {
            EmulatedPlatform::open(&folder, &socket)
        }),
        Some(Command::CreateNetwork { folder, update }) => match create_network(&folder, update) {
            Ok(network) => {
                println!("{network}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
