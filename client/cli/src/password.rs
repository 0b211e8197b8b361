//! `password change`.

use vettid_sdk::{Owner, check};

use crate::failure::Failure;
use crate::output::Output;
use crate::secrets::Secrets;

/// Replaces the password. Secrets: current password, new password.
pub(crate) async fn change(owner: &Owner, secrets: &mut Secrets) -> Result<Output, Failure> {
    let current = secrets.current("Current password")?;
    let replacement = secrets.fresh("New password (at least 8 characters)", check::password)?;
    owner.change_password(&current, &replacement).await?;
    Ok(Output::done("The password is changed."))
}
