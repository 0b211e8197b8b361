//! What a confined process must not come back from: reaching outside, one system call each.

use nix::libc;

/// Every attempt.
pub(crate) const ATTEMPTS: [u8; 16] = *b"snuowkpveftxyzib";

/// Makes one attempt; a confined process does not come back.
pub(crate) fn attempt(what: u8) {
    let path = c"/etc/hostname".as_ptr() as i64;
    let parent = 1;
    match what {
        b's' => call(
            libc::SYS_socket,
            [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0],
        ),
        b'n' => call(
            libc::SYS_socket,
            [libc::AF_VSOCK.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0],
        ),
        b'u' => call(libc::SYS_socketpair, [1, 1, 0, 0, 0, 0]),
        b'o' => call(libc::SYS_openat, [libc::AT_FDCWD.into(), path, 0, 0, 0, 0]),
        b'w' => call(
            libc::SYS_openat,
            [
                libc::AT_FDCWD.into(),
                path,
                libc::O_CREAT.into(),
                0o600,
                0,
                0,
            ],
        ),
        b'k' => call(libc::SYS_kill, [parent, 0, 0, 0, 0, 0]),
        b'p' => call(
            libc::SYS_ptrace,
            [libc::PTRACE_ATTACH.into(), parent, 0, 0, 0, 0],
        ),
        b'v' => call(libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0, 0]),
        b'e' => call(
            libc::SYS_execve,
            [c"/bin/true".as_ptr() as i64, 0, 0, 0, 0, 0],
        ),
        b'f' => call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0, 0, 0]),
        b't' => call(libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
        b'x' => call(libc::SYS_mmap, [0, 4096, 5, 0x22, -1, 0]),
        b'y' => call(
            libc::SYS_prctl,
            [libc::PR_SET_DUMPABLE.into(), 1, 0, 0, 0, 0],
        ),
        b'z' => call(libc::SYS_setuid, [0, 0, 0, 0, 0, 0]),
        b'i' => call(libc::SYS_ioctl, [3, 0, 0, 0, 0, 0]),
        b'b' => call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
        _ => 0,
    };
}

/// One system call without memory to write to.
#[allow(unsafe_code)]
pub(crate) fn call(number: i64, [a, b, c, d, e, f]: [i64; 6]) -> i64 {
    // SAFETY: a test that tries forbidden calls; none of them gets memory to write to.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}
