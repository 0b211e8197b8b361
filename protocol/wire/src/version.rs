//! Versions of what travels.

/// Session protocol, in the prologue.
pub const SESSION: u8 = 1;
/// Envelope on the bus, first byte.
pub const ENVELOPE: u8 = 1;
/// Frames between host and enclave.
pub const LINK: u16 = 1;
/// Schema of the newest vault database that this code writes.
pub const SCHEMA: u32 = 4;
