//! An owner's app: keeps what an app keeps, and asks as one does.

use vettid_crypto::digest;
use vettid_crypto::sign::SigningKey;
use vettid_vault::Caller;
use vettid_wire::id::{DeviceRoute, RequestId, SessionId, VaultId};
use vettid_wire::request::{Operation, Request};
use vettid_wire::{Secret, cbor};

/// An owner with a device and a vault at a node.
#[derive(Debug)]
pub struct Owner {
    /// Which node.
    pub node: usize,
    /// Which vault of it.
    pub space: usize,
    /// The vault.
    pub vault: VaultId,
    /// What invited the app.
    pub(super) token: [u8; 32],
    device: SigningKey,
    requests: u64,
}

impl Owner {
    /// An owner whose vault is not set up. The same number gives the same device.
    #[must_use]
    pub fn new(number: u64, node: usize, space: usize) -> Self {
        let secret = digest::sha256(&number.to_be_bytes());
        Self {
            node,
            space,
            vault: VaultId([0; 32]),
            token: digest::sha256(&secret),
            device: SigningKey::from_seed(&secret),
            requests: 0,
        }
    }

    /// The device, in its one session.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let device_key = self.device.verifying_key();
        let mut route = [0; 16];
        route.copy_from_slice(&device_key.0[..16]);
        Caller {
            device_key,
            route: DeviceRoute(route),
            session: SessionId([1; 16]),
        }
    }

    /// The next request, encoded.
    pub fn request<O: Operation>(&mut self, body: &O) -> Vec<u8> {
        self.requests += 1;
        let mut id = [0xff; 16];
        id[8..].copy_from_slice(&self.requests.to_be_bytes());
        cbor::encode(&Request {
            id: RequestId(id),
            operation: O::NAME.to_owned(),
            body: Secret::new(cbor::encode(body)),
            proof: None,
        })
    }
}
