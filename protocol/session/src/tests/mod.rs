//! Two endpoints and everything between them, seeded, without a clock.

mod appraisal;
mod batches;
mod binding;
mod fixture;
mod handshake;
mod known;
mod opening;
mod order;
mod schedule;
mod tampering;
mod transport;
