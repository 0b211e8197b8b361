//! The daemon beside the enclave.

fn main() {}
