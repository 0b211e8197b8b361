//! The whole device against a node in memory: real sessions, emulated attestation, a vault with
//! canned operations, and a bus that loses, repeats and swaps.

mod attachments;
mod bus;
mod enclave;
mod vault;

mod connection;
mod enrollment;
mod keystore;
mod presence;
mod seen;
mod trust;
