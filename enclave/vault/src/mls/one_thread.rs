//! Keeps OpenMLS on the thread that calls it.
//!
//! OpenMLS hands the levels of a tree to `rayon`, whose first use starts a thread a core. A vault's
//! process has one thread and may not start another.

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    static POOL: Option<ThreadPool> = ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build()
        // It fails only where the thread belongs to a pool already.
        .ok();
}

/// Makes the calling thread the only one of a pool of its own, so that whatever `rayon` is given
/// from here on is done here.
pub(crate) fn claim() {
    POOL.with(|_| ());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_a_claimed_thread_stays_on_it() {
        claim();
        let own = std::thread::current().id();

        let (a, b) = rayon::join(
            || std::thread::current().id(),
            || std::thread::current().id(),
        );

        assert!(a == own && b == own);
        assert_eq!(rayon::current_num_threads(), 1);
    }
}
