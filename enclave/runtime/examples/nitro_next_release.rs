//! The emulated enclave of `vettid-enclave-emulated-image` as the release after it, in an image that
//! tests boot: what moves from one release to the next moves between two images that measure
//! otherwise.

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
        Booted::open(RELEASE + 1).inspect(|booted| tell_registers(&booted.measurement()))
    })
}
