//! A device's access to the bus of its node, renewed before it ends.

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use vettid_wire::Secret;
use vettid_wire::http::{Credentials, Renew, renewal_text};
use vettid_wire::time::UnixMillis;

use crate::clock::Clock;
use crate::error::{Error, Fault};
use crate::keeper::Keeper;
use crate::keystore::{BusAccess, KeystoreError, State};
use crate::transport::Dial;
use crate::trust::Trust;

/// A device's access to the bus. One a device; whoever connects asks it at every attempt.
pub struct Pass<D> {
    dial: D,
    keeper: Arc<Keeper>,
    trust: Arc<Mutex<Trust>>,
    clock: Arc<dyn Clock>,
    renewing: tokio::sync::Mutex<()>,
}

impl<D: Dial> Pass<D> {
    pub(crate) fn new(
        dial: D,
        keeper: Arc<Keeper>,
        trust: Arc<Mutex<Trust>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            dial,
            keeper,
            trust,
            clock,
            renewing: tokio::sync::Mutex::new(()),
        }
    }

    /// Access that is good for another `spare` ms, renewed if what is at hand is not. If the node
    /// does not renew it now, what is at hand, as long as it lasts.
    pub async fn access(&self, spare: u64) -> Result<BusAccess, Error> {
        let _one_at_a_time = self.renewing.lock().await;
        let held = self.held()?;
        if self.clock.now().plus(spare) < held.expires {
            return Ok(held);
        }
        match self.renew_now().await {
            Err(error) if error.is_passing() && self.clock.now() < held.expires => Ok(held),
            outcome => outcome,
        }
    }

    /// Signs the bus's challenge.
    pub fn sign(&self, nonce: &[u8]) -> Result<Vec<u8>, Error> {
        let pair = self.keeper.read(|state| state.keys.bus())?;
        pair.sign(nonce).map_err(|_| Fault::Key.into())
    }

    /// Whether less than `spare` ms are left.
    pub(crate) fn ends_within(&self, spare: u64) -> bool {
        self.held()
            .is_ok_and(|held| held.expires <= self.clock.now().plus(spare))
    }

    /// Renews the access whatever is left of it, and takes the network file that comes with it.
    pub(crate) async fn renew(&self) -> Result<BusAccess, Error> {
        let _one_at_a_time = self.renewing.lock().await;
        self.renew_now().await
    }

    async fn renew_now(&self) -> Result<BusAccess, Error> {
        let (address, body) = self.keeper.read(|state| {
            let body = renewal(state, self.clock.now())?;
            Ok::<_, Error>((state.anchor.address.clone(), body))
        })?;
        let credentials = self.dial.renew(&address, body).await?;
        let (access, network_file) = parse(&credentials)?;
        let remembered = {
            let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
            trust.update(&network_file)?;
            trust.remembered()
        };
        self.keeper.change(|state| {
            state.bus = Some(access.clone());
            state.network_file = Some(Secret::new(network_file));
            state.remembered = remembered;
        })?;
        Ok(access)
    }

    fn held(&self) -> Result<BusAccess, KeystoreError> {
        self.keeper
            .read(|state| state.bus.clone())
            .ok_or(KeystoreError::Unfinished)
    }
}

/// A signed request for fresh credentials.
pub(crate) fn renewal(state: &State, now: UnixMillis) -> Result<Renew, Error> {
    let pair = state.keys.bus()?;
    let user = pair.public_key();
    let signature = pair
        .sign(&renewal_text(&user, now.0))
        .map_err(|_| Fault::Key)?;
    Ok(Renew {
        user,
        time: now.0,
        signature: BASE64URL_NOPAD.encode(&signature),
    })
}

/// What a node's answer gives: access, and the network file, which is not verified yet.
pub(crate) fn parse(credentials: &Credentials) -> Result<(BusAccess, Vec<u8>), Error> {
    let malformed = || Error::from(Fault::Answer);
    let access = BusAccess {
        jwt: credentials.jwt.clone(),
        expires: UnixMillis(credentials.expires),
        space: credentials.space.parse().map_err(|_| malformed())?,
        route: credentials.device.parse().map_err(|_| malformed())?,
        addresses: credentials.bus.clone(),
    };
    let network_file = BASE64
        .decode(credentials.network.as_bytes())
        .map_err(|_| malformed())?;
    Ok((access, network_file))
}

impl<D> core::fmt::Debug for Pass<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pass(..)")
    }
}
