//! The enclave on AWS Nitro. It takes no arguments and reads no environment: what it is, is what is
//! measured.

use std::process::ExitCode;

use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::{OwnerVault, template};
use vettid_runtime::platform::Attester;
use vettid_runtime::platform::nitro::{Nitro, tell_registers};
use vettid_runtime::vault_process::live;

fn main() -> ExitCode {
    launch(template, live::<OwnerVault>, || {
        Nitro::open().inspect(|nitro| tell_registers(&nitro.measurement()))
    })
}
