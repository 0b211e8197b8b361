//! The emulated enclave in the place of `vettid-enclave` in an image, for tests of the image. It
//! takes no arguments and reads no environment.

use std::process::ExitCode;

use vettid_runtime::boot::RELEASE;
use vettid_runtime::launch::launch;
use vettid_runtime::owner_vault::{OwnerVault, template};
use vettid_runtime::platform::Attester;
use vettid_runtime::platform::emulated::booted::Booted;
use vettid_runtime::platform::nitro::tell_registers;
use vettid_runtime::vault_process::live;

fn main() -> ExitCode {
    launch(template, live::<OwnerVault>, || {
        Booted::open(RELEASE).inspect(|booted| tell_registers(&booted.measurement()))
    })
}
