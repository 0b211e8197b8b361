//! A node in this process, with a real `nats-server` and an enclave that tests play.

mod bus;
mod commands;
mod enclave;
mod fixture;
mod http;
mod link;
mod noise;
