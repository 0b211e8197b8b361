//! One signal to stop, seen by every task.

use tokio::sync::watch;
pub use vettid_federation::signals::signaled;

/// Asks every holder of a [`Stop`] to end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells a task when to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// A new pair; nothing is asked to stop yet.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks all to stop. Asking twice changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once asked to stop, or when nobody is left to ask. Cancel-safe.
    pub async fn asked(&mut self) {
        // An error means that the stopper is gone, which is the same request.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}
