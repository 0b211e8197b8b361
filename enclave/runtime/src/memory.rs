//! Private memory of the enclave's processes, as the kernel counts it.

use std::fs;

use crate::system;

/// Bytes of a page where `statm` counts pages.
const PAGE: u64 = 4096;

/// A process that has grown or shrunk by less has as much private memory as it had, bytes.
const SAME: u64 = 64 * 1024;
/// How often in a row that is believed: pages shared with the zygote can become private unseen.
const BELIEVED: u8 = 15;

/// Private memory of a process that is looked at again and again. The exact figure makes the kernel walk
/// all pages of the process, so it is read when the process has changed, and now and then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    anonymous: u64,
    private: u64,
    believed: u8,
}

impl Watched {
    /// A process that was not looked at yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            anonymous: 0,
            private: 0,
            believed: 0,
        }
    }

    /// Looks again: bytes, or none when the process has ended.
    pub fn look(&mut self, pid: i32, zygote: i32) -> Option<u64> {
        self.look_by(|| anonymous(pid), || private(pid, zygote))
    }

    fn look_by(
        &mut self,
        anonymous: impl Fn() -> Option<u64>,
        private: impl Fn() -> Option<u64>,
    ) -> Option<u64> {
        let before = anonymous()?;
        if self.is_worth_a_read(before) {
            self.private = private()?;
            self.anonymous = before;
            // What was read while the process grew or shrank is of that moment and no other: a vault
            // that hashes a PIN has many times what it has before and after.
            if anonymous()?.abs_diff(before) >= SAME {
                self.believed = BELIEVED;
            }
        }
        Some(self.private)
    }

    fn is_worth_a_read(&mut self, anonymous: u64) -> bool {
        let is_known = self.private > 0 && self.anonymous.abs_diff(anonymous) < SAME;
        let is_believed = is_known && self.believed < BELIEVED;
        self.believed = if is_believed {
            self.believed.saturating_add(1)
        } else {
            0
        };
        !is_believed
    }
}

/// Gives freed heap pages of this process back to the kernel, so that what it is seen to have is what it
/// uses.
pub fn trim() {
    system::trim_heap();
}

/// Bytes that this process has allocated and not freed: what it uses, wherever the allocator has put it and
/// however much free memory it keeps. Zero where the allocator does not count.
#[must_use]
pub fn heap_in_use() -> usize {
    system::heap_in_use()
}

/// Private memory of a process in bytes; none when it has ended.
///
/// Exact where this may read the process's map (as root); else resident memory that no file backs,
/// less what the zygote has, which is too much by what is still shared.
#[must_use]
pub fn private(pid: i32, zygote: i32) -> Option<u64> {
    if let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        return private_of_rollup(&rollup);
    }
    let own = anonymous(pid)?;
    Some(own.saturating_sub(anonymous(zygote).unwrap_or(0)))
}

fn anonymous(pid: i32) -> Option<u64> {
    anonymous_of_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)
}

fn private_of_rollup(rollup: &str) -> Option<u64> {
    let mut kib = 0_u64;
    let mut seen = false;
    for line in rollup.lines() {
        if let Some((name @ ("Private_Clean" | "Private_Dirty"), value)) = line.split_once(':') {
            seen |= name == "Private_Dirty";
            kib = kib.saturating_add(value.trim().strip_suffix(" kB")?.parse().ok()?);
        }
    }
    seen.then(|| kib.saturating_mul(1024))
}

fn anonymous_of_statm(statm: &str) -> Option<u64> {
    let mut fields = statm
        .split_ascii_whitespace()
        .skip(1)
        .map(str::parse::<u64>);
    let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(resident.saturating_sub(shared).saturating_mul(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn clean_and_dirty_private_pages_are_added() {
        let rollup =
            "00400000-7ff rollup\nRss: 900 kB\nPrivate_Clean:  4 kB\nPrivate_Dirty:  120 kB\n";

        assert_eq!(private_of_rollup(rollup), Some(124 * 1024));
        assert_eq!(private_of_rollup("Rss: 900 kB\n"), None);
    }

    #[test]
    fn what_files_back_is_not_counted() {
        assert_eq!(
            anonymous_of_statm("5000 800 700 10 0 90 0\n"),
            Some(100 * PAGE)
        );
        assert_eq!(anonymous_of_statm("5000"), None);
    }

    #[test]
    fn process_is_read_when_it_has_changed_and_now_and_then() {
        let mut watched = Watched {
            anonymous: 10 * SAME,
            private: 1,
            believed: 0,
        };

        assert!(watched.is_worth_a_read(11 * SAME));
        let believed = (0..40)
            .filter(|_| !watched.is_worth_a_read(10 * SAME + 1))
            .count();
        assert_eq!(believed, 38);
        assert!(Watched::new().is_worth_a_read(0));
    }

    #[test]
    fn what_was_read_while_the_process_grew_is_read_again() {
        let (now, reads) = (Cell::new(0), Cell::new(0));
        let small = || Some(SAME);
        let private = || {
            reads.set(reads.get() + 1);
            Some(now.get())
        };
        // It grows between the first read and the second.
        let hashing = || Some(now.replace(64 * SAME).max(SAME));
        let mut watched = Watched::new();

        assert_eq!(watched.look_by(hashing, private), Some(64 * SAME));
        now.set(SAME);
        assert_eq!(watched.look_by(small, private), Some(SAME));
        assert_eq!(watched.look_by(small, private), Some(SAME));

        assert_eq!(reads.get(), 2);
    }

    #[test]
    fn process_that_is_watched_is_told_until_it_has_ended() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut watched = Watched::new();

        assert!(watched.look(own, 1).expect("alive") > 0);
        assert_eq!(watched.look(i32::MAX, 1), None);
    }

    #[test]
    fn this_process_has_memory_and_one_that_ended_has_none() {
        let own = i32::try_from(std::process::id()).unwrap();

        assert!(private(own, 1).expect("alive") > 0);
        assert_eq!(private(i32::MAX, 1), None);
    }
}
