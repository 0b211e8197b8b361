//! The network that this node is in now, for those who ask it things beside the exchange.

use tokio::sync::watch;
use vettid_federation::Handle;
use vettid_federation::metrics::Metrics;

/// The network that this node is in now. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Joined(watch::Receiver<Option<Handle>>);

impl Joined {
    /// In a network, or in none; who changes that.
    pub(crate) fn new(handle: Option<Handle>) -> (Self, watch::Sender<Option<Handle>>) {
        let (sender, receiver) = watch::channel(handle);
        (Self(receiver), sender)
    }

    /// Asks the network, if this node is in one.
    pub(crate) fn now(&self) -> Option<Handle> {
        self.0.borrow().clone()
    }

    /// What the network counts, from the moment it was joined.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        self.now().map(|handle| handle.metrics().clone())
    }

    /// Waits until another one is asked than before.
    #[cfg(test)]
    pub(super) async fn changed(&mut self) {
        self.0.changed().await.expect("a driver");
    }
}
