//! A socket of a test that answers whoever dials it, until it is dropped.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// An open door. Dropped, it is closed, and its file stays.
#[derive(Debug)]
pub struct Door {
    at: PathBuf,
    closed: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Door {
    /// Listens at `at` and has `answer` for each caller, one after the other.
    ///
    /// # Panics
    /// When there is a file already.
    #[must_use]
    pub fn open(at: &Path, answer: impl Fn(UnixStream) + Send + 'static) -> Self {
        let listener = UnixListener::bind(at).expect("a socket");
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closed);
        let keeper = thread::spawn(move || {
            for caller in listener.incoming() {
                if seen.load(Ordering::Acquire) {
                    return;
                }
                answer(caller.expect("a caller"));
            }
        });
        Self {
            at: at.to_owned(),
            closed,
            keeper: Some(keeper),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // Wakes the keeper.
        let woken = UnixStream::connect(&self.at).is_ok();
        if let Some(keeper) = self.keeper.take().filter(|_| woken) {
            let _ = keeper.join();
        }
    }
}
