//! The emulated enclave, for development: everything is as in the real one but what protects it.

use std::process::ExitCode;

use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::{OwnerVault, template};
use vettid_runtime::platform::emulated::EmulatedPlatform;
use vettid_runtime::platform::emulated::command::{Command, USAGE, create_network, join_network};
use vettid_runtime::vault_process::live;

fn main() -> ExitCode {
    let made = match Command::parse(std::env::args_os().skip(1)) {
        Some(Command::Run {
            socket,
            folder,
            release,
        }) => {
            return launch(template, live::<OwnerVault>, || {
                EmulatedPlatform::open(&folder, &socket, release)
            });
        }
        Some(Command::CreateNetwork {
            folder,
            image,
            update,
        }) => create_network(&folder, &image, update),
        Some(Command::JoinNetwork {
            folder,
            network,
            root,
            image,
        }) => join_network(&folder, &network, &root, &image),
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match made {
        Ok(network) => println!("{network}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
