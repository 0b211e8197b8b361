//! Which of root's powers are left.
//!
//! The enclave's supervisor starts processes, gives each its own user and ends them. It neither
//! traces them, nor mounts, nor loads, nor sets a clock.

use nix::errno::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::refusal::Refusal;

/// What the enclave's processes may have at most.
const CHILDREN: CapabilitySet = CapabilitySet::KILL
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// What this process needs for its one last act.
const OWN: CapabilitySet = CapabilitySet::SYS_BOOT;

/// Most capabilities that a kernel may know.
const NUMBERS: u32 = 64;

/// Takes every other power from whatever this process starts.
pub(crate) fn drop_for_children() -> Result<(), Refusal> {
    for number in 0..NUMBERS {
        let power = CapabilitySet::from_bits_retain(1 << number);
        if CHILDREN.contains(power) {
            continue;
        }
        match capability_is_in_bounding_set(power) {
            Ok(true) => remove_capability_from_bounding_set(power).map_err(refused)?,
            Ok(false) => {}
            // A number that this kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(refused(error)),
        }
    }
    set_no_new_privs(true).map_err(refused)
}

/// Keeps the power to end the machine and gives up the rest.
pub(crate) fn drop_own() -> Result<(), Refusal> {
    let sets = CapabilitySets {
        effective: OWN,
        permitted: OWN,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(refused)
}

fn refused(error: rustix::io::Errno) -> Refusal {
    Refusal::Powers(Errno::from_raw(error.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_can_start_processes_as_others_and_end_them_and_nothing_else() {
        assert_eq!(CHILDREN.iter().count(), 3);
        for power in [
            CapabilitySet::SYS_PTRACE,
            CapabilitySet::SYS_ADMIN,
            CapabilitySet::SYS_BOOT,
            CapabilitySet::DAC_OVERRIDE,
            CapabilitySet::NET_ADMIN,
        ] {
            assert!(!CHILDREN.contains(power), "{power:?}");
        }
    }
}
