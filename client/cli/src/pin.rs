//! `pin change`.

use vettid_sdk::{Owner, check};

use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::Secrets;

/// Replaces the PIN. Secrets: current PIN, new PIN.
pub(crate) async fn change(owner: &Owner, secrets: &mut Secrets) -> Result<Output, Failure> {
    let current = secrets.current("Current PIN")?;
    let replacement = secrets.fresh("New PIN (6 to 32 digits)", check::pin)?;
    owner.change_pin(&current, &replacement).await?;
    Ok(Output::done("The PIN is changed."))
}
