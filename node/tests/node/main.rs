//! A node in this process, with a real `nats-server` and an enclave that tests play.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this is test code"
)]

mod attachments;
mod bus;
mod commands;
mod enclave;
mod federation;
mod fixture;
mod http;
mod link;
mod noise;
mod peers;
