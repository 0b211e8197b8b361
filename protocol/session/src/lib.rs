//! The attested Noise session as state machines.
