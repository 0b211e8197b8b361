//! Calls that are more than one request.

use vettid_wire::operation::{Done, credential, item, key, release, vault};
use vettid_wire::refusal::Code;
use vettid_wire::request::Operation;
use vettid_wire::{Secret, cbor};

use super::device::Owner;
use crate::check;
use crate::error::{Error, Unreachable};

impl Owner {
    /// Opens the vault with its PIN. An earlier request whose answer was lost is settled then.
    pub async fn unlock(&self, pin: &Secret) -> Result<vault::Unlocked, Error> {
        check::pin(pin)?;
        let request = vault::Unlock {
            pin: pin.clone(),
            seen: self.keeper().head(),
        };
        let unlocked = self.call_at_most(&request, ATTEMPTS).await?;
        // The vault is open whatever comes of it; what remains is settled by the next call.
        let _ = self.settle().await;
        Ok(unlocked)
    }

    /// Closes the vault for everybody.
    pub async fn lock(&self) -> Result<Done, Error> {
        match self.call_at_most(&vault::Lock {}, ATTEMPTS).await {
            Err(Error::Unreachable(Unreachable::Since(refusal)))
                if refusal.code == Code::Locked =>
            {
                Ok(Done {})
            }
            outcome => outcome,
        }
    }

    /// State of the vault, as far as it can be told.
    pub async fn status(&self) -> Result<vault::StatusReport, Error> {
        self.call(&vault::Status { seen: None }).await
    }

    /// Calls an operation that needs the PIN to have been proven just now, in the same session.
    pub async fn call_with_pin<O: Operation>(
        &self,
        pin: &Secret,
        request: &O,
    ) -> Result<O::Reply, Error> {
        check::pin(pin)?;
        self.prove_pin(pin).await?;
        match self.call(request).await {
            // The session was replaced between the two.
            Err(Error::Refused(refusal)) if refusal.code == Code::PinNeeded => {
                self.prove_pin(pin).await?;
                self.call(request).await
            }
            outcome => outcome,
        }
    }

    /// Replaces the PIN. The vault must be open.
    pub async fn change_pin(&self, current: &Secret, replacement: &Secret) -> Result<Done, Error> {
        check::pin(replacement)?;
        let request = vault::ChangePin {
            current: current.clone(),
            replacement: replacement.clone(),
        };
        self.call_with_pin(current, &request).await
    }

    /// Replaces the password.
    pub async fn change_password(
        &self,
        current: &Secret,
        replacement: &Secret,
    ) -> Result<Done, Error> {
        check::password(replacement)?;
        let input = Secret::new(cbor::encode(replacement));
        self.call_with_owner(current, &credential::ChangePassword {}, Some(input))
            .await
    }

    /// Lets the vault move to the release that its node offers, if the network lists it as active.
    pub async fn approve_release(
        &self,
        password: &Secret,
        offered: release::Offered,
    ) -> Result<Done, Error> {
        self.trust()?.check_offer(&offered)?;
        let request = release::Approve { offered };
        self.call_with_owner(password, &request, None).await
    }

    /// Reports the credential lost: nothing that needs it works until the identity is rotated.
    pub async fn report_lost(&self, pin: &Secret) -> Result<Done, Error> {
        self.call_with_pin(pin, &credential::ReportLost {}).await
    }

    /// Creates or replaces a critical item, with the values of its fields in their order.
    pub async fn put_critical(
        &self,
        password: &Secret,
        request: &item::PutCritical,
        values: item::CriticalValues,
    ) -> Result<item::Written, Error> {
        let input = Secret::new(cbor::encode(&values));
        self.call_with_owner(password, request, Some(input)).await
    }

    /// Takes a private key over.
    pub async fn import_key(
        &self,
        password: &Secret,
        request: &key::Import,
        private: &Secret,
    ) -> Result<key::Key, Error> {
        let input = Secret::new(cbor::encode(private));
        self.call_with_owner(password, request, Some(input)).await
    }

    async fn prove_pin(&self, pin: &Secret) -> Result<(), Error> {
        let request = vault::Unlock {
            pin: pin.clone(),
            seen: self.keeper().head(),
        };
        self.call_at_most(&request, ATTEMPTS).await.map(drop)
    }
}

/// How often a PIN is sent for one entry by its owner: each time may count as an attempt.
const ATTEMPTS: u32 = 2;
