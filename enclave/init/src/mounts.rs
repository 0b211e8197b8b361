//! The file systems that the kernel makes up, and the sealed root.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::refusal::Refusal;

struct Mount {
    kind: &'static str,
    at: &'static str,
    flags: MsFlags,
}

/// What the enclave reads: `/proc` for memory of its processes, `/sys` for the source of randomness,
/// `/dev` for the secure module.
const MOUNTS: [Mount; 3] = [
    Mount {
        kind: "proc",
        at: "/proc",
        flags: MsFlags::MS_NOSUID
            .union(MsFlags::MS_NODEV)
            .union(MsFlags::MS_NOEXEC),
    },
    Mount {
        kind: "sysfs",
        at: "/sys",
        flags: MsFlags::MS_NOSUID
            .union(MsFlags::MS_NODEV)
            .union(MsFlags::MS_NOEXEC)
            .union(MsFlags::MS_RDONLY),
    },
    Mount {
        kind: "devtmpfs",
        at: "/dev",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
    },
];

/// Mounts all of them.
pub(crate) fn mount_all() -> Result<(), Refusal> {
    for Mount { kind, at, flags } in &MOUNTS {
        mount(Some(*kind), *at, Some(*kind), *flags, None::<&str>)
            .map_err(|error| Refusal::Mount(at, error))?;
    }
    Ok(())
}

/// Makes the root read-only: what was measured stays what runs.
pub(crate) fn seal_root() -> Result<(), Refusal> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|error: Errno| Refusal::Mount("/", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_mounted_gives_privileges_or_runs_programs() {
        for Mount { at, flags, .. } in &MOUNTS {
            assert!(
                flags.contains(MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC),
                "{at}"
            );
        }
    }

    #[test]
    fn only_the_device_folder_holds_devices_and_only_the_kernel_writes_below_sys() {
        for Mount { at, flags, .. } in &MOUNTS {
            assert_eq!(flags.contains(MsFlags::MS_NODEV), *at != "/dev", "{at}");
            assert_eq!(flags.contains(MsFlags::MS_RDONLY), *at == "/sys", "{at}");
        }
    }
}
