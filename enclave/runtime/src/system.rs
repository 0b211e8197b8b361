//! The few calls into the kernel, libc and SQLite that have no safe wrapper: all unsafe code of this
//! program.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::ForkResult;

/// Descriptor of a vault process's one socket after [`keep_only`].
const ONLY_DESCRIPTOR: RawFd = 3;

/// Forks this process.
///
/// The caller is single-threaded (supervisor before its first platform call, zygote always), so the
/// child may allocate and lock.
#[allow(unsafe_code)]
pub(crate) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: no other thread exists that could hold a lock over the fork; see above. Tests fork
    // from a test thread while the harness's main thread only waits, and glibc takes care of malloc.
    unsafe { nix::unistd::fork() }
}

/// Ends this process at once: no destructors, no exit handlers, no flushing of inherited buffers.
#[allow(unsafe_code)]
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(c_int::from(code)) }
}

/// Moves `socket` to descriptor 3 and closes every other descriptor of this process.
#[allow(unsafe_code)]
pub(crate) fn keep_only(socket: OwnedFd) -> nix::Result<OwnedFd> {
    let raw = socket.into_raw_fd();
    if raw != ONLY_DESCRIPTOR {
        // SAFETY: `raw` is owned here; whatever descriptor 3 was, this process gives it up, and its
        // owner in the parent's code never runs in this forked child.
        Errno::result(unsafe { libc::dup2(raw, ONLY_DESCRIPTOR) })?;
    }
    close_range(0, 2)?;
    close_range(4, u32::MAX)?;
    // SAFETY: descriptor 3 is open (dup2 succeeded or it was `raw`) and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(ONLY_DESCRIPTOR) })
}

/// Closes the descriptors from `first` to `last`, both included.
#[allow(unsafe_code)]
fn close_range(first: u32, last: u32) -> nix::Result<()> {
    // SAFETY: closes descriptors by number only; the child owns none that is used afterwards. The
    // raw system call is used because libc has no portable wrapper.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) }).map(drop)
}

/// Takes ownership of a descriptor that the kernel has just handed over in a control message.
#[allow(unsafe_code)]
pub(crate) fn adopt(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel installed `raw` for this process during `recvmsg`; nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

#[allow(unsafe_code)]
unsafe extern "C" {
    /// SQLite's generator; zero bytes asked for forgets its state, so that the next use seeds anew.
    fn sqlite3_randomness(count: c_int, buffer: *mut c_void);
}

/// Makes SQLite's generator forget the state that it shares with every sibling of this process, and
/// seed itself anew at once: later, inside the sandbox, it could not read its seed.
#[allow(unsafe_code)]
pub(crate) fn reseed_sqlite() {
    let mut bytes = [0_u8; 16];
    // SAFETY: documented calls: a count below one with a null buffer resets the generator; the
    // second call writes exactly the sixteen bytes that the buffer holds.
    unsafe {
        sqlite3_randomness(0, std::ptr::null_mut());
        sqlite3_randomness(16, bytes.as_mut_ptr().cast());
    }
}

/// Gives freed heap pages back to the kernel.
#[allow(unsafe_code)]
pub(crate) fn trim_heap() {
    // SAFETY: `malloc_trim` has no preconditions.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes that were allocated and not freed, of every arena; zero where the allocator does not say.
#[allow(unsafe_code)]
pub(crate) fn heap_in_use() -> usize {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: `mallinfo2` has no preconditions and returns a structure of numbers by value.
        let info = unsafe { libc::mallinfo2() };
        info.uordblks.saturating_add(info.hblkhd)
    }
    #[cfg(not(target_env = "gnu"))]
    0
}

/// Descriptor number of `socket`, for calls of `nix` that want a raw one.
pub(crate) fn raw(socket: &impl AsRawFd) -> RawFd {
    socket.as_raw_fd()
}
